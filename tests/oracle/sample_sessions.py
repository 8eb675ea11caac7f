"""Small rules on closed sessions and on habits: every field, window and trigger of theirs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.oracle.sample_rules import ALWAYS, EVERY_TYPE, TIMED, RuleFile, rule

CLOSING = ("closing", "session_summary")
AT_MOMENTS = (CLOSING, *TIMED)

EVERY_FIELD = {
    "0": (
        *("minutes", "deposits", "deposited", "bets", "staked", "net_loss"),
        *("stake_first", "stake_max", "stake_std", "stake_trend"),
    ),
    "0s": ("gap_after_loss", "gap_after_win"),
}
WINDOWS = ("over 1h", "over 24h", "over 7d", "over 24h before 30m", "over session", "over lifetime")

# A quantity and the kind of nothing it is compared with.
ON_SUMMARIES: list[tuple[str, str]] = [
    *(
        (f"last(session_summary.{name}) over 7d", zero)
        for zero, names in EVERY_FIELD.items()
        for name in names
    ),
    *((f"count(session_summary) {window}", "0") for window in WINDOWS),
    *((f"sum(session_summary.net_loss) {window}", "0") for window in WINDOWS),
    *((f"max(session_summary.minutes) {window}", "0") for window in WINDOWS),
    *((f"count(session_summary) where depleted {window}", "0") for window in WINDOWS),
    *(
        (f"{each}(session_summary.stake_max) over 7d", "0")
        for each in ("sum", "mean", "max", "min", "std", "distinct", "first")
    ),
    *((f"{each}(session_summary.gap_after_loss) over 7d", "0s") for each in ("sum", "mean", "max", "min")),
    ("count(session_summary) where not depleted over 7d", "0"),
    ("count(session_summary) where gap_after_loss < gap_after_win over 7d", "0"),
    ("count(session_summary) where stake_trend > 0 and stake_max >= 2 * stake_first over 24h", "0"),
    ("count(session_summary) where net_loss >= 100 CAD or minutes > 20 over 7d", "0"),
    ("sum(session_summary.deposited) where deposits >= 2 over 7d before 1h", "0"),
    ("mean(session_summary.minutes) where bets > 0 over lifetime", "0"),
    ("mean(session_summary.stake_std) over 7d", "0"),
    ("max(session_summary.stake_trend) over session", "0"),
    ("distinct(session_summary.depleted) over 7d", "0"),
    ("std(session_summary.minutes) over lifetime", "0"),
    ("first(session_summary.staked) over 24h", "0"),
    ("sum(session_summary.bets) over 10m", "0"),
    ("since(session_summary)", "0s"),
]

HABITS: list[tuple[str, str]] = [
    ("sum(deposit.amount) over 1h", "0"),
    ("sum(deposit.amount) over 24h", "0"),
    ("count(deposit) over 24h before 1h", "0"),
    ("count(bet) over 1h", "0"),
    ("count(bet) over 24h", "0"),
    ("sum(bet.stake) over 24h before 24h", "0"),
    ("mean(bet.stake) over 24h", "0"),
    ("sum(bet.net_loss) over 7d", "0"),
    ("std(bet.stake) over 2d", "0"),
    ("max(deposit.amount) over 2d", "0"),
    ("min(deposit.amount) over 24h before 10m", "0"),
    ("last(deposit.amount) over 7d", "0"),
    ("distinct(bet.product) over 24h", "0"),
    ("distinct(deposit.method) over 2d before 1h", "0"),
    ("count(deposit) where amount >= 100 CAD over 24h", "0"),
    ("sum(bet.stake) where local_hour < 6 over 2d", "0"),
    ("count(session_summary) over 24h", "0"),
    ("sum(session_summary.net_loss) over 2d", "0"),
    ("mean(session_summary.minutes) over 2d", "0"),
    ("sum(session_summary.gap_after_loss) over 2d", "0s"),
    ("count(session_summary) where depleted over 24h before 1h", "0"),
    ("count(contact) over 10m", "0"),
]


def summary_rules(triggers: Iterable[tuple[str, Any]] = (("seen", EVERY_TYPE),)) -> list[RuleFile]:
    """One always-true rule for each quantity on closed sessions, whose alerts' evidence tells its value."""
    return [
        rule(f"{label}-{number}", trigger, f"{ALWAYS} or {text} >= {zero}", remind="1m")
        for label, trigger in triggers
        for number, (text, zero) in enumerate(ON_SUMMARIES)
    ]


