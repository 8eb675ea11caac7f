"""`/v1/rules`: what runs, and putting other rules in force while events come in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import select

from api.audit.tables import AuditRow
from api.backoffice.lease import OfficeLease
from api.deployment import deploy
from api.detecting import make_detector
from api.rules.checking import look_through
from api.rules.duty import RuleChanges
from api.settings import Settings
from detector.drivers.embedded import EmbeddedDetector
from detector.drivers.rulesets import WatchedRules, rule_set_id
from detector.drivers.valkey import Server
from detector.engine.engine import Engine
from detector.events.money import Currencies
from tests.api.serving import As, Client, problem, serving
from tests.drivers.small import (
    MINUTE_US,
    NOON_US,
    THIRD_DEPOSIT,
    alerts,
    catch_up,
    event,
    running,
    send,
)

TESTS = """\
tell:
  en: "We have noticed something."
  fr: "Nous avons remarqué quelque chose."
tests:
  - name: three deposits
    timeline: |
      day 1 10:00 deposit 10 CAD
      day 1 10:10 deposit 10 CAD
      day 1 10:20 deposit 10 CAD
    expect: [{at: day 1 10:20}]
  - name: two deposits
    timeline: |
      day 1 10:00 deposit 10 CAD
      day 1 10:10 deposit 10 CAD
    expect: []
"""
TESTS_OF_TWO = """\
tell:
  en: "We have noticed something."
  fr: "Nous avons remarqué quelque chose."
tests:
  - name: two deposits
    timeline: |
      day 1 10:00 deposit 10 CAD
      day 1 10:10 deposit 10 CAD
    expect: [{at: day 1 10:10}]
  - name: one deposit
    timeline: |
      day 1 10:00 deposit 10 CAD
    expect: []
"""
MORE = """\
id: second-deposit
version: 1
status: shadow
title: Two deposits in an hour
category: deposits
audience: risk
severity: medium
why: Told by hand.
sources: ["none"]
trigger: deposit
params:
  least: {value: 2, min: 2, max: 9}
let:
  deposits: count(deposit) over 1h
when: deposits >= least
cooldown: 1h
explain: "{deposits} deposits in an hour"
respond: L1
"""


def rule(**changes: str) -> str:
    text = THIRD_DEPOSIT.format(status="live") + TESTS
    for old, new in changes.items():
        assert old.replace("_", " ") in text
        text = text.replace(old.replace("_", " "), new)
    return text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "rules"
    made.mkdir()
    (made / "third-deposit.yml").write_text(rule())
    return made


@pytest.fixture
def settings(folder: Path, tmp_path: Path) -> Settings:
    return Settings(rules_dir=folder, keyring_file=tmp_path / "keyring.json")


@contextmanager
def detecting(valkey: Server, settings: Settings) -> Iterator[EmbeddedDetector]:
    each = make_detector(settings, valkey.url)
    with running(each):
        yield each


async def in_force(client: Client) -> dict[str, Any]:
    answer = await client.get("/v1/rules")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def until(client: Client, **wanted: Any) -> dict[str, Any]:
    """What is in force once it is as wanted; `running` is a set's id."""
    for _ in range(2000):
        found = await in_force(client)
        shown = {**found, "running": (found["running"] or {}).get("set")}
        if all(shown[name] == value for name, value in wanted.items()):
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(f"{wanted} never came about; it is {found}")


async def told(valkey: Server, settings: Settings, store_url: str) -> list[tuple[str, str, str]]:
    """Actor, action and subject of what the audit says of rules, once the office has looked."""
    made = Settings.model_validate(settings.model_dump() | {"database_url": store_url})
    deployment = deploy(made, valkey.url)
    lease = OfficeLease(deployment.store, deployment.clock, 10**12)
    assert await lease.take()
    await RuleChanges(deployment, lease).round()
    await lease.give_back()
    async with deployment.store.read() as session:
        rows = await session.execute(
            select(AuditRow).where(AuditRow.action.startswith("rules.")).order_by(AuditRow.seq)
        )
        found = [(row.actor, row.action, row.subject) for row in rows.scalars()]
    await deployment.end()
    return found


async def test_what_runs_is_what_the_detector_says(
    valkey: Server, redis: Redis, settings: Settings, folder: Path, store_url: str
) -> None:
    (folder / "second-deposit.yml").write_text(MORE)
    async with serving(valkey.url, settings, database_url=store_url) as client:
        assert await in_force(client) == {
            "running": None,
            "wanted": None,
            "refused": None,
            "on_disk": rule_set_id(folder),
        }
        with detecting(valkey, settings):
            found = await until(client, running=rule_set_id(folder))
        second, third = found["running"]["rules"]
        assert (third["id"], third["version"], third["status"]) == ("third-deposit", 1, "live")
        assert third["respond"] == {"high": "L1"}
        assert second["params"] == {"least": {"value": "2", "min": "2", "max": "9"}}


