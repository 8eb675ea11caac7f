"""An answer is kept with the words it was given to; a yes is on its way in the same moment."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import msgspec
import pytest
from joserfc import jwe
from joserfc.jwk import OKPKey

from api.consent.tables import Consent, Prompt
from api.referrals.tables import Referral
from api.webhooks.tables import Message
from tests.api.consent.asking import PLAN, PLAYER, Story
from tests.api.partners.entries import SEALING, jwk, slip
from tests.api.serving import problem
from tests.docs.markdown import ROOT

PHONE, NAME = "+1 416 555 0142", "Canary Name"


def schema(name: str) -> Any:
    return json.loads((ROOT / "docs/protocol" / f"{name}.schema.json").read_bytes())


async def test_a_yes_sends_the_least_there_can_be(story: Story) -> None:
    await story.enter()
    await story.know()
    taken = await story.say(await story.asked(reasons=["money", "play"]))
    referral = taken["referral"]
    assert referral["state"] == "consented"
    assert referral["link"] == "https://aid.example/start"  # at once, before anybody has answered
    assert [(each["asks"], each["state"]) for each in referral["consents"]] == [("referral", "given")]
    await story.deliver()
    (data,) = story.received("referral.created")
    (consent,) = referral["consents"]
    assert data == {
        "token": referral["token"],
        "purpose": "help",
        "consent": {
            "id": consent["id"],
            "text": "referral@1",
            "expires_at": consent["expires_at"],
            "outcome": False,
        },
        "urgency": "routine",
        "reasons": ["money", "play"],
        "contact_by": {"channel": "phone", "language": "en", "window": "evening"},
        "region": "CA-ON",
        "expires_at": "2026-03-02T12:00:00.000Z",
        "reply_url": f"https://tiltwatch.example/v1/referrals/{referral['token']}/status",
    }
    jsonschema.validate(data, schema("referral.created"))
    assert PLAYER not in str(story.receiver.received)


async def test_a_no_is_kept_and_sends_nothing(story: Story) -> None:
    await story.enter()
    await story.know()
    taken = await story.say(await story.asked(), referral=False)
    assert (taken["agreed"], taken["referral"]) == (False, None)
    assert len(taken["signposts"]) == 3
    assert await story.rows(Referral) == await story.rows(Consent) == await story.rows(Message) == []
    (prompt,) = await story.rows(Prompt)
    kept = msgspec.json.decode(prompt.answer)
    assert [each["text"] for each in kept["texts"]] == ["referral@1", "outcome@1"]
    assert await story.audited("consent.") == ["consent.refused"]


async def test_the_same_answer_again_is_the_same_and_another_is_refused(story: Story) -> None:
    await story.enter()
    await story.know()
    prompt = await story.asked()
    contact = {"phone": PHONE}
    first = await story.say(prompt, outcome=True, contact=contact)
    assert await story.say(prompt, outcome=True, contact=contact) == first
    for other in (
        {"outcome": False, "contact": contact},
        {"outcome": True, "contact": {"phone": "+1 416 555 0143"}},
        {"outcome": True},
        {"outcome": True, "contact": contact, "contact_by": PLAN | {"window": "any"}},
        {"referral": False},
    ):
        refused = await story.try_answer(prompt, **other)
        assert problem(refused) == (409, "contradiction")
        assert PHONE not in refused.text
    assert len(await story.rows(Referral)) == 1
    assert len(await story.rows(Message)) == 1


async def test_contact_details_are_for_the_organisation_alone(story: Story) -> None:
    await story.enter(encryption_key=jwk(kid="2026"))
    contact = {"phone": PHONE, "name": NAME}
    taken = await story.agree(contact=contact)
    await story.deliver()
    (data,) = story.received("referral.created")
    private = OKPKey.import_key({**jwk(), "d": _secret()})
    opened = jwe.decrypt_compact(data["sealed_contact"], private, algorithms=["ECDH-ES", "A256GCM"])
    assert json.loads(opened.plaintext or b"") == contact
    jsonschema.validate(contact, schema("sealed-contact"))
    assert opened.protected["kid"] == "2026"
    everything = await story.everything()
    assert PHONE not in everything
    assert NAME not in everything
    receipt = await story.client.get(f"/v1/consents/{taken['consents'][0]['id']}/receipt")
    (purpose,) = receipt.json()["pii_processing"]["purposes"]
    assert {"contact_name", "contact_phone"} <= set(purpose["pii_types"])


def _secret() -> str:
    import base64

    return base64.urlsafe_b64encode(SEALING.private_bytes_raw()).decode().rstrip("=")


async def test_without_a_key_no_contact_details_are_taken(story: Story) -> None:
    await story.enter(encryption_key=None)
    await story.know()
    prompt = await story.asked()
    assert prompt["options"]["contact"] == []
    assert "locked" not in str(prompt["texts"])
    refused = await story.try_answer(prompt, contact={"phone": PHONE})
    assert problem(refused) == (409, "no-sealing-key")
    assert PHONE not in refused.text
    assert (await story.say(prompt))["referral"] is not None


async def test_an_answer_to_other_words_is_not_taken(story: Story) -> None:
    await story.enter()
    await story.know()
    prompt = await story.asked()
    other = await story.client.post(
        "/v1/partners/demo-aid/update", json={"names": {"en": "Demo Aid 2", "fr": "Aide Démo 2"}}
    )
    assert other.status_code == 200
    assert problem(await story.try_answer(prompt)) == (409, "text-changed")
    assert problem(await story.try_answer(prompt, language="fr")) == (409, "text-changed")
    assert problem(await story.try_answer(prompt, texts=story.answer(prompt)["texts"][:1])) == (
        409,
        "text-changed",
    )
    (shown,) = (await story.shown())["items"]
    assert (await story.say(shown))["referral"] is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"contact_by": None},
        {"contact_by": {"channel": "letter"}},
        {"contact_by": {"channel": "telepathy"}},
        {"referral": False, "outcome": True, "contact_by": None},
        {"contact": {}},
        {"contact": {"phone": "1\n2"}},
        {"contact": {"iban": "CA00"}},
        {"texts": []},
    ],
)
async def test_answers_that_make_no_sense(story: Story, wrong: dict[str, Any]) -> None:
    await story.enter()
    await story.know()
    prompt = await story.asked()
    assert problem(await story.try_answer(prompt, **wrong)) == (400, "invalid-parameter")
    assert await story.rows(Consent) == []
    missing = await story.client.post(f"/v1/prompts/pr_{'a' * 26}/answer", json=story.answer(prompt))
    assert problem(missing) == (404, "unknown-prompt")


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"identity": "under_age"}, "under_age"),
        ({"identity": "unverified"}, "identity_unverified"),
    ],
)
async def test_somebody_found_to_be_under_age_meanwhile(
    story: Story, facts: dict[str, Any], reason: str
) -> None:
    await story.enter()
    await story.know()
    prompt = await story.asked()
    await story.know(**facts)
    taken = await story.say(prompt, contact={"phone": PHONE})
    assert (taken["referral"], taken["reason"]) == (None, reason)
    assert len(taken["signposts"]) == 3
    assert await story.rows(Consent) == await story.rows(Referral) == await story.rows(Message) == []
    (row,) = await story.rows(Prompt)
    assert (row.answer, row.sealed) == (None, None)
    assert (await story.shown())["items"] == []


async def test_an_organisation_suspended_meanwhile_gets_nothing(story: Story) -> None:
    await story.enter()
    await story.know()
    prompt = await story.asked()
    await story.client.post("/v1/partners/demo-aid/suspend")
    taken = await story.say(prompt)
    assert (taken["referral"], taken["reason"]) == (None, "no_organisation")
    assert await story.rows(Message) == []


async def test_one_that_is_telephoned_is_sent_nothing(story: Story) -> None:
    await story.enter(**slip())
    await story.know()
    prompt = await story.asked()
    refused = await story.try_answer(prompt)
    assert problem(refused) == (400, "invalid-parameter")
    taken = await story.say(prompt, contact_by=None)
    assert await story.rows(Message) == []
    referral = taken["referral"]
    assert referral["phone"] == "+1 555 010 0199"
    assert referral["message"] == "Call Demo Aid whenever it suits you, and quote the code."
    path = f"/v1/referrals/{referral['token']}/slip"
    told = (await story.client.get(path, params={"language": "fr"})).json()
    assert told["organisation"] == "Aide Démo"
    assert told["code"].replace("-", "") == referral["code"]
    assert told["code"] in told["say"]
    text = await story.client.get(path, headers={"accept": "text/plain"}, auth=story.as_("platform"))
    assert text.headers["content-type"].startswith("text/plain")
    assert "Monday to Friday" in text.text
    for secret in (PLAYER, "routine", referral["token"]):
        assert secret not in text.text


async def test_giving_says_nothing_but_that(story: Story) -> None:
    await story.enter()
    await story.know()
    prompt = await story.asked(purpose="donation", reasons=["money"])
    assert [each["text"] for each in prompt["texts"]] == ["donation@1"]
    assert prompt["reasons"] == []
    for wrong in ({"outcome": True}, {"contact_by": PLAN}):
        assert problem(await story.try_answer(prompt, **wrong)) == (400, "invalid-parameter")
    taken = await story.say(prompt)
    story.receiver.answers = [story_answer({"resource_link": "https://aid.example/give?c=1"})]
    await story.deliver()
    (data,) = story.received("referral.created")
    assert sorted(data) == ["consent", "expires_at", "purpose", "region", "reply_url", "token"]
    assert data["purpose"] == "donation"
    jsonschema.validate(data, schema("referral.created"))
    (shown,) = (await story.shown())["referrals"]
    assert shown["token"] == taken["referral"]["token"]
    assert shown["link"] == "https://aid.example/give?c=1"


def story_answer(answer: dict[str, Any]) -> Any:
    from aiohttp import web

    return web.json_response(answer)


async def test_receipts_prove_what_was_agreed_to(story: Story) -> None:
    await story.enter()
    await story.know(brand="acme")
    prompt = await story.asked()
    taken = await story.say(prompt, outcome=True)
    for consent, question in zip(taken["referral"]["consents"], prompt["texts"], strict=True):
        response = await story.client.get(f"/v1/consents/{consent['id']}/receipt")
        receipt = response.json()
        jsonschema.validate(receipt, schema("consent-receipt"))
        assert receipt["header"]["record_id"] == consent["id"]
        assert receipt["header"]["pii_principal_id"] == story.house.ground.keyring.pseudonym(PLAYER)
        notice = receipt["pii_processing"]["privacy_notice"]
        assert (notice["text"], notice["shown_hash"]) == (question["text"], question["hash"])
        assert [each["event_state"] for each in receipt["events"]] == ["given"]
        assert PLAYER not in response.text
    before = response.content
    await story.withdraw(consent["id"])
    after = await story.client.get(f"/v1/consents/{consent['id']}/receipt", auth=story.as_("compliance"))
    assert [each["event_state"] for each in after.json()["events"]] == ["given", "withdrawn"]
    import hashlib

    audited = await story.everything()
    for each in (before, after.content):
        assert hashlib.sha256(each).hexdigest() in audited
    missing = await story.client.get(f"/v1/consents/cs_{'a' * 26}/receipt")
    assert problem(missing) == (404, "unknown-consent")
