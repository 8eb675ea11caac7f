"""Our code makes and takes what the vectors of the partner protocol have."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from joserfc import jwe
from joserfc.jwk import OKPKey
from redis import Redis

from api.consent.sealing import seal
from api.partners.schemas import EncryptionKey
from api.referrals.tables import Referral
from api.webhooks.signatures import NotVerified, verify
from detector.drivers.valkey import Server
from tests.api.consent.asking import Story, telling
from tests.contract.partner_vectors import AT_S, FOLDER, TOKEN, vectors

KEPT: dict[str, Any] = {path.name: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")}


@pytest.fixture
async def story(valkey: Server, redis: Redis, store_url: str) -> AsyncIterator[Story]:
    async with telling(valkey, store_url) as each:
        yield each


def without_chance(found: dict[str, Any]) -> dict[str, Any]:
    """All but what is sealed, which is new each time."""
    messages = [each for each in found["messages.json"]["messages"] if "sealed_contact" not in each["body"]]
    sealed = {name: value for name, value in found["sealed_contact.json"].items() if name != "sealed_contact"}
    return {
        **found,
        "messages.json": {**found["messages.json"], "messages": messages},
        "sealed_contact.json": sealed,
    }


def test_they_are_as_the_code_makes_them() -> None:
    assert without_chance(vectors()) == without_chance(KEPT), "python -m tests.contract.partner_vectors"
    assert len(KEPT["messages.json"]["messages"]) == 6


def test_messages_are_verified() -> None:
    kept = KEPT["messages.json"]
    for each in kept["messages"]:
        for scheme, signature in each["webhook-signature"].items():
            headers = each["headers"] | {"webhook-signature": signature}
            for key in (kept["verify_with"]["v1a"][0], kept["verify_with"]["v1"][0]):
                if scheme in ("both", "in rotation") or key.startswith("whsec_") == (scheme == "v1"):
                    found = verify([key], headers, each["body"].encode(), AT_S * 1_000_000)
                    assert found == each["headers"]["webhook-id"]
                else:
                    with pytest.raises(NotVerified):
                        verify([key], headers, each["body"].encode(), AT_S * 1_000_000)


def test_what_we_seal_is_opened_with_the_key() -> None:
    kept = KEPT["sealed_contact.json"]
    sealed = seal(kept["contact"], EncryptionKey.model_validate(kept["public"]))
    opened = jwe.decrypt_compact(
        sealed, OKPKey.import_key(kept["private"]), algorithms=["ECDH-ES", "A256GCM"]
    )
    assert json.loads(opened.plaintext or b"") == kept["contact"]


@pytest.mark.parametrize("scheme", ["v1a", "v1"])
async def test_callbacks_are_taken_in(story: Story, scheme: str) -> None:
    assert story.clock() == AT_S * 1_000_000
    kept = KEPT["callbacks.json"]
    await story.enter(verification_keys=[kept["registered"][scheme]])
    await story.agree(outcome=True)
    async with story.house.ground.store.write() as session:
        (row,) = await story.rows(Referral)
        row = await session.merge(row)
        row.token = TOKEN
    states = []
    for each in kept["callbacks"]:
        headers = each["headers"] | {"webhook-signature": each["webhook-signature"][scheme]}
        response = await story.client.post(each["path"], content=each["body"].encode(), headers=headers)
        states.append((response.status_code, response.json().get("state")))
    # Declined after contacted is neither before nor after it.
    assert states == [
        (200, "acknowledged"),
        (200, "contacted"),
        (200, "contacted"),
        (409, None),
        (200, "closed"),
    ]
