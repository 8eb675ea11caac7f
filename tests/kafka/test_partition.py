"""One partition without Kafka: how records are batched, and where a worker is lost, changes nothing."""

from __future__ import annotations

import functools
import heapq
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.drivers.detection import Detection
from detector.drivers.faults import INTERNAL
from detector.drivers.kafka.incoming import Record
from detector.drivers.kafka.marks import MARKS, PLAYER, read_marks
from detector.drivers.kafka.outgoing import Outgoing
from detector.drivers.kafka.partition import Failed, Partition
from detector.engine.engine import GRACE_US, Engine, Outcome
from detector.errors import StateError
from detector.events.decode import Decoder
from detector.events.money import Currencies
from detector.events.vocabulary import AnyEvent
from detector.ladder.load import LADDERS
from detector.language.pack import default_pack, load_rules
from detector.language.rule import Rule
from detector.mapping.catalogue import load_mapping
from detector.mapping.feed import FeedMapping
from detector.players.player import NEVER
from detector.simulator import Config, events
from tests.drivers.small import MINUTE_US, NOON_US, event, write_rules
from tests.drivers.spoilt import spoilt_log
from tests.kafka.workers import keyed

IN = "rg.events"
CURRENCIES = Currencies()
LATER_MS = 1_830_000_000_000
FOREVER_US = 2**60
CASHIER = """\
id: cashier
title: A cashier, several payments a message
each: $.payments
money: {unit: minor}
times: {format: rfc3339}
common:
  id: .ref
  source: cashier
  player: $.customer
  ts: .at
  amount: .amount
  currency: .currency
cases:
  - when: {.kind: probe}
    drop: no money moves
  - when: {.kind: in}
    event: {type: deposit}
examples:
  - name: a deposit
    message:
      customer: p1
      payments: [{ref: r1, kind: in, at: "2026-01-01T12:00:00Z", amount: 1000, currency: CAD}]
    events:
      - type: deposit
        id: r1
        source: cashier
        player: p1
        ts: "2026-01-01T12:00:00Z"
        amount: 1000
        currency: CAD
  - name: a probe
    message:
      customer: p1
      payments: [{ref: r1, kind: probe}]
    dropped: no money moves
"""


@dataclass(frozen=True)
class Read:
    """A record as a consumer gives it."""

    offset: int
    value: bytes | None
    key: bytes | None = None
    timestamp: int = LATER_MS
    headers: Sequence[tuple[str, bytes]] = ()


def records(lines: Iterable[bytes]) -> list[Record]:
    """Lines of a log as the records of a partition, keyed as the platform keys them."""
    found: list[Record] = []
    for offset, line in enumerate(lines):
        key, value = keyed(line)
        found.append(Read(offset, value, None if key is None else key.encode()))
    return found


