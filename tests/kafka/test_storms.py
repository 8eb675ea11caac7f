"""Workers on a real Kafka that are killed and paused, and the brokers with them.

What was found must be what an undisturbed run finds. Times are printed and never asserted: `make prove` shows
them with `-s`.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis import Redis

from api.detecting import make_detector
from api.settings import Settings
from detector.drivers.kafka.connection import Connection
from detector.drivers.kafka.keeping import Writer
from detector.drivers.kafka.marks import MARKS, PLAYER, Marks, read_marks
from detector.drivers.kafka.topics import EVENTS, changelog
from detector.drivers.valkey import Server
from tests.brokers import GROUP, RealBroker
from tests.drivers.small import place, running, send, wait_for
from tests.kafka.storming import (
    PARTITIONS,
    PATIENCE_S,
    Line,
    fleet,
    flow,
    lines_of,
    log_of,
    newest,
    players_after,
    read,
    same_alerts,
    write_log,
)
from tests.kafka.workers import TILTWATCH, WorkerProcess, ends, replayed
from tests.stores import sqlite_store

pytestmark = pytest.mark.storm

PARITY = 1_000_000
CRASH, CRASH_RATE, KILLS = 500_000, 5_000, 10
ZOMBIE, ZOMBIE_RATE = 250_000, 5_000
RECOVERED = 1_000_000
"""How many players a worker has to recover."""


@contextmanager
def timed(what: str, events: int = 0) -> Iterator[None]:
    """Print how long a block took."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    print(f"{what}: {took:.1f} s" + (f", {events / took:,.0f} a second" if events else ""))


# The same everywhere


def test_replay_embedded_and_three_workers_find_the_same(
    real: RealBroker, valkey: Server, redis: Redis, tmp_path: Path
) -> None:
    lines = log_of(PARITY, players=4000, seed=21, troubled=0.3)
    log = write_log(tmp_path / "log.jsonl", lines)
    with timed("replay", PARITY):
        expected = replayed(tmp_path, log)
    print(f"{len(expected)} alerts")
    with timed("embedded", PARITY):
        embedded = found_embedded(valkey, redis, lines, tmp_path / "embedded")
    redis.flushall()
    assert embedded == sorted(expected.values())
    with flow(real, lines) as sent:
        sent.wait()
    with fleet(real, tmp_path) as workers, timed("three workers, from their start", PARITY):
        workers.until_judged()
        workers.stop()
    print(f"{same_alerts(real, expected)} came again")


def found_embedded(valkey: Server, redis: Redis, lines: list[bytes], home: Path) -> list[bytes]:
    """The alerts of an embedded detector, sorted."""
    settings = Settings(data_dir=home, alerts_kept=10**7, dead_kept=10**7)
    with running(make_detector(settings, valkey.url)):
        remaining = iter(lines)
        while piece := list(islice(remaining, 5000)):
            last = send(redis, *piece)
        wait_for(lambda: place(redis) == last, PATIENCE_S)
    entries: Any = redis.xrange("tw:alerts")
    return sorted(fields[b"a"] for _, fields in entries)


# Kills


def test_killed_workers_brokers_and_back_offices_leave_each_alert_once(
    real: RealBroker, valkey: Server, redis: Redis, tmp_path: Path
) -> None:
    lines = log_of(CRASH, players=1500, seed=22)
    expected = replayed(tmp_path, write_log(tmp_path / "log.jsonl", lines))
    database = sqlite_store(tmp_path)
    dice = random.Random(22)
    kills = offices = 0
    brokers = [(CRASH * 2 // 3, True), (CRASH // 3, False)]
    with (
        # A worker that begins while the brokers are away gives up, for whoever runs it to begin it again.
        fleet(real, tmp_path, is_revived=True) as workers,
        back_office(real, valkey, database, tmp_path) as begin_office,
        flow(real, lines, CRASH_RATE) as sent,
        timed("three workers, killed all the time", CRASH),
    ):
        while sent.is_flowing or brokers or kills < KILLS:
            workers.until_moved()
            time.sleep(dice.uniform(0, 3))
            victim = dice.choice(workers.workers)
            victim.kill()
            kills += 1
            if brokers and sent.sent >= brokers[-1][0]:
                real.restart(killed=brokers.pop()[1])
                begin_office()
                offices += 1
            victim.start()
            workers.look()
        sent.wait()
        workers.until_judged()
        again = same_alerts(real, expected)
        wait_for(lambda: is_copied(real, redis), PATIENCE_S)
        workers.stop()
    assert not brokers
    with sqlite3.connect(database.removeprefix("sqlite:///")) as store:
        stored = store.execute("SELECT id, body FROM alerts").fetchall()
    store.close()
    assert len(stored) == len(expected), "alerts are missing from the store, or there twice"
    assert {id_: body.encode() for id_, body in stored} == expected
    print(
        f"{kills} kills of workers, {offices} of brokers and offices; {again} of {len(expected)} came again"
    )


@contextmanager
def back_office(
    kafka: RealBroker, valkey: Server, database: str, home: Path
) -> Iterator[Callable[[], object]]:
    """A back office beside; what is given kills it and begins another one."""
    own = {
        "TILTWATCH_REDIS_URL": valkey.url,
        "TILTWATCH_DATABASE_URL": database,
        "TILTWATCH_DATA_DIR": str(home / "office"),
    }
    environment = {**os.environ, **kafka.environment, **own}
    processes: list[subprocess.Popen[bytes]] = []

    def begin() -> None:
        end()
        with (home / "office.log").open("ab") as log:
            command: list[str | Path] = [TILTWATCH, "backoffice"]
            processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))

    def end() -> None:
        while processes:
            process = processes.pop()
            process.kill()
            process.wait()

    begin()
    try:
        yield begin
    finally:
        end()


