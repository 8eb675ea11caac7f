"""Embedded mode end to end, against the same work in Redis with nobody detecting anything.

Ours: batches over HTTP to a running tiltwatch, until the last alert can be read. The peer: the same events
put in by the same script, read back in the same batches, and for each batch the same records, marks and
alerts stored in the same transaction, all prepared beforehand. Both servers sync every write.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import xxhash
from redis import Redis

from detector.bench.rounds import Plan, Row, interleaved
from detector.bench.service import Client, Service, is_caught_up, running
from detector.drivers.embedded import Options
from detector.drivers.lease import Lease
from detector.drivers.streams import ALERTS, ENGINE, EVENTS, FEED, GROUP, PLAYERS, trim_behind_readers
from detector.drivers.valkey import Server
from detector.engine.engine import Engine
from detector.errors import StateError
from detector.events.decode import Decoder, Refusal
from detector.events.identity import identity
from detector.events.money import Currencies
from detector.language.pack import default_pack, load_rules
from detector.simulator import Config, events

BATCH = 500
"""Events in a request, in a run of the script, and in a transaction of the detector."""
EVENTS_A_PLAYER = 100
OURS = "tiltwatch, embedded"
PEER = "the same in Redis, no detection"
FIRST, THEN = 0.3, 0.6
LEASE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Stored:
    """What the detector stores for a batch; alerts as (id, JSON)."""

    records: dict[Any, Any]
    marks: bytes
    alerts: list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Events as they are sent, the arguments of the script that puts them in, and what is stored for them."""

    lines: list[bytes]
    arguments: list[bytes | int]
    stored: Stored


Part = Sequence[Batch]
"""The batches of one round."""


