"""The players of one engine: in memory, folded up into records, or with whoever stores them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from detector.engine.records import Records
from detector.events.instants import HOUR_US
from detector.players.player import LONG_AGO, Player

IDLE_US = HOUR_US
"""A player this long without an event is folded up into a record until the next one."""
SWEEP_US = HOUR_US // 2
"""How often idle players are looked for, in event time."""


class Roster(dict[str, Player]):
    """The players in memory by key; to ask for another, `roster[key]`, brings that one back, or a new one.

    Parameters
    ----------
    keeping
        Whether to note which players were touched, for `touched_records`.
    stored
        Finds the record of a player who is not in memory; without it they stay here, in `folded`.
    """

    def __init__(
        self, records: Records, *, keeping: bool, stored: Callable[[str], bytes | None] | None
    ) -> None:
        super().__init__()
        self.records = records
        self.keeping = keeping
        self.folded: dict[str, bytes] = {}
        self._stored = stored
        self._touched: list[Player] = []
        self._swept_us = LONG_AGO

    def __missing__(self, key: str) -> Player:
        p = self[key] = self._outside(key)
        self.folded.pop(key, None)
        return p

    def peek(self, key: str) -> Player:
        """A player, left folded up if it is."""
        return self.get(key) or self._outside(key)

    def _outside(self, key: str) -> Player:
        record = self.folded.get(key) if self._stored is None else self._stored(key)
        return self.records.new(key) if record is None else self.records.read(key, record)

    def everyone(self) -> list[str]:
        """The keys of all that are here, folded up or not."""
        return [*self, *self.folded]

    def is_at_rest(self, key: str) -> bool:
        """Whether a player is folded up, and not for a session moment that waits for news."""
        record = self.folded.get(key)
        return record is not None and not self.records.blocked(record)

    def touch(self, p: Player) -> None:
        """Note that a player has changed since its record was asked for."""
        if self.keeping and not p.touched:
            p.touched = True
            self._touched.append(p)

    def touched_records(self) -> Iterator[tuple[str, bytes]]:
        """The record of every player touched since the last call."""
        touched, self._touched = self._touched, []
        for p in touched:
            p.touched = False
            yield p.key, self.records.write(p)

    def load(self, key: str, record: bytes) -> None:
        """Take a stored player back, folded up."""
        self.pop(key, None)
        if self._stored is None:
            self.folded[key] = record

    def sweep(self, watermark_us: int) -> None:
        """Fold idle players up into their records, if it is time to look for them."""
        if watermark_us - self._swept_us < SWEEP_US:
            return
        self._swept_us = watermark_us
        idle = [p for p in self.values() if p.clock < watermark_us - IDLE_US and not p.touched]
        for p in idle:
            if self._stored is None:
                self.folded[p.key] = self.records.write(p)
            del self[p.key]
