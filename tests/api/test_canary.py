"""What is unique to one player must never be found in a log line or in an answer about an error."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis
from sqlalchemy import text

from api.events.service import EventsService
from detector.drivers.embedded import EmbeddedDetector, Options
from detector.drivers.valkey import Server
from detector.engine.engine import Engine, Outcome
from detector.events.money import Currencies
from detector.events.vocabulary import AnyEvent
from detector.language.pack import load_rules
from tests.api.desk.office import audit_rows, deployment_of, endpoint, messages, take_over
from tests.api.serving import NOW_US, Client, post, problem, serving
from tests.drivers.small import MINUTE_US, alerts, event, running, wait_for, write_rules
from tests.events.test_cloudevents import envelope

PLAYER, AMOUNT, ID = "canary-player", 987_654_321, "canary-id"
MARKS = (PLAYER, str(AMOUNT), "9876543", ID)
LINES = "application/x-ndjson"


@pytest.fixture
async def client(valkey: Server, redis: Redis, log: io.StringIO) -> AsyncIterator[Client]:
    async with serving(valkey.url) as each:
        yield each


def canary(number: int = 0, **more: Any) -> bytes:
    return event(f"{ID}-{number}", NOW_US - (9 - number) * MINUTE_US, PLAYER, **({"amount": AMOUNT} | more))


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    """The log so far; fails if anything of the player is in it."""
    for mark in MARKS:
        assert mark not in log.getvalue()
    return [json.loads(line) for line in log.getvalue().splitlines()]


def silent(response: httpx.Response) -> None:
    """Fail if an answer about an error says anything of the player."""
    assert response.status_code >= 400
    for mark in MARKS:
        assert mark not in response.text + str(response.headers)


class Fragile(Engine):
    """Breaks on one event, saying a lot."""

    def apply(self, event: AnyEvent, content: int | None = None) -> Outcome:
        if event.id == f"{ID}-1":
            raise ValueError(f"{event}")
        return super().apply(event, content)


async def test_the_usual_day(
    client: Client,
    valkey: Server,
    redis: Redis,
    tmp_path: Path,
    log: io.StringIO,
) -> None:
    rules = load_rules(write_rules(tmp_path))
    detector = EmbeddedDetector(valkey.url, lambda: Fragile(rules), Currencies(), Options(lease_s=1))
    with running(detector):
        refused = [
            canary(5, amount=-AMOUNT),
            canary(6, amount=f"{AMOUNT}"),
            canary(7, currency=PLAYER),
            canary(8)[:-9],
            canary(9, amount=AMOUNT * 10**9),
            canary(1, amount=AMOUNT + 1),
        ]
        body = b"\n".join([*(canary(n) for n in range(4)), canary(0), *refused])
        report = await post(client, body, LINES)
        assert [report.json()[each] for each in ("accepted", "repeated", "rejected")] == [4, 1, 6]
        assert PLAYER not in report.text
        assert str(AMOUNT) not in report.text
        await asyncio.to_thread(wait_for, lambda: alerts(redis))
        await take_over(client, redis)
        found = await client.get("/v1/alerts", params={"player": PLAYER})
        assert found.json()["items"][0]["player"] == PLAYER
        for reader in ("agent", "player", "regulator"):
            told = await client.get(f"/v1/players/{PLAYER}/risk", params={"reader": reader})
            assert told.status_code == 200
    written = lines(log)
    assert {"request", "an event was put aside", "detecting"} <= {each["event"] for each in written}
    assert {each["route"] for each in written if each["event"] == "request"} == {
        "/v1/events",
        "/v1/alerts",
        "/v1/players/{player:path}/risk",
    }


async def test_requests_that_make_no_sense(client: Client, log: io.StringIO) -> None:
    for response in (
        await post(client, b"[" + canary()),
        await post(client, canary(), f"text/{PLAYER}"),
        await post(client, b"[" + b",".join([canary()] * 40_000) + b"]"),
        await client.get(f"/v1/players/{PLAYER}"),
        await client.get(f"/v1/players/{PLAYER}/risk"),
        await client.get(f"/v1/players/{PLAYER}/risk", params={"reader": PLAYER, "language": AMOUNT}),
        await client.get("/v1/alerts", params={"severity": PLAYER, "cursor": PLAYER}),
        await client.get(
            "/v1/alerts", params={"since": AMOUNT * 10**20, "limit": AMOUNT, PLAYER[:3]: PLAYER}
        ),
        await client.get("/healthz", headers={"host": PLAYER}),
        await client.delete(f"/v1/alerts?player={PLAYER}"),
    ):
        silent(response)
        problem(response)
    routes = {"/v1/events", "/v1/alerts", "/v1/players/{player:path}/risk", "-"}
    assert {each["route"] for each in lines(log)} == routes


async def test_a_store_that_fails_with_the_command_in_its_message(
    client: Client, redis: Redis, log: io.StringIO
) -> None:
    redis.set("tw:events", "not a stream")
    store = deployment_of(client).store
    async with store.write() as session:
        await session.execute(text("DROP TABLE alerts"))
    redis.set("tw:risk", "not a hash")
    for response in (
        await post(client, canary()),
        await client.get("/v1/alerts", params={"player": PLAYER}),
        await client.get(f"/v1/players/{PLAYER}/risk"),
    ):
        silent(response)
        assert problem(response) == (503, "store-unavailable")
    assert "the store failed" in {each["event"] for each in lines(log)}


async def test_an_error_nobody_foresaw(
    client: Client, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def take(_: EventsService, originals: list[bytes]) -> None:
        raise RuntimeError(f"cannot take {originals!r}")

    monkeypatch.setattr(EventsService, "take", take)
    response = await post(client, canary())
    silent(response)
    assert problem(response) == (500, "internal")
    (failed,) = [each for each in lines(log) if each["event"] == "failed"]
    assert failed["error"] == "RuntimeError"
    assert failed["where"][-1].startswith("test_canary.py:")
    assert response.json()["instance"] == f"urn:uuid:{failed['occurrence']}"


async def test_what_the_platform_is_asked_and_answers(
    client: Client, valkey: Server, redis: Redis, tmp_path: Path, log: io.StringIO
) -> None:
    rule = write_rules(tmp_path) / "third-deposit.yml"
    rule.write_text(rule.read_text().replace("respond: L1", "respond: L5"))
    rules = load_rules(tmp_path)
    detector = EmbeddedDetector(
        valkey.url, lambda: Engine(rules), Currencies(), Options(lease_s=1), clock=lambda: NOW_US
    )
    with running(detector):
        await post(client, b"\n".join(canary(n) for n in range(4)), LINES)
        await asyncio.to_thread(wait_for, lambda: redis.xlen("tw:interventions"))
    await endpoint(client, "desk")
    await take_over(client, redis)
    assert not [mark for mark in MARKS if mark in str(await messages(client, "alert.opened"))]
    rows = str(await audit_rows(client))
    assert "intervention.asked" in rows
    assert not [mark for mark in MARKS if mark in rows]
    (alert,) = [each for each in alerts(redis) if each["rule"] == "third-deposit@1"]
    entries: Any = redis.xrange("tw:interventions")
    told = [fields[b"i"].decode() for _, fields in entries]
    assert len(told) > 3
    secrets = (*MARKS[1:], "third-deposit", alert["title"], str(alert["score"]), alert["explanation"], "CAD")
    for each in told:
        # The player is named where it has to be, and nothing else of the alert goes along.
        rest = each.replace(f'"player":"{PLAYER}"', "")
        rest = re.sub(r'"(id|alert)":"[0-9a-f]{32}"|"\w+_at":"[^"]*"|"until":"[^"]*"', "", rest)
        assert not [mark for mark in (PLAYER, *secrets) if mark in rest]
    path = f"/v1/interventions/{json.loads(told[0])['id']}/acknowledge"
    for body in (
        f'{{"outcome": "{PLAYER}", "at": "{AMOUNT}"}}',
        f'{{"outcome": "done", "at": "2026-01-01T12:00:00Z", "{PLAYER}": {AMOUNT}}}',
        f"{PLAYER} {AMOUNT}",
    ):
        response = await client.post(path, content=body, headers={"content-type": "application/json"})
        assert problem(response) == (400, "invalid-parameter")
        if PLAYER not in [each["name"] for each in response.json()["parameters"]]:  # a key of its own
            silent(response)
    said = {"outcome": "done", "at": "2026-01-01T11:59:00Z"}
    assert (await client.post(path, json=said)).status_code == 200
    said["outcome"], said["reason"] = "failed", "technical"
    silent(await client.post(path, json=said))
    silent(await client.get(f"/v1/interventions/{PLAYER}"))
    assert (await client.get("/v1/interventions")).status_code == 200
    assert {each["route"] for each in lines(log) if each["event"] == "request"} == {
        "/v1/events",
        "/v1/interventions",
        "/v1/interventions/{id}",
        "/v1/interventions/{id}/acknowledge",
    }


async def test_cloud_events_that_are_refused(client: Client, redis: Redis, log: io.StringIO) -> None:
    document = envelope(json.loads(canary()))
    in_header = {f"ce-{name}": value for name, value in document.items() if name != "data"}
    body = json.dumps(document["data"]).encode()
    for broken in (
        {"ce-subject": f"{PLAYER}%"},
        {"ce-specversion": PLAYER},
        {"ce-time": PLAYER},
        {f"ce-{PLAYER}": "é"},
        {"content-type": f"text/{PLAYER}"},
    ):
        headers = [(name, value.encode("latin-1")) for name, value in (in_header | broken).items()]
        report = await client.post("/v1/events", content=body, headers=headers)
        assert report.json()["rejected"] == 1
        assert not [mark for mark in MARKS if mark in report.text]
    for data in ({"amount": -AMOUNT}, {"player": f"{PLAYER}-2"}, {"ts": PLAYER}, {"currency": PLAYER}):
        again = document | {"data": document["data"] | data}
        report = await post(client, json.dumps([again]).encode(), "application/cloudevents-batch+json")
        assert report.json()["rejected"] == 1
        assert not [mark for mark in MARKS if mark in report.text]
    silent(await post(client, json.dumps([document]).encode(), "application/cloudevents+json"))
    silent(await post(client, b"[" + canary(), "application/cloudevents-batch+json"))
    assert len(lines(log)) == 11
    assert PLAYER in str(redis.xrange("tw:dead"))
