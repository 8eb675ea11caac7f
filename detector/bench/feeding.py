"""Writing to Kafka for the bench: a log at once, or events when they are due; and reading the alerts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.partitioner import murmur2

from detector.bench.copied import Line, probe
from detector.drivers.kafka.connection import Connection
from detector.drivers.kafka.topics import ALERTS, EVENTS
from detector.errors import StateError

SLOT_S = 0.01
"""Live events are sent in batches of this long, as a producer gathers them."""
BATCH_BYTES = 16 << 10
"""What Kafka's clients by default send together of a partition, when they are busy."""
PROBE_EVERY = 200
"""One live event in so many causes an alert."""
PATIENCE_S = 60.0
_SLOT_BYTES = 256 << 10


class Places:
    """Which partition a player is in, as Kafka's clients by default choose it."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self._known: dict[bytes, int] = {}

    def of(self, player: bytes) -> int:
        """The partition of a player."""
        found = self._known.get(player)
        if found is None:
            found = self._known[player] = (murmur2(player) & 0x7FFFFFFF) % self.partitions
        return found


def _producer(connection: Connection, batch_bytes: int) -> AIOKafkaProducer:
    return AIOKafkaProducer(**connection.aiokafka(), acks="all", max_batch_size=batch_bytes)


async def fill(connection: Connection, topic: str, lines: Iterable[Line], places: Places) -> int:
    """Write a log; returns how many events it has, once all of them are acknowledged."""
    producer = _producer(connection, BATCH_BYTES)
    await producer.start()
    try:
        batches: dict[int, Any] = {}
        sent: list[Any] = []
        count = 0
        for line in lines:
            number = places.of(line.player)
            while number not in batches or (
                batches[number].append(key=line.player, value=line.value, timestamp=None) is None
            ):
                if number in batches:
                    sent.append(await producer.send_batch(batches[number], topic, partition=number))
                batches[number] = producer.create_batch()
            count += 1
        sent += [
            await producer.send_batch(batch, topic, partition=number) for number, batch in batches.items()
        ]
        await asyncio.gather(*sent)
        return count
    finally:
        await producer.stop()


async def alerts(connection: Connection, topic: str, partitions: int) -> dict[str, str]:
    """All alerts that stand on a topic by now: id to player."""
    consumer = _reader(connection)
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in range(partitions)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        found: dict[str, str] = {}
        deadline = time.monotonic() + PATIENCE_S
        while True:
            reached = [await consumer.position(place) >= ends[place] for place in places]
            if all(reached):
                return found
            if time.monotonic() > deadline:
                raise StateError(f"{topic} cannot be read to its end")
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    alert = _alert(record.value)
                    found[alert.id] = alert.player
    finally:
        await consumer.stop()


class _Alert(msgspec.Struct):
    id: str
    player: str


_alert = msgspec.json.Decoder(_Alert).decode


def _reader(connection: Connection) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        **connection.aiokafka(),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        check_crcs=connection.check_crcs,
    )


@dataclass(slots=True)
class _Slot:
    """What is due at one time: batches by partition, and the players of whom an alert is to come."""

    batches: dict[int, Any]
    probes: list[bytes]


class Live:
    """Sends events when they are due, whether or not those before are acknowledged, and waits for alerts."""

    def __init__(self, connection: Connection, places: Places) -> None:
        self._places = places
        self._producer = _producer(connection, _SLOT_BYTES)
        self._reader = _reader(connection)

    async def __aenter__(self) -> Live:
        await self._producer.start()
        await self._reader.start()
        self._reader.assign([TopicPartition(ALERTS, number) for number in range(self._places.partitions)])
        await self._reader.seek_to_end()
        for place in self._reader.assignment():
            await self._reader.position(place)  # a seek is done when somebody asks where it led
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()
        await self._reader.stop()

    async def round(self, lines: Iterator[Line], rate: float, name: str) -> list[float]:
        """Send events at a rate, a second; returns how long each probe's alert took to be read, in ms.

        Time runs from when an event is due. StateError if alerts do not come.
        """
        slots = self._slots(lines, max(1, round(rate * SLOT_S)), name)
        due: dict[bytes, float] = {}
        waits: list[float] = []
        wanted = sum(len(slot.probes) for slot in slots)

        async def watch() -> None:
            while len(waits) < wanted:
                answer = await self._reader.getmany(timeout_ms=int(PATIENCE_S * 1000))
                now = time.perf_counter()
                if not answer:
                    raise StateError(f"{wanted - len(waits)} alerts did not come within {PATIENCE_S:.0f} s")
                for records in answer.values():
                    for record in records:
                        since = due.pop(record.key, None)
                        if since is not None:
                            waits.append((now - since) * 1000)

        async with asyncio.timeout(PATIENCE_S + len(slots) * SLOT_S):
            watching = asyncio.create_task(watch())
            try:
                await self._send(slots, due)
                await watching
            finally:
                watching.cancel()
        return waits

    async def _send(self, slots: Sequence[_Slot], due: dict[bytes, float]) -> None:
        began = time.perf_counter()
        sending: set[asyncio.Task[Any]] = set()
        for place, slot in enumerate(slots):
            at = began + place * SLOT_S
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            due |= dict.fromkeys(slot.probes, at)
            task = asyncio.create_task(self._send_slot(slot.batches))
            sending.add(task)
            task.add_done_callback(sending.discard)
        await asyncio.gather(*sending)

    async def _send_slot(self, batches: Mapping[int, Any]) -> None:
        for number, batch in batches.items():
            await self._producer.send_batch(batch, EVENTS, partition=number)

    def _slots(self, lines: Iterator[Line], size: int, name: str) -> list[_Slot]:
        """Batches made beforehand: what is measured is not how fast they are made."""
        slots: list[_Slot] = []
        for place, line in enumerate(lines):
            if place % size == 0:
                slots.append(_Slot({}, []))
            slot = slots[-1]
            player, value = line.player, line.value
            if place % PROBE_EVERY == 0:
                player = f"bench-{name}-{place}".encode()
                value = probe(line.value, player)
                slot.probes.append(player)
            number = self._places.of(player)
            batch = slot.batches.get(number)
            if batch is None:
                batch = slot.batches[number] = self._producer.create_batch()
            if batch.append(key=player, value=value, timestamp=None) is None:
                raise StateError("a hundredth of a second has more events than a batch takes")
        return slots
