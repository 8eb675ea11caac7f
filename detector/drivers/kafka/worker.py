"""A worker: partitions assigned by Faust, each judged by an engine of its own, kept by checkpoints.

Everything here runs in one event loop. `_turn` is held by whoever changes which partitions there are or what
they are judged by: a batch, a restore, a hand-over.
"""

from __future__ import annotations

import asyncio
import time
from asyncio import Future, Task
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import structlog
from aiokafka.errors import KafkaError
from faust.types import TP

from detector.drivers.faults import where
from detector.drivers.kafka import status
from detector.drivers.kafka.application import Application, lags
from detector.drivers.kafka.checkpoints import Checkpoints, Held
from detector.drivers.kafka.commands import Commands, Library
from detector.drivers.kafka.connection import Connection
from detector.drivers.kafka.incoming import Record
from detector.drivers.kafka.meters import Meters
from detector.drivers.kafka.opening import Opening
from detector.drivers.kafka.options import Options
from detector.drivers.kafka.outlet import Outlet
from detector.drivers.kafka.partition import Failed, Partition
from detector.drivers.learning import told
from detector.drivers.pausing import LIVE_US, is_pause
from detector.drivers.rates import WatchedRates
from detector.engine.places import Places
from detector.events.money import Currencies
from detector.players.player import LONG_AGO, NEVER

log = structlog.get_logger()

_BEAT_S = 0.1
_AGAIN_S = 1.0
_LOOK_EVERY_S = 5.0
_DEAF_S = 15.0


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
        self._rates = rates
        self._clock = clock
        self._outlet = Outlet(connection, clock)
        self._library = Library(options.folder / "rules", currencies)
        self.commands = Commands(connection, self._library, clock)
        self._opening = Opening(
            app, connection, options, currencies, places, rates, self.commands, self._library, clock
        )
        self._checkpoints = Checkpoints(options, meters, self)
        self._held: dict[int, Held] = {}
        self._lost: dict[int, float] = {}
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

    async def _follows(self, held: Held, tp: TP, records: list[Record]) -> bool:
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

    async def _judge(self, held: Held, work: Callable[[], None]) -> None:
        """Do some judging, and send what follows from it."""
        number = held.partition.number
        try:
            work()
        except Failed as failed:
            self._opening.feared.setdefault(number, set()).add((failed.topic, failed.offset))
            self.lose(number, "event")
            return
        held.is_changed = True
        held.heard_us = self._clock()
        out = held.partition.outgoing(held.heard_us, self._options.intervene_within_us)
        self.meters.count(out)
        for player, risk in out.effects.risks.items():
            if risk.standings:
                held.risks[player.encode()] = msgspec.json.encode(risk)
        held.samples += [(each.player.encode(), msgspec.json.encode(each)) for each in told(out.effects)]
        self._withheld += out.withheld
        try:
            held.sent += await self._outlet.send(out, number)
        except KafkaError as error:
            log.warning("nothing can be sent", error=type(error).__name__)
            self.lose(number, "send")
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
        if not await self._checkpoints.make_now(held):
            return
        self._opening.change_rules(held, latest.set)
        held.is_changed = True
        if not await self._checkpoints.make_now(held):
            return
        await self._seek(held)
        log.info("other rules are in force", partition=number, rules=latest.set)

    async def _seek(self, held: Held) -> None:
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
            self._held = await self._opening.open(numbers)
            await self._opening.begin_at_first(self._held)
            self.is_ready = True
            self.meters.recovered(time.monotonic() - began)
            return {
                TP(topic, number): offset
                for number, held in self._held.items()
                for topic, offset in held.partition.next.items()
            }

    async def hand_over(self) -> None:
        """Keep all that was judged and let go of every partition."""
        async with self._turn:
            self.is_ready = False
            saving = [asyncio.create_task(self._checkpoints.make_now(held)) for held in self._held.values()]
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

    def is_lost(self, number: int) -> bool:
        """Whether a partition is given up for now."""
        return number in self._lost

    def lose(self, number: int, cause: str, wait_s: float = 0.0) -> None:
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
                opened = await self._opening.open(lost)
            except KafkaError as error:
                log.warning("partitions cannot be taken up", error=type(error).__name__)
                self._lost |= dict.fromkeys(lost, now_s + _AGAIN_S)
                return
            self._held |= opened
            await self._opening.begin_at_first(opened)
            for number in lost:
                del self._lost[number]
                await self._seek(self._held[number])

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

    async def _look_after(self, number: int, held: Held) -> None:
        now_s = time.monotonic()
        partition = held.partition
        if partition.is_waiting:
            await self._judge(held, lambda: partition.go_on(now_s))
        if self._must_look_at_rules(partition) or self._is_idle_past(partition):
            await self._change_rules(number)
            return
        await self._tick_on(held)
        if self._checkpoints.is_due(held, now_s):
            self._checkpoints.begin(held)
            await asyncio.sleep(0)

    def _is_idle_past(self, partition: Partition) -> bool:
        """Whether other rules are due by the wall clock for a partition that has nothing more to judge."""
        due = partition.changes_at_us
        if due == NEVER or due + LIVE_US > self._clock():
            return False
        # Of a partition just taken up, nothing is known until something was fetched: there may be a backlog.
        known = self._lags(partition)
        return len(known) == len(self._options.inputs) and not any(known.values())

    async def _tick_on(self, held: Held) -> None:
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
