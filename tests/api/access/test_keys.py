"""`/v1/keys`, and who a key lets in."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import select

from api.access.roles import GRANTS, ROLES, SEES_PLAYERS
from api.access.service import FRESH_US
from api.access.tables import ApiKey
from api.audit.tables import AuditRow
from api.idempotency.tables import IdempotentRequest
from detector.drivers.valkey import Server
from detector.events.instants import rfc3339_ms
from tests.api.archive.office import Clock
from tests.api.serving import As, Client, problem, serving
from tests.drivers.small import MINUTE_US, NOON_US


def bearing(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


async def issue(client: Client, **wanted: Any) -> dict[str, Any]:
    answer = await client.post("/v1/keys", json={"name": "x", **wanted})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_key_opens_what_its_role_may(client: Client) -> None:
    made = await issue(client, role="agent", name="night desk")
    assert set(made["scopes"]) == GRANTS["agent"]
    assert (await client.get("/v1/alerts", headers=bearing(made["key"]))).status_code == 200
    answer = await client.get("/v1/keys", headers=bearing(made["key"]))
    assert problem(answer) == (403, "forbidden")


async def test_who_has_fewer_scopes_issues_no_key_of_their_role_with_more(client: Client) -> None:
    narrow = bearing((await issue(client, role="admin", scopes=["keys:manage"]))["key"])
    for wanted in ({"role": "admin"}, {"role": "admin", "scopes": ["keys:manage", "partners:manage"]}):
        answer = await client.post("/v1/keys", json={"name": "x", **wanted}, headers=narrow)
        assert problem(answer) == (403, "forbidden")
    for wanted in ({"role": "admin", "scopes": ["keys:manage"]}, {"role": "agent"}):
        answer = await client.post("/v1/keys", json={"name": "x", **wanted}, headers=narrow)
        assert answer.status_code == 201


async def test_a_key_may_have_fewer_scopes_than_its_role_and_never_more(client: Client) -> None:
    made = await issue(client, role="analyst", scopes=["rules:read"])
    assert made["scopes"] == ["rules:read"]
    assert (await client.get("/v1/rules", headers=bearing(made["key"]))).status_code == 200
    assert problem(await client.get("/v1/alerts", headers=bearing(made["key"]))) == (403, "forbidden")
    answer = await client.post("/v1/keys", json={"name": "x", "role": "analyst", "scopes": ["players:read"]})
    assert problem(answer) == (400, "invalid-parameter")
    none = await issue(client, role="analyst", scopes=[])
    assert problem(await client.get("/v1/rules", headers=bearing(none["key"]))) == (403, "forbidden")


@pytest.mark.parametrize(
    "wanted",
    [
        {"role": "agent", "partner": "aid"},
        {"role": "partner"},
        {"role": "king"},
        {"role": "agent", "expires_at": "2026-01-01T11:59:59Z"},
        {"role": "agent", "expires_at": "2027-01-01"},
        {"role": "agent", "name": "a\nb"},
        {"role": "agent", "extra": 1},
    ],
)
async def test_what_is_no_key_is_not_issued(client: Client, wanted: dict[str, Any]) -> None:
    answer = await client.post("/v1/keys", json={"name": "x", **wanted})
    assert problem(answer) == (400, "invalid-parameter")


async def test_a_revoked_key_opens_nothing(valkey: Server, redis: Redis, store_url: str) -> None:
    clock = Clock()
    async with (
        serving(valkey.url, database_url=store_url, clock=clock) as client,
        serving(valkey.url, database_url=store_url, clock=clock) as another,
    ):
        made = await issue(client, role="agent")
        for each in (client, another):
            assert (await each.get("/v1/alerts", headers=bearing(made["key"]))).status_code == 200
        answer = await client.post(f"/v1/keys/{made['id']}/revoke")
        assert answer.json()["revoked_at"] == rfc3339_ms(NOON_US)
        assert problem(await client.get("/v1/alerts", headers=bearing(made["key"]))) == (
            401,
            "unauthenticated",
        )
        # Another service may know it by heart for two seconds, and no longer.
        clock.us += FRESH_US
        assert problem(await another.get("/v1/alerts", headers=bearing(made["key"]))) == (
            401,
            "unauthenticated",
        )
        again = await client.post(f"/v1/keys/{made['id']}/revoke")
        assert again.json() == answer.json()


async def test_an_expired_key_opens_nothing(valkey: Server, redis: Redis, store_url: str) -> None:
    clock = Clock()
    async with serving(valkey.url, database_url=store_url, clock=clock) as client:
        made = await issue(client, role="agent", expires_at=rfc3339_ms(NOON_US + MINUTE_US))
        clock.us = NOON_US + MINUTE_US - 1
        assert (await client.get("/v1/alerts", headers=bearing(made["key"]))).status_code == 200
        clock.us = NOON_US + MINUTE_US
        assert problem(await client.get("/v1/alerts", headers=bearing(made["key"]))) == (
            401,
            "unauthenticated",
        )


async def test_no_secret_is_kept_anywhere(client: Client) -> None:
    answer = await client.post(
        "/v1/keys", json={"name": "x", "role": "agent"}, headers={"idempotency-key": "k"}
    )
    secret = answer.json()["key"].split("_", 2)[2]
    state = client.app.state
    async with state.store.read() as session:
        kept = [
            json.dumps(vars(row), default=str)
            for table in (ApiKey, AuditRow, IdempotentRequest)
            for row in (await session.execute(select(table))).scalars()
        ]
    assert kept
    assert not any(secret in text for text in kept)
    listed = await client.get("/v1/keys")
    assert secret not in listed.text


async def test_issuing_and_revoking_are_in_the_audit(client: Client) -> None:
    made = await issue(client, role="agent")
    await client.post(f"/v1/keys/{made['id']}/revoke")
    keys = client.keys
    admin = f"key:{keys['admin'].split('_')[1]}"
    found = (await client.get("/v1/audit", params={"subject": f"key:{made['id']}"})).json()["items"]
    assert [(each["actor"], each["action"]) for each in found] == [
        (admin, "key.revoked"),
        (admin, "key.issued"),
    ]


async def test_a_key_that_never_was(client: Client) -> None:
    answer = await client.post("/v1/keys/0123456789ab/revoke")
    assert problem(answer) == (404, "unknown-key")
    assert problem(await client.post("/v1/keys/..%2Fx/revoke"))[0] in (400, 404)


# Showing it


@pytest.mark.parametrize(
    "told",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer tw_0123456789ab_" + "a" * 43,
        "Digest x",
        "Basic !!!",
        "Basic " + base64.b64encode(b"nocolon").decode(),
        "Basic " + base64.b64encode("name:é".encode()).decode(),
    ],
)
async def test_nobody_gets_in_without_a_key_that_is_known(client: Client, told: str) -> None:
    answer = await client.get("/v1/alerts", headers={"authorization": told})
    assert problem(answer) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_another_secret_of_a_known_id_is_refused(client: Client) -> None:
    key = client.keys["agent"]
    for changed in (key[:-1], key + "a", key[:-1] + ("a" if key[-1] != "a" else "b"), key.upper()):
        assert problem(await client.get("/v1/alerts", headers=bearing(changed)))[0] == 401


async def test_a_browser_may_read_and_not_act(client: Client) -> None:
    key = client.keys["admin"]
    basic = {"authorization": "Basic " + base64.b64encode(f"anyone:{key}".encode()).decode()}
    assert (await client.get("/v1/keys", headers=basic)).status_code == 200
    answer = await client.post("/v1/keys", json={"name": "x", "role": "agent"}, headers=basic)
    assert problem(answer) == (401, "unauthenticated")


def test_nobody_who_administers_sees_players() -> None:
    assert not GRANTS["admin"] & {"players:read", "players:tell", "alerts:read"}
    assert "admin" not in SEES_PLAYERS
    assert {role for role in ROLES if "keys:manage" in GRANTS[role]} == {"admin"}


async def test_keys_of_one_service_open_another_on_the_same_store(
    valkey: Server, redis: Redis, store_url: str, tmp_path: Path
) -> None:
    async with serving(valkey.url, database_url=store_url) as first:
        keys = first.keys
        async with serving(valkey.url, database_url=store_url) as second:
            answer = await second.get("/v1/alerts", auth=As(keys, "agent"))
            assert answer.status_code == 200
