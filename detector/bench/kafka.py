"""Workers on Kafka, against fetching and decoding alone, against Faust as it comes, and two against one.

All of them read the same log, which stands on the brokers before anybody is measured, each with a group of
its own, so that nobody finds anything done. The brokers take their part of the machine that they run on.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median
from tempfile import TemporaryDirectory

from detector.bench.broker import Brokers, brokers
from detector.bench.copied import Crowd
from detector.bench.feeding import BATCH_BYTES, Live, Places, alerts, fill
from detector.bench.latency import percentile
from detector.bench.rounds import Plan, Row, interleaved
from detector.bench.workers import PATIENCE_S, Progress, working
from detector.drivers.kafka.status import EVERY_S
from detector.drivers.kafka.topics import ALERTS, EVENTS, changelog
from detector.errors import SettingsError, StateError

PARTITIONS = 12
SHARE = 16
"""Faust as it comes is given one copy in so many: the same events of fewer players, in the same mix."""
LIVE_S = 5.0
"""How long live events come in a round."""
ONE, TWO = "one worker", "two workers"
GETMANY = "aiokafka getmany and msgspec decode"
STOCK = "Faust as it comes, a table write an event"
_SHARED, _SHARED_ALERTS = "tiltwatch-bench-events", "tiltwatch-bench-alerts"
NAMES = ("kafka/getmany", "kafka/faust", "kafka/two-workers", "kafka/latency")


def measure(plan: Plan) -> list[Row]:
    """Four rows of the same rounds; without brokers they say how to get some."""
    try:
        with brokers(plan.kafka) as found:
            return measure_on(found, plan)
    except SettingsError as error:
        return [Row(name=name, what="workers on Kafka", missing=str(error)) for name in NAMES]


def measure_on(found: Brokers, plan: Plan) -> list[Row]:
    """The rows, measured on brokers that know nothing of us yet."""
    plan.tell(f"kafka: a log of {plan.players:,} players")
    bench = _Bench(found, Crowd(plan.players))
    figures = interleaved(
        {
            ONE: lambda: bench.workers(1),
            TWO: lambda: bench.workers(2),
            GETMANY: bench.getmany,
            STOCK: bench.stock,
        },
        plan,
    )
    bench.check()
    rate = median(figures[ONE]) / 2
    waits = bench.latency(rate, plan)
    every = [each for round_ in waits for each in round_]
    told = bench.told()
    return [
        _row("kafka/getmany", figures, GETMANY, (0.25, 0.5), told),
        _row("kafka/faust", figures, STOCK, (8.0, 15.0), [bench.told_of_stock()]),
        Row(
            name="kafka/two-workers",
            what="the same log, two workers of one group",
            unit="events/s",
            ours=figures[TWO],
            peer=ONE,
            peers=figures[ONE],
            notes=["on two cores, two workers and the brokers share what one worker and the brokers had"],
        ),
        Row(
            name="kafka/latency",
            what="event in to alert readable on rg.alerts, p99 at half of one worker's rate",
            unit="ms",
            ours=[percentile(round_, 0.99) for round_ in waits],
            at_least=False,
            notes=[
                f"{rate:,.0f} events/s for {LIVE_S:.0f} s at most, in batches of 10 ms, "
                f"{len(every):,} alerts: median {median(every):.1f} ms, "
                f"p99 of all {percentile(every, 0.99):.1f} ms, longest {max(every):.1f} ms; "
                "from when an event is due until another client has its alert"
            ],
        ),
    ]


def _row(
    name: str, figures: dict[str, list[float]], peer: str, targets: tuple[float, float], notes: Sequence[str]
) -> Row:
    return Row(
        name=name,
        what="worker on Kafka, Ontario pack, one process",
        unit="events/s",
        ours=figures[ONE],
        peer=peer,
        peers=figures[peer],
        first=targets[0],
        then=targets[1],
        notes=list(notes),
    )


class _Bench:
    """The contestants: each call is a round, and returns events a second."""

    def __init__(self, found: Brokers, crowd: Crowd) -> None:
        self._brokers = found
        self._connection = found.connection
        self._crowd = crowd
        self._places = Places(PARTITIONS)
        self._groups = 0
        self._done: Progress | None = None
        self._in_memory = 0
        self._shared_copies = max(1, crowd.copies // SHARE)
        asyncio.run(self._fill())

    async def _fill(self) -> None:
        await self._brokers.prepare(self._group(), PARTITIONS)
        for topic in (_SHARED, _SHARED_ALERTS):
            await self._brokers.create(topic, PARTITIONS, {})
        await fill(self._connection, EVENTS, self._crowd.lines(), self._places)
        shared = self._crowd.lines(self._shared_copies)
        self._shared = await fill(self._connection, _SHARED, shared, self._places)

    def _group(self) -> str:
        self._groups += 1
        return f"tiltwatch-bench-{self._groups}"

    def workers(self, count: int) -> float:
        """Workers of one group judge the log."""
        group = self._group()
        asyncio.run(self._brokers.prepare(group, PARTITIONS))
        with working(self._brokers.environment, group, count) as running:
            done, seconds = running.until(self._crowd.count)
        self._note(done)
        return done.accepted / seconds

    def _note(self, done: Progress) -> None:
        if self._done is not None and done.alerts != self._done.alerts:
            raise StateError(f"{done.alerts} alerts and before {self._done.alerts}: workers differ")
        self._done = done

    def getmany(self) -> float:
        """Somebody fetches and decodes the log, and no more."""
        return _peer("peer_getmany", EVENTS, PARTITIONS, self._crowd.count, found=self._brokers)

    def stock(self) -> float:
        """An agent of Faust's does with a part of the log what a worker does."""
        group = self._group()
        asyncio.run(self._brokers.create(changelog(group), PARTITIONS, {"cleanup.policy": "compact"}))
        with TemporaryDirectory(prefix="tiltwatch-bench-") as folder:
            return _peer(
                "peer_faust",
                group,
                _SHARED,
                _SHARED_ALERTS,
                PARTITIONS,
                self._shared,
                folder,
                found=self._brokers,
            )

    def check(self) -> None:
        """All have found the same alerts, as far as they were given the same events."""
        ours = asyncio.run(alerts(self._connection, ALERTS, PARTITIONS))
        theirs = asyncio.run(alerts(self._connection, _SHARED_ALERTS, PARTITIONS))
        assert self._done is not None
        if len(ours) != self._done.alerts or not theirs.keys() <= ours.keys() or bool(theirs) < bool(ours):
            raise StateError(
                f"{self._done.alerts} alerts of a worker, {len(ours)} of all, {len(theirs)} of the peer, of "
                f"them {len(theirs.keys() - ours.keys())} its own: the figures would compare different work"
            )

    def latency(self, rate: float, plan: Plan) -> list[list[float]]:
        """Waits in ms, a list a round, of a worker that has the whole log behind it."""
        group = self._group()
        asyncio.run(self._brokers.prepare(group, PARTITIONS))
        with working(self._brokers.environment, group, 1) as running:
            plan.tell("kafka: a worker for live events")
            self._note(running.until(self._crowd.count)[0])
            time.sleep(1.5 * EVERY_S)  # how many players there are is told now and then
            self._in_memory = running.progress().players
            return asyncio.run(self._live(rate, plan))

    async def _live(self, rate: float, plan: Plan) -> list[list[float]]:
        count = min(plan.events, int(rate * LIVE_S))
        rounds: list[list[float]] = []
        async with Live(self._connection, self._places) as live:
            for number in range(plan.rounds + 1):
                plan.tell("kafka, live: " + (f"round {number} of {plan.rounds}" if number else "warming up"))
                rounds.append(await live.round(self._crowd.more(count), rate, str(number)))
        return rounds[1:]

    def told(self) -> list[str]:
        """What was measured on."""
        assert self._done is not None
        crowd = self._crowd
        return [
            f"{crowd.count:,} events of {crowd.players:,} players, all of them active within "
            f"{crowd.span_s / 60:.0f} minutes of event time and {self._in_memory:,} in memory at the end; "
            f"each simulated player is there {crowd.copies} times. {self._done.alerts:,} alerts, "
            f"{PARTITIONS} partitions, checkpoints as a worker makes them by default",
            f"{self._brokers.told}; batches of {BATCH_BYTES >> 10} KB, as clients make them by default; "
            "on the clock, from the first event to the last one judged",
        ]

    def told_of_stock(self) -> str:
        """What Faust as it comes was measured on."""
        return (
            f"the peer has the same engine, decoding and rules, and is given {self._shared_copies} of "
            f"{self._crowd.copies} copies: {self._shared:,} events, for it is slow"
        )


def _peer(name: str, *arguments: object, found: Brokers) -> float:
    """Run a peer as a process; returns its events a second."""
    servers, check = ",".join(found.connection.servers), str(found.connection.check_crcs).lower()
    told = [sys.executable, "-m", f"detector.bench.{name}", servers, *map(str, arguments), check]
    try:
        ran = subprocess.run(told, capture_output=True, text=True, check=False, timeout=10 * PATIENCE_S)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise StateError(f"{name} did not come to an end") from None
    if ran.returncode:
        raise StateError(f"{name} ended: {(ran.stderr.strip().splitlines() or ['it said nothing'])[-1]}")
    count, seconds = ran.stdout.split()[-2:]
    return int(count) / float(seconds)
