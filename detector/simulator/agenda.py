"""What a player has coming: settlements, payouts of withdrawals, letters to support."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from typing import Final

from detector.simulator.writer import Stamped

NEVER: Final = 1 << 62

Action = Callable[[int], Iterable[Stamped]]
"""What happens at a moment (microseconds since the epoch), as the events it leaves."""


class Agenda:
    """Moments to come, each with what then happens; of one moment, first added first."""

    __slots__ = ("_added", "_heap", "next_us")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Action]] = []
        self._added = 0
        self.next_us = NEVER

    def add(self, ts_us: int, action: Action) -> None:
        """Have `action` happen at `ts_us`."""
        self._added += 1
        heappush(self._heap, (ts_us, self._added, action))
        self.next_us = self._heap[0][0]

    def due(self, until_us: int) -> Iterator[Stamped]:
        """Let everything up to `until_us` (inclusive) happen."""
        while self.next_us <= until_us:
            ts_us, _, action = heappop(self._heap)
            self.next_us = self._heap[0][0] if self._heap else NEVER
            yield from action(ts_us)
