"""Workers on a real Kafka that are killed, paused and fed with rubbish, and the brokers with them.

What was found must be what an undisturbed run finds. Times are printed and never asserted: `make prove` shows
them with `-s`.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis import Redis

from api.detecting import make_detector
from api.settings import Settings
from detector.drivers.clock import wall_clock_us
from detector.drivers.kafka.commands import Activate, Rules
from detector.drivers.kafka.connection import Connection
from detector.drivers.kafka.keeping import Writer
from detector.drivers.kafka.marks import MARKS, PLAYER, Marks, read_marks
from detector.drivers.kafka.topics import COMMANDS, DEAD, EVENTS, changelog
from detector.drivers.rulesets import id_of, rule_set_files
from detector.drivers.valkey import Server
from detector.engine.engine import GRACE_US
from detector.events.decode import MAX_BYTES, REASONS
from detector.events.instants import micros, rfc3339_ms
from detector.events.vocabulary import MAX_MONEY
from tests.brokers import GROUP, RealBroker
from tests.drivers.small import NOON_US, event, place, running, send, wait_for
from tests.kafka.storming import (
    PARTITIONS,
    PATIENCE_S,
    WORKERS,
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
from tests.kafka.workers import TILTWATCH, WorkerProcess, ends, replayed, statuses
from tests.stores import sqlite_store

pytestmark = pytest.mark.storm

PARITY = 1_000_000
CRASH, CRASH_RATE, KILLS = 500_000, 5_000, 10
ZOMBIE, ZOMBIE_RATE = 250_000, 5_000
POISON = 100_000
RULES, RULES_RATE = 60_000, 3_000
STEP_US = 10_000
"""Event time between two deposits: all of them lie within the five minutes that they may be ahead."""
RECOVERED = 1_000_000
"""How many players a worker has to recover."""


@pytest.fixture
def real(real_kafka: RealBroker) -> RealBroker:
    """A Kafka with topics of twelve partitions."""
    real_kafka.create_ours(partitions=PARTITIONS)
    return real_kafka


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


# Rubbish


FOREIGN = "platform.events"
PLAIN: dict[str, Any] = {"type": "deposit", "source": "storm", "amount": 1000, "currency": "CAD"}


def spoilt(reason: str, number: int, good: dict[str, Any]) -> bytes:
    """An event that is refused for a reason, of a player of its own or made of a good one."""
    own = {"id": f"x{number}"} | PLAIN | {"player": f"x{number % 97}", "ts": rfc3339_ms(NOON_US)}
    ways: dict[str, Callable[[], dict[str, Any] | bytes]] = {
        "not_json": lambda: json.dumps(own).encode()[: 20 + number % 60] + b"\xff",
        "duplicate_key": lambda: json.dumps(own).encode()[:-1] + b',"amount":1}',
        "unknown_type": lambda: own | {"type": "teleport"},
        "missing_field": lambda: {key: value for key, value in own.items() if key != "amount"},
        "wrong_field": lambda: own | {"amount": "ten"},
        "no_zone": lambda: own | {"ts": "2026-01-01T12:00:00"},
        "negative_money": lambda: own | {"amount": -1},
        "fractional_money": lambda: own | {"amount": 10.5},
        "huge_money": lambda: own | {"amount": MAX_MONEY + 1},
        "unknown_currency": lambda: own | {"currency": "ZZZ"},
        "too_large": lambda: own | {"note": "n" * MAX_BYTES},
        "unmapped": lambda: {"eventId": own["id"], "version": "1", "type": "seance.held"},
        "ahead_of_receipt": lambda: own | {"ts": "2199-01-01T00:00:00Z"},
        "conflict": lambda: good | {"brand": "another"},
    }
    made = ways[reason]()
    return made if isinstance(made, bytes) else json.dumps(made).encode()


def test_rubbish_stops_nobody_and_is_kept_as_it_came(real: RealBroker, tmp_path: Path) -> None:
    real.create({FOREIGN: PARTITIONS})
    lines = log_of(POISON, players=300, seed=24, troubled=0.9, corrupt=0)
    expected = replayed(tmp_path, write_log(tmp_path / "log.jsonl", lines))
    records: list[tuple[str | None, bytes]] = []
    foreign: list[tuple[str | None, bytes]] = []
    why: dict[bytes, str] = {}
    for number, line in enumerate(lines[:-1]):
        good = json.loads(line)
        records.append((good["player"], line))
        if number % 100 == 0:
            reason = REASONS[number // 100 % len(REASONS)]
            bad = spoilt(reason, number, good)
            why[bad] = reason
            of = good["player"] if reason == "conflict" else f"x{number % 97}"
            (foreign if reason == "unmapped" else records).append((of, bad))
    # Whoever keys by something else than the player is refused as well: other workers would see the rest.
    why[strange := json.dumps(PLAIN | {"id": "k", "player": "k", "ts": rfc3339_ms(NOON_US)}).encode()] = (
        "wrong_field"
    )
    records.append(("somebody else", strange))
    inputs = json.dumps({EVENTS: None, FOREIGN: "topics"})
    with fleet(real, tmp_path, KAFKA_INPUTS=inputs) as workers:
        lives = [each.process.pid for each in workers.workers]
        real.put(FOREIGN, *foreign)
        for begin in range(0, len(records), 10_000):
            real.put(EVENTS, *records[begin : begin + 10_000])
        for partition in range(PARTITIONS):
            real.put(EVENTS, (None, lines[-1]), partition=partition)
        workers.until_judged(EVENTS, FOREIGN)
        assert [each.process.pid for each in workers.workers] == lives
        workers.stop()
    same_alerts(real, expected)
    there = {
        (topic, each.partition, each.offset): each
        for topic in (EVENTS, FOREIGN)
        for each in read(real, topic)
    }
    dead = read(real, DEAD)
    assert sorted(each.value or b"" for each in dead) == sorted(why)
    for each in dead:
        assert each.key is not None
        topic, at, offset = each.key.decode().split("/")
        source = there[topic, int(at), int(offset)]
        assert each.value == source.value
        assert each.headers["reason"].decode() == why[each.value or b""], each.headers
        assert int(each.headers["at"]) == source.at_ms * 1000
    print(dict(Counter(each.headers["reason"].decode() for each in dead)))
    assert {each.headers["reason"].decode() for each in dead} == set(REASONS)


# Rules


EVERY_DEPOSIT = """\
id: every-deposit
version: {version}
status: live
title: A deposit
category: deposits
audience: risk
severity: high
why: Told by hand.
sources: ["none"]
trigger: deposit
let:
  deposits: count(deposit) over 1h