def habit_rules(triggers: Iterable[tuple[str, Any]] = (("habit", EVERY_TYPE),)) -> list[RuleFile]:
    """The same for what each of many windows usually holds, and how unusual it is now."""
    return [
        rule(
            f"{label}-{number}",
            trigger,
            f"{ALWAYS} or it >= {zero} or usual(it) >= {zero} or z(it) >= 0",
            let={"it": text},
            remind="1m",
        )
        for label, trigger in triggers
        for number, (text, zero) in enumerate(HABITS)
    ]


def session_behaviour_rules() -> list[RuleFile]:
    """Rules on closed sessions and habits, judged by events, whose point is when they alert."""
    return [
        rule(
            "emptied", ["bet", "deposit"], "count(session_summary) where depleted over 7d >= 2", remind="10m"
        ),
        rule(
            "emptied-share",
            ["session_start", "session_end"],
            "sessions >= 2 and emptied >= 50% * sessions",
            let={
                "sessions": "count(session_summary) over 30d",
                "emptied": "count(session_summary) where depleted over 30d",
            },
            escalate={"high": "emptied >= 3"},
            cooldown="24h",
        ),
        rule("losing-sessions", "bet", "sum(session_summary.net_loss) over 7d >= 300 CAD", cooldown="1h"),
        rule("losing-in-dollars", "contact", "sum(session_summary.net_loss) over 7d >= 100 USD"),
        rule("back-soon", ["deposit", "session_start"], "since(session_summary) <= 10m"),
        rule(
            "escalated-session",
            ["deposit", "session_start"],
            "count(session_summary) where stake_trend > 0 and stake_max >= 2 * stake_first over 24h >= 1",
            severity="medium",
        ),
        rule(
            "straggling", EVERY_TYPE, "count(session_summary) over session >= 1", cooldown="1h", remind="5m"
        ),
        rule(
            "above-habit",
            "deposit",
            "z(recent) >= 1.5 and recent >= 2 * usual(recent)",
            let={"recent": "sum(deposit.amount) over 24h"},
            remind="1m",
        ),
        rule(
            "busier",
            "bet",
            "rounds > usual(rounds)",
            let={"rounds": "count(bet) over 24h"},
            escalate={"high": "z(rounds) > 1.9", "critical": "z(rounds) > 3"},
        ),
        rule(
            "longer-than-usual",
            ["session_start", "contact"],
            "played >= 1.5 * usual(played)",
            let={"played": "sum(session_summary.minutes) over 2d"},
        ),
        rule(
            "habit-by-param",
            "deposit",
            "usual(part) >= floor",
            let={"part": "sum(deposit.amount) over span before 1h"},
            params={
                "span": {"value": "24h", "min": "1h", "max": "7d"},
                "floor": {"value": "40 CAD", "min": "1 CAD", "max": "200 CAD"},
            },
        ),
    ]


def closing_rules() -> list[RuleFile]:
    """Rules judged as sessions close, and others of the time that look at closed sessions."""
    return [
        rule("each-closing", "session_summary", "age >= 0s", remind="1m"),
        rule(
            "closing-play",
            "session_summary",
            "count(bet) over session >= 2 and count(deposit) over session >= 1",
            escalate={
                "high": "count(deposit) over session >= 2",
                "critical": "sum(bet.net_loss) over session > 0",
            },
            cooldown="1h",
        ),
        rule(
            "chasing",
            "session_summary",
            "chased >= 1",
            let={
                "chased": "count(session_summary) where deposits >= 2 and depleted"
                " and (stake_trend > 0 or gap_after_loss < gap_after_win) over session"
            },
            severity="high",
        ),
        rule("closing-long", "session_summary", "session_age >= 30m", cooldown="24h", remind="24h"),
        rule("several-closings", "session_summary", "count(session_summary) over 1h >= 2"),
        rule("first-closing", "session_summary", "count(session_summary) over 24h == 1", cooldown="10m"),
        rule(
            "lossy-closing",
            "session_summary",
            "lost >= 10 CAD and lost > usual(lost)",
            let={"lost": "sum(session_summary.net_loss) over 24h"},
            escalate={"medium": "z(lost) > 1"},
        ),
        rule("unknown-closing", "session_summary", "not (mean(session_summary.stake_std) over session > 0)"),
        rule(
            "quiet-after-emptying", {"silence": "30m"}, "count(session_summary) where depleted over 1h >= 1"
        ),
        rule("quiet-at-closing", {"silence": "30m"}, "since(session_summary) > 0s", cooldown="10m"),
        rule("quiet-habit", {"silence": "1d"}, "usual(it) >= 0.5", let={"it": "count(deposit) over 2d"}),
        rule(
            "minute-after-closing",
            "during_session",
            "count(session_summary) over 1h >= 1",
            escalate={"high": "count(session_summary) over 1h >= 2"},
            cooldown="5m",
        ),
    ]
