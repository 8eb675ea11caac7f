"""Workers on Kafka beside their peers, at a size at which the figures mean nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka.partitioner import DefaultPartitioner

from detector.bench import broker, kafka
from detector.bench.broker import Brokers
from detector.bench.copied import Crowd, probe
from detector.bench.feeding import Places
from detector.bench.rounds import Plan
from detector.drivers.kafka.connection import Connection
from detector.drivers.kafka.topics import changelog
from detector.errors import SettingsError
from detector.events.decode import Decoder, Refusal
from detector.events.money import Currencies
from tests.brokers import MockBroker, RealBroker

SMALL = Plan(events=500, rounds=1, tell=lambda _: None, players=300)


class Mock(Brokers):
    """The mock cluster, which makes no topics by request."""

    def __init__(self, mock: MockBroker) -> None:
        super().__init__(Connection((mock.servers,), check_crcs=mock.check_crcs), "the mock cluster")
        self._mock = mock
        self._is_made = False

    async def prepare(self, group: str, partitions: int) -> None:
        if self._is_made:
            self._mock.create({changelog(group): partitions})
        else:
            self._mock.create_ours(partitions=partitions, group=group)
        self._is_made = True

    async def create(self, topic: str, partitions: int, config: Mapping[str, str]) -> None:
        self._mock.create({topic: partitions}, config)


def once(contestants: Mapping[str, Callable[[], float]], _: Plan) -> dict[str, list[float]]:
    """What `interleaved` gives, without warming up: figures mean nothing here."""
    return {name: [run()] for name, run in contestants.items()}


def test_workers_are_measured_beside_their_peers(
    mock_kafka: MockBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "interleaved", once)
    rows = kafka.measure_on(Mock(mock_kafka), SMALL)
    assert [row.name for row in rows] == list(kafka.NAMES)
    for row in rows:
        assert row.missing is None
        assert len(row.figures) == SMALL.rounds
        assert all(figure > 0 for figure in [*row.ours, *row.peers])
        assert row.what
        assert row.notes


def test_without_kafka_the_rows_say_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILTWATCH_KAFKA_JARS", str(tmp_path))
    rows = kafka.measure(SMALL)
    assert [row.name for row in rows] == list(kafka.NAMES)
    for row in rows:
        assert row.missing is not None
        assert "--kafka HOST:PORT" in row.missing
        assert row.figures == []


def test_without_java_there_is_no_kafka(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is no Java" in (broker.why_none(tmp_path) or "")


def test_brokers_in_use_are_not_measured_on(mock_kafka: MockBroker) -> None:
    mock_kafka.create({"rg.events": 1})
    with pytest.raises(SettingsError, match="has rg"), broker.brokers(mock_kafka.servers):
        pytest.fail("somebody's events would be measured with")


def test_brokers_that_do_not_answer_are_told_of() -> None:
    rows = kafka.measure(replace(SMALL, kafka="127.0.0.1:9"))
    assert [row.missing for row in rows] == ["the brokers do not answer"] * len(kafka.NAMES)


@pytest.mark.storm
def test_brokers_that_are_named_are_left_as_they_were(real_kafka: RealBroker) -> None:
    real_kafka.create({"theirs": 1})
    with broker.brokers(real_kafka.servers) as found:
        asyncio.run(found.prepare("tiltwatch-bench-1", 2))
        asyncio.run(found.create("tiltwatch-bench-events", 2, {}))
        assert real_kafka.topics()["rg.events"] == 2
    assert set(real_kafka.topics()) == {"theirs"}


@pytest.mark.storm
def test_a_kafka_of_its_own_is_measured_on() -> None:
    if (reason := broker.why_none(broker.JARS)) is not None:
        pytest.skip(reason)
    for row in kafka.measure(SMALL):
        assert row.missing is None
        assert all(figure > 0 for figure in row.figures)


def test_a_crowd_has_copies_side_by_side_with_the_same_times() -> None:
    crowd = Crowd(400)
    assert crowd.copies == 4
    decode = Decoder(Currencies()).decode
    events = [(line.player.decode(), decode(line.value)) for line in crowd.lines()]
    assert len(events) == crowd.count
    players: set[str] = set()
    for start in range(0, len(events), crowd.copies):
        group = events[start : start + crowd.copies]
        for name, event in group:
            assert not isinstance(event, Refusal)
            assert event.type != "tick"
            assert event.player == name
        assert len({name for name, _ in group}) == crowd.copies
        assert len({event.ts for _, event in group if not isinstance(event, Refusal)}) == 1
        players |= {name for name, _ in group}
    assert len(players) == crowd.players >= 400


def test_part_of_a_crowd_is_the_same_events_of_fewer_players() -> None:
    crowd = Crowd(400)
    some = list(crowd.lines(1))
    assert len(some) * crowd.copies == crowd.count
    assert set(some) <= set(crowd.lines())


def test_a_crowd_goes_on_where_it_was() -> None:
    crowd, same = Crowd(200), Crowd(200)
    assert [*crowd.more(4), *crowd.more(4)] == list(same.more(8))
    assert [line.copy for line in crowd.more(4)] == [0, 1, 0, 1]


def test_a_probe_is_an_event_at_the_time_of_another() -> None:
    (line,) = Crowd(1).more(1)
    decode = Decoder(Currencies()).decode
    event, like = decode(probe(line.value, b"somebody")), decode(line.value)
    assert not isinstance(event, Refusal)
    assert not isinstance(like, Refusal)
    assert event.ts == like.ts


def test_players_are_where_kafkas_clients_put_them() -> None:
    places, partitioner = Places(12), DefaultPartitioner()
    for number in range(100):
        player = f"p{number}".encode()
        assert places.of(player) == partitioner(player, list(range(12)), list(range(12)))
