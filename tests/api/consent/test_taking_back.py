"""Taking a consent back, or letting it run out: what waits is not sent, and who holds something is told."""

from __future__ import annotations

import asyncio
import hashlib
import json

import jsonschema
import pytest
from aiohttp import web

from api.consent.tables import Consent
from api.consent.timing import CONSENT_US
from api.referrals.tables import Referral, ReferralStatus
from api.webhooks.tables import Message
from detector.events.instants import rfc3339_ms
from tests.api.consent.asking import PLAYER, Story
from tests.api.consent.test_answering import schema
from tests.api.partners.entries import CONTACT
from tests.api.serving import problem

ROUNDS = 6


async def test_what_waits_is_never_sent(story: Story) -> None:
    await story.enter()
    referral = await story.agree()
    ended = await story.withdraw(referral["consents"][0]["id"])
    assert ended["consent"]["state"] == "withdrawn"
    assert ended["partner_told"] is False
    await story.deliver()
    assert story.receiver.received == []
    (shown,) = (await story.shown())["referrals"]
    assert (shown["state"], shown["message"]) == ("withdrawn", "You have taken this back.")


@pytest.mark.parametrize("delivered", [False, True])
async def test_nothing_is_kept_of_what_was_to_be_sent(story: Story, delivered: bool) -> None:
    await story.enter()
    await story.know()
    prompt = await story.asked(reasons=["money"])
    answer = await story.say(prompt, contact={"phone": "+1 555 010 0123"})
    if delivered:
        await story.deliver()
    kept = [each.body for each in await story.rows(Message) if each.type == "referral.created"]
    assert "sealed_contact" in kept[0]
    await story.withdraw(answer["referral"]["consents"][0]["id"])
    kept = [each.body for each in await story.rows(Message) if each.type == "referral.created"]
    assert kept == ["{}"]


async def test_an_organisation_that_holds_something_is_told(story: Story) -> None:
    await story.enter()
    referral = await story.agree()
    await story.deliver()
    consent = referral["consents"][0]["id"]
    assert (await story.withdraw(consent))["partner_told"] is True
    assert (await story.withdraw(consent))["partner_told"] is False  # it was told once
    await story.deliver()
    (data,) = story.received("referral.withdrawn")
    assert data == {"token": referral["token"], "at": "2026-01-01T12:00:00.000Z"}
    jsonschema.validate(data, schema("referral.withdrawn"))
    late = await story.report(referral["token"], "contacted")
    assert (late["state"], late["moved"]) == ("withdrawn", False)
    assert await story.audited("consent.", "referral.") == [
        "consent.given",
        "consent.refused",
        "referral.made",
        "referral.delivered",
        "consent.withdrawn",
        "referral.withdrawn",
        "referral.reported",
    ]


async def test_one_that_may_have_got_it_without_an_answer_is_told_too(story: Story) -> None:
    await story.enter()
    referral = await story.agree()
    story.receiver.answers = [web.Response(status=500)]
    await story.deliver()
    assert (await story.withdraw(referral["consents"][0]["id"]))["partner_told"] is True
    story.clock.forward(3600)
    await story.deliver()
    assert len(story.received("referral.created")) == 1
    assert len(story.received("referral.withdrawn")) == 1


async def test_it_is_told_even_when_it_has_closed(story: Story) -> None:
    await story.enter()
    referral = await story.agree()
    await story.deliver()
    await story.report(referral["token"], "closed")
    assert (await story.withdraw(referral["consents"][0]["id"]))["partner_told"] is True
    await story.deliver()
    assert len(story.received("referral.withdrawn")) == 1
    assert (await story.referral(referral["token"]))["state"] == "closed"


async def test_one_that_takes_calls_only_by_now_is_told_where_it_got_it(story: Story) -> None:
    made = await story.enter()
    referral = await story.agree()
    await story.deliver()
    changed = await story.client.post(
        "/v1/partners/demo-aid/update", json={"delivery": {"kind": "slip"}, "contact": CONTACT}
    )
    assert changed.json()["endpoint"] is None
    assert (await story.withdraw(referral["consents"][0]["id"]))["partner_told"] is True
    waiting = [each for each in await story.rows(Message) if each.type == "referral.withdrawn"]
    assert [(each.endpoint, each.state) for each in waiting] == [(made["endpoint"], "parked")]


async def test_the_second_consent_alone(story: Story) -> None:
    await story.enter()
    await story.listen("platform")
    referral = await story.agree(outcome=True)
    first, second = referral["consents"]
    await story.deliver()
    await story.report(referral["token"], "contacted")
    await story.withdraw(second["id"])
    seen = await story.referral(referral["token"])
    assert (seen["state"], seen["contacted_at"], seen["outcome_consent"]) == ("acknowledged", None, False)
    assert "contacted" not in str([vars(row) for row in await story.rows(ReferralStatus)])
    told = await story.report(referral["token"], "closed", outcome="in_treatment")
    assert (told["state"], told["outcome"]) == ("closed", False)
    assert "in_treatment" not in await story.everything()
    await story.deliver()
    changed = [each["state"] for each in story.received("referral.changed")]
    assert changed == ["delivered", "contacted"]
    assert story.received("referral.withdrawn") == []
    assert (await story.shown())["referrals"][0]["consents"][0]["id"] == first["id"]


