"""Rules that make up a score between them, and a score.yml of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.oracle.sample_rules import EVERY_TYPE, RuleFile, rule


def counted(name: str, trigger: Any, when: str, category: str, severity: str, **more: Any) -> RuleFile:
    """A rule that counts, being about risk."""
    return rule(
        name,
        trigger,
        when,
        **(
            {
                "status": "live",
                "audience": "risk",
                "category": category,
                "severity": severity,
                "cooldown": "2d",
            }
            | more
        ),
    )


def scoring_rules() -> list[RuleFile]:
    """Rules of every category, severity and trigger, some that count and some that do not."""
    return [
        counted("s-deposit", "deposit", "count(deposit) over 24h >= 1", "deposits", "low", cooldown="1h"),
        counted(
            "s-deposits",
            ["deposit", "contact"],
            "count(deposit) over 24h >= 2",
            "deposits",
            "medium",
            escalate={"high": "count(deposit) over 24h >= 3", "critical": "count(deposit) over 24h >= 4"},
            respond={"medium": "L0", "high": "L1", "critical": "L3"},
            cooldown="7d",
            remind="1h",
        ),
        counted("s-spend", "bet", "sum(bet.stake) over 24h >= 100 CAD", "spend", "high"),
        counted("s-losses", "bet", "sum(bet.net_loss) over 7d >= 100 CAD", "losses", "critical", remind="1d"),
        counted(
            "s-losing",
            ["bet", "deposit"],
            "sum(bet.net_loss) over 1h > 0 CAD",
            "losses",
            "low",
            cooldown="10m",
        ),
        counted("s-play", "bet", "count(bet) over 1h >= 2", "play", "medium", cooldown="30m", remind="5m"),
        counted("s-withdrawals", "withdrawal_cancel", "age >= 0s", "withdrawals", "high", respond="L4"),
        counted("s-tools", ["limit_change", "break_start"], "age >= 0s", "tools", "medium", remind="1h"),
        counted("s-contact", "contact", 'last(contact.topic) over 1h == "distress"', "contact", "critical"),
        counted("s-calm", "contact", 'last(contact.topic) over 1h == "other"', "contact", "medium"),
        counted("s-checked", "identity_check", "age >= 0s", "tools", "low"),
        counted(
            "s-emptied",
            ["bet", "deposit"],
            "count(session_summary) where depleted over 7d >= 1",
            "play",
            "medium",
        ),
        counted(
            "s-minutes", "during_session", "session_age >= 5m", "time", "medium", remind="10m", cooldown="1d"
        ),
        counted(
            "s-long",
            "during_session",
            "session_age >= 10m",
            "time",
            "low",
            escalate={"high": "session_age >= 30m"},
            respond={"low": "L0", "high": "L2"},
            cooldown="1h",
        ),
        counted("s-quiet", {"silence": "1h"}, "age >= 0s", "time", "low", cooldown="12h"),
        counted("s-rest", {"silence": "1d"}, "age >= 0s", "tools", "low", cooldown="3d"),
        counted(
            "s-closing", "session_summary", "count(bet) over session >= 1", "play", "high", cooldown="1d"
        ),
        counted("s-played", "session_summary", "session_age >= 10m", "spend", "medium", cooldown="12h"),
        counted("s-drafted", EVERY_TYPE, "age >= 0s", "contact", "critical", status="draft", remind="6h"),
        counted(
            "s-followed", EVERY_TYPE, "age >= 0s", "contact", "critical", audience="follow_up", remind="6h"
        ),
        counted("s-operated", "session_summary", "age >= 0s", "contact", "critical", audience="operations"),
        counted("s-shadowed", EVERY_TYPE, "age >= 0s", "contact", "critical", status="shadow"),
    ]


def scoring(packaged: Mapping[str, Any]) -> dict[str, Any]:
    """The packaged score.yml, with protective rules and rules that weigh and fade in their own way."""
    own: dict[str, Any] = {
        "s-calm": {"medium": -9},
        "s-rest": {"low": -7, "half_life": "1d"},
        "s-checked": {"low": -3},
        "s-play": {"medium": 21, "half_life": "6h"},
        "s-quiet": {"half_life": "1h"},
    }
    return {**packaged, "rules": own}
