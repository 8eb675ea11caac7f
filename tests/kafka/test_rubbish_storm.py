"""Workers on a real Kafka that are fed with rubbish: nobody stops, and it is kept as it came."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detector.drivers.kafka.topics import DEAD, EVENTS
from detector.events.decode import MAX_BYTES, REASONS
from detector.events.instants import rfc3339_ms
from detector.events.vocabulary import MAX_MONEY
from tests.brokers import RealBroker
from tests.drivers.small import NOON_US
from tests.kafka.storming import PARTITIONS, fleet, log_of, read, same_alerts, write_log
from tests.kafka.workers import replayed

pytestmark = pytest.mark.storm

POISON = 100_000
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