async def test_what_was_said_before_is_answered_again_when_it_is_forgotten(story: Story) -> None:
    await story.enter()
    referral = await story.agree(outcome=True)
    await story.deliver()
    await story.report(referral["token"], "contacted", message="cb-again")
    await story.withdraw(referral["consents"][1]["id"])
    again = await story.report(referral["token"], "contacted", message="cb-again")
    assert (again["state"], again["outcome"]) == ("acknowledged", False)


async def test_what_must_not_be_kept_cannot_be_guessed_from_what_is(story: Story) -> None:
    await story.enter()
    referral = await story.agree()
    await story.deliver()
    said = {"status": "contacted", "at": rfc3339_ms(story.clock())}
    await story.report(referral["token"], "contacted")
    (kept,) = await story.rows(ReferralStatus)
    guess = hashlib.sha256(f"{referral['token']}\n{json.dumps(said)}".encode()).hexdigest()
    assert kept.status is None
    assert kept.fingerprint != guess


async def test_without_the_first_there_is_no_second(story: Story) -> None:
    await story.enter()
    referral = await story.agree(outcome=True)
    await story.withdraw(referral["consents"][0]["id"])
    (shown,) = (await story.shown())["referrals"]
    assert [each["state"] for each in shown["consents"]] == ["withdrawn", "withdrawn"]
    missing = await story.client.post(f"/v1/consents/cs_{'a' * 26}/withdraw")
    assert problem(missing) == (404, "unknown-consent")


async def test_what_runs_out_is_ended_and_told(story: Story) -> None:
    await story.enter()
    delivered = await story.agree("p-1")
    await story.deliver()
    waiting = await story.agree("p-2")
    closed = await story.agree("p-3", outcome=True)
    await story.report(closed["token"], "closed", outcome="advice_given")
    story.clock.now_us += CONSENT_US["help"]
    await story.watch()
    await story.deliver()
    (data,) = story.received("referral.expired")
    assert data["token"] == delivered["token"]
    jsonschema.validate(data, schema("referral.expired"))
    states = {row.token: row.state for row in await story.rows(Referral)}
    assert states == {
        delivered["token"]: "expired",
        waiting["token"]: "expired",
        closed["token"]: "closed",
    }
    assert {row.state for row in await story.rows(Consent)} == {"expired"}
    assert len(story.received("referral.created")) == 1
    assert (await story.withdraw(waiting["consents"][0]["id"]))["consent"]["state"] == "expired"


# Races


@pytest.mark.parametrize("round_", range(ROUNDS))
async def test_two_answers_at_once(story: Story, round_: int) -> None:
    await story.enter()
    await story.know()
    prompt = await story.asked()
    yes, also, no = await asyncio.gather(
        story.try_answer(prompt, contact={"phone": "1"}),
        story.try_answer(prompt, contact={"phone": "1"}),
        story.try_answer(prompt, referral=False),
    )
    assert yes.status_code == also.status_code
    assert {yes.status_code, no.status_code} == {200, 409}
    agreed = yes.status_code == 200
    assert len(await story.rows(Referral)) == len(await story.rows(Message)) == agreed
    assert len(await story.rows(Consent)) == agreed
    if agreed:
        assert yes.json() == also.json()


@pytest.mark.parametrize("round_", range(ROUNDS))
async def test_withdrawing_while_it_is_delivered(story: Story, round_: int) -> None:
    await story.enter()
    made = [await story.agree(f"p-{number}", outcome=True) for number in range(3)]

    async def withdraw(number: int) -> bool:
        await asyncio.sleep(0.004 * round_ * number)
        ended = await story.withdraw(made[number]["consents"][0]["id"])
        assert ended["consent"]["state"] == "withdrawn"
        told: bool = ended["partner_told"]
        return told

    told, _ = await asyncio.gather(asyncio.gather(*map(withdraw, range(3))), story.deliver())
    await story.deliver()
    went = {each["token"] for each in story.received("referral.created")}
    taken_back = {each["token"] for each in story.received("referral.withdrawn")}
    assert went <= taken_back  # whoever got it was told
    assert taken_back == {each["token"] for each, was in zip(made, told, strict=True) if was}
    order = [each.document["type"] for each in story.receiver.received]
    assert len(order) == len(went) + len(taken_back)
    for token in went:
        about = [
            each.document["type"]
            for each in story.receiver.received
            if each.document["data"]["token"] == token
        ]
        assert about == ["referral.created", "referral.withdrawn"]
    assert {row.state for row in await story.rows(Referral)} == {"withdrawn"}
    assert await story.house.ground.audit.verify() == []


@pytest.mark.parametrize("round_", range(ROUNDS))
async def test_withdrawing_both_while_the_organisation_reports(story: Story, round_: int) -> None:
    await story.enter()
    referral = await story.agree(outcome=True)
    await story.deliver()
    first, second = (each["id"] for each in referral["consents"])
    ended, also, called = await asyncio.gather(
        story.withdraw(first), story.withdraw(second), story.call(referral["token"], "contacted")
    )
    assert ended["consent"]["state"] == also["consent"]["state"] == "withdrawn"
    assert called.status_code == 200
    (row,) = await story.rows(Referral)
    assert (row.state, row.outcome_consent, row.contacted_us) == ("withdrawn", None, None)


async def test_answering_and_running_out_at_once(story: Story) -> None:
    await story.enter()
    await story.know()
    prompt = await story.asked()
    answered, _ = await asyncio.gather(story.try_answer(prompt), story.watch())
    assert answered.status_code == 200
    assert (await story.shown(PLAYER))["referrals"] != []