async def test_other_rules_come_into_force_without_a_restart(
    valkey: Server, redis: Redis, settings: Settings, folder: Path, store_url: str
) -> None:
    async with serving(valkey.url, settings, database_url=store_url) as client:
        with detecting(valkey, settings):
            first = rule_set_id(folder)
            await until(client, running=first)
            catch_up(redis, send(redis, event("e1", NOON_US), event("e2", NOON_US + MINUTE_US)))
            (folder / "second-deposit.yml").write_text(MORE.replace("shadow", "live") + TESTS_OF_TWO)
            second = rule_set_id(folder)
            answer = await client.post("/v1/rules/activate", json={"set": second})
            assert (answer.status_code, answer.json()) == (202, {"set": second, "state": "wanted"}), (
                answer.text
            )
            found = await until(client, running=second, wanted=None)
            assert found["running"]["effective_from"] == "2026-01-01T12:01:00.000Z"
            # The windows go on: the third deposit fires the old rule, and the new one knows of two before it.
            catch_up(redis, send(redis, event("e3", NOON_US + 2 * MINUTE_US)))
            assert sorted(each["rule"] for each in alerts(redis)) == ["second-deposit@1", "third-deposit@1"]
            again = await client.post("/v1/rules/activate", json={"set": second})
            assert again.json() == {"set": second, "state": "running"}
    keys = client.keys
    analyst = f"key:{keys['analyst'].split('_')[1]}"
    assert await told(valkey, settings, store_url) == [
        (analyst, "rules.asked_for", f"rules:{second}"),
        (analyst, "rules.activated", f"rules:{second}"),
    ]


async def test_a_change_under_load_loses_no_alert_and_makes_none_twice(
    valkey: Server, redis: Redis, settings: Settings, folder: Path, store_url: str
) -> None:
    players, rounds = 40, 12
    stop = threading.Event()
    sent: list[bytes] = []

    def load() -> None:
        with Redis.from_url(valkey.url, protocol=2) as other:
            for n in range(rounds * 3):
                at_us = NOON_US + n * 25 * MINUTE_US
                sent.append(send(other, *(event(f"{p}-{n}", at_us, f"p{p}") for p in range(players))))
                stop.wait(0.02)

    async with serving(valkey.url, settings, database_url=store_url) as client:
        with detecting(valkey, settings):
            await until(client, running=rule_set_id(folder))
            thread = threading.Thread(target=load)
            thread.start()
            for number in range(4):
                # The same rule in other words: alerts have to be the same as without any change.
                (folder / "third-deposit.yml").write_text(
                    rule(Told_by_hand=f"Told by hand, edition {number}")
                )
                wanted = rule_set_id(folder)
                answer = await client.post("/v1/rules/activate", json={"set": wanted})
                assert answer.status_code == 202, answer.text
                await until(client, running=wanted)
            await asyncio.to_thread(thread.join)
            await asyncio.to_thread(catch_up, redis, sent[-1])
            changed = [(each["id"], each["player"], each["opened_at"]) for each in alerts(redis)]
    redis.flushall()
    with detecting(valkey, settings):
        for n in range(rounds * 3):
            last = send(
                redis, *(event(f"{p}-{n}", NOON_US + n * 25 * MINUTE_US, f"p{p}") for p in range(players))
            )
        catch_up(redis, last)
        unchanged = [(each["id"], each["player"], each["opened_at"]) for each in alerts(redis)]
    assert len(unchanged) >= players
    assert len(set(changed)) == len(changed)
    assert sorted(changed) == sorted(unchanged)


async def test_rules_with_findings_stay_out(
    valkey: Server, redis: Redis, settings: Settings, folder: Path, store_url: str
) -> None:
    async with serving(valkey.url, settings, database_url=store_url) as client:
        (folder / "third-deposit.yml").write_text(rule().replace("when: deposits >= 3", "when: depsits >= 3"))
        answer = await client.post("/v1/rules/activate", json={})
        assert problem(answer) == (422, "rules-unfit")
        finding = answer.json()["findings"][0]
        assert (finding["file"], finding["line"], finding["column"]) == ("third-deposit.yml", 13, 7)
        assert str(folder) not in answer.text
        # It reads well, but its own test says otherwise.
        (folder / "third-deposit.yml").write_text(
            rule().replace("when: deposits >= 3", "when: deposits >= 4")
        )
        answer = await client.post("/v1/rules/activate", json={})
        assert problem(answer) == (422, "rules-unfit")
        (folder / "third-deposit.yml").unlink()
        answer = await client.post("/v1/rules/activate", json={})
        assert problem(answer) == (422, "rules-unfit")


async def test_a_key_of_a_failed_request_is_free_again(
    valkey: Server, redis: Redis, settings: Settings, folder: Path, store_url: str
) -> None:
    key = {"idempotency-key": "once"}
    async with serving(valkey.url, settings, database_url=store_url) as client:
        whole = (folder / "third-deposit.yml").read_text()
        (folder / "third-deposit.yml").write_text("rubbish")
        assert (await client.post("/v1/rules/activate", json={}, headers=key)).status_code == 422
        (folder / "third-deposit.yml").write_text(whole)
        first = await client.post("/v1/rules/activate", json={}, headers=key)
        again = await client.post("/v1/rules/activate", json={}, headers=key)
        assert (first.status_code, first.content) == (again.status_code, again.content)
        assert again.headers["idempotent-replayed"] == "true"


