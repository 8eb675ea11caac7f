"""Another platform's messages over HTTP: `POST /v1/events?mapping=NAME`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from api.app import create_app
from api.settings import Settings
from detector.drivers.valkey import Server
from detector.errors import InputError, RuleErrors
from detector.events.instants import rfc3339_ms
from tests.api.serving import NOW_US, problem, serving, stored
from tests.drivers.small import MINUTE_US, read
from tests.mapping.samples import BASE, MESSAGE

JSON = "application/json"
LINES = "application/x-ndjson"


async def post(
    client: httpx.AsyncClient, body: Any, mapping: str = "provider", media_type: str = JSON
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": media_type}
    return await client.post("/v1/events", params={"mapping": mapping}, content=content, headers=headers)


def played(number: int, **changed: Any) -> dict[str, Any]:
    """A round of the direct provider's feed."""
    return {
        "type": "round",
        "round": f"r{number}",
        "began": NOW_US // 1000 - 5000,
        "ended": NOW_US // 1000 - 1000,
        "game": {"id": "g", "kind": "reels"},
        "stake": 1000,
        "win": 0,
        "player": {"ref": "p-1", "session": "s-1", "currency": "CAD"},
        **changed,
    }


def told(response: httpx.Response) -> list[tuple[int, str | None, str, str | None]]:
    assert response.status_code == 202, response.text
    return [
        (each["index"], each["id"], each["status"], each["reason"]) for each in response.json()["results"]
    ]


async def test_a_message_becomes_the_events_on_the_stream(client: httpx.AsyncClient, redis: Redis) -> None:
    response = await post(client, played(1, topup={"amount": 20_000, "method": "card"}))
    assert told(response) == [(0, "r1", "accepted", None), (0, "r1:topup", "accepted", None)]
    assert response.json()["dropped"] == 0
    bet, deposit = (json.loads(each[b"e"]) for each in read(redis, "tw:events"))
    assert (bet["type"], bet["stake"], bet["ts"]) == (
        "bet",
        100,
        rfc3339_ms(NOW_US - 1_000_000).replace(".000", ""),
    )
    assert (deposit["type"], deposit["amount"], deposit["currency"]) == ("deposit", 2000, "CAD")


async def test_each_of_several_messages_gets_its_answer(client: httpx.AsyncClient, redis: Redis) -> None:
    bad = played(2, stake=1005)
    body = [played(1), {"type": "heartbeat"}, bad, {"type": "invoice"}, played(1), played(3)]
    for media_type in (JSON, LINES):
        redis.flushall()
        lines = b"\n".join(json.dumps(each).encode() for each in body)
        response = await post(client, body if media_type == JSON else lines, media_type=media_type)
        assert told(response) == [
            (0, "r1", "accepted", None),
            (2, None, "rejected", "fractional_money"),
            (3, None, "rejected", "unmapped"),
            (4, "r1", "repeated", None),
            (5, "r3", "accepted", None),
        ]
        report = response.json()
        assert [report[name] for name in ("accepted", "repeated", "rejected", "dropped")] == [2, 1, 2, 1]
        dead = read(redis, "tw:dead")
        assert [json.loads(each[b"original"]) for each in dead] == [bad, {"type": "invoice"}]
        assert [each[b"reason"] for each in dead] == [b"fractional_money", b"unmapped"]


async def test_a_batch_with_a_bad_record_keeps_the_good_ones_and_the_whole(
    client: httpx.AsyncClient, redis: Redis
) -> None:
    def won(name: str, credit: Any) -> dict[str, Any]:
        settled = "01/01/2026 12:00:00"
        return {
            "kind": "free_rounds",
            "round": name,
            "seq": 1,
            "player": "p",
            "credit": credit,
            "settled": settled,
        }

    batch = {"operator": "north", "currency": "EUR", "records": [won("a", 1), won("b", "0.005"), won("c", 2)]}
    response = await post(client, batch, "aggregator")
    assert told(response) == [
        (0, "a-1", "accepted", None),
        (0, "c-1", "accepted", None),
        (0, None, "rejected", "fractional_money"),
    ]
    (dead,) = read(redis, "tw:dead")
    assert json.loads(dead[b"original"]) == batch
    # Mended and sent again: what was taken is not taken twice.
    batch["records"][1]["credit"] = "0.01"  # type: ignore[index]
    again = await post(client, batch, "aggregator")
    assert [each[2] for each in told(again)] == ["repeated", "accepted", "repeated"]


