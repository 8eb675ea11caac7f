"""New rules on a real Kafka take over at one moment of event time, whoever is killed about it."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from detector.drivers.clock import wall_clock_us
from detector.drivers.kafka.commands import Activate, Rules
from detector.drivers.kafka.topics import COMMANDS, EVENTS
from detector.drivers.rulesets import id_of, rule_set_files
from detector.engine.engine import GRACE_US
from detector.events.instants import micros, rfc3339_ms
from tests.brokers import RealBroker
from tests.drivers.small import event
from tests.kafka.storming import PARTITIONS, WORKERS, fleet, flow, lines_of, read
from tests.kafka.workers import statuses

pytestmark = pytest.mark.storm

RULES, RULES_RATE = 60_000, 3_000
STEP_US = 10_000
"""Event time between two deposits: all of them lie within the five minutes that they may be ahead."""
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
