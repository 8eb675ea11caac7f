"""One partition without Kafka: how records are batched, and where a worker is lost, changes nothing."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.drivers.kafka.incoming import Record
from detector.drivers.kafka.marks import MARKS, PLAYER, read_marks
from detector.errors import StateError
from tests.drivers.small import MINUTE_US, NOON_US, event, write_rules
from tests.drivers.spoilt import spoilt_log
from tests.kafka.lives import IN, Life, Read, records


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


def test_marks_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    life = Life(write_rules(tmp_path))
    with pytest.raises(StateError, match="changelog"):
        life.partition.load_marks(b"\xc1")


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
