"""Events on their way in: the stream, the ids seen lately, and the dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis

from detector.drivers.streams import DEAD, EVENTS
from detector.events.decode import Refusal

_SCRIPT = Path(__file__).with_name("intake.lua").read_bytes()

APPENDED, SEEN, CONFLICTING = b"012"

PERIOD_S = 12 * 3600
PERIODS = 5
"""Ids are looked for in this many periods: 48 h at least, whatever the time of day."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A decoded event on its way to the stream; `identity` is empty for one that cannot be repeated."""

    identity: bytes
    fingerprint: bytes
    original: bytes


class EventsRepository:
    """The write side of intake.

    Ids are kept by the time of receipt, not of the event: the same id with another `ts` is a conflict, and
    would not be found in another day's hash. Live events are received when they happen or later, so what is
    remembered reaches at least as far back as the engine's 48 h of event time.
    """

    def __init__(self, redis: Redis, backlog_limit: int, dead_kept: int) -> None:
        self._redis = redis
        self._append = redis.register_script(_SCRIPT)
        self._backlog_limit = backlog_limit
        self._dead_kept = dead_kept

    async def append(self, events: Sequence[NewEvent], received_us: int) -> bytes | None:
        """Append the new ones among `events` (at most 1,000) at once, on disk when this returns.

        Returns
        -------
        bytes or None
            For each event APPENDED, SEEN or CONFLICTING; None if the stream is too full, and then nothing was
            appended.
        """
        period = received_us // (PERIOD_S * 1_000_000)
        seen = [f"tw:ids:{period - back}" for back in range(PERIODS)]
        arguments: list[bytes | int] = [received_us, PERIODS * PERIOD_S, self._backlog_limit]
        for event in events:
            arguments += (event.identity, event.fingerprint, event.original)
        verdicts: bytes | None = await self._append(keys=[EVENTS, *seen], args=arguments)
        return verdicts

    async def bury(self, refusals: Sequence[Refusal], received_us: int) -> None:
        """Put refused events on the dead-letter stream."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for refusal in refusals:
                pipe.xadd(
                    DEAD,
                    {
                        "reason": refusal.reason,
                        "detail": refusal.detail,
                        "original": refusal.original,
                        "at": received_us,
                    },
                    maxlen=self._dead_kept,
                )
            await pipe.execute()
