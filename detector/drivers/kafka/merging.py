"""Several topics' events of one partition in one order: by event time, within a bounded wait.

Pure: whoever drives it says what time it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_WAITING = 50_000
"""Events of one topic that may wait for others; beyond them the oldest goes on."""
_NEVER = -(2**62)


@dataclass(slots=True)
class _Lane(Generic[T]):
    waiting: deque[tuple[int, T]] = field(default_factory=deque)
    high: int = _NEVER
    heard_s: float = 0.0


class Merger(Generic[T]):
    """Puts in order what comes in lanes, each in its own order.

    A lane is waited for during `wait_s` after it last gave something; one that gives nothing holds nobody up.

    Parameters
    ----------
    lanes
        Their names; at equal times the one named first goes first.
    wait_s, now_s
        How long a lane is waited for, in seconds, and a clock to begin with.
    """

    def __init__(self, lanes: Iterable[str], wait_s: float, now_s: float) -> None:
        self._lanes: dict[str, _Lane[T]] = {name: _Lane(heard_s=now_s) for name in lanes}
        self._wait_s = wait_s

    def add(self, lane: str, at: int, item: T) -> None:
        """Line an item up, `at` being its event time."""
        into = self._lanes[lane]
        # What is late within its own lane must not hold up others: it goes when its turn comes.
        into.waiting.append((at, item))
        into.high = max(into.high, at)

    def heard(self, lane: str, now_s: float) -> None:
        """Note that a lane gave something."""
        self._lanes[lane].heard_s = now_s

    def take(self, now_s: float) -> Iterator[T]:
        """What may go on now, in order."""
        lanes = list(self._lanes.values())
        while True:
            first: _Lane[T] | None = None
            for lane in lanes:
                if lane.waiting and (first is None or lane.waiting[0][0] < first.waiting[0][0]):
                    first = lane
            if first is None:
                return
            if len(first.waiting) <= MOST_WAITING and any(
                not lane.waiting and self._is_awaited(lane, now_s) for lane in lanes if lane is not first
            ):
                return
            yield first.waiting.popleft()[1]

    def least_high(self, now_s: float) -> int | None:
        """The least of the lanes' high marks, of those that anything is to be expected of; None: no matter.

        A lane that has nothing more to give says nothing of how late it is.
        """
        highs = [
            lane.waiting[0][0] if lane.waiting else lane.high
            for lane in self._lanes.values()
            if lane.waiting or (self._is_awaited(lane, now_s) and lane.high > _NEVER)
        ]
        return min(highs, default=None)

    def __len__(self) -> int:
        """How many wait."""
        return sum(len(lane.waiting) for lane in self._lanes.values())

    def _is_awaited(self, lane: _Lane[T], now_s: float) -> bool:
        return now_s - lane.heard_s < self._wait_s
