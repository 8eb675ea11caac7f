"""A simulated log of so many players that they are not simulated one by one: some, and copies of them.

Copies have other names and the same times, and stand beside each other in the log.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import msgspec

from detector.simulator import Config, events

START = datetime(2025, 1, 1, tzinfo=UTC)
COPIES = 100
_PLAYER = re.compile(rb'"player": ?"([^"]*)"')
_BUSY = 10_000
"""Players of whom those who come first are taken: the more there are, the closer together these come."""


class _Timed(msgspec.Struct):
    ts: str


_timed = msgspec.json.Decoder(_Timed).decode


@dataclass(frozen=True, slots=True)
class Line:
    """An event as it is sent; `copy` tells the copies of a player apart."""

    player: bytes
    value: bytes
    copy: int


class Crowd:
    """Players who are all in the midst of it: the log begins with the first of them and ends with the last.

    Parameters
    ----------
    players
        How many are active at least.

    Attributes
    ----------
    copies
        How often each simulated player is there.
    players, count
        How many players and events there are.
    span_s
        What time passes from the first event to the last, in seconds.
    """

    def __init__(self, players: int) -> None:
        self.copies = max(1, min(COPIES, players // 100))
        wanted = -(-players // self.copies)
        self._log = events(Config(events=10**9, players=max(_BUSY, 2 * wanted), days=1, start=START))
        seen: set[bytes] = set()
        self._first: list[tuple[bytes, bytes]] = []
        while len(seen) < wanted:
            self._first.append(self._next())
            seen.add(self._first[-1][0])
        self.players = len(seen) * self.copies
        self.count = len(self._first) * self.copies
        began, ended = (datetime.fromisoformat(_timed(self._first[place][1]).ts) for place in (0, -1))
        self.span_s = (ended - began).total_seconds()

    def lines(self, copies: int | None = None) -> Iterator[Line]:
        """The log, all of it or of the first copies alone."""
        for player, line in self._first:
            yield from self._copied(player, line, self.copies if copies is None else copies)

    def more(self, count: int) -> Iterator[Line]:
        """What follows, further with each call."""
        return islice(self._more(), count)

    def _more(self) -> Iterator[Line]:
        while True:
            yield from self._copied(*self._next(), self.copies)

    def _next(self) -> tuple[bytes, bytes]:
        line = next(self._log)
        found = _PLAYER.search(line)
        assert found is not None
        return found[1], line

    def _copied(self, player: bytes, line: bytes, copies: int) -> Iterator[Line]:
        named = b'"player":"%b"' % player
        for copy in range(copies):
            name = b"%b.%d" % (player, copy)
            yield Line(name, line.replace(named, b'"player":"%b"' % name, 1), copy)


def probe(like: bytes, player: bytes) -> bytes:
    """An event that causes an alert at once, words of distress from a new player, at the time of another."""
    return msgspec.json.encode(
        {
            "type": "contact",
            "id": "words",
            "source": "bench",
            "player": player.decode(),
            "ts": _timed(like).ts,
            "topic": "distress",
        }
    )
