"""`POST /v1/events` in front of Kafka."""

from __future__ import annotations

import json

import pytest
from redis import Redis

from api.kafka import line
from api.settings import Settings
from detector.drivers.clock import wall_clock_us
from detector.drivers.valkey import Server
from detector.events.money import Currencies
from detector.mapping.catalogue import find_mapping
from tests.api.serving import NOW_US, post, problem, serving
from tests.brokers import PARTITIONS, Broker, MockBroker
from tests.drivers.small import NOON_US, event

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


def settings(kafka: Broker) -> Settings:
    return Settings(kafka=kafka.servers, kafka_check_crcs=kafka.check_crcs)


async def test_events_go_to_the_player_s_partition_as_they_came(
    valkey: Server, redis: Redis, kafka: Broker, store_url: str
) -> None:
    sent = [event(f"e{n}", NOON_US + n, f"p{n % 7}") for n in range(1200)]
    async with serving(valkey.url, settings(kafka), database_url=store_url) as client:
        answer = await post(client, b"[" + b", ".join(sent) + b"]")
        again = await post(client, b"[" + sent[0] + b"]")
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1200)
    # Whether it is one, only who keeps the player can say.
    assert (again.json()["accepted"], again.json()["repeated"]) == (1, 0)
    found = kafka.read("rg.events", 1201)
    assert {each.at_ms for each in found} == {NOW_US // 1000}
    for player in range(7):
        theirs = [each for each in found if each.key == f"p{player}".encode()]
        assert len({each.partition for each in theirs}) == 1
        expected = [each for each in sent if json.loads(each)["player"] == f"p{player}"]
        assert [each.value for each in theirs][: len(expected)] == expected
    assert not redis.exists("tw:events")


async def test_what_is_refused_lies_on_the_topic_of_dead_letters(
    valkey: Server, redis: Redis, kafka: Broker, store_url: str
) -> None:
    async with serving(valkey.url, settings(kafka), database_url=store_url) as client:
        answer = await post(client, b'{"type": "x"}\n\xff\n' + event("e1"), "application/x-ndjson")
    report = answer.json()
    assert (report["accepted"], report["rejected"]) == (1, 2)
    found = {each.value: each.headers for each in kafka.read("rg.dead", 2)}
    told = {each["reason"]: each["detail"] for each in report["results"] if each["status"] == "rejected"}
    assert {headers["reason"].decode(): headers["detail"].decode() for headers in found.values()} == told
    assert found.keys() == {b'{"type": "x"}', b"\xff"}
    assert {headers["at"] for headers in found.values()} == {str(NOW_US).encode()}


async def test_a_tick_passes_time_in_every_partition(
    valkey: Server, redis: Redis, kafka: Broker, store_url: str
) -> None:
    tick = b'{"type": "tick", "ts": "2026-01-01T11:00:00Z"}'
    async with serving(valkey.url, settings(kafka), database_url=store_url) as client:
        answer = await post(client, tick)
    assert answer.json()["accepted"] == 1
    found = kafka.read("rg.events", PARTITIONS)
    assert sorted((each.partition, each.key, each.value) for each in found) == [
        (number, None, tick) for number in range(PARTITIONS)
    ]


async def test_messages_of_others_are_mapped_at_the_door(
    valkey: Server, redis: Redis, kafka: Broker, store_url: str
) -> None:
    mapping = find_mapping("aggregator", Currencies())
    example = next(each for each in mapping.examples if each.events)
    # Its events are ahead of the clock of other tests.
    async with serving(valkey.url, settings(kafka), wall_clock_us(), database_url=store_url) as client:
        answer = await client.post(
            "/v1/events?mapping=aggregator",
            content=example.message,
            headers={"content-type": "application/json"},
        )
    assert (answer.status_code, answer.json()["accepted"]) == (202, len(example.events)), answer.text
    found = kafka.read("rg.events", len(example.events))
    for each in found:
        assert each.value is not None
        assert json.loads(each.value)["player"].encode() == each.key


async def test_without_brokers_nothing_is_told_of_any_event(
    valkey: Server, redis: Redis, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "ACKNOWLEDGED_S", 1.0)
    gone = Settings(kafka="127.0.0.1:1")
    async with serving(valkey.url, gone, database_url=store_url) as client:
        answer = await post(client, event("e1"))
        assert problem(answer) == (503, "brokers-unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert (await client.get("/healthz")).status_code == 200
        ready = await client.get("/readyz")
        assert ready.json()["checks"] == {"redis": "ok", "detector": "absent", "kafka": "unreachable"}


async def test_brokers_that_hang_and_come_back(
    valkey: Server, redis: Redis, mock_kafka: MockBroker, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mock_kafka.create_ours()
    monkeypatch.setattr(line, "ACKNOWLEDGED_S", 1.0)
    async with serving(valkey.url, settings(mock_kafka), database_url=store_url) as client:
        assert (await post(client, event("e1"))).status_code == 202
        mock_kafka.stop()
        try:
            for _ in range(2):
                answer = await post(client, event("e2"))
                assert problem(answer) == (503, "brokers-unavailable")
        finally:
            mock_kafka.go_on()
        monkeypatch.setattr(line, "ACKNOWLEDGED_S", 10.0)
        assert (await post(client, event("e3"))).status_code == 202
    # What was told to be unknown may be there, and was in vain or not.
    found = mock_kafka.read("rg.events", 2, until=event("e3"))
    assert {event("e1"), event("e3")} <= {each.value for each in found} <= {event(f"e{n}") for n in (1, 2, 3)}
