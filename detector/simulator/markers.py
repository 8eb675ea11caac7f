"""Which behaviours harm may bring out in a player, and which ways look like harm and are none.

Every behaviour has a strength from 0 (the player's ordinary ways) to 1, made of two parts: what the player
does anyway, harmless as it is, and what comes with harm. Strength changes probabilities only, so that
nothing in the log is a certain sign of either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal, get_args

from detector.simulator.harm import CALM, Course

Marker = Literal[
    "bonus_requests",
    "breaks",
    "cancelled_withdrawals",
    "depletion",
    "deposits_in_session",
    "distress_contact",
    "erratic_stakes",
    "escalating_deposits",
    "failed_deposits",
    "frequent_deposits",
    "frequent_play",
    "limit_raises",
    "long_sessions",
    "night_play",
    "payment_methods",
    "product_breadth",
    "self_exclusion",
    "speed_after_losses",
    "stake_escalation",
]

MARKERS: Final[tuple[Marker, ...]] = get_args(Marker)

Style = Literal[
    "binger", "bonus_hunter", "card_trouble", "erratic", "long_sitter", "night_worker", "tinkerer",
    "topper_up", "waverer",
]  # fmt: skip

STYLES: Final[Mapping[Style, tuple[float, Mapping[Marker, float]]]] = {
    "binger": (0.05, {"long_sessions": 0.3}),
    "bonus_hunter": (0.03, {"bonus_requests": 0.5, "payment_methods": 0.4, "product_breadth": 0.5}),
    "card_trouble": (0.04, {"failed_deposits": 0.6, "payment_methods": 0.2}),
    "erratic": (0.07, {"erratic_stakes": 0.6, "stake_escalation": 0.2}),
    "long_sitter": (0.05, {"long_sessions": 0.6, "depletion": 0.2}),
    "night_worker": (0.06, {"night_play": 0.6}),
    "tinkerer": (0.02, {"limit_raises": 0.4}),
    "topper_up": (0.07, {"deposits_in_session": 0.4, "frequent_deposits": 0.4}),
    "waverer": (0.04, {"cancelled_withdrawals": 0.4}),
}
"""Ways that are no harm and look like it: share of players, harmed or not, and how much of what they show.

All of them are this project's own (start)."""

_QUIET: Final = 0.2
"""Share of harmed players who show few markers, and those faintly (start)."""


@dataclass(frozen=True, slots=True)
class Ways:
    """How much of each behaviour a player shows, and when.

    Parameters
    ----------
    course
        The player's hidden course of harm.
    own
        What the player does without any harm: marker → 0 to 1.
    brought_out
        What harm at its worst (a level of 1) adds: marker → 0 to 1.
    styles
        The harmless ways that `own` comes from.
    """

    course: Course = CALM
    own: Mapping[Marker, float] = field(default_factory=dict)
    brought_out: Mapping[Marker, float] = field(default_factory=dict)
    styles: tuple[Style, ...] = ()

    def strength(self, marker: Marker, ts_us: int) -> float:
        """How much of a behaviour shows at a moment (microseconds since the epoch), 0 to 1."""
        own = self.own.get(marker, 0.0)
        added = self.brought_out.get(marker, 0.0)
        return 1.0 - (1.0 - own) * (1.0 - added * self.course.level(ts_us)) if added else own


def draw_ways(rng: Random, course: Course) -> Ways:
    """Draw which ways a player has, harmless and (should harm come) other."""
    styles = tuple(style for style, (share, _) in STYLES.items() if rng.random() < share)
    own: dict[Marker, float] = {}
    for style in styles:
        for marker, much in STYLES[style][1].items():
            own[marker] = max(own.get(marker, 0.0), much)
    quiet = rng.random() < _QUIET
    loud, shown = (0.3, 0.25) if quiet else (0.7 + 0.3 * rng.random(), 0.65)
    brought_out: dict[Marker, float] = {}
    for marker in MARKERS:
        if rng.random() < shown:
            brought_out[marker] = loud * (0.7 + 0.3 * rng.random())
    return Ways(course, own, brought_out, styles)
