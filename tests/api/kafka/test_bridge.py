"""Copying from Kafka to Redis: the forms, each once, and by one alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import select

from api.audit.tables import AuditRow
from detector.drivers.kafka import topics
from detector.drivers.valkey import Server
from detector.events.money import Currencies
from detector.mapping.catalogue import find_mapping
from tests.api.kafka.office import House, at_work, copy_all, house, house_settings
from tests.brokers import Broker
from tests.drivers.small import NOON_US, event, read

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

ALERT = b'{"id":"a1","player":"p1","rule":"r@1"}'
NOTE = b'{"alert":"a1","event":"e1"}'


def is_long(redis: Redis, stream: str, count: int) -> bool:
    return redis.xlen(stream) >= count


async def test_what_workers_write_stands_in_redis_as_the_embedded_detector_would_write_it(
    valkey: Server, redis: Redis, kafka: Broker, tmp_path: Path, store_url: str
) -> None:
    kafka.put(topics.ALERTS, ("p1", ALERT), headers=[("t", b"123"), ("j", b"CA-ON"), ("x", b"?")])
    kafka.put(topics.ALERTS, ("p1", b'{"id":"a2"}'), headers=[("t", b"124")])
    kafka.put(topics.NOTES, ("a1", NOTE))
    kafka.put(topics.INTERVENTIONS, ("p1", b'{"id":"i1"}'))
    kafka.put(topics.SHADOW, ("p1", b'{"id":"s1"}'))
    kafka.put(topics.RISKS, ("p1", b'{"at":1}'), ("p1", b'{"at":2}'), ("p2", b'{"at":3}'), ("p2", None))
    kafka.put(topics.STATUS, ("w1", b'{"worker":"w1"}'))
    headers = [("reason", b"not_json"), ("detail", b"$: no"), ("at", b"77")]
    kafka.put(topics.DEAD, ("rg.events/0/5", b"\xff"), headers=headers)
    async with house(house_settings(kafka, tmp_path, store_url), valkey.url) as each:
        duty = each.copying()
        async with at_work(duty):

            def is_there() -> bool:
                streams = ("tw:alerts", 2), ("tw:notes", 1), ("tw:interventions", 1), ("tw:dead", 1)
                known = redis.hgetall("tw:risk") == {b"p1": b'{"at":2}'}
                return (
                    all(is_long(redis, *one) for one in streams) and known and redis.hlen("tw:workers") == 1
                )

            await copy_all(duty, redis, is_there)
            await duty.round()
    assert read(redis, "tw:alerts") == [
        {b"a": ALERT, b"t": b"123", b"j": b"CA-ON"},
        {b"a": b'{"id":"a2"}', b"t": b"124"},
    ]
    assert read(redis, "tw:notes") == [{b"n": NOTE}]
    assert read(redis, "tw:interventions") == [{b"i": b'{"id":"i1"}'}]
    assert read(redis, "tw:shadow") == [{b"a": b'{"id":"s1"}'}]
    assert read(redis, "tw:dead") == [
        {b"reason": b"not_json", b"detail": b"$: no", b"original": b"\xff", b"at": b"77"}
    ]
    feed = sorted((fields[b"kind"], fields[b"alert"]) for fields in read(redis, "tw:feed"))
    assert feed == [(b"alert", b"a1"), (b"alert", b"a2"), (b"note", b"a1")]


async def test_events_that_workers_accept_reach_the_stream_and_repeats_do_not(
    valkey: Server, redis: Redis, kafka: Broker, tmp_path: Path, store_url: str
) -> None:
    at_ms = NOON_US // 1000
    own = event("e1")
    attributes = {"specversion": "1.0", "type": "tiltwatch.deposit", "id": "e2", "source": "/x"}
    attributes |= {"subject": "p1", "time": "2026-01-01T12:00:00Z"}
    kafka.put(
        topics.EVENTS,
        ("p1", own),
        ("p1", own),
        ("p1", event("e1", amount=7)),
        ("p1", b"no JSON"),
        ("p2", event("e9")),
        timestamp=at_ms,
    )
    binary = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
    binary.append(("content-type", b"application/json"))
    kafka.put(
        topics.EVENTS,
        ("p1", b'{"amount": 5, "currency": "CAD"}'),
        headers=binary,
        timestamp=at_ms,
    )
    async with house(house_settings(kafka, tmp_path, store_url), valkey.url) as each:
        duty = each.copying("events")
        async with at_work(duty):
            await copy_all(duty, redis, lambda: is_long(redis, "tw:events", 2))
            for _ in range(3):
                await duty.round()
    found = read(redis, "tw:events")
    assert {fields[b"r"] for fields in found} == {str(NOON_US).encode()}
    originals = [fields[b"e"] for fields in found]
    assert originals[0] == own
    assert {name: json.loads(originals[1])[name] for name in attributes} == attributes
    assert len(originals) == 2


async def test_messages_of_an_own_topic_are_copied_as_what_their_mapping_makes_of_them(
    valkey: Server, redis: Redis, kafka: Broker, tmp_path: Path, store_url: str
) -> None:
    example = next(each for each in find_mapping("aggregator", Currencies()).examples if each.events)
    kafka.put("platform.payments", ("p1", example.message), ("p1", b"?"))
    settings = house_settings(kafka, tmp_path, store_url, kafka_inputs={"platform.payments": "aggregator"})
    async with house(settings, valkey.url) as each:
        duty = each.copying("events")
        async with at_work(duty):
            await copy_all(duty, redis, lambda: is_long(redis, "tw:events", len(example.events)))
            await duty.round()
    found = [json.loads(fields[b"e"]) for fields in read(redis, "tw:events")]
    assert found == [json.loads(one) for one in example.events]


async def test_events_wait_in_kafka_while_many_wait_in_redis(
    valkey: Server, redis: Redis, kafka: Broker, tmp_path: Path, store_url: str
) -> None:
    kafka.put(topics.EVENTS, *((f"p{n % 5}", event(f"e{n}", player=f"p{n % 5}")) for n in range(50)))
    async with house(house_settings(kafka, tmp_path, store_url), valkey.url) as each:
        duty = each.copying("events", batch=10, most_waiting=20)
        async with at_work(duty):
            await copy_all(duty, redis, lambda: is_long(redis, "tw:events", 20))
            assert await duty.round() > 0
            assert redis.xlen("tw:events") < 50
            redis.xtrim("tw:events", maxlen=0, approximate=False)
            await copy_all(duty, redis, lambda: is_long(redis, "tw:events", 20))
        places = await each.places()
        assert sum(place for name, place in places.items() if name.startswith(topics.EVENTS)) == 40


async def test_one_who_was_overtaken_writes_nothing_and_begins_anew(
    valkey: Server, redis: Redis, kafka: Broker, tmp_path: Path, store_url: str
) -> None:
    async with house(house_settings(kafka, tmp_path, store_url), valkey.url) as each:
        first, second = each.copying(), each.copying()
        async with at_work(first, second):
            kafka.put(topics.ALERTS, ("p1", b'{"id":"a1"}'))
            await copy_all(first, redis, lambda: is_long(redis, "tw:alerts", 1))
            await second.round()
            kafka.put(topics.ALERTS, ("p1", b'{"id":"a2"}'))
            for _ in range(20):
                await first.round()
                await second.round()
            await copy_all(second, redis, lambda: is_long(redis, "tw:alerts", 2))
    assert [fields[b"a"] for fields in read(redis, "tw:alerts")] == [b'{"id":"a1"}', b'{"id":"a2"}']


async def test_what_left_kafka_uncopied_is_on_record(
    valkey: Server, redis: Redis, kafka: Broker, tmp_path: Path, store_url: str
) -> None:
    kafka.put(topics.ALERTS, ("p1", b'{"id":"a1"}'))
    places: dict[Any, Any] = {f"{topics.ALERTS}/{number}": 1000 for number in range(4)}
    redis.hset("tw:kafka", mapping=places)
    async with house(house_settings(kafka, tmp_path, store_url), valkey.url) as each:
        duty = each.copying()
        async with at_work(duty):
            await copy_all(duty, redis, lambda: is_long(redis, "tw:alerts", 1))
        assert len(await gaps(each)) == 4


async def gaps(each: House) -> list[str]:
    async with each.deployment.store.read() as session:
        rows = await session.execute(select(AuditRow.subject).where(AuditRow.action == "bridge.gap"))
        return list(rows.scalars())


async def test_missing_topics_are_told_and_waited_for(
    valkey: Server,
    redis: Redis,
    kafka: Broker,
    tmp_path: Path,
    store_url: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = house_settings(kafka, tmp_path, store_url, kafka_inputs={"platform.unknown": None})
    async with house(settings, valkey.url) as each:
        duty = each.copying("events")
        async with at_work(duty):
            assert await duty.round() > 1
    assert "platform.unknown" in capsys.readouterr().out