@dataclass
class Found:
    """All that left a partition, over all its lives."""

    alerts: dict[str, bytes] = field(default_factory=dict)
    shadow: dict[str, bytes] = field(default_factory=dict)
    interventions: dict[str, bytes] = field(default_factory=dict)
    refused: dict[tuple[str, int, bytes], tuple[str, int]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    """The players' alerts as they came."""

    def add(self, out: Outgoing) -> None:
        """Take what left. What comes twice must be the same both times."""
        for kind, more in (
            (self.alerts, out.effects.alerts),
            (self.shadow, out.effects.shadow),
            (self.interventions, out.interventions),
        ):
            for each in more:
                told = each.to_json()
                assert kind.setdefault(each.id, told) == told
        self.order += [alert.id for alert in out.effects.alerts]
        for refused in out.refused:
            place = refused.topic, refused.offset, refused.refusal.original
            told_so = refused.refusal.reason, refused.at_us
            assert self.refused.setdefault(place, told_so) == told_so


@functools.cache
def the_pack() -> list[Rule]:
    return load_rules(default_pack(), CURRENCIES)


class Life:
    """A partition, what is kept of it, and what left it; it can be lost and taken up again."""

    def __init__(
        self,
        rules: Path | None = None,
        inputs: Mapping[str, FeedMapping | None] | None = None,
        *,
        wait_s: float = 2.0,
    ) -> None:
        self.detection = Detection(load_rules(rules, CURRENCIES) if rules else the_pack())
        self.inputs = inputs or {IN: None}
        self.wait_s = wait_s
        self.kept: dict[bytes, bytes] = {}
        self.feared: set[tuple[str, int]] = set()
        self.found = Found()
        self.now_s = 0.0
        self.again()

    def again(self) -> None:
        """Trust what is kept alone."""
        self.partition = Partition(
            3,
            self.make_engine,
            LADDERS.packaged,
            self.inputs,
            Decoder(CURRENCIES),
            lambda key: self.kept.get(key) or None,
            self.feared,
            "rs_one",
            wait_s=self.wait_s,
            now_s=self.now_s,
        )
        if MARKS in self.kept:
            self.partition.load_marks(self.kept[MARKS])
        for key, record in self.kept.items():
            if key.startswith(PLAYER):
                self.partition.load_player(key, record)

    def make_engine(self, stored: Callable[[str], bytes | None]) -> Engine:
        return self.detection.engine(keep_records=True, stored=stored)

    @property
    def next(self) -> dict[str, int]:
        return self.partition.next

    def take(self, batch: Sequence[Record], topic: str = IN) -> Outgoing:
        self.partition.take(topic, batch, self.now_s)
        return self.send()

    def wait(self, seconds: float) -> Outgoing:
        self.now_s += seconds
        self.partition.go_on(self.now_s)
        return self.send()

    def send(self) -> Outgoing:
        out = self.partition.outgoing(NOON_US, FOREVER_US)
        self.found.add(out)
        return out

    def save(self) -> None:
        """A checkpoint that is kept at once."""
        self.kept |= self.partition.unsaved()
        self.partition.saved()


def log_of(count: int = 4000, seed: int = 5) -> list[bytes]:
    return list(spoilt_log(count, seed))


@functools.cache
def simulated() -> list[Record]:
    return records(log_of())


@functools.cache
def at_once() -> Life:
    """The log judged as one batch, then kept."""
    life = Life()
    life.take(simulated())
    life.save()
    assert len(life.found.alerts) > 3
    assert life.found.interventions
    assert len(life.found.refused) > 20
    return life


sizes = st.lists(st.integers(1, 400), min_size=1, max_size=40)


def chunks(batch: Sequence[Record], lengths: Sequence[int]) -> Iterable[Sequence[Record]]:
    """A batch in parts of such lengths, over and over."""
    first, turn = 0, 0
    while first < len(batch):
        yield batch[first : first + lengths[turn % len(lengths)]]
        first += lengths[turn % len(lengths)]
        turn += 1


@settings(max_examples=5, deadline=None)
@given(sizes)
def test_batches_change_nothing(lengths: list[int]) -> None:
    life, wanted = Life(), at_once()
    for batch in chunks(simulated(), lengths):
        life.take(batch)
    life.save()
    assert life.found == wanted.found
    assert life.kept == wanted.kept


@settings(max_examples=5, deadline=None)
@given(sizes, st.data())
def test_a_worker_that_is_lost_changes_nothing(lengths: list[int], data: st.DataObject) -> None:
    """Whatever was kept last, going on from there says the same."""
    life, wanted = Life(), at_once()
    ways = st.sampled_from(["go on", "go on", "save", "save", "lose", "lose while saving"])
    log = simulated()
    lives = 0
    while (first := life.next.get(IN, 0)) < len(log):
        batch = log[first : first + lengths[lives % len(lengths)]]
        lives += 1
        # What was fetched before may come again with it.
        before = data.draw(st.integers(0, 3)) if first else 0
        life.take(log[max(0, first - before) : first] + batch)
        way = data.draw(ways) if lives < 60 else "save"
        if way == "save":
            life.save()
        elif way != "go on":
            if way == "lose while saving":
                life.partition.unsaved()
            life.again()
    life.save()
    assert life.found.alerts == wanted.found.alerts
    assert life.found.shadow == wanted.found.shadow
    assert life.found.interventions == wanted.found.interventions
    assert life.found.refused == wanted.found.refused
    assert read_marks(life.kept[MARKS]).next == {IN: len(log)}


def test_what_is_on_its_way_to_disk_is_read_from_memory() -> None:
    life, wanted = Life(), at_once()
    for batch in chunks(simulated(), [97]):
        life.take(batch)
        on_its_way = life.partition.unsaved()  # and the disk has it one batch later
        life.take([])
        life.kept |= on_its_way
        life.partition.saved()
    life.save()
    assert life.found.alerts == wanted.found.alerts
    assert life.found.interventions == wanted.found.interventions


def test_players_who_are_idle_live_on_disk_alone(tmp_path: Path) -> None:
    life = Life(write_rules(tmp_path))
    offset = 0
    most = 0
    for hour in range(30):
        batch = []
        for number in range(40):
            player = f"h{hour}-{number}"
            at = NOON_US + hour * 60 * MINUTE_US + number * MINUTE_US
            batch.append(Read(offset, event(f"e{offset}", at, player), player.encode()))
            offset += 1
        life.take(batch)
        life.save()
        most = max(most, len(life.partition.engine))
    assert most < 40 * 4
    assert sum(key.startswith(PLAYER) for key in life.kept) == 30 * 40
    # One who comes back after a day still has his deposits counted, and his silence noticed meanwhile.
    at = NOON_US + 29 * 60 * MINUTE_US
    life.take([Read(offset + n, event(f"back{n}", at + n, "h0-1"), b"h0-1") for n in range(3)])
    assert any(json.loads(each)["player"] == "h0-1" for each in life.found.alerts.values())


# What is refused


def test_what_is_refused_says_where_why_and_holds_the_original(tmp_path: Path) -> None:
    life = Life(write_rules(tmp_path))
    good = event("e1")
    other = event("e1", NOON_US + MINUTE_US)
    life.take(
        [
            Read(10, good, b"p1"),
            Read(11, b"\xff{", b"p1", 1_767_269_000_000),
            Read(12, None, b"p1"),
            Read(13, event("e2", amount=-5), b"p1"),
            Read(14, event("e3"), b"somebody else"),
            Read(15, other, b"p1"),
            Read(16, good, b"p1"),
            Read(17, event("e4"), None),
        ]
    )
    assert [(offset, reason) for (_, offset, _), (reason, _) in life.found.refused.items()] == [
        (11, "not_json"),
        (12, "not_json"),
        (13, "negative_money"),
        (14, "wrong_field"),
        (15, "conflict"),
    ]
    originals = [original for _, _, original in life.found.refused]
    assert originals == [b"\xff{", b"", event("e2", amount=-5), event("e3"), other]
    assert life.found.refused[IN, 11, b"\xff{"][1] == 1_767_269_000_000_000
    assert life.next == {IN: 18}


def test_what_became_of_records_is_counted(tmp_path: Path) -> None:
    life = Life(write_rules(tmp_path))
    out = life.take([Read(0, event("e1"), b"p1"), Read(1, event("e1"), b"p1"), Read(2, b"{", b"p1")])
    told = out.counted
    assert (told.accepted, told.repeated, told.refused, told.dropped) == (1, 1, 1, 0)


def test_a_binary_cloud_event_is_read_by_its_headers(tmp_path: Path) -> None:
    life = Life(write_rules(tmp_path))
    body = json.dumps({"amount": 1000, "currency": "CAD"}).encode()
    for number in range(3):
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", b"c%d" % number),
            ("ce_source", b"test"),
            ("ce_type", b"tiltwatch.deposit"),
            ("ce_subject", b"p1"),
            ("ce_time", b"2026-01-01T12:0%d:00Z" % number),
        ]
        life.take([Read(number, body, b"p1", headers=headers)])
    assert [json.loads(each)["rule"] for each in life.found.alerts.values()] == ["third-deposit@1"], (
        life.found.refused
    )