async def test_another_set_than_the_one_that_was_read_is_refused(
    valkey: Server, redis: Redis, settings: Settings, folder: Path, store_url: str
) -> None:
    async with serving(valkey.url, settings, database_url=store_url) as client:
        before = rule_set_id(folder)
        (folder / "second-deposit.yml").write_text(MORE)
        answer = await client.post("/v1/rules/activate", json={"set": before})
        assert problem(answer) == (409, "rules-changed")
        assert answer.json()["on_disk"] == rule_set_id(folder)
        answer = await client.post("/v1/rules/activate", json={"set": "../../etc/passwd"})
        assert problem(answer) == (400, "invalid-parameter")


async def test_a_set_that_changes_between_check_and_reading_is_refused_and_the_old_one_goes_on(
    valkey: Server, redis: Redis, settings: Settings, folder: Path, store_url: str
) -> None:
    async with serving(valkey.url, settings, database_url=store_url) as client:
        first = rule_set_id(folder)
        (folder / "second-deposit.yml").write_text(MORE)
        checked = rule_set_id(folder)
        (folder / "second-deposit.yml").unlink()
        with detecting(valkey, settings):
            await until(client, running=first)
            (folder / "second-deposit.yml").write_text(MORE)
            answer = await client.post("/v1/rules/activate", json={"set": checked})
            (folder / "second-deposit.yml").write_text(MORE + "\n")
            if answer.json()["state"] == "wanted":
                found = await until(client, wanted=None)
                if found["running"]["set"] == first:  # it had not read them yet
                    assert found["refused"] == {"set": checked, "why": "changed"}
            # However that went: what nobody can have read is refused.
            redis.hset("tw:rules", mapping={"wanted": f"{'rs_' + '0' * 32} 1", "by": "key:x"})
            found = await until(client, refused={"set": "rs_" + "0" * 32, "why": "changed"}, wanted=None)
            assert found["running"]["set"] in (first, checked)
            catch_up(redis, send(redis, *(event(f"e{n}", NOON_US + n) for n in range(3))))
            assert "third-deposit@1" in [each["rule"] for each in alerts(redis)]
    assert ("key:x", "rules.refused", f"rules:{'rs_' + '0' * 32}") in await told(valkey, settings, store_url)


def test_what_lies_beside_rules_is_looked_at_as_they_are(folder: Path) -> None:
    for name in ("features.yml", "ladder.yml", "score.yml", "cohorts.json"):
        own = folder / name
        own.write_text("version: 1\n")
        assert {each["file"] for each in look_through(folder, {}).findings} == {name}
        own.unlink()


def test_rules_that_an_engine_cannot_run_leave_the_old_ones(folder: Path) -> None:
    watched = WatchedRules(folder, Currencies())
    before = watched.set
    (folder / "second-deposit.yml").write_text(MORE)

    def fail() -> Engine:
        raise RuntimeError

    assert watched.change(rule_set_id(folder), fail) == "unusable"
    assert watched.set is before
    (folder / "third-deposit.yml").write_text("rubbish")
    assert watched.change(rule_set_id(folder), fail) == "unusable"
    assert watched.set is before


async def test_a_change_by_restart_is_recorded_once(
    valkey: Server, redis: Redis, settings: Settings, folder: Path, store_url: str
) -> None:
    async with serving(valkey.url, settings, database_url=store_url) as client:
        with detecting(valkey, settings):
            first = rule_set_id(folder)
            await until(client, running=first)
        assert await told(valkey, settings, store_url) == [
            ("system:detector", "rules.activated", f"rules:{first}")
        ]
        (folder / "second-deposit.yml").write_text(MORE)
        second = rule_set_id(folder)
        for _ in range(2):
            with detecting(valkey, settings):
                await until(client, running=second)
            recorded = await told(valkey, settings, store_url)
            assert [subject for *_, subject in recorded] == [f"rules:{first}", f"rules:{second}"]


async def test_who_may(
    valkey: Server, redis: Redis, settings: Settings, folder: Path, store_url: str
) -> None:
    async with serving(valkey.url, settings, database_url=store_url) as client:
        keys = client.keys
        for role in ("compliance", "admin"):
            assert (await client.get("/v1/rules", auth=As(keys, role))).status_code == 200
            answer = await client.post("/v1/rules/activate", json={}, auth=As(keys, role))
            assert problem(answer) == (403, "forbidden")


def test_the_id_of_a_set_is_of_its_files_alone(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "third-deposit.yml").write_bytes((folder / "third-deposit.yml").read_bytes())
    assert rule_set_id(other) == rule_set_id(folder)
    (other / "notes.txt").write_text("x")
    assert rule_set_id(other) == rule_set_id(folder)
    (other / "third-deposit.yml").rename(other / "renamed.yml")
    assert rule_set_id(other) != rule_set_id(folder)
    before = rule_set_id(folder)
    (folder / "score.yml").write_text("x")
    assert rule_set_id(folder) != before
