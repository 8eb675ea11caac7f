"""How a partition's players are kept: on disk here, and in the changelog for whoever comes next.

A checkpoint is one Kafka transaction: the records of the players touched, their risk, what those who learn
are told, and the offsets that the group has come to. Every partition has a transactional id of its own, so
that whoever takes a partition over fences off whoever had it: a worker that was paused past its time can
read and judge, but none of what it writes is committed. The disk follows the changelog and never leads it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from rocksdict import Rdict, WriteBatch

from detector.drivers.kafka.connection import Connection
from detector.drivers.kafka.topics import RISKS, SAMPLES

log = structlog.get_logger()

BATCH_BYTES = 1 << 20
MOST_BYTES = 8 << 20
"""The largest record that a changelog has to take."""
TRANSACTION_S = 60
"""After which the brokers give up on a transaction that nobody ends."""
_PATIENCE_MS = 500


class Kept:
    """The changelog of one partition as far as it is on disk.

    Parameters
    ----------
    disk
        An open database; a raw one.
    offset_key
        Where the last changelog offset on disk stands, as Faust's tables have it.
    """

    def __init__(self, disk: Rdict, offset_key: bytes) -> None:
        self._disk = disk
        self._offset_key = offset_key

    @property
    def offset(self) -> int | None:
        """The last changelog offset on disk, None for an empty one."""
        found = self._disk.get(self._offset_key)
        return None if found is None else int(found)

    def get(self, key: bytes) -> bytes | None:
        """What is kept under a key."""
        found: bytes | None = self._disk.get(key)
        return found or None

    def apply(self, changed: Iterable[tuple[bytes, bytes]], offset: int) -> None:
        """Bring the disk to a changelog offset, all or nothing."""
        batch = WriteBatch(raw_mode=True)
        for key, value in changed:
            batch.put(key, value)
        batch.put(self._offset_key, str(offset).encode())
        self._disk.write(batch)

    def items(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Everything whose key begins so."""
        found: Iterator[tuple[Any, Any]] = self._disk.items(from_key=prefix)
        for key, value in found:
            if not key.startswith(prefix):
                return
            yield key, value

    def clear(self) -> None:
        """Throw away what is on disk, for the changelog is another one."""
        batch = WriteBatch(raw_mode=True)
        for key in self._disk.keys():  # noqa: SIM118  (no dict)
            batch.delete(key)
        self._disk.write(batch)


class Writer:
    """Writes one partition's checkpoints, as the only one who may.

    `open` takes the right away from whoever had it.
    """

    def __init__(self, connection: Connection, group: str, changelog: str, partition: int) -> None:
        self._group = group
        self._changelog = changelog
        self._partition = partition
        self._producer = AIOKafkaProducer(
            **connection.aiokafka(),
            transactional_id=f"{changelog}-{partition}",
            transaction_timeout_ms=TRANSACTION_S * 1000,
            acks="all",
            max_batch_size=BATCH_BYTES,
            max_request_size=MOST_BYTES + BATCH_BYTES,
        )

    async def open(self) -> None:
        """Fence off whoever wrote here before."""
        await self._producer.start()

    async def write(
        self,
        changed: Mapping[bytes, bytes],
        risks: Mapping[bytes, bytes],
        offsets: Mapping[str, int],
        samples: Sequence[tuple[bytes, bytes]] = (),
    ) -> int:
        """Commit a checkpoint; returns the offset of its last record in the changelog.

        Raises
        ------
        KafkaError
            It is not known to be committed: the partition has to be restored.
        """
        producer = self._producer
        await producer.begin_transaction()
        last = await self._send(self._changelog, changed.items())
        if risks:
            await self._send(RISKS, risks.items())
        if samples:
            await self._send(SAMPLES, samples)
        reached = {TopicPartition(topic, self._partition): offset for topic, offset in offsets.items()}
        if reached:
            await producer.send_offsets_to_transaction(reached, self._group)
        await producer.commit_transaction()
        return last

    async def _send(self, topic: str, records: Iterable[tuple[bytes, bytes]]) -> int:
        """Send records in as few batches as they fit in: one at a time costs many times as much."""
        producer = self._producer
        sent: list[tuple[int, Any]] = []
        batch, count = producer.create_batch(), 0
        place = TopicPartition(topic, self._partition)
        # aiokafka adds a partition to its transaction for single records alone.
        producer._txn_manager.maybe_add_partition_to_txn(place)
        for key, value in records:
            while batch.append(key=key, value=value, timestamp=None) is None:
                if count == 0:
                    # Larger than a batch is meant to be: it goes alone.
                    sent.append((1, await producer.send(topic, value, key=key, partition=self._partition)))
                    break
                sent.append((count, await producer.send_batch(batch, topic, partition=self._partition)))
                batch, count = producer.create_batch(), 0
            else:
                count += 1
        if count:
            sent.append((count, await producer.send_batch(batch, topic, partition=self._partition)))
        last = -1
        for length, future in sent:
            told = await future
            last = max(last, told.offset + length - 1)
        return last

    async def close(self) -> None:
        """Give the connections back, whatever state they are in."""
        try:
            await asyncio.wait_for(self._producer.stop(), 5)
        except Exception as error:
            log.info("a writer was put away in disorder", error=type(error).__name__)


class Changelog:
    """Reads changelogs to their ends."""

    def __init__(self, connection: Connection, topic: str) -> None:
        self._connection = connection
        self.topic = topic

    async def bring_up(self, kept: Mapping[int, Kept]) -> int:
        """Bring what is on disk of each partition to its changelog's end; returns how many records it took.

        Their writers have to be open, so that nobody adds to them meanwhile.
        """
        consumer = AIOKafkaConsumer(
            **self._connection.aiokafka(),
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            check_crcs=self._connection.check_crcs,
            max_partition_fetch_bytes=4 << 20,
            fetch_max_bytes=32 << 20,
        )
        await consumer.start()
        try:
            return await self._read(consumer, kept)
        finally:
            await consumer.stop()

    async def _read(self, consumer: AIOKafkaConsumer, kept: Mapping[int, Kept]) -> int:
        places = {TopicPartition(self.topic, number): each for number, each in kept.items()}
        consumer.assign(list(places))
        first = await consumer.beginning_offsets(list(places))
        ends = await consumer.end_offsets(list(places))
        for place, each in places.items():
            reached = each.offset
            if reached is not None and reached >= ends[place]:
                log.warning("the changelog is another one than the disk's", partition=place.partition)
                each.clear()
                reached = None
            consumer.seek(place, max(first[place], 0 if reached is None else reached + 1))
        count = 0
        waiting = set(places)
        while waiting:
            found = await consumer.getmany(timeout_ms=_PATIENCE_MS, max_records=20_000)
            for place, records in found.items():
                places[place].apply(
                    [(record.key, record.value or b"") for record in records], records[-1].offset
                )
                count += len(records)
            for place in list(waiting):
                # Marks of transactions have offsets too, and are no records.
                if await consumer.position(place) >= ends[place]:
                    waiting.remove(place)
                    consumer.pause(place)
            await asyncio.sleep(0)
        return count
