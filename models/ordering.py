"""Puts what is heard of players in order of time, and with samples what the rules alone made of the player.

What comes of several partitions, or of moments that are judged once the watermark has passed, is a little out
of order. Learning hangs on the order, so that everything waits until nothing earlier can come any more.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import msgspec

from models.sample import Flag, Label, Sample

SETTLED_US = 46 * 60 * 1_000_000
"""How far behind the latest time heard nothing earlier comes up any more: the grace of 15 minutes, and 31 in
which the fate of a session is open."""
HALVED_US = 14 * 86_400_000_000
"""The time in which what the rules made of a player halves: a baseline has to forget, or it only counts."""

Heard = Sample | Label | Flag
_RANKS = {Flag: 0, Sample: 1, Label: 2}
# A flag of the same moment is part of what the rules made of the player; a label speaks of what was before.


class InOrder:
    """Holds what was heard until its turn comes.

    Attributes
    ----------
    high_us
        The latest time heard, µs since the epoch.
    """

    def __init__(self) -> None:
        self.high_us = 0
        self._waiting: list[tuple[int, int, str, str, int, Heard]] = []
        self._heard = 0
        self._flags: dict[str, tuple[int, float]] = {}
        self._verdicts: set[Label] = set()  # those that wait: they come from elsewhere, and may come twice

    def hear(self, each: Heard) -> None:
        """Take something in."""
        # Verdicts come when somebody has the time: the clock is that of players.
        if isinstance(each, Label) and each.source == "verdict":
            if each in self._verdicts:
                return
            self._verdicts.add(each)
        else:
            self.high_us = max(self.high_us, each.at)
        self._heard += 1
        moment = each.moment if isinstance(each, Sample) else ""
        turn = (each.at, _RANKS[type(each)], each.player, moment, self._heard, each)
        heapq.heappush(self._waiting, turn)

    @property
    def settled_us(self) -> int:
        """Up to here nothing is waited for any more."""
        return self.high_us - SETTLED_US

    def let_go(self) -> None:
        """Forget what waits but verdicts: whoever feeds this says again what came after `settled_us`."""
        self._waiting = [
            turn for turn in self._waiting if isinstance(turn[-1], Label) and turn[-1] in self._verdicts
        ]
        heapq.heapify(self._waiting)

    def settled(self) -> Iterator[Sample | Label]:
        """What nothing earlier can come before any more, in order; each is given once."""
        return self.until(self.settled_us)

    def until(self, at_us: int) -> Iterator[Sample | Label]:
        """What happened up to an instant, in order; each is given once."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= at_us:
            each = heapq.heappop(waiting)[-1]
            if isinstance(each, Flag):
                self._flags[each.player] = (each.at, each.score)
            elif isinstance(each, Label):
                self._verdicts.discard(each)
                yield each
            else:
                yield msgspec.structs.replace(each, rules=self._rules(each.player, each.at))

    def _rules(self, player: str, at_us: int) -> float:
        opened_us, score = self._flags.get(player, (at_us, 0.0))
        # Of a sample that came too late for its turn, the alert may lie behind it.
        return float(score * 0.5 ** (max(at_us - opened_us, 0) / HALVED_US))
