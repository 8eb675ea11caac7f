"""Endpoints and deliveries over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis import Redis

from api.settings import Settings
from api.store.database import Store
from api.webhooks import repository
from api.webhooks.outbox import Outbox
from api.webhooks.tables import Message, MessageState
from detector.drivers.valkey import Server
from tests.api.serving import NOW_US, As, Client, problem, serving

PLATFORM = {"owner": "platform", "url": "https://casino.example/hooks", "types": ["intervention.asked"]}


@pytest.fixture
async def admin(valkey: Server, redis: Redis, store_url: str) -> AsyncIterator[Client]:
    """A client who administers."""
    async with serving(valkey.url, Settings(), database_url=store_url) as client:
        client.auth = As(client.keys, "admin")
        yield client


def store_of(client: Client) -> Store:
    store: Store = client.app.state.store
    return store


async def opened(client: Client, **other: Any) -> Any:
    answer = await client.post("/v1/endpoints", json=PLATFORM | other)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def put(client: Client, endpoint: str, state: MessageState = "waiting", **other: Any) -> str:
    """A message in some state."""
    async with store_of(client).write() as session:
        message_id = await Outbox(lambda: NOW_US).put(
            session, endpoint, "intervention.asked", {"player": "p-secret"}, subject="intervention:1", **other
        )
        row = await session.get_one(Message, message_id)
        row.state, row.done_us = state, NOW_US if state == "failed" else None
    return message_id


async def test_an_hmac_secret_is_shown_once_and_sealed_at_rest(admin: Client) -> None:
    made = await opened(admin, signing="both")
    assert made["hmac_secret"].startswith("whsec_")
    assert [each["key"][:5] for each in made["public_keys"]] == ["whpk_"]
    (listed,) = (await admin.get("/v1/endpoints")).json()["items"]
    assert listed == {name: value for name, value in made.items() if name != "hmac_secret"}
    async with store_of(admin).read() as session:
        rows = await repository.secrets_of(session, [made["id"]], NOW_US)
    assert {row.scheme for row in rows} == {"v1", "v1a"}
    for row in rows:
        assert made["hmac_secret"].removeprefix("whsec_") not in row.secret


async def test_v1a_alone_has_no_shared_secret(admin: Client) -> None:
    assert (await opened(admin))["hmac_secret"] is None


async def test_the_same_request_makes_one_endpoint(admin: Client) -> None:
    once = {"Idempotency-Key": "1"}
    first = await admin.post("/v1/endpoints", json=PLATFORM, headers=once)
    again = await admin.post("/v1/endpoints", json=PLATFORM, headers=once)
    assert first.json() == again.json()
    assert len((await admin.get("/v1/endpoints")).json()["items"]) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://casino.example/hooks"},
        {"url": "https://127.0.0.1/hooks"},
        {"url": "https://user:secret@casino.example/"},
        {"url": "mailto:desk@casino.example"},
        {"kind": "mail"},
        {"kind": "mail", "owner": "desk"},
        {"kind": "mail", "owner": "desk", "url": "mailto:a@x.example,b@x.example"},
        {"kind": "mail", "owner": "desk", "url": "mailto:a@x.example\r\nBcc: b"},
        {"owner": "partner"},
        {"signing": "v2"},
        {"rate_per_s": 0},
        {"burst": 100_000},
        {"types": []},
        {"types": ["Not a type"]},
        {"unknown": 1},
    ],
)
async def test_what_cannot_be_an_endpoint_is_said(admin: Client, change: dict[str, Any]) -> None:
    answer = await admin.post("/v1/endpoints", json=PLATFORM | change)
    assert problem(answer) == (400, "invalid-parameter")
    assert "secret" not in answer.text


async def test_rotated_secrets_sign_along_for_a_while(admin: Client) -> None:
    made = await opened(admin, signing="both")
    turned = (await admin.post(f"/v1/endpoints/{made['id']}/rotate", json={"overlap_h": 2})).json()
    assert turned["hmac_secret"] != made["hmac_secret"]
    untils = {each["key"]: each["until"] for each in turned["public_keys"]}
    assert untils[made["public_keys"][0]["key"]] == "2026-01-01T14:00:00.000Z"
    assert list(untils.values()).count(None) == 1
    await admin.post(f"/v1/endpoints/{made['id']}/rotate")
    full = await admin.post(f"/v1/endpoints/{made['id']}/rotate", json={"overlap_h": 1})
    assert problem(full) == (409, "contradiction")
    alone = (await admin.post(f"/v1/endpoints/{made['id']}/rotate", json={"overlap_h": 0})).json()
    assert len(alone["public_keys"]) == 1


async def test_disabling_parks_and_enabling_sends_again(admin: Client) -> None:
    made = await opened(admin)
    waiting = await put(admin, made["id"])
    assert (await admin.post(f"/v1/endpoints/{made['id']}/disable")).json()["state"] == "disabled"
    assert problem(await admin.post(f"/v1/endpoints/{made['id']}/test")) == (409, "contradiction")
    parked = (await admin.get("/v1/deliveries", params={"state": "parked"})).json()["items"]
    assert [each["id"] for each in parked] == [waiting]
    assert (await admin.post(f"/v1/endpoints/{made['id']}/enable")).json()["state"] == "enabled"
    assert (await admin.get("/v1/deliveries", params={"state": "parked"})).json()["items"] == []


async def test_a_test_is_a_delivery_like_any_other(admin: Client) -> None:
    made = await opened(admin)
    answer = await admin.post(f"/v1/endpoints/{made['id']}/test")
    assert answer.status_code == 202
    (listed,) = (await admin.get("/v1/deliveries")).json()["items"]
    assert listed == answer.json()
    assert (listed["type"], listed["state"]) == ("endpoint.test", "waiting")


async def test_deliveries_are_found_page_by_page_and_say_nothing_of_players(admin: Client) -> None:
    first, second = await opened(admin), await opened(admin)
    ids = {await put(admin, first["id"]) for _ in range(5)}
    await put(admin, second["id"])
    await put(admin, first["id"], "failed")
    found: list[str] = []
    asked: dict[str, Any] = {"limit": 2, "state": "waiting", "endpoint": first["id"]}
    asked["type"] = "intervention.asked"
    for _ in range(3):
        answer = await admin.get("/v1/deliveries", params=asked)
        assert "p-secret" not in answer.text
        found += [each["id"] for each in answer.json()["items"]]
        asked["cursor"] = answer.json()["next_cursor"]
    assert asked["cursor"] is None
    assert len(found) == 5
    assert set(found) == ids
    asked["cursor"] = "nonsense"
    assert problem(await admin.get("/v1/deliveries", params=asked)) == (400, "invalid-parameter")


async def test_endpoints_come_in_pages_too(admin: Client) -> None:
    made = {(await opened(admin))["id"] for _ in range(3)}
    first = (await admin.get("/v1/endpoints", params={"limit": 2})).json()
    rest = (await admin.get("/v1/endpoints", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert {each["id"] for each in first["items"] + rest["items"]} == made
    assert rest["next_cursor"] is None


async def test_what_failed_is_sent_again_one_by_one_or_all(admin: Client) -> None:
    made = await opened(admin)
    failed = [await put(admin, made["id"], "failed") for _ in range(3)]
    late = await put(admin, made["id"], "failed", not_after_us=NOW_US)
    answer = await admin.post(f"/v1/deliveries/{failed[0]}/replay")
    assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
    assert problem(await admin.post(f"/v1/deliveries/{failed[0]}/replay")) == (409, "contradiction")
    assert problem(await admin.post(f"/v1/deliveries/{late}/replay")) == (409, "contradiction")
    since = {"since": "2026-01-01T11:00:00Z"}
    rest = await admin.post(f"/v1/endpoints/{made['id']}/replay", json=since)
    assert rest.json() == {"replayed": 2, "more": False}
    again = await admin.post(f"/v1/endpoints/{made['id']}/replay", json=since)
    assert again.json() == {"replayed": 0, "more": False}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/endpoints/ep_{0:024d}/test", "unknown-endpoint"),
        ("/v1/endpoints/ep_{0:024d}/rotate", "unknown-endpoint"),
        ("/v1/endpoints/ep_{0:024d}/enable", "unknown-endpoint"),
        ("/v1/endpoints/ep_{0:024d}/disable", "unknown-endpoint"),
        ("/v1/endpoints/ep_{0:024d}/replay", "unknown-endpoint"),
        ("/v1/deliveries/msg_{0:032d}/replay", "unknown-delivery"),
    ],
)
async def test_what_is_not_there_is_not_found(admin: Client, path: str, kind: str) -> None:
    body = {"since": "2026-01-01T11:00:00Z"} if "endpoints" in path and path.endswith("replay") else None
    assert problem(await admin.post(path.format(0), json=body)) == (404, kind)


@pytest.mark.parametrize("role", ["platform", "agent", "analyst", "partner"])
async def test_only_who_administers_says_where_webhooks_go(admin: Client, role: Any) -> None:
    asking = As(admin.keys, role)
    assert problem(await admin.get("/v1/endpoints", auth=asking)) == (403, "forbidden")
    assert problem(await admin.post("/v1/endpoints", json=PLATFORM, auth=asking)) == (403, "forbidden")


async def test_what_waits_is_counted_by_owner(admin: Client) -> None:
    made = await opened(admin)
    for state in ("waiting", "parked", "delivered", "failed"):
        await put(admin, made["id"], state)
    async with store_of(admin).read() as session:
        assert await repository.waiting_by_owner(session) == [("platform", 2, NOW_US)]
