"""The truth about simulated players, which no log tells: who comes to harm, when, and how badly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from detector.events.instants import DAY_US, rfc3339_ms
from detector.simulator.config import Config
from detector.simulator.harm import MODERATE, Phase
from detector.simulator.population import Fate, fates

AGE_BANDS: Final = ((25, "19-24"), (35, "25-34"), (45, "35-44"), (55, "45-54"), (65, "55-64"))


class Change(msgspec.Struct, frozen=True):
    """From when on a player is in a phase, RFC 3339."""

    since: str
    phase: Phase


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """The truth about one player, up to the log's end.

    Parameters
    ----------
    player
        The player's id.
    joined
        Registration, RFC 3339.
    level
        The operator's level (involvement, not harm): 0, 3, 4 or 5.
    age_band, gender, product
        Cohorts: age at the beginning of the log, and the favourite product.
    harmed
        From when on the level of harm is moderate or worse for the first time; None: never.
    peak
        The highest level of harm, 0 to 1.
    phases
        Change points of the course, the first at registration.
    days
        Level of harm in hundredths, one a day of 24 h from registration on; empty: never any.
    markers
        What harm brings out in the player, sorted; those who never come to harm have none.
    styles
        Ways that look like harm and are none.
    """

    player: str
    joined: str
    level: int
    age_band: str
    gender: str
    product: str
    harmed: str | None
    peak: float
    phases: list[Change]
    days: list[int]
    markers: list[str]
    styles: list[str]


def truths(config: Config, until_us: int) -> Iterator[Truth]:
    """The truth about every player who joins before `until_us` (microseconds since the epoch), by player."""
    for fate in sorted(fates(config), key=lambda fate: fate.player):
        if fate.joined_us < until_us:
            yield _truth(fate, config.start.year, until_us)


def _truth(fate: Fate, year: int, until_us: int) -> Truth:
    course, joined_us = fate.ways.course, fate.joined_us
    seen = course.days[: (until_us - joined_us - 1) // DAY_US + 1]
    first = next((day for day, level in enumerate(seen) if level >= MODERATE), None)
    age = year - fate.habits.birth_year
    return Truth(
        player=fate.player,
        joined=rfc3339_ms(joined_us),
        level=fate.habits.level,
        age_band=next((band for edge, band in AGE_BANDS if age < edge), "65+"),
        gender=fate.habits.gender,
        product=fate.habits.products[0].name,
        harmed=None if first is None else rfc3339_ms(joined_us + first * DAY_US),
        peak=max(seen, default=0.0),
        phases=[
            Change(rfc3339_ms(joined_us + day * DAY_US), phase)
            for day, phase in course.phases
            if joined_us + day * DAY_US < until_us
        ],
        days=[round(100 * level) for level in seen],
        markers=sorted(fate.ways.brought_out) if any(seen) else [],
        styles=sorted(fate.ways.styles),
    )
