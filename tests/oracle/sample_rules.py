"""Small rules that between them use every aggregate, scope, window and trigger, every way to alert twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

RuleFile = dict[str, Any]

EVERY_TYPE = [
    "session_start",
    "session_end",
    "deposit",
    "deposit_failed",
    "withdrawal_request",
    "withdrawal_cancel",
    "withdrawal",
    "bet",
    "refund",
    "bonus",
    "limit_change",
    "limit_reached",
    "break_start",
    "self_exclusion",
    "self_exclusion_end",
    "contact",
    "identity_check",
    "player_profile",
]
WINDOWS = (
    "over 1h",
    "over 24h",
    "over 1h before 30m",
    "over 24h before 24h",
    "over session",
    "over lifetime",
)

DEPOSITS = (
    "count(deposit)",
    *(f"{each}(deposit.amount)" for each in ("sum", "mean", "max", "min", "std", "last")),
)
BETS = (
    "count(bet)",
    *(f"{each}(bet.stake)" for each in ("sum", "mean", "max", "min", "std", "first", "last")),
)

# A quantity, and a comparison of the right kind for it: the alert's evidence then shows the quantity.
NUMBERS = [
    *(f"{each} {window}" for each in DEPOSITS for window in WINDOWS),
    *(f"{each} {window}" for each in BETS for window in WINDOWS),
    *(f"distinct(deposit.method) {window}" for window in WINDOWS),
    *(f"distinct(bet.product) {window}" for window in WINDOWS),
    "first(deposit.amount) over 24h",
    "sum(bet.net_loss) over 7d",
    "sum(bet.net_loss) where net_loss > 0 over session",
    "min(bet.net_loss) over lifetime",
    "mean(bet.bonus_stake) over 24h",
    "sum(bet.bonus_stake) over lifetime",
    "distinct(bet.bonus_stake) over 1h",
    "count(deposit) where amount >= 200 CAD over 48h",
    "sum(deposit.amount) where amount >= 200 CAD over 7d before 1d",
    'sum(deposit.amount) where method == "card" or amount > 100 CAD over 7d',
    'count(deposit) where not (method == "card") over lifetime',
    'count(deposit) where method != "card" over session',
    'count(deposit) where method in ("card", "bank") over 48h',
    'count(deposit) where method not in ("card", "bank") and currency == "CAD" over lifetime',
    "sum(bet.stake) where stake < 2 * payout and stake - payout > -50 CAD over 24h",
    'mean(bet.stake) where product == "poker" over 1h',
    "count(bet) where local_hour < 5 over 7d",
    "count(bet) where local_hour >= 22 or local_hour < 4 over 24h before 1h",
    "distinct(bet.local_date) over lifetime",
    "distinct(deposit.local_date) over 7d",
    "count(deposit) where local_hour == 2 over lifetime",
    "count(deposit_failed) over 24h",
    "sum(withdrawal_cancel.amount) over 7d",
    "max(withdrawal.amount) over 90m",
    "count(withdrawal_request) over 10m",
    "sum(refund.amount) over lifetime",
    "sum(bonus.amount) over session",
    "count(limit_change) over lifetime",
    'distinct(limit_change.new) where limit == "deposit_count" over lifetime',
    'last(limit_change.new) where limit == "deposit" over lifetime',
    'first(limit_change.old) where limit == "deposit_count" over 7d',
    'mean(limit_change.new) where limit == "deposit" over 7d',
    'max(limit_change.new) where limit == "deposit_count" over lifetime',
    'count(limit_change) where limit == "deposit" and new > old over 7d',
    "count(limit_change) where loosened over lifetime",
    "count(limit_change) where not loosened over 7d",
    "count(contact) over 24h",
    "distinct(contact.topic) over 7d",
    "count(session_start) over 24h",
    "distinct(session_start.channel) over session",
    "count(player_profile) over 24h before 1m",
    "max(deposit.amount) over 24h before 10m",
    "last(bet.payout) over 10m",
    "first(bet.payout) over 24h before 90m",
]
DURATIONS: list[str] = []  # `gap` hangs on the order of arrival and cannot be undone: see tests/engine
TEXTS = [
    "last(deposit.method) over 24h",
    "first(bet.product) over session",
    "last(contact.topic) over lifetime",
    "last(bet.local_date) over 1h",
]


def rule(name: str, trigger: Any, when: str, **more: Any) -> RuleFile:
    """A rule file with no more than what it needs to load; it is about no risk and so counts in no score."""
    return {
        "id": name,
        "version": 1,
        "status": "draft",
        "title": name,
        "category": "play",
        "audience": "operations",
        "severity": "low",
        "trigger": trigger,
        "when": when,
        "cooldown": "1m",
        "explain": "seen",
        "respond": "L1",
    } | more


ALWAYS = "count(identity_check) over lifetime >= 0"


def quantity_rules(triggers: Iterable[tuple[str, Any]] = (("event", EVERY_TYPE),)) -> list[RuleFile]:
    """One always-true rule for each quantity, whose alerts' evidence tells its value."""
    rules: list[RuleFile] = []
    for label, trigger in triggers:
        for kind, texts in (("0", NUMBERS), ("0s", DURATIONS), ('"distress"', TEXTS)):
            sign = "==" if texts is TEXTS else ">="
            for text in texts:
                when = f"{ALWAYS} or {text} {sign} {kind}"
                rules.append(rule(f"{label}-{len(rules)}", trigger, when, remind="1m"))
    return rules


TIMED: Sequence[tuple[str, Any]] = (
    ("minute", "during_session"),
    ("half-hour", {"silence": "30m"}),
    ("day", {"silence": "1d"}),
)

