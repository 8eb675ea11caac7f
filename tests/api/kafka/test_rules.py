"""Rules that workers on Kafka run."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from api.rules import service
from api.rules.duty import RuleChanges
from api.rules.workers_duty import RulesOfWorkers
from api.settings import Settings
from detector.drivers.clock import wall_clock_us
from detector.drivers.kafka import topics
from detector.drivers.rulesets import id_of, rule_set_id
from detector.drivers.valkey import Server
from detector.events.instants import rfc3339_ms
from tests.api.desk.office import audit_rows, deployment_of, lease_of
from tests.api.kafka.workers import all_of, put
from tests.api.rules.test_rules import MORE, TESTS_OF_TWO, in_force, rule
from tests.api.serving import Client, problem, serving
from tests.brokers import Broker

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "rules"
    made.mkdir()
    (made / "third-deposit.yml").write_text(rule())
    return made


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "WAIT_S", 0.5)


def settings(kafka: Broker, folder: Path) -> Settings:
    return Settings(kafka=kafka.servers, kafka_check_crcs=kafka.check_crcs, rules_dir=folder)


async def look(client: Client) -> None:
    """Have the back office look what workers run."""
    deployment = deployment_of(client)
    lease = await lease_of(deployment)
    await RulesOfWorkers(deployment, lease).round()
    await RuleChanges(deployment, lease).round()


def workers_run(redis: Redis, *sets: str) -> None:
    """Have a worker for each set say that it runs it."""
    now_us = wall_clock_us()
    put(redis, *(all_of(f"w{n}", now_us, n, rules=each) for n, each in enumerate(sets)))


async def test_rules_go_to_all_workers_and_are_in_force_once_all_run_them(
    valkey: Server, redis: Redis, kafka: Broker, folder: Path, store_url: str
) -> None:
    first = rule_set_id(folder)
    workers_run(redis, first, first)
    clock = wall_clock_us
    async with serving(valkey.url, settings(kafka, folder), database_url=store_url, clock=clock) as client:
        await look(client)
        assert (await in_force(client))["running"]["set"] == first
        (folder / "second-deposit.yml").write_text(MORE.replace("shadow", "live") + TESTS_OF_TWO)
        second = rule_set_id(folder)
        before_us = clock()
        key = {"idempotency-key": "once"}
        answer = await client.post("/v1/rules/activate", json={"set": second}, headers=key)
        assert answer.status_code == 202, answer.text
        told = answer.json()
        assert (told["set"], told["state"], told["waiting_for"]) == (second, "wanted", ["w0", "w1"])
        rules, change = kafka.read(topics.COMMANDS, 2)
        assert (rules.key, change.key) == (f"rules:{second}".encode(), b"activate")
        files = json.loads(rules.value or b"")["files"]
        assert id_of({name: text.encode() for name, text in files.items()}) == second
        asked: dict[str, Any] = json.loads(change.value or b"")
        assert (asked["kind"], asked["set"]) == ("activate", second)
        assert asked["effective_from"] > before_us
        assert told["effective_from"] == rfc3339_ms(asked["effective_from"])
        # Meanwhile the folder changes again, which is nothing to those who have the files already.
        (folder / "second-deposit.yml").unlink()
        workers_run(redis, second, first)
        await look(client)
        found = await in_force(client)
        assert (found["running"]["set"], found["wanted"]) == (first, second)
        assert [(each["worker"], each["set"]) for each in found["workers"]] == [("w0", second), ("w1", first)]
        again = await client.post("/v1/rules/activate", json={"set": second}, headers=key)
        assert again.headers["idempotent-replayed"] == "true"
        assert again.json()["waiting_for"] == ["w1"]
        workers_run(redis, second, second)
        again = await client.post("/v1/rules/activate", json={"set": second}, headers=key)
        assert (again.json()["state"], again.json()["waiting_for"]) == ("running", [])
        await look(client)
        found = await in_force(client)
        assert (found["running"]["set"], found["wanted"]) == (second, None)
        assert found["running"]["effective_from"] == told["effective_from"]
        assert [each["id"] for each in found["running"]["rules"]] == ["second-deposit", "third-deposit"]
        recorded = [(each["action"], each["subject"]) for each in await audit_rows(client)]
        assert [each for each in recorded if each[0].startswith("rules.")] == [
            ("rules.activated", f"rules:{first}"),
            ("rules.asked_for", f"rules:{second}"),
            ("rules.activated", f"rules:{second}"),
        ]


async def test_the_answer_comes_as_soon_as_workers_have_changed(
    valkey: Server, redis: Redis, kafka: Broker, folder: Path, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "WAIT_S", 20.0)
    wanted = rule_set_id(folder)
    workers_run(redis, "rs_" + "0" * 32)
    made = settings(kafka, folder)
    async with serving(valkey.url, made, database_url=store_url, clock=wall_clock_us) as client:
        asking = asyncio.create_task(client.post("/v1/rules/activate", json={}))
        await asyncio.to_thread(kafka.read, topics.COMMANDS, 2)
        workers_run(redis, wanted)
        answer = await asking
    assert (answer.json()["set"], answer.json()["state"]) == (wanted, "running")


async def test_rules_wait_for_workers_that_are_yet_to_come(
    valkey: Server, redis: Redis, kafka: Broker, folder: Path, store_url: str
) -> None:
    made = settings(kafka, folder)
    async with serving(valkey.url, made, database_url=store_url, clock=wall_clock_us) as client:
        answer = await client.post("/v1/rules/activate", json={})
        assert (answer.json()["state"], answer.json()["waiting_for"]) == ("wanted", [])
        await look(client)
        assert (await in_force(client))["running"] is None


async def test_without_brokers_nothing_is_asked_for(
    valkey: Server, redis: Redis, folder: Path, store_url: str
) -> None:
    made = Settings(kafka="127.0.0.1:1", rules_dir=folder)
    async with serving(valkey.url, made, database_url=store_url) as client:
        answer = await client.post("/v1/rules/activate", json={})
        assert problem(answer) == (503, "brokers-unavailable")
        assert (await in_force(client))["wanted"] is None
        assert await audit_rows(client, "rules.asked_for") == []
