"""Writing to Kafka: what is sent is on the brokers' disks when a call returns."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError

from detector.drivers.kafka.connection import Connection

log = structlog.get_logger()

ACKNOWLEDGED_S = 10.0
"""How long brokers may take to acknowledge, or to let themselves be found."""
CLOSED_S = 3.0
LARGEST = 8 * 2**20
"""The largest record in bytes, as `detector.drivers.kafka.topics` has the topics made."""
_BATCH = 256 * 1024


class BrokersAway(Exception):  # noqa: N818  (it is told as a problem)
    """The brokers do not answer, or not in time: what was sent may or may not be there."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record on its way; `partition` is by the key unless given, `at_ms` now."""

    topic: str
    value: bytes | None
    key: bytes | None = None
    partition: int | None = None
    at_ms: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class Line:
    """The one producer of a process, made when first needed, so that brokers may come later than we do."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._producer: AIOKafkaProducer | None = None
        self._turn = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Send records, each key's in the order given.

        Raises
        ------
        BrokersAway
            Not all were acknowledged in time.
        """
        producer: AIOKafkaProducer | None = None
        acks: list[asyncio.Future[object]] = []
        try:
            async with asyncio.timeout(ACKNOWLEDGED_S):
                producer = await self._ready()
                for each in records:
                    ack = await producer.send(
                        each.topic,
                        each.value,
                        each.key,
                        each.partition,
                        each.at_ms,
                        list(each.headers),
                    )
                    acks.append(ack)
                await asyncio.gather(*acks)
        except (TimeoutError, KafkaTimeoutError, KafkaError) as error:
            log.warning("the brokers did not take what was sent", error=type(error).__name__)
            if producer is not None and not isinstance(error, TimeoutError | KafkaTimeoutError):
                # It may be of no use any more: the brokers have forgotten it, or it lost count.
                self._let_go(producer)
            raise BrokersAway from None
        finally:
            for ack in acks:
                ack.cancel()

    async def partitions(self, within_s: float = ACKNOWLEDGED_S) -> dict[str, set[int]]:
        """Every topic there is, with its partitions; BrokersAway if the brokers do not say in time."""
        try:
            async with asyncio.timeout(within_s):
                producer = await self._ready()
                cluster = await producer.client.fetch_all_metadata()
                return {topic: set(cluster.partitions_for_topic(topic) or ()) for topic in cluster.topics()}
        except (TimeoutError, KafkaError):
            raise BrokersAway from None

    async def close(self) -> None:
        """Let what is under way arrive, for a moment, and disconnect."""
        if self._producer is not None:
            self._let_go(self._producer)
        await asyncio.gather(*self._closing)

    async def _ready(self) -> AIOKafkaProducer:
        async with self._turn:
            if self._producer is None:
                made = AIOKafkaProducer(
                    acks="all",
                    enable_idempotence=True,
                    max_batch_size=_BATCH,
                    max_request_size=LARGEST,
                    request_timeout_ms=int(ACKNOWLEDGED_S * 1000),
                    **self._connection.aiokafka(),
                )
                try:
                    await made.start()
                except BaseException:
                    await made.stop()
                    raise
                self._producer = made
            return self._producer

    def _let_go(self, producer: AIOKafkaProducer) -> None:
        if self._producer is producer:
            self._producer = None
            task = asyncio.create_task(_close(producer))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


async def _close(producer: AIOKafkaProducer) -> None:
    with suppress(Exception):
        await asyncio.wait_for(producer.stop(), CLOSED_S)
        return
    # It waits for ever for what it cannot deliver, and has no public way to give that up.
    producer._message_accumulator.fail_all(KafkaError("given up"))
    if producer._sender.sender_task is not None:
        producer._sender.sender_task.cancel()
    with suppress(Exception):
        await asyncio.wait_for(producer.client.close(), CLOSED_S)
