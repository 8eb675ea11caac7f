"""Many players at once: who they are, when they join, who comes to harm, and the one log they leave."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace
from random import Random
from typing import Final

from detector.events.instants import DAY_US, micros
from detector.simulator.config import Config
from detector.simulator.fitted import Level
from detector.simulator.habits import LEVEL_SHARES, Habits, draw_habits
from detector.simulator.harm import CALM, draw_course
from detector.simulator.markers import Ways, draw_ways
from detector.simulator.places import JURISDICTIONS
from detector.simulator.player import Player
from detector.simulator.writer import Stamped

HARM_BY_LEVEL: Final[dict[Level, float]] = {0: 1.0, 3: 2.0, 4: 3.0, 5: 4.0}
"""How much likelier harm is at an operator's level than at level 0 (start)."""

_RETURNING: Final = 0.01
_RETURNING_HARMED: Final = 0.06
"""Shares of players who come back from a self-exclusion: of all, and of those who come to harm (start)."""


@dataclass(frozen=True, slots=True)
class Fate:
    """Who a player is and what becomes of them: all that is drawn before the players live."""

    player: str
    joined_us: int
    habits: Habits
    ways: Ways
    returning: bool
    seed: str

    def open(self, config: Config) -> Player:
        """The player, ready to live."""
        return Player(
            self.player,
            config.jurisdiction,
            self.habits,
            self.ways,
            self.joined_us,
            Random(self.seed),  # noqa: S311  (a simulation, no secret)
            returning=self.returning,
        )


def fates(config: Config) -> list[Fate]:
    """Draw every player's fate, in the order in which they join.

    Seven in ten join in the first week (or the first eighth of a shorter span), the others over four fifths
    of the span.
    """
    drawn = [draw_fate(config, number) for number in range(1, config.players + 1)]
    drawn.sort(key=lambda fate: (fate.joined_us, fate.player))
    return drawn


def draw_fate(config: Config, number: int, level: Level | None = None) -> Fate:
    """Draw one player's fate; of one level only, where that is asked for."""
    start_us, span_us = micros(config.start), config.days * DAY_US
    seed = f"{config.seed}/{number}"
    # Generators of their own, so that a life is the same up to the day on which harm begins.
    rng, of_habits, of_harm, of_ways = (
        Random(f"{seed}/{what}")  # noqa: S311  (a simulation, no secret)
        for what in ("fate", "habits", "harm", "ways")
    )
    rush_us = min(7 * DAY_US, span_us // 8) if rng.random() < 0.7 else span_us * 4 // 5
    joined_us = start_us + int(rush_us * rng.random())
    harm_draw, return_draw = rng.random(), rng.random()
    habits = draw_habits(of_habits, JURISDICTIONS[config.jurisdiction], config.start.year, level)
    harmed = harm_draw < config.troubled * _relative_risk(habits.level)
    course = CALM
    if harmed:
        course = draw_course(of_harm, joined_us, 1 + (start_us + span_us - joined_us) // DAY_US)
    return Fate(
        f"p{number:05}",
        joined_us,
        habits,
        draw_ways(of_ways, course),
        return_draw < (_RETURNING_HARMED if harmed else _RETURNING),
        seed,
    )


def _relative_risk(level: Level) -> float:
    """How likely harm is at a level, as a multiple of the whole house's share."""
    mean = before = 0.0
    for each, edge in LEVEL_SHARES:
        mean += (edge - before) * HARM_BY_LEVEL[each]
        before = edge
    return HARM_BY_LEVEL[level] / mean


def together(openings: Iterable[tuple[int, Iterator[Stamped]]]) -> Iterator[Stamped]:
    """Merge lives into one stream in order of time, each opened only when its first event is near.

    Parameters
    ----------
    openings
        Pairs of (a moment no later than the life's first event, the life), ordered by that moment; may be
        endless. Only as many lives are held as have begun and not ended.
    """
    heap: list[tuple[int, int, bytes, Iterator[Stamped]]] = []
    waiting = enumerate(openings)
    coming = next(waiting, None)
    while heap or coming is not None:
        while coming is not None and (not heap or coming[1][0] <= heap[0][0]):
            number, (_, life) = coming
            first = next(life, None)
            if first is not None:
                heappush(heap, (first[0], number, first[1], life))
            coming = next(waiting, None)
        if not heap:
            continue
        ts_us, number, line, life = heap[0]
        yield ts_us, line
        following = next(life, None)
        if following is None:
            heappop(heap)
        else:
            heapreplace(heap, (following[0], number, following[1], life))
