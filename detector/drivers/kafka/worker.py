"""A worker: partitions assigned by Faust, each judged by an engine of its own, kept by checkpoints.

Everything here runs in one event loop. `_turn` is held by whoever changes which partitions there are or what
they are judged by: a batch, a restore, a hand-over. Checkpoints are made ready in one go and written in the
background, for what they hold is plain bytes by then.
"""

from __future__ import annotations

import asyncio
import time
from asyncio import Future, Task
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import structlog
from aiokafka.errors import KafkaError, ProducerFenced
from faust.types import TP

from detector.drivers.detection import Detection
from detector.drivers.faults import where
from detector.drivers.kafka import status
from detector.drivers.kafka.application import Application, disk_of, lags
from detector.drivers.kafka.commands import Commands, Library
from detector.drivers.kafka.connection import Connection
from detector.drivers.kafka.keeping import Changelog, Kept, Writer
from detector.drivers.kafka.meters import Meters
from detector.drivers.kafka.outlet import Outlet
from detector.drivers.kafka.partition import MARKS, PLAYER, Failed, Partition, Record, read_marks
from detector.drivers.kafka.topics import changelog
from detector.drivers.pausing import LIVE_US, is_pause
from detector.drivers.rates import WatchedRates
from detector.engine.engine import GRACE_US
from detector.engine.places import Places
from detector.events.decode import Decoder
from detector.events.instants import MINUTE_US
from detector.events.money import Currencies
from detector.mapping.feed import FeedMapping
from detector.players.player import LONG_AGO, NEVER

log = structlog.get_logger()

_BEAT_S = 0.1
_SHARE = 9
"""A checkpoint that took a second is followed by this many seconds without one, so that catching up is not
spent on checkpoints …"""
_LONGEST_S = 30.0
"""… and by no more than these: they are what a crash has judged again."""
_AGAIN_S = 1.0
_LOOK_EVERY_S = 5.0
_DEAF_S = 15.0


@dataclass(frozen=True, slots=True)
class Options:
    """How a worker runs; times as the settings of the same names have them."""

    name: str
    group: str
    folder: Path
    rules_folder: Path
    inputs: Mapping[str, FeedMapping | None]
    grace_us: int = GRACE_US
    checkpoint_s: float = 2.0
    tick_every_s: float = 10.0
    session_s: float = 10.0
    merge_wait_s: float = 2.0
    intervene_within_us: int = 48 * 60 * MINUTE_US


@dataclass(slots=True)
class _Held:
    """A partition that is ours."""

    partition: Partition
    kept: Kept
    writer: Writer
    generation: int
    unsure: set[str]
    sent: list[Future[Any]] = field(default_factory=list)
    risks: dict[bytes, bytes] = field(default_factory=dict)
    saving: Task[None] | None = None
    is_changed: bool = False
    begun_at: float = 0.0
    took_s: float = 0.0
    heard_us: int = 0
    refetched: dict[str, int] = field(default_factory=dict)