# Several inputs


@pytest.fixture(scope="module")
def cashier(tmp_path_factory: pytest.TempPathFactory) -> FeedMapping:
    """A platform's own payments, several a message."""
    path = tmp_path_factory.mktemp("mapping") / "cashier.yml"
    path.write_text(CASHIER)
    return load_mapping(path, CURRENCIES)


def payments(*items: tuple[str, int], player: str = "p1", kind: str = "in") -> bytes:
    """One message of the cashier's: each payment's reference, and minutes after noon."""
    told = [
        {"ref": ref, "kind": kind, "at": f"2026-01-01T12:{at:02}:00Z", "amount": 1000, "currency": "CAD"}
        for ref, at in items
    ]
    return json.dumps({"customer": player, "payments": told}).encode()


def minutes(offset: int, at: int, **more: Any) -> Read:
    return Read(offset, event(f"e{offset}", NOON_US + at * MINUTE_US, **more), b"p1")


def test_a_record_of_which_an_event_waits_is_not_passed(tmp_path: Path, cashier: FeedMapping) -> None:
    inputs = {IN: None, "pay": cashier}
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


def test_of_a_foreign_message_some_is_left_out_and_some_refused(tmp_path: Path, cashier: FeedMapping) -> None:
    life = Life(write_rules(tmp_path), {"pay": cashier})
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


# When the engine fails