def measure(plan: Plan) -> list[Row]:
    """One row; the rounds are consecutive parts of one log."""
    size = max(1, plan.events // (plan.rounds + 1) // BATCH)
    total = size * BATCH * (plan.rounds + 1)
    config = Config(events=total, players=max(10, total // EVENTS_A_PLAYER))
    plan.tell(f"embedded: preparing {total:,} events")
    batches = list(_prepared(config))
    parts = [batches[start : start + size] for start in range(0, len(batches), size)]
    with running() as service, _bare(parts) as bare:
        figures = interleaved({OURS: _Ours(service, parts), PEER: bare}, plan)
        _check(service.redis_url, batches)
        _check(bare.redis_url, batches)
    alerts = sum(len(batch.stored.alerts) for batch in batches)
    records = [len(record) for batch in batches for record in batch.stored.records.values()]
    return [
        Row(
            name="embedded",
            what="HTTP in batches to alerts readable, every write synced",
            unit="events/s",
            ours=figures[OURS],
            peer=PEER,
            peers=figures[PEER],
            first=FIRST,
            then=THEN,
            notes=[
                f"{total:,} events of {config.players:,} players in batches of {BATCH}, "
                f"{len(records) / len(batches):.0f} players touched a batch with records of "
                f"{sum(records) / len(records):.0f} B, {alerts:,} alerts; on the clock, wherever TMPDIR is"
            ],
        )
    ]


def _prepared(config: Config) -> Iterator[Batch]:
    """Detect ahead of time, batch by batch as the driver does, and keep what it would store."""
    currencies = Currencies()
    engine, decoder = Engine(load_rules(default_pack()), currencies=currencies), Decoder(currencies)
    log = events(config)
    while lines := list(islice(log, BATCH)):
        # Seconds that ids are kept for, and how many events may wait; then each event's, its receipt last.
        arguments: list[bytes | int] = [60 * 3600, 10_000_000]
        for line in lines:
            event = decoder.decode(line)
            if isinstance(event, Refusal):
                raise StateError(f"a simulated event was refused: {event.detail}")
            name = xxhash.xxh3_64_digest(event.player.encode()) + identity(event.source, event.id).to_bytes(8)
            arguments += (name, decoder.content.to_bytes(8), line, 0)
            engine.apply(event, decoder.content)
        engine.tick(engine.watermark_us)
        effects = engine.take()
        alerts = [(alert.id, alert.to_json()) for alert in effects.alerts]
        yield Batch(lines, arguments, Stored(dict(engine.records()), engine.marks(), alerts))


class _Ours:
    """Sends the next part to a running tiltwatch at each call; returns events a second."""

    def __init__(self, service: Service, parts: Sequence[Part]) -> None:
        self._service = service
        self._parts = iter(parts)

    def __call__(self) -> float:
        part = next(self._parts)
        with Redis.from_url(self._service.redis_url, protocol=2) as redis:
            began = time.perf_counter()
            asyncio.run(self._send(part))
            while not is_caught_up(redis):
                time.sleep(0.001)
            return _count(part) / (time.perf_counter() - began)

    async def _send(self, part: Part) -> None:
        async with Client(self._service) as client:
            for batch in part:
                await client.post(batch.lines)


class _Bare:
    """Puts the next part into Redis at each call, while another process stores what belongs to it."""

    def __init__(self, redis_url: str, parts: Sequence[Part], reader: Connection) -> None:
        self.redis_url = redis_url
        self._parts = iter(parts)
        self._reader = reader
        # The script is the service's; reading it, and not a copy, keeps the work the same.
        self._script = (files("api") / "events" / "intake.lua").read_text()
        self._keys = [EVENTS, *(f"tw:ids:{period}" for period in range(5))]

    def __call__(self) -> float:
        part = next(self._parts)
        with Redis.from_url(self.redis_url, protocol=2) as redis:
            take_in = redis.register_script(self._script)
            began = time.perf_counter()
            for batch in part:
                take_in(keys=self._keys, args=batch.arguments)
            _hear(self._reader)
            return _count(part) / (time.perf_counter() - began)


@contextmanager
def _bare(parts: Sequence[Part]) -> Iterator[_Bare]:
    """A Redis of its own, and a process that reads from it and stores as the detector does."""
    context = multiprocessing.get_context("spawn")
    with TemporaryDirectory(prefix="tiltwatch-bench-") as folder, Server(Path(folder)) as server:
        ours, theirs = context.Pipe()
        stored = [[batch.stored for batch in part] for part in parts]
        process = context.Process(target=_read_and_store, args=(server.url, stored, theirs))
        process.start()
        theirs.close()
        try:
            _hear(ours)
            yield _Bare(server.url, parts, ours)
        finally:
            ours.close()
            process.join(30)
            if process.is_alive():
                process.kill()
                process.join()


def _read_and_store(url: str, parts: list[list[Stored]], pipe: Connection) -> None:
    """The reading process: what the embedded detector does with Redis, and nothing else of it."""
    options = Options()
    with Redis.from_url(url, protocol=2) as redis:
        redis.xgroup_create(EVENTS, GROUP, id="0", mkstream=True)
        lease = Lease(redis, LEASE_S)
        lease.acquire(threading.Event())
        place, read, trimmed_at = b"0-0", 0, time.monotonic()
        pipe.send(None)
        for part in parts:
            for stored in part:
                answer: Any = None
                while not answer:
                    if pipe.poll():  # nothing is ever sent here: it was closed
                        return
                    answer = redis.xread({EVENTS: place}, count=BATCH, block=200)
                entries = answer[0][1]
                place, read = entries[-1][0], read + len(entries)
                with lease.transaction() as batch:
                    if stored.records:
                        batch.hset(PLAYERS, mapping=stored.records)
                    batch.set(ENGINE, stored.marks)
                    for alert, body in stored.alerts:
                        batch.xadd(ALERTS, {"a": body}, maxlen=options.alerts_kept)
                        batch.xadd(FEED, {"kind": "alert", "alert": alert}, maxlen=options.feed_kept)
                    batch.xgroup_setid(EVENTS, GROUP, place, entries_read=read)
                if time.monotonic() - trimmed_at >= 1.0:
                    trimmed_at = time.monotonic()
                    trim_behind_readers(redis, EVENTS)
            pipe.send(None)


def _hear(reader: Connection) -> None:
    """Wait until the reading process is ready, or done with a part."""
    try:
        reader.recv()
    except EOFError:
        raise StateError("the process that reads from the bare Redis ended; see above") from None


def _count(part: Part) -> int:
    return sum(len(batch.lines) for batch in part)


def _check(redis_url: str, batches: Sequence[Batch]) -> None:
    """Both sides were given all events and have the same alerts."""
    expected = [alert for batch in batches for alert, _ in batch.stored.alerts]
    with Redis.from_url(redis_url, protocol=2) as redis:
        entries: Any = redis.xrange(ALERTS)
        added = redis.xinfo_stream(EVENTS)["entries-added"]
    found = [msgspec.json.decode(fields[b"a"])["id"] for _, fields in entries]
    if added != _count(batches) or sorted(found) != sorted(expected):
        raise StateError(
            f"{added} of {_count(batches)} events and {len(found)} of {len(expected)} alerts arrived: "
            "the figures would compare different work"
        )