when: deposits >= 1
cooldown: 1s
explain: "{{deposits}} deposits in an hour"
respond: L1
"""


def test_new_rules_take_over_between_two_events_of_each_partition(real: RealBroker, tmp_path: Path) -> None:
    old, new = (write_rules(tmp_path / f"v{version}", version) for version in (1, 2))
    # As live as can be: in what lies minutes back, a partition that has nothing more to do does not wait for
    # the moment in its events.
    from_us = wall_clock_us() // 1000 * 1000
    begin_us = from_us - RULES // 2 * STEP_US
    lines = [*deposits(RULES, begin_us), b'{"type":"tick","ts":"%b"}' % rfc3339_ms(begin_us).encode()]
    dice = random.Random(25)
    kills = 0
    with ExitStack() as stack:
        workers = stack.enter_context(fleet(real, tmp_path, RULES_DIR=old))
        workers.until_all_ready()
        sent = stack.enter_context(flow(real, lines, RULES_RATE))
        # A partition that has judged nothing yet changes at once.
        workers.until(lambda: judging(real) == PARTITIONS, "all partitions are at it")
        assert sent.sent < RULES // 2 - 2 * RULES_RATE, "it was too late for an order"
        set_id = activate(real, new, from_us)
        # All about the moment workers are killed, so that one has to find out what the one before did.
        workers.until(lambda: sent.sent >= RULES // 2 - RULES_RATE, "the moment comes near")
        while sent.is_flowing:
            time.sleep(dice.uniform(1, 3))
            if kills < 4:
                victim = dice.choice(workers.workers)
                victim.kill()
                kills += 1
                victim.start()
        sent.wait()
        workers.until_judged()
        workers.until_all_ready()
        workers.until(
            lambda: (
                {each["rules"] for each in statuses(real).values() if each["state"] == "running"} == {set_id}
                and len(statuses(real)) == WORKERS
            ),
            "all report the new rules",
        )
        workers.stop()
    versions: dict[str, set[str]] = {}
    for record in read(real, "rg.alerts"):
        alert = json.loads(record.value or b"")
        versions.setdefault(alert["events"][0], set()).add(alert["rule"])  # the newest is named first
    judged = wanted = 0
    wrong: list[tuple[str, int, set[str]]] = []
    for partition, records in lines_of(read(real, EVENTS)).items():
        high_us = 0
        for each in records:
            made = json.loads(each.value or b"")
            if made["type"] == "tick":  # ours, or of the clock where a partition had nothing to do for long
                high_us = max(high_us, us_of(made["ts"]) + GRACE_US)
                continue
            high_us = max(high_us, us_of(made["ts"]))
            judged += 1
            is_new = high_us >= from_us
            wanted += is_new
            if versions.get(made["id"]) != {f"every-deposit@{2 if is_new else 1}"}:
                wrong.append((made["id"], partition, versions.get(made["id"], set())))
    assert not wrong, f"{len(wrong)} events are not judged by one set: {wrong[:10]}"
    assert judged == RULES
    assert 0 < wanted < RULES
    print(f"{judged} events, {wanted} by the new rules, {kills} kills about the moment")


def write_rules(folder: Path, version: int) -> Path:
    """A folder of one rule that alerts at each deposit."""
    folder.mkdir()
    (folder / "every-deposit.yml").write_text(EVERY_DEPOSIT.format(version=version))
    return folder


def deposits(count: int, begin_us: int) -> Iterator[bytes]:
    """Deposits of players in turn, so far apart that each opens an episode; some come late."""
    dice = random.Random(25)
    for number in range(count):
        late = dice.randrange(30) if dice.random() < 0.1 else 0
        yield event(f"d{number}", begin_us + (number - late) * STEP_US, f"p{number % 211}")


def judging(kafka: RealBroker) -> int:
    """How many partitions have judged anything yet."""
    told = statuses(kafka).values()
    return len({n for each in told for n, of in each["partitions"].items() if of["high_us"] > 0})


def us_of(text: str) -> int:
    return micros(datetime.fromisoformat(text))


def activate(kafka: RealBroker, folder: Path, from_us: int) -> str:
    """Have workers told of a set, and from which event time on it judges; returns its id."""
    files = rule_set_files(folder)
    set_id = id_of(files)
    told = Rules(set_id, {name: data.decode() for name, data in files.items()}, "storm", 1)
    order = Activate(set_id, from_us, "storm", 2)
    kafka.put(
        COMMANDS, (f"rules:{set_id}", msgspec.json.encode(told)), ("activate", msgspec.json.encode(order))
    )
    return set_id


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
