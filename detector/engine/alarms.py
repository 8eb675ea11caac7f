"""When the engine has to look at which player again: a heap of times, some of them out of date."""

from __future__ import annotations

from heapq import heappop, heappush

from detector.events.instants import HOUR_US
from detector.players.player import LONG_AGO, NEVER, Player

FAR_US = HOUR_US
"""Alarms further off than this are kept once a player."""


class Alarms:
    """The alarms of one engine; `Player.wake` says which of a player's is meant.

    `ticked_us` is the watermark up to which they have gone off.

    The end of a silence moves with every event. One far alarm a player stands for it, however old: when it
    goes off it is set anew, so that none are left lying about for each time it moved.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []
        self._far: dict[str, int] = {}
        self.ticked_us = LONG_AGO

    def after(self, p: Player, at_us: int, wait_us: int) -> None:
        """Look at a player again some time after an event, or at once if a moment waits for one."""
        p.wake = min(at_us + wait_us, self.ticked_us) if p.blocked else at_us + wait_us
        p.blocked = False
        heappush(self._heap, (p.wake, p.key))

    def arm(self, p: Player) -> None:
        """See to it that an alarm goes off by `p.wake`."""
        due = p.wake
        if due >= NEVER:
            return
        if due > self.ticked_us + FAR_US:
            if self._far.get(p.key, NEVER) <= due:
                return
            self._far[p.key] = due
        heappush(self._heap, (due, p.key))

    def load(self, key: str, wake_us: int) -> None:
        """Take over the alarm of a stored player."""
        if wake_us > self.ticked_us + FAR_US:
            self._far[key] = wake_us
        if wake_us < NEVER:
            heappush(self._heap, (wake_us, key))

    def next(self) -> tuple[int, str, bool] | None:
        """Take the next that goes off: (its time, the player, whether it was the far one)."""
        if not self._heap or self._heap[0][0] > self.ticked_us:
            return None
        due, key = heappop(self._heap)
        stood = self._far.get(key) == due
        if stood:
            del self._far[key]
        return due, key, stood

    def players(self) -> list[str]:
        """Every player with an alarm set."""
        return list(dict.fromkeys(key for _, key in self._heap))
