"""What workers hand out to those who learn: each once, whatever dies, and heard in order of time."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from detector.drivers.detection import Detection
from detector.drivers.kafka.connection import Connection
from detector.drivers.kafka.keeping import Writer
from detector.drivers.kafka.samples import KafkaSamples
from detector.drivers.kafka.topics import SAMPLES, changelog
from detector.drivers.learning import heard_of
from detector.drivers.lines import LogReader
from detector.drivers.rulesets import read_rule_set
from detector.drivers.trainer import Entry, SourceAway
from detector.events.instants import micros
from detector.events.money import Currencies
from detector.language.pack import default_pack
from detector.simulator import Config, events
from models.ordering import Heard
from models.sample import Flag, Label, Sample
from tests.brokers import Broker, MockBroker
from tests.drivers.small import DAY_US, MINUTE_US, NOON_US, event
from tests.kafka.workers import feed, read, until_judged, worker


def of_replay(lines: list[bytes], path: Path) -> list[bytes]:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    found = read_rule_set(default_pack(), Currencies())
    with LogReader(str(path)) as log:
        heard = heard_of(log, Detection.of(found, Currencies(), None, None))
        return sorted(msgspec.json.encode(each) for each in heard)


def test_each_once_over_the_death_of_a_worker(kafka: Broker, tmp_path: Path) -> None:
    """As a replay tells it: what a worker judged and did not keep is judged by the next one, and told."""
    lines = list(events(Config(players=40, events=3000, seed=5, troubled=0.8)))
    # Events a day after settle what came before them, in every partition.
    later_us = max(micros(datetime.fromisoformat(json.loads(line)["ts"])) for line in lines) + DAY_US
    lines += [event(f"last-{n}", later_us, f"last-{n}") for n in range(20)]
    expected = of_replay(lines, tmp_path / "log.jsonl")
    kafka.create_ours(partitions=2)
    with worker(kafka, tmp_path / "w1", CHECKPOINT_S=60, SESSION_S=2) as one:
        one.until_ready(2)
        feed(kafka, lines[:100])
        until_judged(kafka, one)
        # The first checkpoint came at once; the next one it does not live to make.
        feed(kafka, lines[100:2000])
        one.wait_for(lambda: _accepted(one.get("/metrics")[1]) == 2000)
    with worker(kafka, tmp_path / "w1", SESSION_S=2) as one:
        one.until_ready(2)
        feed(kafka, lines[2000:])
        until_judged(kafka, one)
        assert one.stop() == 0
    found = read(kafka, SAMPLES)
    assert sorted(each.value or b"" for each in found) == expected
    for each in found:
        assert each.key is not None
        assert each.key.decode() == msgspec.json.decode(each.value or b"", type=Sample | Label | Flag).player


def _accepted(metrics: str) -> float:
    name = 'tiltwatch_worker_events_total{outcome="accepted"}'
    return sum(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith(name))


def sample(number: int, at_us: int, player: str = "p") -> Sample:
    return Sample(player=player, at=at_us, moment="deposit", catalogue="c", values=(float(number),))


def write(kafka: Broker, partition: int, heard: list[Heard]) -> None:
    """Hand out what a checkpoint of a partition holds."""

    async def work() -> None:
        writer = Writer(Connection((kafka.servers,)), "g", changelog("tiltwatch"), partition)
        await writer.open()
        await writer.write({b"m": b"1"}, {}, {}, [(each.player.encode(), _json(each)) for each in heard])
        await writer.close()

    asyncio.run(work())


def _json(each: Heard) -> bytes:
    return msgspec.json.encode(each)


def source(kafka: Broker) -> KafkaSamples:
    return KafkaSamples(Connection((kafka.servers,), check_crcs=kafka.check_crcs))


def hear(one: KafkaSamples, count: int, place: Mapping[str, int]) -> list[Entry]:
    """Read until there are so many."""
    found: list[Entry] = []
    for _ in range(200):
        found += one.read(place).entries
        if len(found) >= count:
            return found
    raise AssertionError(f"{len(found)} of {count} came")


class TestHearing:
    def test_partitions_are_heard_in_one_order_of_time(self, kafka: Broker) -> None:
        kafka.create_ours(partitions=3)
        draw = random.Random(1)
        times = sorted(draw.randrange(30 * DAY_US) for _ in range(900))
        lanes: list[list[Heard]] = [[], [], []]
        for number, at in enumerate(times):
            lanes[draw.randrange(3)].append(sample(number, NOON_US + at))
        for number, lane in enumerate(lanes):
            write(kafka, number, lane)
        with closing(source(kafka)) as one:
            found = hear(one, 900, {})
            # The marks at the ends of the transactions are no longer before it, either.
            assert any(one.read({}).behind == 0 for _ in range(200))
        heard = [each.heard for each in found if each.heard is not None]
        assert [each.at for each in heard] == [NOON_US + at for at in times]

        # Whoever takes it up again at any place hears the rest, all of it and nothing twice.
        place: dict[str, int] = {}
        for each in found[:400]:
            place |= each.place
        with closing(source(kafka)) as one:
            rest = hear(one, 500, place)
        assert [each.heard for each in rest] == [each.heard for each in found[400:]]

    def test_it_is_told_how_much_there_is_yet_to_hear(self, kafka: Broker) -> None:
        kafka.create_ours(partitions=2)
        for number in range(2):
            write(kafka, number, [sample(each, NOON_US + each) for each in range(700)])
        with closing(source(kafka)) as one:
            behind, heard = [], 0
            while heard < 1400:
                reading = one.read({})
                heard += len(reading.entries)
                if reading.entries:
                    behind.append((reading.behind, 1400 - heard))
            for told, left in behind:
                # A mark at the end of each transaction counts as long as it is not read.
                assert left <= told <= left + 2
            write(kafka, 0, [sample(1, NOON_US)])
            assert next(each for _ in range(200) if (each := one.read({})).entries).behind <= 1

    def test_a_verdict_holds_nobody_up_and_rubbish_neither(self, mock_kafka: MockBroker) -> None:
        mock_kafka.create_ours(partitions=2)
        late = NOON_US + 400 * DAY_US
        verdict = Label(player="a", at=late, source="verdict", harmed=True, about=NOON_US, drawn=0.0)
        write(mock_kafka, 0, [verdict, sample(1, NOON_US)])
        write(mock_kafka, 1, [sample(2, NOON_US + MINUTE_US)])
        mock_kafka.put(SAMPLES, ("a", b"\xff"))
        with closing(source(mock_kafka)) as one:
            found = hear(one, 4, {})
        told = [each.heard for each in found if each.heard is not None]
        assert (len(found), len(told)) == (4, 3)
        assert told[1:] == [sample(1, NOON_US), sample(2, NOON_US + MINUTE_US)]

    def test_another_topic_of_the_name_is_read_from_its_beginning(self, mock_kafka: MockBroker) -> None:
        mock_kafka.create_ours(partitions=1)
        write(mock_kafka, 0, [sample(1, NOON_US)])
        with closing(source(mock_kafka)) as one:
            (found,) = hear(one, 1, {f"{SAMPLES}/0": 10_000})
        assert found.heard == sample(1, NOON_US)

    def test_brokers_that_are_away_are_told(self, mock_kafka: MockBroker) -> None:
        mock_kafka.create_ours(partitions=1)
        mock_kafka.down()
        with closing(source(mock_kafka)) as one, pytest.raises(SourceAway):
            one.read({})
