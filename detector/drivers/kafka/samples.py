"""Samples, labels and flags as they stand on `rg.samples`, for whoever learns.

Partitions are read without a group, each from the offset that the trainer's own state names, and in one order
of time: a trainer that catches up hears no player's month before another's begins.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from detector.drivers.kafka.connection import Connection
from detector.drivers.kafka.topics import SAMPLES
from detector.drivers.samples import read_heard
from detector.drivers.trainer import Entry, Reading, SourceAway
from models.ordering import Heard
from models.sample import Label

log = structlog.get_logger()

BATCH = 500
_WAIT_MS = 200
_MOST_WAITING = 5_000
"""Of one partition, while another has yet to be fetched."""


@dataclass(slots=True)
class _Lane:
    """What was fetched of a partition and not given yet, by time.

    `end` is the offset after its last record, as far as is known; `is_at_end`: nothing more stands there.
    """

    end: int
    waiting: deque[tuple[int, Entry]] = field(default_factory=deque)
    is_at_end: bool = False


class KafkaSamples:
    """Reads every partition of the topic, committed records alone."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._runner = asyncio.Runner()
        self._consumer: AIOKafkaConsumer | None = None
        self._lanes: dict[TopicPartition, _Lane] = {}
        self._lost = 0

    def read(self, place: Mapping[str, int]) -> Reading:
        """What comes after a place; SourceAway."""
        try:
            return self._runner.run(self._read(place))
        except KafkaError as error:
            self._runner.run(self._stop())
            raise SourceAway(type(error).__name__) from None

    def keep(self, place: Mapping[str, int]) -> None:
        """Nothing: the topic keeps its records by their age."""

    def close(self) -> None:
        """Give the connection back."""
        self._runner.run(self._stop())
        self._runner.close()

    async def _stop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def _read(self, place: Mapping[str, int]) -> Reading:
        consumer = self._consumer
        if consumer is None:
            consumer = self._consumer = AIOKafkaConsumer(
                **self._connection.aiokafka(),
                isolation_level="read_committed",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                check_crcs=self._connection.check_crcs,
            )
            await consumer.start()
            self._lanes = {}
        known = {each.partition for each in self._lanes}
        numbers = consumer.partitions_for_topic(SAMPLES) or known
        if not numbers:
            # A consumer knows only of topics that it was given.
            cluster = await consumer._client.fetch_all_metadata()
            numbers = cluster.partitions_for_topic(SAMPLES) or set()
        if not numbers:
            raise SourceAway(f"there is no topic {SAMPLES}; make it with `tiltwatch kafka init`")
        if numbers != known:
            await self._assign(consumer, numbers, place)
        await self._fetch(consumer)
        lost, self._lost = self._lost, 0
        entries = self._in_order()
        behind = [lane.end - await _given(consumer, tp, lane) for tp, lane in self._lanes.items()]
        return Reading(entries, lost, sum(max(0, each) for each in behind))

    async def _assign(self, consumer: AIOKafkaConsumer, numbers: set[int], place: Mapping[str, int]) -> None:
        """Begin to read partitions where a place says."""
        places = {number: TopicPartition(SAMPLES, number) for number in sorted(numbers)}
        consumer.assign(list(places.values()))
        first = await consumer.beginning_offsets(list(places.values()))
        ends = await consumer.end_offsets(list(places.values()))
        self._lanes = {tp: _Lane(ends[tp]) for tp in places.values()}
        for number, tp in places.items():
            wanted = place.get(_name(number))
            if wanted is not None and wanted > ends[tp]:
                log.warning("the topic is another one than was learned from", topic=SAMPLES, partition=number)
                wanted = None
            if wanted is not None and wanted < first[tp]:
                self._lost += first[tp] - wanted
            consumer.seek(tp, first[tp] if wanted is None else max(wanted, first[tp]))

    async def _fetch(self, consumer: AIOKafkaConsumer) -> None:
        """Fetch what there is of partitions that have little waiting, and see which have no more."""
        for tp, lane in self._lanes.items():
            if len(lane.waiting) < _MOST_WAITING:
                consumer.resume(tp)
            else:
                consumer.pause(tp)
        found = await consumer.getmany(timeout_ms=_WAIT_MS, max_records=4 * BATCH)
        for tp, records in found.items():
            lane = self._lanes[tp]
            for record in records:
                heard = read_heard(record.value)
                lane.waiting.append((_due(heard), Entry(heard, {_name(tp.partition): record.offset + 1})))
        empty = [tp for tp, lane in self._lanes.items() if not lane.waiting]
        if empty:
            # Asked for after fetching: what is written from now on may wait for the next time.
            ends = await consumer.end_offsets(empty)
            for tp in empty:
                # Marks of transactions have offsets too, and are no records.
                self._lanes[tp].is_at_end = await consumer.position(tp) >= ends[tp]
        for tp, lane in self._lanes.items():
            lane.end = max(lane.end, consumer.highwater(tp) or 0)
            if lane.waiting:
                lane.is_at_end = False

    def _in_order(self) -> list[Entry]:
        """What nothing fetched later can come before."""
        lanes = list(self._lanes.values())
        entries: list[Entry] = []
        while len(entries) < BATCH:
            if any(not lane.waiting and not lane.is_at_end for lane in lanes):
                break
            waiting = [lane for lane in lanes if lane.waiting]
            if not waiting:
                break
            entries.append(min(waiting, key=lambda lane: lane.waiting[0][0]).waiting.popleft()[1])
        return entries


async def _given(consumer: AIOKafkaConsumer, tp: TopicPartition, lane: _Lane) -> int:
    """The offset of what is given next of a partition."""
    if lane.waiting:
        return lane.waiting[0][1].place[_name(tp.partition)] - 1
    position: int = await consumer.position(tp)
    return position


def _name(number: int) -> str:
    return f"{SAMPLES}/{number}"


def _due(heard: Heard | None) -> int:
    """By which time its turn comes: what has no time of players, whose clock may be far behind, at once."""
    if heard is None or (isinstance(heard, Label) and heard.source == "verdict"):
        return 0
    return heard.at
