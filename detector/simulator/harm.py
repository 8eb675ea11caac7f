"""Harm as a hidden course: it starts gradually, gets worse, recovers, and may come back.

The level of harm, 0 to 1, is a figure a day. It is never seen in the log: it only shifts what the player is
likely to do (`detector.simulator.markers`). Durations and shares are this project's own (start); that harm
moves in and out of phases, and that relapse is common, is the literature's.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from random import Random
from typing import Final, Literal

from detector.events.instants import DAY_US

Phase = Literal["calm", "rising", "harmed", "recovering"]

MODERATE: Final = 0.3
"""From this level on a player counts as harmed."""
SEVERE: Final = 0.6
"""From this level on harm is severe."""

_SEVERE_SHARE: Final = 0.3
_AT_ONCE: Final = 0.15
_RECOVERS: Final = 0.65
_RELAPSES: Final = 0.5


@dataclass(frozen=True, slots=True)
class Course:
    """One player's level of harm, day by day.

    Parameters
    ----------
    from_us
        Beginning of the first day, microseconds since the epoch.
    days
        The level on each day, 0 to 1; after the last one it stays as it is. Empty: never any.
    phases
        Change points: (day it begins, phase), rising; the first is day 0.
    """

    from_us: int = 0
    days: tuple[float, ...] = ()
    phases: tuple[tuple[int, Phase], ...] = ((0, "calm"),)

    def level(self, ts_us: int) -> float:
        """The level at a moment, microseconds since the epoch."""
        days = self.days
        if not days or ts_us < self.from_us:
            return 0.0
        return days[min((ts_us - self.from_us) // DAY_US, len(days) - 1)]


CALM: Final = Course()


def draw_course(rng: Random, from_us: int, days: int) -> Course:
    """Draw the course of a player who comes to harm within `days` days from `from_us`.

    One in seven brings it along from elsewhere; for the others it begins at any time in the first seven
    tenths of the span. It rises over three weeks (median), stays for about as long, and two in three recover;
    of these half relapse, faster than the first time.
    """
    peak = _peak(rng)
    calm = 0 if rng.random() < _AT_ONCE else int(0.7 * days * rng.random())
    phases: list[tuple[int, Phase]] = [(0, "calm")] if calm else []
    targets = [0.0] * calm
    # What is brought along has risen already.
    rise = _days(rng, 21) if calm else 3
    while len(targets) < days:
        phases.append((len(targets), "rising"))
        # The square makes it start gradually.
        targets += [peak * ((n + 1) / rise) ** 2 for n in range(rise)]
        phases.append((len(targets), "harmed"))
        if rng.random() >= _RECOVERS:
            targets += [peak] * max(0, days - len(targets))
            break
        targets += [peak] * _days(rng, 24)
        fall = _days(rng, 21)
        phases.append((len(targets), "recovering"))
        targets += [peak * (1.0 - (n + 1) / fall) for n in range(fall)]
        if rng.random() >= _RELAPSES:
            phases.append((len(targets), "calm"))
            targets += [0.0] * max(0, days - len(targets))
            break
        phases.append((len(targets), "calm"))
        targets += [0.0] * _days(rng, 25)
        peak, rise = min(1.0, peak * (0.7 + 0.5 * rng.random())), _days(rng, 10)
    return Course(from_us, _wavering(rng, targets[:days]), tuple(each for each in phases if each[0] < days))


def _peak(rng: Random) -> float:
    if rng.random() < _SEVERE_SHARE:
        return SEVERE + (1.0 - SEVERE) * rng.random()
    return MODERATE + 0.05 + (SEVERE - MODERATE - 0.1) * rng.random()


def _days(rng: Random, median: float) -> int:
    return max(3, int(median * exp(rng.gauss(0.0, 0.5))))


def _wavering(rng: Random, targets: list[float]) -> tuple[float, ...]:
    """Good and bad days, each much like the one before."""
    levels = []
    mood = 0.0
    for target in targets:
        mood = 0.85 * mood + rng.gauss(0.0, 0.07)
        levels.append(round(min(1.0, target * exp(mood - 0.15)), 3))
    return tuple(levels)
