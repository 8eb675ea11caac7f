"""How a simulated event looks on the wire: one player's events, numbered and in order."""

from __future__ import annotations

from typing import Final

import msgspec

from detector.events.instants import MINUTE_US, rfc3339_ms

SOURCE: Final = "sim"
BRAND: Final = "aurora"

SECOND_US: Final = 1_000_000

Stamped = tuple[int, bytes]
"""An event's time in microseconds since the epoch and its JSON, without a line end."""

_encode = msgspec.json.Encoder().encode


class EventWriter:
    """Writes the events of one player.

    Ids are `e1`, `e2`, … of the player. Every event is at least a millisecond (what is written of the time)
    later than the one before, so that a player's events have one order whoever sorts them.
    """

    __slots__ = ("_bet", "_count", "_jurisdiction", "_minute", "_until_minute", "last_us", "player")

    def __init__(self, player: str, jurisdiction: str) -> None:
        self.player = player
        self.last_us = 0
        self._jurisdiction = jurisdiction
        self._count = 0
        self._minute = -1
        self._until_minute = ""
        self._bet = (
            f'","type":"bet","source":"{SOURCE}","player":"{player}","ts":"',
            f'Z","brand":"{BRAND}","jurisdiction":"{jurisdiction}","session":"',
        )

    def write(self, kind: str, ts_us: int, session: str | None, /, **fields: object) -> Stamped:
        """Write one event, at `ts_us` or a millisecond after the one before, whichever is later."""
        ts_us = self._next(ts_us)
        event: dict[str, object] = {
            "id": f"e{self._count}",
            "type": kind,
            "source": SOURCE,
            "player": self.player,
            "ts": f"{self._text(ts_us)}Z",
            "brand": BRAND,
            "jurisdiction": self._jurisdiction,
        }
        if session is not None:
            event["session"] = session
        event.update(fields)
        return ts_us, _encode(event)

    def bet(self, ts_us: int, session: str, stake: int, payout: int, rest: str, balance: int) -> Stamped:
        """Write a bet. `rest` is JSON: what stands between the payout and the balance.

        Nine lines in ten are bets, and writing one by hand takes a third of the time.
        """
        ts_us = self._next(ts_us)
        before, after = self._bet
        return ts_us, (
            f'{{"id":"e{self._count}{before}{self._text(ts_us)}{after}{session}","stake":{stake},'
            f'"payout":{payout},{rest},"balance_after":{balance}}}'
        ).encode()

    def _next(self, ts_us: int) -> int:
        earliest = self.last_us + 1000
        self.last_us = ts_us = ts_us - ts_us % 1000 if ts_us >= earliest else earliest
        self._count += 1
        return ts_us

    def _text(self, ts_us: int) -> str:
        # A player's events share their minute with the one before; writing times is a fifth of all work.
        minute, rest_us = divmod(ts_us, MINUTE_US)
        if minute != self._minute:
            self._minute = minute
            self._until_minute = rfc3339_ms(ts_us)[:17]
        return f"{self._until_minute}{rest_us / SECOND_US:06.3f}"
