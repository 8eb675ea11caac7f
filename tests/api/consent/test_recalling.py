"""What was agreed to and must not be: found out while it waits, on its way, or once it is there."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import jsonschema
import pytest
from aiohttp import web

from api.consent.tables import Consent, Prompt
from api.referrals.tables import Referral
from api.webhooks.tables import Message
from tests.api.consent.asking import PLAYER, Story
from tests.api.consent.test_answering import schema
from tests.api.partners.entries import slip
from tests.api.serving import problem

ROUNDS = 6


async def receipt(story: Story, consent: str) -> Any:
    response = await story.client.get(f"/v1/consents/{consent}/receipt")
    assert response.status_code == 200
    jsonschema.validate(response.json(), schema("consent-receipt"))
    return response.json()


async def test_of_somebody_under_age_nothing_leaves_though_they_said_yes(story: Story) -> None:
    await story.enter()
    referral = await story.agree(outcome=True)
    await story.know(identity="under_age")
    await story.deliver()  # nobody has taken it back yet
    assert story.receiver.received == []
    await story.watch()
    story.clock.forward(3600)
    await story.deliver()
    assert story.receiver.received == []
    shown = await story.shown()
    (seen,) = shown["referrals"]
    assert seen["state"] == "withdrawn"
    assert seen["message"] == "This goes no further. There is other help below, at any time."
    assert shown["signposts"]
    assert [each["state"] for each in seen["consents"]] == ["invalidated", "invalidated"]
    (message,) = [each for each in await story.rows(Message) if each.type == "referral.created"]
    assert message.state == "cancelled"
    last = (await receipt(story, referral["consents"][0]["id"]))["events"][-1]
    assert (last["event_state"], last["event_type"]) == ("invalidated", "automatic")
    assert await story.audited("consent.i", "referral.w", "delivery.") == [
        "consent.invalidated",
        "consent.invalidated",
        "referral.withdrawn",
    ]


async def test_an_organisation_that_got_it_before_is_told(story: Story) -> None:
    await story.enter()
    referral = await story.agree()
    await story.deliver()
    await story.know(identity="under_age")
    await story.watch()
    await story.watch()
    await story.deliver()
    assert [each["token"] for each in story.received("referral.withdrawn")] == [referral["token"]]
    assert len(story.received("referral.created")) == 1


async def test_an_organisation_that_may_have_got_it_is_told_and_not_sent_it_again(story: Story) -> None:
    await story.enter()
    await story.agree()
    story.receiver.answers = [web.Response(status=500)]
    await story.deliver()
    await story.know(identity="under_age")
    story.clock.forward(3600)
    await story.deliver()
    await story.watch()
    await story.deliver()
    assert [each.document["type"] for each in story.receiver.received] == [
        "referral.created",
        "referral.withdrawn",
    ]


async def test_what_failed_is_not_replayed_either(story: Story) -> None:
    await story.enter()
    await story.agree()
    await story.know(identity="under_age")
    await story.watch()
    (message,) = [each for each in await story.rows(Message) if each.type == "referral.created"]
    replayed = await story.client.post(f"/v1/deliveries/{message.id}/replay")
    assert problem(replayed) == (409, "contradiction")


async def test_whose_identity_is_in_doubt_waits_until_it_is_not(story: Story) -> None:
    await story.enter()
    await story.agree()
    await story.know(identity="unverified")
    for _ in range(3):
        await story.deliver()
        await story.watch()
        story.clock.forward(61)
    assert story.receiver.received == []
    await story.know(identity="verified")
    await story.deliver()
    assert len(story.received("referral.created")) == 1


async def test_it_waits_too_where_nothing_protects_it_any_more(story: Story) -> None:
    await story.enter()
    await story.agree()
    moved = await story.client.post("/v1/partners/demo-aid/update", json={"location": "US"})
    assert moved.status_code == 200
    await story.deliver()
    assert story.receiver.received == []
    safe = {"safeguards": {"CA-ON": "contract"}}
    assert (await story.client.post("/v1/partners/demo-aid/update", json=safe)).status_code == 200
    story.clock.forward(61)
    await story.deliver()
    assert len(story.received("referral.created")) == 1


async def test_a_code_opens_nothing_any_more(story: Story) -> None:
    response = await story.client.post("/v1/partners", json=slip())
    assert response.status_code == 201
    await story.know()
    taken = await story.say(await story.asked(), contact_by=None)
    assert taken["referral"]["state"] == "delivered"
    await story.know(identity="under_age")
    await story.watch()
    (row,) = await story.rows(Referral)
    assert (row.state, row.open_code) == ("withdrawn", None)


async def test_a_question_to_somebody_under_age_is_taken_away(story: Story) -> None:
    await story.enter()
    await story.listen("platform")
    await story.know()
    prompt = await story.asked()
    await story.know("p-2")
    other = await story.asked("p-2")
    await story.know(identity="under_age")
    await story.watch()
    assert (await story.shown())["items"] == []
    assert [each["id"] for each in (await story.shown("p-2"))["items"]] == [other["id"]]
    assert problem(await story.try_answer(prompt)) == (409, "prompt-closed")
    await story.deliver()
    assert [each["prompt"] for each in story.received("prompt.expired")] == [prompt["id"]]


@pytest.mark.parametrize("first", ["answer", "news"])
async def test_however_the_yes_the_news_and_the_sending_fall_together(story: Story, first: str) -> None:
    await story.enter()
    for number in range(ROUNDS):
        player = f"p-{number}"
        await story.know(player)
        prompt = await story.asked(player)
        both = [story.try_answer(prompt), story.know(player, identity="under_age")]
        async with story.office() as office:
            await asyncio.gather(*(both if first == "answer" else reversed(both)), office.rest(story.house))
            await asyncio.gather(office.rest(story.house), story.recall())
            await office.rest(story.house)
    made = {each["token"] for each in story.received("referral.created")}
    taken_back = {each["token"] for each in story.received("referral.withdrawn")}
    assert made <= taken_back
    assert {each.state for each in await story.rows(Consent)} <= {"invalidated"}
    assert not {each.state for each in await story.rows(Prompt)} & {"open"}
    waiting = [each for each in await story.rows(Message) if each.state in ("waiting", "sending", "parked")]
    assert waiting == []
    assert PLAYER not in json.dumps([each.document for each in story.receiver.received])
