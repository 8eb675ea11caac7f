"""The register of aid organisations, over HTTP."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from api.settings import Settings
from api.webhooks.signatures import new_hmac_secret, public_key
from detector.drivers.valkey import Server
from tests.api.partners.entries import OTHER_PRIVATE, PRIVATE, enter, entry, jwk, slip
from tests.api.serving import As, Client, problem, serving


def asking(client: Client, role: Any) -> As:
    return As(client.keys, role)


async def test_an_organisation_is_entered_with_an_endpoint_and_read_back(client: Client) -> None:
    made = await enter(client)
    assert made["state"] == "active"
    assert made["signing_keys"][0].startswith("whpk_")
    assert made["signing_secret"] is None
    shown = (await client.get("/v1/partners/demo-aid")).json()
    assert shown == {name: made[name] for name in shown}
    assert (await client.get("/v1/partners", auth=asking(client, "agent"))).json() == {"items": [shown]}
    endpoints = (await client.get("/v1/endpoints")).json()["items"]
    assert [(each["id"], each["url"], each["owner"]) for each in endpoints] == [
        (made["endpoint"], "https://aid.example/referrals", "partner")
    ]


async def test_one_that_is_telephoned_has_no_endpoint(client: Client) -> None:
    made = await enter(client, **slip())
    assert made["endpoint"] is None
    assert made["signing_keys"] == []
    refused = await client.post("/v1/partners", json=slip(id="other-aid", contact=None))
    assert problem(refused) == (400, "invalid-parameter")


def whpk(raw: bytes) -> str:
    return "whpk_" + base64.b64encode(raw).decode()


WEAK = [
    bytes(32),
    b"\1" + bytes(31),
    b"\1" + bytes(30) + b"\x80",
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
    bytes.fromhex("ec" + "ff" * 30 + "7f"),
    bytes.fromhex("ee" + "ff" * 30 + "ff"),
]
"""Keys for which anybody makes signatures."""


@pytest.mark.parametrize("raw", WEAK)
async def test_a_key_that_anybody_signs_for_is_refused(client: Client, raw: bytes) -> None:
    refused = await client.post("/v1/partners", json=entry(verification_keys=[whpk(raw)]))
    assert problem(refused) == (400, "invalid-parameter")
    await enter(client)
    refused = await client.post("/v1/partners/demo-aid/keys", json={"add": [whpk(raw)]})
    assert problem(refused) == (400, "invalid-parameter")


@pytest.mark.parametrize(
    "raw",
    [
        bytes(32),
        b"\1" + bytes(31),
        bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    ],
)
async def test_nothing_is_sealed_to_a_key_whose_secret_everybody_knows(client: Client, raw: bytes) -> None:
    weak = {**jwk(), "x": base64.urlsafe_b64encode(raw).decode().rstrip("=")}
    refused = await client.post("/v1/partners", json=entry(encryption_key=weak))
    assert problem(refused) == (400, "invalid-parameter")


async def test_nobody_signs_with_the_key_of_another(client: Client) -> None:
    shared = new_hmac_secret()
    await enter(client, verification_keys=[public_key(PRIVATE), shared])
    for taken in (public_key(PRIVATE), shared):
        refused = await client.post("/v1/partners", json=entry(id="other-aid", verification_keys=[taken]))
        assert problem(refused) == (400, "invalid-parameter")
        assert taken not in refused.text
    await enter(client, id="other-aid", verification_keys=[public_key(OTHER_PRIVATE)])
    refused = await client.post("/v1/partners/other-aid/keys", json={"add": [shared]})
    assert problem(refused) == (400, "invalid-parameter")


async def test_a_refusal_repeats_no_kind_that_was_sent(client: Client) -> None:
    refused = await client.post("/v1/partners", json=entry(delivery={"kind": "Ann Doe, p-1"}))
    assert problem(refused) == (400, "invalid-parameter")
    assert "Ann Doe" not in refused.text
    assert "'webhook'" in refused.text


async def test_a_name_is_used_once(client: Client) -> None:
    await enter(client)
    assert problem(await client.post("/v1/partners", json=entry())) == (409, "contradiction")
    assert len((await client.get("/v1/endpoints")).json()["items"]) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "Demo Aid"},
        {"names": {"en": "Only English"}},
        {"names": {"en": "two\nlines", "fr": "x"}},
        {"jurisdictions": ["Ontario"]},
        {"safeguards": {"CA-ON": "promised"}},
        {"capacity_per_hour": 0},
        {"delivery": {"kind": "fax"}},
        {"delivery": {"kind": "webhook", "url": "ftp://aid.example"}},
        {"delivery": {"kind": "webhook", "url": "http://aid.example/plain"}},
        {"links": {"en": "javascript:alert(1)"}},
        {"verification_keys": ["whpk_c2hvcnQ="]},
        {"verification_keys": ["whsk_" + base64.b64encode(bytes(32)).decode()]},
        {"encryption_key": {**jwk(), "d": "AAAA"}},
        {"encryption_key": {**jwk(), "crv": "Ed25519"}},
        {"bank_account": "CA00"},
    ],
)
async def test_what_makes_no_sense_is_refused(client: Client, wrong: dict[str, Any]) -> None:
    response = await client.post("/v1/partners", json=entry(**wrong))
    assert problem(response) == (400, "invalid-parameter")
    assert (await client.get("/v1/partners")).json() == {"items": []}


async def test_changes_leave_the_rest_as_it_was(client: Client) -> None:
    made = await enter(client)
    changed = await client.post(
        "/v1/partners/demo-aid/update",
        json={
            "sla_hours": 24,
            "delivery": made["delivery"] | {"url": "https://aid.example/new", "burst": 99},
        },
    )
    assert changed.status_code == 200
    assert {name for name, value in changed.json().items() if value != made.get(name)} == {
        "sla_hours",
        "delivery",
        "signing_keys",  # shown when an endpoint is opened, and this one was not
    }
    (endpoint,) = (await client.get("/v1/endpoints")).json()["items"]
    assert (endpoint["url"], endpoint["burst"]) == ("https://aid.example/new", 99)


async def test_another_way_of_signing_is_another_endpoint(client: Client) -> None:
    made = await enter(client)
    changed = await client.post(
        "/v1/partners/demo-aid/update", json={"delivery": made["delivery"] | {"signing": "v1"}}
    )
    assert changed.json()["endpoint"] != made["endpoint"]
    assert changed.json()["signing_secret"].startswith("whsec_")
    states = {each["id"]: each["state"] for each in (await client.get("/v1/endpoints")).json()["items"]}
    assert states == {made["endpoint"]: "disabled", changed.json()["endpoint"]: "enabled"}
    gone = await client.post("/v1/partners/demo-aid/update", json={"delivery": {"kind": "slip"}})
    assert problem(gone) == (400, "invalid-parameter")


async def test_a_shared_secret_is_never_shown_again(client: Client, store_url: str, tmp_path: Path) -> None:
    given = new_hmac_secret()
    made = await enter(client, verification_keys=[given, public_key(PRIVATE)])
    changed = await client.post("/v1/partners/demo-aid/keys", json={"new_shared_secret": True})
    secret = changed.json()["shared_secret"]
    assert secret.startswith("whsec_")
    shown = await client.get("/v1/partners/demo-aid")
    for each in (made, shown.json(), (await client.get("/v1/partners")).json()):
        assert given not in str(each)
        assert secret not in str(each)
    kinds = [each["kind"] for each in shown.json()["verification_keys"]]
    assert sorted(kinds) == ["public", "shared", "shared"]
    if store_url.startswith("sqlite"):
        files = b"".join(path.read_bytes() for path in tmp_path.glob("*.db*"))
        assert given.encode() not in files
        assert secret.encode() not in files


async def test_keys_come_and_go(client: Client) -> None:
    made = await enter(client)
    (old,) = made["verification_keys"]
    both = await client.post(
        "/v1/partners/demo-aid/keys",
        json={"add": [public_key(OTHER_PRIVATE)], "encryption_key": jwk(kid="2026")},
    )
    assert both.json()["encryption_key"]["kid"] == "2026"
    after = await client.post("/v1/partners/demo-aid/keys", json={"retire": [old["id"]]})
    retired = {each["id"]: each["retired_at"] is not None for each in after.json()["verification_keys"]}
    assert sorted(retired.values()) == [False, True]
    assert retired[old["id"]]
    again = await client.post("/v1/partners/demo-aid/keys", json={"retire": ["pk_aaaaaaaaaaaaaaaa"]})
    assert problem(again) == (400, "invalid-parameter")
    many = [new_hmac_secret() for _ in range(8)]
    too_many = await client.post("/v1/partners/demo-aid/keys", json={"add": many})
    assert problem(too_many) == (400, "invalid-parameter")
    assert many[0] not in too_many.text


async def test_suspended_and_resumed(client: Client) -> None:
    await enter(client)
    for path, state in (("suspend", "suspended"), ("suspend", "suspended"), ("resume", "active")):
        response = await client.post(f"/v1/partners/demo-aid/{path}")
        assert response.json()["state"] == state
    assert problem(await client.post("/v1/partners/no-such/suspend")) == (404, "unknown-partner")


async def test_the_audit_proves_what_stood_there(valkey: Server, redis: Redis, store_url: str) -> None:
    async with serving(valkey.url, Settings(), database_url=store_url) as client:
        await enter(client)
        await client.post("/v1/partners/demo-aid/suspend")
        audit = client.app.state.partners._audit
        assert await audit.verify() == []


async def test_who_may(client: Client) -> None:
    for role in ("platform", "analyst", "partner"):
        assert (await client.get("/v1/partners", auth=asking(client, role))).status_code == 403
    for role in ("platform", "agent", "analyst", "compliance", "partner"):
        response = await client.post("/v1/partners", json=entry(), auth=asking(client, role))
        assert problem(response) == (403, "forbidden")
