"""Events on their way in: the stream, the ids seen lately, and the dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import xxhash
from redis.asyncio import Redis

from detector.drivers.streams import DEAD, EVENTS
from detector.events.decode import Refusal
from detector.events.identity import identity
from detector.events.vocabulary import AnyEvent, Tick

_SCRIPT = Path(__file__).with_name("intake.lua").read_bytes()

APPENDED, SEEN, CONFLICTING = b"012"

PERIOD_S = 12 * 3600
PERIODS = 5
"""Ids are looked for in this many periods: 48 h at least, whatever the time of day."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A decoded event on its way, `received_us` being its receipt.

    `identity` is empty for one that cannot be repeated, `player` None for one that is nobody's.
    """

    identity: bytes
    fingerprint: bytes
    original: bytes
    received_us: int
    player: str | None


def new_event(event: AnyEvent, content: int, original: bytes, received_us: int) -> NewEvent:
    """An event as it is stored; `content` is the decoder's of it."""
    if isinstance(event, Tick):  # time passing twice is no repeat
        return NewEvent(b"", b"", original, received_us, None)
    name = xxhash.xxh3_64_digest(event.player.encode()) + identity(event.source, event.id).to_bytes(8)
    return NewEvent(name, content.to_bytes(8), original, received_us, event.player)


class EventsRepository(Protocol):
    """The write side of intake."""

    async def append(self, events: Sequence[NewEvent]) -> bytes | None:
        """Append the new ones among `events` (at most 1,000), on disk when this returns.

        Returns
        -------
        bytes or None
            For each event APPENDED, SEEN or CONFLICTING; None if too many wait already, and then nothing was
            appended.
        """
        ...

    async def bury(self, refusals: Sequence[Refusal], received_us: int) -> None:
        """Put refused events where dead letters lie."""
        ...


class Stream:
    """The stream of events, appended to by one script that tells new ones from repeats.

    Ids are kept by the time of receipt, not of the event: the same id with another `ts` is a conflict, and
    would not be found in another day's hash. Live events are received when they happen or later, so what is
    remembered reaches at least as far back as the engine's 48 h of event time.

    Parameters
    ----------
    most
        Entries beyond which nothing is appended.
    """

    def __init__(self, redis: Redis, most: int) -> None:
        self._script = redis.register_script(_SCRIPT)
        self._most = most

    async def append(self, events: Sequence[NewEvent], now_us: int, client: Any = None) -> Any:
        """Append the new ones among `events` (at most 1,000) at once; returns as `EventsRepository.append`.

        Parameters
        ----------
        client
            A pipeline to do it with; nothing is told then.
        """
        period = now_us // (PERIOD_S * 1_000_000)
        seen = [f"tw:ids:{period - back}" for back in range(PERIODS)]
        arguments: list[bytes | int] = [PERIODS * PERIOD_S, self._most]
        for event in events:
            arguments += (event.identity, event.fingerprint, event.original, event.received_us)
        return await self._script(keys=[EVENTS, *seen], args=arguments, client=client)


class RedisEvents:
    """Where events go in embedded mode: to the stream, where repeats are told at the door."""

    def __init__(self, redis: Redis, backlog_limit: int, dead_kept: int) -> None:
        self._redis = redis
        self._stream = Stream(redis, backlog_limit)
        self._dead_kept = dead_kept

    async def append(self, events: Sequence[NewEvent]) -> bytes | None:
        verdicts: bytes | None = await self._stream.append(events, events[0].received_us) if events else b""
        return verdicts

    async def bury(self, refusals: Sequence[Refusal], received_us: int) -> None:
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