def test_an_event_that_the_engine_fails_on_is_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = Life(write_rules(tmp_path))
    real = Engine.apply

    def apply(self: Engine, event: AnyEvent, content: int | None = None) -> Outcome:
        if getattr(event, "id", "") == "e2":
            raise ZeroDivisionError(repr(event))
        return real(self, event, content)

    monkeypatch.setattr(Engine, "apply", apply)
    life.take([minutes(0, 0), minutes(1, 1)])
    life.save()
    batch = [minutes(2, 2), minutes(3, 3)]
    with pytest.raises(Failed) as raised:
        life.partition.take(IN, batch, 0.0)
    failed = raised.value
    assert (failed.topic, failed.offset) == (IN, 2)
    assert str(failed) == ""
    assert failed.__cause__ is None
    life.feared.add((failed.topic, failed.offset))
    life.again()
    life.take(batch)
    ((place, told),) = life.found.refused.items()
    assert place == (IN, 2, batch[0].value)
    assert told[0] == INTERNAL
    # e0, e1 and e3 are three.
    assert len(life.found.alerts) == 1
    assert life.next == {IN: 4}


def test_of_several_inputs_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life(write_rules(tmp_path), {IN: None, "pay": None})

    def apply(*_: object) -> Outcome:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(Engine, "apply", apply)
        life.take([minutes(0, 0)])
        with pytest.raises(Failed):
            life.wait(5)
    life.feared.add((IN, 0))
    life.again()
    life.take([minutes(0, 0), minutes(1, 1)])
    life.wait(5)
    assert [(place[1], told[0]) for place, told in life.found.refused.items()] == [(0, INTERNAL)]
    assert life.next[IN] == 2


# Rules that change


def test_nothing_from_the_change_on_is_judged(tmp_path: Path) -> None:
    life = Life(write_rules(tmp_path))
    life.partition.changes_at_us = NOON_US + 5 * MINUTE_US
    life.take([minutes(0, 0), minutes(1, 4), minutes(2, 5), minutes(3, 1)])
    assert life.partition.halted
    assert life.next == {IN: 2}
    assert life.partition.engine.high_us == NOON_US + 4 * MINUTE_US
    assert not life.found.alerts
    # Whoever takes over goes on with the event that stopped it.
    life.save()
    life.again()
    life.take([minutes(2, 5), minutes(3, 1)])
    assert len(life.found.alerts) == 1


def test_a_tick_too_lies_where_its_high_mark_lies(tmp_path: Path) -> None:
    life = Life(write_rules(tmp_path))
    life.take([minutes(0, 0)])
    life.partition.changes_at_us = NOON_US + 20 * MINUTE_US
    life.take([Read(1, b'{"type":"tick","ts":"2026-01-01T12:04:59Z"}')])
    first = life.partition.halted
    life.take([Read(2, b'{"type":"tick","ts":"2026-01-01T12:05:00Z"}')])
    assert (first, life.partition.halted) == (False, True)
    assert life.next == {IN: 2}
    assert GRACE_US == 15 * MINUTE_US


def test_a_message_of_which_an_event_lies_behind_the_change_is_read_again_whole(
    tmp_path: Path, cashier: FeedMapping
) -> None:
    message = Read(0, payments(("r1", 1), ("r2", 9)), b"p1")
    for inputs in ({"pay": cashier}, {"pay": cashier, IN: None}):
        life = Life(write_rules(tmp_path), inputs)
        life.partition.changes_at_us = NOON_US + 5 * MINUTE_US
        life.take([message], "pay")
        life.wait(5)
        assert life.partition.halted
        assert life.next.get("pay", 0) == 0
        assert not life.found.refused
        life.save()
        life.again()
        life.take([message, Read(1, payments(("r3", 10)), b"p1")], "pay")
        life.wait(5)
        assert life.next["pay"] == 2
        assert len(life.found.alerts) == 1


def test_before_its_first_event_a_partition_changes_at_once(tmp_path: Path) -> None:
    partition = Life(write_rules(tmp_path)).partition

    def is_due(at_us: int) -> bool:
        partition.changes_at_us = at_us
        return partition.is_due_to_change

    assert [is_due(at_us) for at_us in (NEVER, NOON_US)] == [False, True]
    partition.changes_at_us = NEVER
    partition.take(IN, [minutes(0, 0)], 0.0)
    assert [is_due(at_us) for at_us in (NEVER, NOON_US + 1, NOON_US)] == [False, False, True]


def test_marks_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    life = Life(write_rules(tmp_path))
    with pytest.raises(StateError, match="changelog"):
        life.partition.load_marks(b"\xc1")