async def test_what_the_service_refuses_itself_is_refused_here_too(
    client: httpx.AsyncClient, redis: Redis
) -> None:
    early = played(1, ended=(NOW_US + 6 * MINUTE_US) // 1000)
    assert told(await post(client, early)) == [(0, None, "rejected", "ahead_of_receipt")]
    await post(client, played(2))
    assert told(await post(client, played(2, win=10))) == [(0, "r2", "rejected", "conflict")]
    assert redis.xlen("tw:dead") == 2


async def test_what_is_refused_on_storing_keeps_the_message_as_it_came(
    client: httpx.AsyncClient, redis: Redis
) -> None:
    early = played(1, ended=(NOW_US + 6 * MINUTE_US) // 1000)
    await post(client, early)
    wagers = [{"no": number, "stake": 1000, "win": 0} for number in range(1, 31)]
    await post(client, played(2, wagers=wagers))
    changed = played(2, wagers=[{**wager, "win": 10} for wager in wagers])
    answer = told(await post(client, [changed, {"type": "invoice"}]))
    assert answer == [
        *((0, f"r2:{number}", "rejected", "conflict") for number in range(1, 31)),
        (1, None, "rejected", "unmapped"),
    ]
    dead = [(each[b"reason"], json.loads(each[b"original"])) for each in read(redis, "tw:dead")]
    assert dead == [(b"ahead_of_receipt", early), (b"conflict", changed), (b"unmapped", {"type": "invoice"})]


async def test_without_a_mapping_nothing_changes(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/events", content=b"[]", headers={"content-type": JSON})
    assert "dropped" not in response.json()


async def test_an_unknown_mapping_is_named(client: httpx.AsyncClient, redis: Redis) -> None:
    response = await post(client, played(1), "providr")
    assert problem(response) == (400, "invalid-parameter")
    (parameter,) = response.json()["parameters"]
    assert parameter["name"] == "mapping"
    assert "adyen, aggregator, provider" in parameter["reason"]
    assert not stored(redis)


async def test_a_misspelt_parameter_takes_no_foreign_batch_for_events(
    client: httpx.AsyncClient, redis: Redis
) -> None:
    response = await client.post("/v1/events", params={"maping": "provider"}, json=played(1))
    assert problem(response) == (400, "invalid-parameter")
    assert response.json()["parameters"][0]["name"] == "maping"
    assert not stored(redis)


async def test_bad_bodies_are_bad_with_a_mapping_too(client: httpx.AsyncClient) -> None:
    assert problem(await post(client, b"{")) == (400, "malformed-body")
    assert problem(await post(client, played(1), media_type="text/plain")) == (415, "unsupported-body")
    many = [{"type": "round", "wagers": [{}] * 30, "round": 1}] * 3
    assert told(await post(client, many))[0][2] == "rejected"
    wagers = [{"no": number, "stake": 0, "win": 0} for number in range(61)]
    assert problem(await post(client, played(1, wagers=wagers))) == (413, "too-many-events")


async def test_a_deployment_has_mappings_of_its_own(valkey: Server, redis: Redis, tmp_path: Path) -> None:
    (tmp_path / "sample.yml").write_text(BASE, "utf-8")
    # One that bears a packaged name stands before it.
    stripe = BASE.replace("id: sample", "id: stripe").replace("source: feed", "source: mine")
    (tmp_path / "stripe.yml").write_text(stripe, "utf-8")
    async with serving(valkey.url, Settings(mappings=tmp_path)) as client:
        at = rfc3339_ms(NOW_US)
        for name in ("sample", "stripe"):
            assert told(await post(client, {**MESSAGE, "at": at}, name)) == [(0, "m-1", "accepted", None)]
        assert told(await post(client, played(1))) == [(0, "r1", "accepted", None)]
    assert [json.loads(each[b"e"])["source"] for each in read(redis, "tw:events")] == [
        "feed",
        "mine",
        "provider",
    ]


def test_a_fault_in_a_mapping_of_its_own_shows_when_the_service_starts(tmp_path: Path) -> None:
    (tmp_path / "sample.yml").write_text(BASE.replace("amount: .", "ammount: ."), "utf-8")
    with pytest.raises(RuleErrors, match="ammount"):
        create_app(Settings(mappings=tmp_path), "unix:///nobody/listens/here")
    with pytest.raises(InputError, match="no such folder"):
        create_app(Settings(mappings=tmp_path / "none"), "unix:///nobody/listens/here")
