"""A partition with several inputs: one waits for the other, and they find what one would."""

from __future__ import annotations

import functools
import heapq
import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.drivers.kafka.incoming import Record
from detector.simulator import Config, events
from tests.drivers.small import MINUTE_US, NOON_US, write_rules
from tests.kafka.cashier import cashier, payments
from tests.kafka.lives import IN, Life, Read, minutes, records


def test_a_record_of_which_an_event_waits_is_not_passed(tmp_path: Path) -> None:
    inputs = {IN: None, "pay": cashier()}
    life = Life(write_rules(tmp_path), inputs)
    life.take([minutes(0, 0), minutes(1, 5)])
    assert life.next.get(IN, 0) == 0
    life.take([Read(0, payments(("r1", 2), ("r2", 30)), b"p1")], "pay")
    # Noon, 12:02 and 12:05 went on; 12:30 waits for what may yet come.
    assert life.next == {IN: 2, "pay": 0}
    assert len(life.found.alerts) == 1
    life.save()
    life.again()
    life.take([minutes(2, 40, type_="bet", stake=100, payout=0, currency="CAD")])
    life.take([Read(0, payments(("r1", 2), ("r2", 30)), b"p1")], "pay")
    life.wait(5)
    assert life.next == {IN: 3, "pay": 1}
    assert life.partition.engine.high_us == NOON_US + 40 * MINUTE_US
    assert life.found.order == list(life.found.alerts)
    assert not life.found.refused


def test_of_a_foreign_message_some_is_left_out_and_some_refused(tmp_path: Path) -> None:
    life = Life(write_rules(tmp_path), {"pay": cashier()})
    out = life.take(
        [
            Read(0, payments(("r1", 1), kind="probe"), b"p1"),
            Read(1, payments(("r2", 2), kind="nobody knows"), b"p1"),
            Read(2, payments(("r3", 3)), b"p1"),
            Read(3, b"nothing", b"p1"),
        ],
        "pay",
    )
    assert (out.counted.accepted, out.counted.dropped, out.counted.refused) == (1, 1, 2)
    assert [each.refusal.reason for each in out.refused] == ["unmapped", "not_json"]
    assert [each.refusal.original for each in out.refused] == [
        payments(("r2", 2), kind="nobody knows"),
        b"nothing",
    ]
    assert life.next == {"pay": 4}


PAYMENTS = ("deposit", "withdrawal", "deposit_failed", "withdrawal_request", "withdrawal_cancel")


@functools.cache
def two_logs() -> tuple[list[Record], list[Record], dict[str, bytes]]:
    """A clean log as two topics, payments and the rest, and the alerts of the whole by event time."""
    lines = list(events(Config(players=8, events=2500, seed=9, troubled=0.9)))
    apart: tuple[list[bytes], list[bytes]] = ([], [])
    for line in lines:
        apart[json.loads(line)["type"] in PAYMENTS].append(line)

    def at(line: bytes) -> str:
        return str(json.loads(line)["ts"])

    whole = Life()
    whole.take(records(heapq.merge(*(sorted(part, key=at) for part in apart), key=at)))
    assert len(whole.found.alerts) > 3
    rest, paid = (records(sorted(part, key=at)) for part in apart)
    return rest, paid, whole.found.alerts


@settings(max_examples=4, deadline=None)
@given(st.data())
def test_two_inputs_find_what_one_would(data: st.DataObject) -> None:
    """However their batches lie, and where the worker is lost: one waits for the other."""
    rest, paid, wanted = two_logs()
    logs = {"rest": rest, "pay": paid}
    life = Life(inputs={"rest": None, "pay": None}, wait_s=1000.0)
    read = dict.fromkeys(logs, 0)
    turns = 0
    while any(read[name] < len(log) for name, log in logs.items()):
        name = data.draw(st.sampled_from(sorted(name for name in logs if read[name] < len(logs[name]))))
        size = data.draw(st.integers(1, 800))
        life.take(logs[name][read[name] : read[name] + size], name)
        read[name] = min(read[name] + size, len(logs[name]))
        turns += 1
        way = data.draw(st.sampled_from(["go on", "save", "lose"])) if turns < 40 else "save"
        if way == "save":
            life.save()
        elif way == "lose":
            life.again()
            read |= {name: life.next.get(name, 0) for name in logs}
    life.wait(2000)
    assert life.next == {name: len(log) for name, log in logs.items()}
    assert life.found.alerts == wanted
