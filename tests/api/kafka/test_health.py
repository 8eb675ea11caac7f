"""Readiness, numbers and the alarm, from what workers say of themselves."""

from __future__ import annotations

import pytest
from redis import Redis

from api.kafka.watching import SUBJECT, WatchingScoring
from api.settings import Settings
from detector.drivers.valkey import Server
from tests.api.desk.office import Clock, audit_rows, deployment_of, endpoint, lease_of, messages
from tests.api.kafka.workers import all_of, put, said
from tests.api.metrics.test_metrics import numbers
from tests.api.serving import NOW_US, problem, serving
from tests.brokers import Broker, MockBroker

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

SECOND_US = 1_000_000
LONG_US = 60 * SECOND_US


def settings(kafka: Broker) -> Settings:
    return Settings(kafka=kafka.servers, kafka_check_crcs=kafka.check_crcs)


@pytest.mark.parametrize(
    ("told", "detector"),
    [
        ([], "absent"),
        ([all_of("w1", NOW_US - 16 * SECOND_US, 0, 1, 2, 3)], "absent"),
        ([all_of("w1", NOW_US, 0, 1, 2, 3, state="stopping")], "absent"),
        ([all_of("w1", NOW_US, 0, 1, 2, 3)], "ok"),
        ([all_of("w1", NOW_US, 0, 1), all_of("w2", NOW_US, 2, 3)], "ok"),
        ([all_of("w1", NOW_US, 0, 1), all_of("w2", NOW_US, 2, 3, state="recovering")], "recovering"),
        ([all_of("w1", NOW_US, 0, 1), all_of("w2", NOW_US - 16 * SECOND_US, 2, 3)], "incomplete"),
        ([b'{"worker": "w1"}'], "absent"),
    ],
)
async def test_ready_when_workers_have_all_partitions(
    valkey: Server, redis: Redis, kafka: Broker, store_url: str, told: list[bytes], detector: str
) -> None:
    put(redis, *told)
    async with serving(valkey.url, settings(kafka), database_url=store_url) as client:
        answer = await client.get("/readyz")
    checks = {"redis": "ok", "detector": detector, "kafka": "ok"}
    if detector == "ok":
        assert (answer.status_code, answer.json()) == (200, checks)
    else:
        assert problem(answer) == (503, "not-ready")
        assert answer.json()["checks"] == checks
        assert answer.json()["detail"].startswith(f"detector: {detector}")


async def test_not_ready_before_the_topics_are_made(
    valkey: Server, redis: Redis, mock_kafka: MockBroker, store_url: str
) -> None:
    put(redis, all_of("w1", NOW_US, 0))
    async with serving(valkey.url, settings(mock_kafka), database_url=store_url) as client:
        answer = await client.get("/readyz")
    assert answer.json()["checks"]["kafka"] == "topics missing"


async def test_numbers(valkey: Server, redis: Redis, kafka: Broker, store_url: str) -> None:
    late = {"watermark_us": NOW_US - 90 * SECOND_US, "lag": 5}
    put(redis, said("w1", NOW_US, p0=late, p1={"lag": 2}), all_of("w2", NOW_US, 2, state="recovering"))
    async with serving(valkey.url, settings(kafka), database_url=store_url) as client:
        found = await numbers(client)
    assert found["tiltwatch_workers", "running"] == 1
    assert found["tiltwatch_workers", "recovering"] == 1
    assert found["tiltwatch_workers_partitions",] == 3
    assert found["tiltwatch_workers_lag",] == 7
    assert found["tiltwatch_workers_watermark_age_seconds",] == 90


async def test_the_desk_is_told_once_that_nobody_is_scored_and_once_that_it_goes_on(
    valkey: Server, redis: Redis, kafka: Broker, store_url: str
) -> None:
    clock = Clock()
    async with serving(valkey.url, settings(kafka), database_url=store_url, clock=clock) as client:
        await endpoint(client, "desk")
        deployment = deployment_of(client)
        duty = WatchingScoring(deployment, await lease_of(deployment))
        put(redis, all_of("w1", NOW_US, 0))
        await duty.round()
        clock.now_us += LONG_US - 1
        await duty.round()
        assert await audit_rows(client, "scoring.stopped") == []
        clock.now_us += 1
        for _ in range(2):
            await duty.round()
        # Another office comes, which remembers nothing: what was told is in the store.
        duty = WatchingScoring(deployment, await lease_of(deployment), stopped_us=0)
        await duty.round()
        (stopped,) = await audit_rows(client, "scoring.stopped")
        assert (stopped["subject"], stopped["reason"]) == (SUBJECT, "no_worker")
        assert [each["reason"] for each in await messages(client, "scoring.stopped")] == ["no_worker"]
        put(redis, all_of("w1", clock.now_us, 0))
        duty = WatchingScoring(deployment, await lease_of(deployment))
        for _ in range(2):
            await duty.round()
        assert len(await audit_rows(client, "scoring.resumed")) == 1
        assert len(await messages(client, "scoring.resumed")) == 1
