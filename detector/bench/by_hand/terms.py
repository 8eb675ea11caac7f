"""What the rules written by hand say of themselves and of what they find."""

from __future__ import annotations

from typing import NamedTuple

from detector.events.instants import DAY_US, HOUR_US, MINUTE_US
from detector.language.rule import SEVERITIES

LOW, MEDIUM, HIGH, CRITICAL = range(len(SEVERITIES))
NEVER = 2**62
MONTH_US = 30 * DAY_US
WEEK_US = 7 * DAY_US

__all__ = [
    "CRITICAL",
    "DAY_US",
    "HIGH",
    "HOUR_US",
    "LOW",
    "MEDIUM",
    "MINUTE_US",
    "MONTH_US",
    "NEVER",
    "WEEK_US",
]


class Terms(NamedTuple):
    """A rule's id and version, and when it speaks again; times in µs."""

    rule: str
    cooldown_us: int
    remind_us: int = NEVER


class Found(NamedTuple):
    """What an alert is known by; `opened_us` in µs since the epoch."""

    player: str
    rule: str
    kind: str
    severity: int
    opened_us: int


def at_least(value: float, threshold: float) -> bool:
    """Money compared as the rules do: what differs by no more than rounding is equal."""
    return value >= threshold or abs(value - threshold) <= 1e-9 * max(abs(value), abs(threshold))