class Worker:
    """What the application's agent, its rebalances and its clock come to."""

    def __init__(
        self,
        app: Application,
        connection: Connection,
        options: Options,
        currencies: Currencies,
        places: Places,
        rates: WatchedRates | None,
        meters: Meters,
        clock: Callable[[], int],
    ) -> None:
        self.app = app
        self.meters = meters
        self.is_ready = False
        self.is_stopping = False
        self._options = options
        self._connection = connection
        self._currencies = currencies
        self._places = places
        self._rates = rates
        self._clock = clock
        self._decoder = Decoder(currencies)
        self._changelog = Changelog(connection, changelog(options.group))
        self._outlet = Outlet(connection, clock)
        self._library = Library(options.folder / "rules", currencies)
        self.commands = Commands(connection, self._library, clock)
        self._held: dict[int, _Held] = {}
        self._lost: dict[int, float] = {}
        self._feared: dict[int, set[tuple[str, int]]] = {}
        self._turn = asyncio.Lock()
        self._tasks: list[Task[None]] = []
        self._withheld = 0
        self._heard_s = time.monotonic()
        app.restore = self.restore
        app.hand_over = self.hand_over

    # Beginning and end

    async def start(self) -> None:
        """Learn which rules are in force, and connect."""
        if self._rates is not None:
            self._rates.start(None, LONG_AGO)
        await self._outlet.start()
        await self.commands.start(self._options.rules_folder, self._options.name)
        self._tasks = [
            asyncio.create_task(each) for each in (self.commands.follow(), self._beat(), self._tell())
        ]
        for task in self._tasks:
            task.add_done_callback(self._ended)

    def _ended(self, task: Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the worker cannot go on", error=type(error).__name__, where=where(error))
            self.app.loop.create_task(self.app.crash(error))

    async def stop(self) -> None:
        """Say goodbye."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.is_stopping = True
        try:
            await self._outlet.tell(self.status())
            await self.commands.stop()
            await self._outlet.stop()
        except KafkaError as error:
            log.warning("the brokers were not told of the end", error=type(error).__name__)

    # Batches in

    async def take(self, tp: TP, generation: int, records: list[Record]) -> None:
        """Judge what was fetched of a topic's partition."""
        async with self._turn:
            held = self._held.get(tp.partition)
            if held is None or held.generation != generation or tp.partition in self._lost:
                return  # it was fetched for an earlier life of the partition, and is fetched again
            if tp.topic in held.unsure and not await self._follows(held, tp, records):
                return
            if self._must_look_at_rules(held.partition):
                await self._change_rules(tp.partition)
                return
            await self._judge(held, lambda: held.partition.take(tp.topic, records, time.monotonic()))
            self.meters.batch_events.observe(len(records))

    async def _follows(self, held: _Held, tp: TP, records: list[Record]) -> bool:
        """Whether records begin where a partition has come to, the first time after it was restored.

        What was fetched before may still be on its way then. Offsets that do not exist (marks of others'
        transactions) look the same; what comes again after going back for it is what there is.
        """
        first, wanted = records[0].offset, held.partition.next[tp.topic]
        if first > wanted and held.refetched.get(tp.topic) != first:
            held.refetched[tp.topic] = first
            await self.app.consumer.seek(tp, wanted)
            return False
        held.unsure.discard(tp.topic)
        return True

    async def _judge(self, held: _Held, work: Callable[[], None]) -> None:
        """Do some judging, and send what follows from it."""
        number = held.partition.number
        try:
            work()
        except Failed as failed:
            self._feared.setdefault(number, set()).add((failed.topic, failed.offset))
            self._lose(number, "event")
            return
        held.is_changed = True
        held.heard_us = self._clock()
        out = held.partition.outgoing(held.heard_us, self._options.intervene_within_us)
        self.meters.count(out)
        for player, risk in out.effects.risks.items():
            if risk.standings:
                held.risks[player.encode()] = msgspec.json.encode(risk)
        self._withheld += out.withheld
        try:
            held.sent += await self._outlet.send(out, number)
        except KafkaError as error:
            log.warning("nothing can be sent", error=type(error).__name__)
            self._lose(number, "send")
            return
        if held.partition.halted:
            await self._change_rules(number)

    # Rules that change

    def _must_look_at_rules(self, partition: Partition) -> bool:
        """Have a partition know when other rules take over; True if that is now."""
        latest = self.commands.latest
        # One that is not known here can come yet; until then what judges goes on.
        if latest is None or latest.set == partition.rules or latest.set not in self._library:
            partition.changes_at_us = NEVER
            return False
        partition.changes_at_us = latest.effective_from
        return partition.is_due_to_change

    async def _change_rules(self, number: int) -> None:
        """Judge by the set that was asked for, from here on: all that was judged is kept first, and so is the
        change itself, before anything is judged by it."""
        latest = self.commands.latest
        assert latest is not None
        held = self._held[number]
        if not await self._save_now(held):
            return
        held.partition, _ = self._set_up(number, held.kept, latest.set)
        held.is_changed = True
        if not await self._save_now(held):
            return
        held.unsure = set(self._options.inputs)
        held.refetched.clear()
        await self._seek(held)
        log.info("other rules are in force", partition=number, rules=latest.set)

    async def _seek(self, held: _Held) -> None:
        for topic, offset in held.partition.next.items():
            await self.app.consumer.seek(TP(topic, held.partition.number), offset)

    # Partitions that come and go

    async def restore(self, numbers: set[int]) -> Mapping[TP, int]:
        """Make assigned partitions ready; returns where each of their inputs goes on."""
        async with self._turn:
            self.is_ready = False
            began = time.monotonic()
            await self._drop(set(self._held))
            self._lost.clear()
            await self._bring_up(numbers)
            await self._begin_at_first(numbers)
            self.is_ready = True
            self.meters.recovered(time.monotonic() - began)
            return {
                TP(topic, number): offset
                for number, held in self._held.items()
                for topic, offset in held.partition.next.items()
            }

    async def _begin_at_first(self, numbers: set[int]) -> None:
        """Have inputs of which nothing is kept read from their first record on, whatever the group committed.

        A changelog that was lost is made anew by judging once more all that the topics still have.
        """
        unknown = [
            TP(topic, number)
            for number in numbers
            for topic in self._options.inputs
            if topic not in self._held[number].partition.next
        ]
        if unknown:
            first = await self.app.consumer.earliest_offsets(*unknown)
            for tp, offset in first.items():
                self._held[tp.partition].partition.begin_at(tp.topic, offset)

    async def _bring_up(self, numbers: set[int]) -> None:
        began = time.monotonic()
        writers = {
            number: Writer(self._connection, self._options.group, self._changelog.topic, number)
            for number in numbers
        }
        try:
            await asyncio.gather(*(writer.open() for writer in writers.values()))
            kept = {number: Kept(*disk_of(self.app, number)) for number in numbers}
            read = await self._changelog.bring_up(kept) if kept else 0
        except BaseException:
            await asyncio.gather(*(writer.close() for writer in writers.values()))
            raise
        players = 0
        for number in sorted(numbers):
            partition, known = self._set_up(number, kept[number], None)
            players += known
            self._held[number] = _Held(
                partition=partition,
                kept=kept[number],
                writer=writers[number],
                generation=self.app.consumer_generation_id,
                unsure=set(self._options.inputs),
                heard_us=self._clock(),
            )
            await asyncio.sleep(0)
        if numbers:
            took = round(time.monotonic() - began, 1)
            log.info("detecting", partitions=sorted(numbers), players=players, read=read, seconds=took)

    def _set_up(self, number: int, kept: Kept, rules: str | None) -> tuple[Partition, int]:
        """A partition made of what is kept of it, and how many players that is.

        It is judged by a set of rules, None being the one that it was judged by so far.
        """
        marks = kept.get(MARKS)
        if rules is None:
            latest = self.commands.latest
            assert latest is not None
            rules = latest.set if marks is None else read_marks(marks).rules
        found = self._library.get(rules)
        rates = None if self._rates is None else self._rates.rates
        detection = Detection(found.rules, self._currencies, rates, self._places, found.scoring, found.ladder)
        partition = Partition(
            number,
            lambda stored: detection.engine(
                keep_records=True, grace_us=self._options.grace_us, stored=stored
            ),
            found.ladder,
            self._options.inputs,
            self._decoder,
            kept.get,
            self._feared.get(number, set()),
            rules,
            wait_s=self._options.merge_wait_s,
            now_s=time.monotonic(),
        )
        if marks is not None:
            partition.load_marks(marks)
        players = 0
        for key, record in kept.items(PLAYER):
            partition.load_player(key, record)
            players += 1
        return partition, players

    async def hand_over(self) -> None:
        """Keep all that was judged and let go of every partition."""
        async with self._turn:
            self.is_ready = False
            saving = [asyncio.create_task(self._save_now(held)) for held in self._held.values()]
            if saving:
                # Whoever waits for the partitions waits no longer than for a worker that was lost.
                await asyncio.wait(saving, timeout=self._options.session_s)
            for task in saving:
                task.cancel()
            await self._drop(set(self._held))

    async def _drop(self, numbers: set[int]) -> None:
        gone = [self._held.pop(number) for number in numbers]
        for held in gone:
            if held.saving is not None:
                held.saving.cancel()
        await asyncio.gather(*(held.writer.close() for held in gone))

    def _lose(self, number: int, cause: str, wait_s: float = 0.0) -> None:
        """Trust nothing any more of what memory holds of a partition; take it up again after a while."""
        self._lost.setdefault(number, time.monotonic() + wait_s)
        self.meters.restores.labels(cause).inc()

    async def _mend(self) -> None:
        """Take up again, from what is kept, the partitions that were lost."""
        async with self._turn:
            now_s = time.monotonic()
            lost = {number for number, at_s in self._lost.items() if at_s <= now_s}
            if not lost or not self.is_ready:
                return
            await self._drop(lost & set(self._held))
            try:
                await self._bring_up(lost)
            except KafkaError as error:
                log.warning("partitions cannot be taken up", error=type(error).__name__)
                self._lost |= dict.fromkeys(lost, now_s + _AGAIN_S)
                return
            await self._begin_at_first(lost)
            for number in lost:
                del self._lost[number]
                await self._seek(self._held[number])

    # Checkpoints

    async def _save_now(self, held: _Held) -> bool:
        """Have everything judged so far kept before returning; False if that cannot be."""
        if held.saving is not None:
            await asyncio.wait([held.saving])
        if held.partition.number in self._lost:
            return False
        if held.is_changed:
            self._save(held)
            assert held.saving is not None
            await asyncio.wait([held.saving])
        return held.partition.number not in self._lost

    def _save(self, held: _Held) -> None:
        """Begin a checkpoint of what was judged so far."""
        held.is_changed = False
        held.begun_at = time.monotonic()
        sent, held.sent = held.sent, []
        risks, held.risks = held.risks, {}
        changed = held.partition.unsaved()
        held.saving = asyncio.create_task(
            self._write(held, sent, changed, risks, dict(held.partition.next)), name="checkpoint"
        )

    async def _write(
        self,
        held: _Held,
        sent: list[Future[Any]],
        changed: Mapping[bytes, bytes],
        risks: Mapping[bytes, bytes],
        reached: Mapping[str, int],
    ) -> None:
        try:
            await asyncio.gather(*sent)
            last = await held.writer.write(changed, risks, reached)
            held.kept.apply(changed.items(), last)
            held.partition.saved()
            held.took_s = time.monotonic() - held.begun_at
            self.meters.saved(held.took_s)
        except ProducerFenced:
            # Most likely it is another worker's by now, which this one is about to learn from the brokers.
            log.warning("a partition was taken over", partition=held.partition.number)
            self._lose(held.partition.number, "fenced", 2 * self._options.session_s)
        except Exception as error:
            log.warning(
                "a checkpoint was not kept", partition=held.partition.number, error=type(error).__name__
            )
            self._lose(held.partition.number, "checkpoint")

    # The clock

    async def _beat(self) -> None:
        """Make checkpoints, mend what was lost, look at the rates, let time pass."""
        looked_at = 0.0
        while True:
            await asyncio.sleep(_BEAT_S)
            if self._rates is not None and time.monotonic() - looked_at >= _LOOK_EVERY_S:
                looked_at = time.monotonic()
                self._rates.look(
                    max((held.partition.engine.high_us for held in self._held.values()), default=LONG_AGO)
                )
            if self._lost:
                await self._mend()
            async with self._turn:
                for number, held in list(self._held.items()):
                    if number in self._lost or not self.is_ready:
                        continue
                    await self._look_after(number, held)

    async def _look_after(self, number: int, held: _Held) -> None:
        now_s = time.monotonic()
        partition = held.partition
        if partition.is_waiting:
            await self._judge(held, lambda: partition.go_on(now_s))
        if self._must_look_at_rules(partition) or self._is_idle_past(partition):
            await self._change_rules(number)
            return
        await self._tick_on(held)
        pause = max(self._options.checkpoint_s, min(_SHARE * held.took_s, _LONGEST_S))
        is_saving = held.saving is not None and not held.saving.done()
        if held.is_changed and not is_saving and now_s - held.begun_at >= pause:
            self._save(held)
            await asyncio.sleep(0)

    def _is_idle_past(self, partition: Partition) -> bool:
        """Whether other rules are due by the wall clock for a partition that has nothing more to judge."""
        due = partition.changes_at_us
        if due == NEVER or due + LIVE_US > self._clock():
            return False
        # Of a partition just taken up, nothing is known until something was fetched: there may be a backlog.
        known = self._lags(partition)
        return len(known) == len(self._options.inputs) and not any(known.values())

    async def _tick_on(self, held: _Held) -> None:
        """In a pause of live input, have time pass by an event of its own."""
        now = self._clock()
        engine = held.partition.engine
        tick_us = now - engine.grace_us
        if not is_pause(engine, now, held.heard_us, self._options.tick_every_s):
            return
        held.heard_us = now
        if tick_us > engine.watermark_us:
            try:
                await self._outlet.tick(held.partition.number, tick_us)
            except KafkaError as error:
                log.warning("a tick was not recorded", error=type(error).__name__)

    # What others are told

    def _lags(self, partition: Partition) -> dict[TP, int]:
        places = {TP(topic, partition.number): partition.next.get(topic, 0) for topic in self._options.inputs}
        return lags(self.app, places)

    def _lag(self, partition: Partition) -> int:
        return sum(self._lags(partition).values())

    async def _tell(self) -> None:
        while True:
            try:
                told = self.status()
                late = sum(held.partition.engine.counts.late for held in self._held.values())
                self.meters.show(told, self.commands.counts, late, is_ready=self.is_ready)
                (await self._outlet.tell(told)).add_done_callback(self._told)
                if self._withheld:
                    log.info("alerts of the past asked for nothing", interventions=self._withheld)
                    self._withheld = 0
            except KafkaError as error:
                log.warning("the status was not told", error=type(error).__name__)
            await asyncio.sleep(status.EVERY_S)

    def _told(self, sent: Future[Any]) -> None:
        if not sent.cancelled() and sent.exception() is None:
            self._heard_s = time.monotonic()

    @property
    def hears_brokers(self) -> bool:
        """Whether the brokers have acknowledged anything lately."""
        return time.monotonic() - self._heard_s < _DEAF_S

    def status(self) -> status.Status:
        """How the worker is."""
        partitions = {}
        for number, held in sorted(self._held.items()):
            engine = held.partition.engine
            known = engine.high_us != LONG_AGO
            partitions[str(number)] = status.PartitionStatus(
                held.partition.rules,
                engine.high_us if known else 0,
                engine.watermark_us if known else 0,
                self._lag(held.partition),
                dict(held.partition.next),
            )
        sets = {held.partition.rules for held in self._held.values()}
        is_whole = self.is_ready and not self._lost and self.hears_brokers
        return status.Status(
            self._options.name,
            self._clock(),
            "stopping" if self.is_stopping else "running" if is_whole else "recovering",
            sets.pop() if len(sets) == 1 else None,
            partitions,
            sum(len(held.partition.engine) for held in self._held.values()),
        )
