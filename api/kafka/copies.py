"""What becomes of a record in Redis: the forms are those of the embedded detector."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from api.events.repository import NewEvent, Stream, new_event
from api.kafka.workers import WORKERS
from api.settings import Settings
from detector.drivers import streams
from detector.drivers.kafka import topics
from detector.drivers.kafka.incoming import Record as Fetched
from detector.events.bindings import decode_kafka, from_kafka
from detector.events.decode import Decoder, Refusal
from detector.events.instants import to_datetime
from detector.events.money import Currencies
from detector.mapping.feed import FeedMapping, translate


class Record(Fetched, Protocol):
    """A record that says which topic it is of."""

    @property
    def topic(self) -> str: ...


Work = Callable[[Pipeline], Awaitable[None]]
"""Queues commands of one transaction."""

FEED_KEPT = 10_000
CHUNK = 500
"""Most events in one call of the script, during which Redis serves nobody else."""
_UNBOUNDED = 2**53
"""Too many events are held back before they are read, not when the place in the topic moves past them."""


class Copies(Protocol):
    """Says how records of some topics are copied."""

    topics: Sequence[str]

    def prepare(self, records: Sequence[Record], now_us: int) -> Work:
        """What copies the records, in their order."""
        ...

    async def may_go_on(self) -> bool:
        """Whether there is room for more."""
        ...


class _Alert(msgspec.Struct):
    id: str


class _Note(msgspec.Struct):
    alert: str


_alert = msgspec.json.Decoder(_Alert).decode
_note = msgspec.json.Decoder(_Note).decode


class CopiesOfEffects:
    """All that workers write, but their changelog."""

    topics: Sequence[str] = (
        topics.ALERTS,
        topics.NOTES,
        topics.INTERVENTIONS,
        topics.SHADOW,
        topics.RISKS,
        topics.DEAD,
        topics.STATUS,
    )

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._copy: Mapping[str, Callable[[Pipeline, Record], None]] = {
            topics.ALERTS: self._alert,
            topics.NOTES: self._note,
            topics.INTERVENTIONS: self._intervention,
            topics.SHADOW: self._shadow,
            topics.RISKS: _hash(streams.RISKS),
            topics.DEAD: self._dead,
            topics.STATUS: _hash(WORKERS),
        }

    async def may_go_on(self) -> bool:
        return True

    def prepare(self, records: Sequence[Record], now_us: int) -> Work:
        async def work(pipe: Pipeline) -> None:
            for record in records:
                self._copy[record.topic](pipe, record)

        return work

    def _alert(self, pipe: Pipeline, record: Record) -> None:
        if record.value is None:
            return
        told: dict[Any, Any] = {"a": record.value}
        told |= {name: text for name, text in record.headers if name in ("t", "j") and text is not None}
        pipe.xadd(streams.ALERTS, told)
        self._feed(pipe, "alert", _id(_alert, record.value))

    def _note(self, pipe: Pipeline, record: Record) -> None:
        if record.value is not None:
            pipe.xadd(streams.NOTES, {"n": record.value})
            self._feed(pipe, "note", _id(_note, record.value))

    @staticmethod
    def _feed(pipe: Pipeline, kind: str, alert: str | None) -> None:
        if alert is not None:
            pipe.xadd(streams.FEED, {"kind": kind, "alert": alert}, maxlen=FEED_KEPT)

    @staticmethod
    def _intervention(pipe: Pipeline, record: Record) -> None:
        if record.value is not None:
            pipe.xadd(streams.INTERVENTIONS, {"i": record.value})

    def _shadow(self, pipe: Pipeline, record: Record) -> None:
        if record.value is not None:
            pipe.xadd(streams.SHADOW, {"a": record.value}, maxlen=self._settings.alerts_kept)

    def _dead(self, pipe: Pipeline, record: Record) -> None:
        headers = dict(record.headers)
        told: dict[Any, Any] = {
            "reason": headers.get("reason") or b"",
            "detail": headers.get("detail") or b"",
            "original": record.value or b"",
            "at": headers.get("at") or record.timestamp * 1000,
        }
        pipe.xadd(streams.DEAD, told, maxlen=self._settings.dead_kept)


class CopiesOfEvents:
    """The events of all inputs that the workers accept, for the archive and other readers of the stream."""

    def __init__(
        self,
        redis: Redis,
        inputs: Mapping[str, FeedMapping | None],
        currencies: Currencies,
        most_waiting: int,
    ) -> None:
        self.topics: Sequence[str] = tuple(inputs)
        self._redis = redis
        self._inputs = inputs
        self._decoder = Decoder(currencies)
        self._stream = Stream(redis, _UNBOUNDED)
        self._most_waiting = most_waiting

    async def may_go_on(self) -> bool:
        return int(await self._redis.xlen(streams.EVENTS)) < self._most_waiting

    def prepare(self, records: Sequence[Record], now_us: int) -> Work:
        events = [event for record in records for event in self._events(record)]

        async def work(pipe: Pipeline) -> None:
            for start in range(0, len(events), CHUNK):
                # Repeats are left out, as they are at the door in embedded mode.
                await self._stream.append(events[start : start + CHUNK], now_us, pipe)

        return work

    def _events(self, record: Record) -> list[NewEvent]:
        """What a worker takes of a record; what it refuses is told by the worker."""
        received_us = record.timestamp * 1000
        received_at = to_datetime(received_us)
        mapping = self._inputs[record.topic]
        if mapping is not None:
            found = translate(mapping, self._decoder, record.value or b"", received_at)
            return [new_event(each.event, each.content, each.raw, received_us) for each in found.taken]
        event = decode_kafka(self._decoder, record.headers, record.value, record.key, received_at)
        content = self._decoder.content
        original = from_kafka(record.headers, record.value)
        if isinstance(event, Refusal) or isinstance(original, Refusal):
            return []
        return [new_event(event, content, original, received_us)]


def _hash(name: str) -> Callable[[Pipeline, Record], None]:
    """Keeps the latest record of each key in a hash."""

    def copy(pipe: Pipeline, record: Record) -> None:
        if record.key is None:
            return
        field: Any = record.key
        if record.value is None:
            pipe.hdel(name, field)
        else:
            pipe.hset(name, field, record.value)

    return copy


def _id(decode: Callable[[bytes], Any], body: bytes) -> str | None:
    """Which alert it is about; None where that cannot be read, which the desk tells."""
    try:
        told = decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    found: str = told.id if isinstance(told, _Alert) else told.alert
    return found
