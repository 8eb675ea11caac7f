"""What is unique to a player is found in no log line, no error, no audit and nothing that is sent out."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import httpx
import pytest
from aiohttp import web
from redis import Redis

from api.audit.tables import AuditRow
from api.webhooks.tables import Message
from detector.drivers.valkey import Server
from tests.api.consent.asking import PLAN, Story, telling

PLAYER, NAME, PHONE, MAIL = "canary-player", "Canary Lastname", "+1 416 555 0177", "canary@mail.example"
MARKS = (PLAYER, NAME, "Lastname", PHONE, MAIL)
CONTACT = {"name": NAME, "phone": PHONE, "email": MAIL}


@pytest.fixture
async def watched(valkey: Server, redis: Redis, store_url: str, log: io.StringIO) -> AsyncIterator[Story]:
    async with telling(valkey, store_url) as each:
        yield each


def silent(response: httpx.Response) -> None:
    assert response.status_code >= 400
    assert not [mark for mark in MARKS if mark in response.text + str(response.headers)]


async def test_a_referral_with_everything_going_wrong(watched: Story, log: io.StringIO) -> None:
    story = watched
    await story.enter()
    await story.listen("desk")
    await story.know(PLAYER)
    prompt = await story.asked(PLAYER, reasons=["money"])

    answer = story.answer(prompt, outcome=True, contact=CONTACT)
    path = f"/v1/prompts/{prompt['id']}/answer"
    for broken in (
        answer | {"contact": CONTACT | {"iban": PHONE}},
        answer | {"contact": {"phone": f"{PHONE}\n"}},
        answer | {"contact_by": PLAN | {"channel": MAIL}},
        answer | {"referral": NAME},
        answer | {"texts": [{"text": NAME, "hash": PHONE}]},
    ):
        response = await story.client.post(path, json=broken)
        if "iban" not in str(broken):
            silent(response)
    silent(await story.client.post(path, content=str(answer)[:-5].encode()))
    silent(await story.client.post("/v1/help", json={"player": PLAYER * 20, "channel": NAME}))
    silent(await story.client.post(f"/v1/consents/{PLAYER}/withdraw"))
    silent(await story.client.get(f"/v1/referrals/{PLAYER}"))

    taken = await story.say(prompt, outcome=True, contact=CONTACT)
    silent(await story.try_answer(prompt, outcome=False, contact=CONTACT))
    answers = [
        web.Response(status=500, text=PLAYER),
        web.Response(status=302, headers={"location": f"https://elsewhere.example/{PLAYER}"}),
        web.Response(status=200, text=f'{{"status": "{PLAYER}"}}'),
    ]

    async def always(_: web.Request) -> web.Response:
        is_first_word = story.receiver.received[-1].document["type"] == "referral.created"
        return answers.pop(0) if is_first_word else web.Response(status=204)

    story.receiver.always = always
    token = taken["referral"]["token"]
    rounds = 0
    while (await story.referral(token))["delivered_at"] is None:
        rounds += 1
        assert rounds < 40
        await story.deliver()
        story.clock.forward(3600)
    assert len(story.received("referral.created")) == 3
    silent(await story.call(token, PLAYER))
    silent(await story.call(token, "contacted", note=PLAYER))
    await story.report(token, "declined", reason="duplicate")
    await story.withdraw(taken["referral"]["consents"][0]["id"])
    await story.deliver()
    assert [each.document["type"] for each in story.receiver.received][-2:] in (
        ["referral.declined", "referral.withdrawn"],
        ["referral.withdrawn", "referral.declined"],
    )

    sent = str([(dict(each.headers), each.body) for each in story.receiver.received])
    kept = str([vars(row) for table in (AuditRow, Message) for row in await story.rows(table)])
    everything = await story.everything()
    for mark in MARKS:
        assert mark not in sent
        assert mark not in kept
        assert mark not in log.getvalue()
    for mark in MARKS[1:]:  # the player's id stands where consents are kept, and nowhere else
        assert mark not in everything
    assert log.getvalue().count('"event": "request"') + log.getvalue().count('"event":"request"') > 10
    slip = await story.client.get(f"/v1/referrals/{token}/slip")
    as_partner = await story.client.get(f"/v1/referrals/{token}", auth=story.as_("partner"))
    for seen in (slip, as_partner):
        assert seen.status_code == 200
        assert not [mark for mark in MARKS if mark in seen.text]
