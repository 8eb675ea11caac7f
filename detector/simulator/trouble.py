"""How a player gets into trouble: which markers show, from when, how fast they grow and how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final, Literal

from detector.events.instants import DAY_US
from detector.simulator.agenda import NEVER

Marker = Literal[
    "escalating_deposits",
    "frequent_deposits",
    "deposits_in_session",
    "failed_deposits",
    "cancelled_withdrawals",
    "night_play",
    "long_sessions",
    "limit_raises",
    "distress_contact",
    "self_exclusion",
    "losses_then_churn",
]

KINDS: Final[dict[str, tuple[tuple[Marker, ...], dict[Marker, float]]]] = {
    "chasing": (
        ("deposits_in_session", "escalating_deposits"),
        {
            "failed_deposits": 0.6,
            "cancelled_withdrawals": 0.5,
            "long_sessions": 0.4,
            "night_play": 0.3,
            "distress_contact": 0.25,
            "limit_raises": 0.3,
        },
    ),
    "nocturnal": (
        ("night_play", "long_sessions"),
        {
            "deposits_in_session": 0.4,
            "cancelled_withdrawals": 0.3,
            "failed_deposits": 0.2,
            "distress_contact": 0.2,
        },
    ),
    "strained": (
        ("failed_deposits", "cancelled_withdrawals"),
        {"deposits_in_session": 0.5, "escalating_deposits": 0.4, "distress_contact": 0.5},
    ),
    "unlimited": (
        ("frequent_deposits", "limit_raises"),
        {"deposits_in_session": 0.5, "night_play": 0.2, "long_sessions": 0.3, "failed_deposits": 0.3},
    ),
}
"""Kind of trouble → (markers that always show, others with the chance that they show too)."""

ENDINGS: Final[tuple[tuple[Marker | None, float], ...]] = (
    ("self_exclusion", 0.35),
    ("losses_then_churn", 0.65),
    (None, 1.0),
)
"""How it ends, as cumulative shares; None goes on as it is."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One player's trouble, all of it drawn before the player's life begins.

    Parameters
    ----------
    kind
        A key of `KINDS`, or "none".
    markers
        What shows. An ending is a marker too.
    onset_us
        From here on habits change; microseconds since the epoch.
    develops_us
        Time from the onset until the markers show in full.
    ends_us
        When the player excludes themselves or begins to leave; `NEVER` where it goes on.
    contacts
        Moments at which the player writes to support, with the topic's code.
    raises
        Moments at which the player raises the own limit; the last one removes it.
    """

    kind: str = "none"
    markers: frozenset[Marker] = frozenset()
    onset_us: int = NEVER
    develops_us: int = DAY_US
    ends_us: int = NEVER
    contacts: tuple[tuple[int, str], ...] = ()
    raises: tuple[int, ...] = ()

    def progress(self, ts_us: int) -> float:
        """How far the trouble has come at a moment: 0 (none, or over) to 1 (in full)."""
        if not self.onset_us < ts_us < self.ends_us:
            return 0.0
        return min(1.0, (ts_us - self.onset_us) / self.develops_us)

    def strength(self, marker: Marker, ts_us: int) -> float:
        """How much of a marker shows at a moment: its trouble's progress, or 0 where it never shows."""
        return self.progress(ts_us) if marker in self.markers else 0.0


CALM: Final = Trouble()


def draw_trouble(rng: Random, onset_us: int, develops_us: int, ends_us: int) -> Trouble:
    """Draw the kind, the markers and the moments of one player's trouble.

    Parameters
    ----------
    rng
        The player's own generator.
    onset_us, develops_us, ends_us
        See `Trouble`; `ends_us` is given up where the ending drawn is to go on.
    """
    kind = list(KINDS)[int(rng.random() * len(KINDS))]
    always, sometimes = KINDS[kind]
    markers: set[Marker] = set(always)
    markers.update(marker for marker, chance in sometimes.items() if rng.random() < chance)
    draw = rng.random()
    ending = next(ending for ending, edge in ENDINGS if draw < edge)
    if ending is None:
        ends_us = NEVER
    else:
        markers.add(ending)
    shown_us = min(ends_us, onset_us + 3 * develops_us) - onset_us
    contacts: list[tuple[int, str]] = []
    if "distress_contact" in markers:
        for _ in range(1 + int(rng.random() * 2)):
            topic = "distress" if rng.random() < 0.7 else "financial_strain"
            contacts.append((onset_us + int(shown_us * (0.3 + 0.6 * rng.random())), topic))
    raises: list[int] = []
    if "limit_raises" in markers:
        raises = sorted(onset_us + int(shown_us * (0.1 + 0.7 * rng.random())) for _ in range(3))
    return Trouble(
        kind, frozenset(markers), onset_us, develops_us, ends_us, tuple(sorted(contacts)), tuple(raises)
    )
