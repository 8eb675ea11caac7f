"""Copying records from Kafka to Redis, each once.

The place in each partition is kept in Redis and moves in the transaction of what was copied, so that a copier
killed at any moment has either copied and moved or neither. Only one copies: every transaction watches a key
with the token of whoever began last, who has read the places after writing it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from redis.exceptions import WatchError

from api.audit.service import Audit
from api.backoffice.lease import OfficeLease
from api.deployment import Deployment
from api.kafka.copies import Copies, Record
from detector.drivers.kafka.connection import Connection

log = structlog.get_logger()

PLACES = "tw:kafka"
"""Hash: `topic/partition` → the next offset to be copied."""
ACTOR = "system:kafka"
BATCH = 1000
"""Most records in one transaction."""
WAIT_MS = 500
"""How long one round waits for something to come."""
HELD_BACK_S = 0.5
MISSING_S = 5.0
LOOK_EVERY_S = 30.0
"""How often it is looked for partitions that were added."""


class _Overtaken(Exception):  # noqa: N818  (a signal inside the bridge)
    """Somebody else began to copy: nothing of this transaction was written."""


class _Term:
    """From beginning to copy until being overtaken: a consumer, and the token that says that it is ours."""

    def __init__(self, consumer: AIOKafkaConsumer, assigned: set[TopicPartition], token: bytes) -> None:
        self.consumer = consumer
        self.assigned = assigned
        self.token = token
        self.looked_at = asyncio.get_running_loop().time()


class Copying:
    """Copies the records of some topics."""

    def __init__(
        self,
        deployment: Deployment,
        lease: OfficeLease,
        connection: Connection,
        name: str,
        copies: Copies,
        *,
        batch: int = BATCH,
        wait_ms: int = WAIT_MS,
    ) -> None:
        self.name = f"copying {name}"
        self._redis = deployment.redis
        self._store = deployment.store
        self._clock = deployment.clock
        self._lease = lease
        self._connection = connection
        self._copies = copies
        self._fence = f"{PLACES}:{name}"
        self._batch = batch
        self._wait_ms = wait_ms
        self._term: _Term | None = None

    async def round(self) -> float:
        try:
            async with self._store.read() as session:
                await self._lease.check(session)
            if self._term is None:
                self._term = await self._begin()
                if self._term is None:
                    return MISSING_S
            return await self._go_on(self._term)
        except _Overtaken:
            log.warning("another back office began to copy", duty=self.name)
            await self.end()
            return 0.0  # whether it still is our turn is for the lease to say
        except BaseException:
            # Whether a transaction happened is for Redis to say.
            await self.end()
            raise

    async def end(self) -> None:
        """Disconnect from the brokers."""
        term, self._term = self._term, None
        if term is not None:
            with suppress(KafkaError):
                await term.consumer.stop()

    async def _begin(self) -> _Term | None:
        """Take up where Redis says that the last one stopped; None where topics are missing."""
        consumer = AIOKafkaConsumer(
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            check_crcs=self._connection.check_crcs,
            **self._connection.aiokafka(),
        )
        begun = False
        try:
            await consumer.start()
            assigned = await self._partitions(consumer)
            if not assigned:
                return None
            consumer.assign(assigned)
            token = secrets.token_hex(8).encode()
            await self._redis.set(self._fence, token)
            await self._seek(consumer, assigned)
            begun = True
            return _Term(consumer, assigned, token)
        finally:
            if not begun:
                await consumer.stop()

    async def _partitions(self, consumer: AIOKafkaConsumer) -> set[TopicPartition]:
        """All partitions of the topics; none at all where a topic is missing."""
        cluster = await consumer._client.fetch_all_metadata()  # there is no public way to ask anew
        found: set[TopicPartition] = set()
        missing = []
        for topic in self._copies.topics:
            numbers = cluster.partitions_for_topic(topic)
            if not numbers:
                missing.append(topic)
            found |= {TopicPartition(topic, number) for number in numbers or ()}
        if missing:
            log.error("topics are missing; `tiltwatch kafka init` makes them", topics=missing)
            return set()
        return found

    async def _seek(self, consumer: AIOKafkaConsumer, assigned: set[TopicPartition]) -> None:
        stored: Any = await self._redis.hgetall(PLACES)
        places = {name.decode(): int(offset) for name, offset in stored.items()}
        first = await consumer.beginning_offsets(assigned)
        last = await consumer.end_offsets(assigned)
        for partition in assigned:
            place = places.get(_name(partition))
            to = first[partition] if place is None else place
            if not first[partition] <= to <= last[partition]:
                # Left the topic before it was copied, or the topic was made anew.
                to = first[partition]
                log.error(
                    "records are missing between Kafka and Redis",
                    topic=partition.topic,
                    partition=partition.partition,
                )
                async with self._store.write() as session:
                    await self._lease.check(session)
                    subject = f"partition:{_name(partition)}"
                    Audit.tell(session, ACTOR, "bridge.gap", subject, after=place, on_from=to)
            consumer.seek(partition, to)

    async def _go_on(self, term: _Term) -> float:
        now_s = asyncio.get_running_loop().time()
        if now_s - term.looked_at >= LOOK_EVERY_S:
            term.looked_at = now_s
            if await self._partitions(term.consumer) != term.assigned:
                await self.end()
                return 0.0
        if not await self._copies.may_go_on():
            return HELD_BACK_S
        fetched = await term.consumer.getmany(timeout_ms=self._wait_ms, max_records=self._batch)
        records = [record for each in fetched.values() for record in each]
        if records:
            places = {_name(partition): each[-1].offset + 1 for partition, each in fetched.items() if each}
            await self._copy(term.token, records, places)
        return 0.0

    async def _copy(self, token: bytes, records: list[Record], places: Mapping[str, int]) -> None:
        work = self._copies.prepare(records, self._clock())
        async with self._redis.pipeline(transaction=True) as pipe:
            await pipe.watch(self._fence)
            if await pipe.get(self._fence) != token:
                raise _Overtaken
            pipe.multi()  # type: ignore[no-untyped-call]  # of the client, which has no types there
            await work(pipe)
            moved: dict[Any, Any] = dict(places)
            pipe.hset(PLACES, mapping=moved)
            try:
                await pipe.execute()
            except WatchError:
                raise _Overtaken from None


def _name(partition: TopicPartition) -> str:
    return f"{partition.topic}/{partition.partition}"
