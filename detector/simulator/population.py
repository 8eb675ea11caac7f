"""Many players at once: who they are, when they join, who gets into trouble, and the one log they leave."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from heapq import heappop, heappush, heapreplace
from random import Random

import msgspec

from detector.events.instants import DAY_US, micros, rfc3339_ms
from detector.simulator.config import Config
from detector.simulator.habits import JURISDICTIONS, LimitKind, draw_habits, draw_limit
from detector.simulator.player import Player
from detector.simulator.trouble import CALM, Trouble, draw_trouble
from detector.simulator.writer import Stamped


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """The truth about one player in trouble.

    Parameters
    ----------
    player
        The player's id.
    onset
        From when on the habits change, RFC 3339.
    kind
        A key of `detector.simulator.trouble.KINDS`.
    markers
        What shows from then on, growing; sorted.
    """

    player: str
    onset: str
    kind: str
    markers: list[str]


@dataclass(frozen=True, slots=True)
class Fate:
    """When a player joins and what becomes of them: all that is drawn before the players live."""

    player: str
    joined_us: int
    trouble: Trouble
    seed: str

    def open(self, config: Config) -> Player:
        """The player, ready to live."""
        place = JURISDICTIONS[config.jurisdiction]
        rng = Random(self.seed)  # noqa: S311  (a simulation, no secret)
        habits = draw_habits(rng, place, config.start.year)
        markers = self.trouble.markers
        if habits.limit is None and not markers.isdisjoint({"limit_raises", "frequent_deposits"}):
            kind: LimitKind = "deposit_count" if "frequent_deposits" in markers else "deposit"
            habits = replace(habits, limit=draw_limit(rng, habits.deposit, kind))
        return Player(self.player, config.jurisdiction, habits, self.trouble, self.joined_us, rng)

    def label(self) -> Label:
        """What the labels file says of a player in trouble."""
        trouble = self.trouble
        return Label(
            player=self.player,
            onset=rfc3339_ms(trouble.onset_us),
            kind=trouble.kind,
            markers=sorted(trouble.markers),
        )


def fates(config: Config) -> list[Fate]:
    """Draw every player's fate, in the order in which they join.

    Seven in ten join in the first week (or the first eighth of a shorter span), the others over four fifths
    of the span. Trouble begins after half to four fifths of the time a player has left, and takes three days
    to two weeks to develop.
    """
    start_us, span_us = micros(config.start), config.days * DAY_US
    drawn: list[Fate] = []
    for number in range(1, config.players + 1):
        seed = f"{config.seed}/{number}"
        rng = Random(f"{seed}/fate")  # noqa: S311
        rush_us = min(7 * DAY_US, span_us // 8) if rng.random() < 0.7 else span_us * 4 // 5
        joined_us = start_us + int(rush_us * rng.random())
        trouble = CALM
        if rng.random() < config.troubled:
            left_us = start_us + span_us - joined_us
            onset_us = joined_us + int(left_us * (0.5 + 0.3 * rng.random()))
            develops_us = int((3 + 11 * rng.random()) * DAY_US)
            ends_us = onset_us + develops_us + int((3 + 18 * rng.random()) * DAY_US)
            trouble = draw_trouble(rng, onset_us, develops_us, ends_us)
        drawn.append(Fate(f"p{number:05}", joined_us, trouble, seed))
    drawn.sort(key=lambda fate: (fate.joined_us, fate.player))
    return drawn


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