def is_copied(kafka: RealBroker, redis: Redis) -> bool:
    """Whether all alerts have gone to Redis, and from there to the store."""
    places: Any = redis.hgetall("tw:kafka")
    wanted = ends(kafka, ["rg.alerts"])
    if any(int(places.get(f"{topic}/{number}".encode(), 0)) < end for (topic, number), end in wanted.items()):
        return False
    stream: Any = redis.xinfo_stream("tw:alerts")
    groups: Any = redis.xinfo_groups("tw:alerts")
    return all(
        each["last-delivered-id"] == stream["last-generated-id"] and each["pending"] == 0 for each in groups
    )


def test_who_wakes_up_too_late_overwrites_nothing(real: RealBroker, tmp_path: Path) -> None:
    lines = log_of(ZOMBIE, players=600, seed=23)
    expected = replayed(tmp_path, write_log(tmp_path / "log.jsonl", lines))
    dice = random.Random(23)
    pauses = 0
    with fleet(real, tmp_path, CHECKPOINT_S=0.1) as workers, flow(real, lines, ZOMBIE_RATE) as sent:
        workers.until_all_ready()
        while sent.is_flowing:
            workers.until_moved()
            time.sleep(dice.uniform(0, 0.2))
            victim = dice.choice(workers.workers)
            victim.signal(signal.SIGSTOP)
            time.sleep(dice.uniform(5, 8))  # the brokers and the others do without it from 3 s on
            victim.signal(signal.SIGCONT)
            pauses += 1
        sent.wait()
        workers.until_judged()
        workers.stop()
        fenced = workers.times_said("a partition was taken over")
    again = same_alerts(real, expected)
    kept = read(real, changelog(GROUP))
    inputs = lines_of(read(real, EVENTS))
    for number in range(PARTITIONS):
        reached = [
            read_marks(each.value or b"").next.get(EVENTS, 0)
            for each in kept
            if each.partition == number and each.key == MARKS
        ]
        assert reached == sorted(reached), "an older checkpoint came after a newer one"
        assert same_players(newest(kept, number), players_after(number, inputs[number]))
    print(f"{pauses} pauses, {fenced} checkpoints of zombies refused; {again} alerts came again")


def same_players(found: dict[bytes, bytes], wanted: dict[bytes, bytes]) -> bool:
    """Whether two runs kept the same of a partition; its marks by how far they have come."""
    assert read_marks(found.pop(MARKS)).next == read_marks(wanted.pop(MARKS)).next
    assert found.keys() == wanted.keys()
    differing = [key for key in found if found[key] != wanted[key]]
    assert not differing, f"{len(differing)} of {len(found)} players are kept otherwise"
    return True


# Recovery


def test_a_million_players_are_recovered(real: RealBroker, tmp_path: Path) -> None:
    with timed("filling the changelog", RECOVERED):
        asyncio.run(fill(real, RECOVERED))
    one = WorkerProcess(real, tmp_path / "w")
    for disk in ("an empty", "a warm"):
        began = time.monotonic()
        one.start()
        one.wait_for(lambda: one.is_ready(PARTITIONS), PATIENCE_S)
        took = time.monotonic() - began
        told = next(line for line in reversed(one.told) if line["event"] == "detecting")
        print(
            f"{disk} disk: ready after {took:.1f} s, {RECOVERED / took:,.0f} players a second "
            f"({told['seconds']} s of it recovery, {told['read']} records read), "
            f"{resident_mb(one.process.pid):,.0f} MB"
        )
        assert told["players"] == RECOVERED
        assert told["read"] == (RECOVERED + PARTITIONS * (told["read"] > 0) if disk == "an empty" else 0)
        assert one.stop(60) == 0


async def fill(kafka: RealBroker, players: int) -> None:
    """Write records of some thousand real players under as many names as it takes."""
    lines = [
        Line(number, 1_790_000_000_000, None, line)
        for number, line in enumerate(log_of(100_000, players=3000, seed=26))
    ]
    kept = players_after(0, lines)
    marks = read_marks(kept[MARKS])
    of = [record for key, record in kept.items() if key.startswith(PLAYER)]
    print(f"{len(of)} records, {sum(map(len, of)) / len(of):,.0f} bytes each")
    connection = Connection((kafka.servers,))
    first = msgspec.msgpack.encode(Marks(marks.engine, marks.rules, {EVENTS: 0}))
    for number in range(PARTITIONS):
        writer = Writer(connection, GROUP, changelog(GROUP), number)
        await writer.open()
        mine = range(number, players, PARTITIONS)
        for begin in range(0, len(mine), 10_000):
            changed = {PLAYER + b"player-%d" % n: of[n % len(of)] for n in mine[begin : begin + 10_000]}
            await writer.write(changed, {}, {})
        await writer.write({MARKS: first}, {}, {})
        await writer.close()


def resident_mb(pid: int) -> float:
    """How much memory a process holds, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