ESCALATING = {"medium": "count(deposit) over 24h >= 3", "critical": "count(deposit) over 24h >= 5"}


def behaviour_rules() -> list[RuleFile]:
    """Rules judged by events, whose point is when they alert."""
    return [
        rule("plain", "deposit", "count(deposit) over 1h >= 2"),
        rule("plain-bet", "bet", "sum(bet.stake) over 1h >= 200 CAD", cooldown="1h"),
        rule("two-types", ["deposit", "bet"], "count(deposit) over 24h >= 1 and count(bet) over 24h >= 1"),
        rule("steps", "deposit", "count(deposit) over 24h >= 1", escalate=ESCALATING, cooldown="24h"),
        rule(
            "steps-again",
            "deposit",
            "count(deposit) over 24h >= 1",
            escalate=ESCALATING,
            cooldown="1h",
            remind="30m",
        ),
        rule("reminding", "bet", "count(bet) over lifetime >= 1", cooldown="30m", remind="10m"),
        rule("reminding-late", "bet", "count(bet) over lifetime >= 1", cooldown="7d", remind="1d"),
        rule(
            "habit",
            "deposit",
            "age >= 1d and recent >= floor and recent >= ratio * max(habit, 50 CAD)",
            params={
                "ratio": {"value": 1.1, "min": 1.0, "max": 5.0},
                "floor": {"value": "50 CAD", "min": "1 CAD", "max": "200 CAD"},
            },
            let={
                "recent": "sum(deposit.amount) over 24h",
                "habit": "sum(deposit.amount) over 48h before 24h / 2",
            },
            escalate={"high": "recent >= 4 * max(habit, 50 CAD)"},
            cooldown="24h",
        ),
        rule(
            "window-by-param",
            ["withdrawal", "withdrawal_cancel"],
            "count(withdrawal_cancel) over span + count(withdrawal) over span before 1h >= 2",
            params={"span": {"value": "24h", "min": "1h", "max": "7d"}},
        ),
        rule("tolerant", "deposit", "1.1 * 200 CAD == last(deposit.amount) over lifetime"),
        rule("share", "bet", "sum(bet.payout) over 24h / sum(bet.stake) over 24h < 30%"),
        rule("unknown-or", "bet", "mean(deposit.amount) over 1h > 100 CAD or count(bet) over 1h >= 3"),
        rule("not-unknown", "bet", "not (mean(deposit.amount) over 1h > 100 CAD)"),
        rule("foreign", "deposit", "sum(deposit.amount) over 7d > sum(bet.stake) over 7d"),
        rule(
            "in-dollars",
            ["deposit", "bet"],
            "sum(deposit.amount) over 24h + sum(bet.payout) over 24h >= 300 USD",
        ),
        rule("since", "bet", "since(deposit) <= 30m"),
        rule(
            "since-start",
            ["deposit", "withdrawal"],
            "since(session_start) > 1h and since(session_start) <= 24h",
        ),
        rule("age", "contact", "age >= 24h"),
        rule("session-age", ["bet", "deposit"], "session_age >= 10m", cooldown="10m"),
        rule(
            "in-session",
            "deposit",
            "count(deposit) over session >= 2",
            escalate={"high": "count(deposit) over session >= 3"},
        ),
        rule("by-void", "deposit", "count(deposit) over lifetime >= 0", cooldown="1m", remind="1m"),
        rule("exclusion", "self_exclusion", "count(self_exclusion) over lifetime >= 1", severity="critical"),
        rule("functions", "bet", "abs(sum(bet.net_loss) over 24h) > min(max(bet.stake) over 24h, 100 CAD)"),
        rule("topic", "contact", 'last(contact.topic) over lifetime in ("distress", "threat")'),
        rule(
            "over-limit",
            "deposit",
            'sum(deposit.amount) over 24h > last(limit_change.new) where limit == "deposit" over lifetime',
        ),
        rule(
            "closing",
            ["session_end", "session_start"],
            "count(bet) over session >= 1 or count(session_end) over session >= 1",
        ),
    ]


def timed_rules() -> list[RuleFile]:
    """Rules judged as time passes."""
    return [
        rule("quiet-half-hour", {"silence": "30m"}, "age >= 0s"),
        rule("quiet-hour", {"silence": "1h"}, "count(bet) over 24h >= 1", cooldown="1h", remind="1h"),
        rule("quiet-day", {"silence": "1d"}, "age >= 0s", cooldown="1d"),
        rule(
            "quiet-days",
            {"silence": "3d"},
            "count(deposit) over 7d >= 1",
            escalate={"high": "sum(deposit.amount) over 7d >= 100 CAD"},
        ),
        rule("quiet-no-session", {"silence": "30m"}, "count(bet) over session >= 0"),
        rule("quiet-after-loss", {"silence": "2d"}, "sum(bet.net_loss) over 7d before 1d > 0", cooldown="7d"),
        rule("each-minute", "during_session", "session_age >= 0s", remind="1m", cooldown="1m"),
        rule("long-session", "during_session", "session_age >= 10m", cooldown="1h", remind="10m"),
        rule(
            "long-and-longer",
            "during_session",
            "session_age >= 5m",
            escalate={"medium": "session_age >= 20m", "critical": "session_age >= 30m"},
            cooldown="24h",
        ),
        rule(
            "minute-bets",
            "during_session",
            "count(bet) over 10m >= 1 or count(bet) over session >= 2",
            remind="1m",
        ),
        rule(
            "minute-deposits",
            "during_session",
            "count(deposit) over session >= 1",
            escalate={"high": "sum(deposit.amount) over session >= 150 CAD"},
            cooldown="5m",
        ),
    ]
