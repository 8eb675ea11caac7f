"""What organisations say of referrals: signed, once, in whatever order."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web
from redis import Redis

from api.access.roles import Role
from api.referrals.tables import Referral, ReferralStatus
from api.webhooks.signatures import new_hmac_secret, public_key
from detector.drivers.valkey import Server
from tests.api.consent.asking import PLAYER, Story, telling
from tests.api.partners.entries import OTHER_PRIVATE, PRIVATE, signed, slip
from tests.api.serving import problem
from tests.api.webhooks.receiving import Office

NOT_AGENTS: tuple[Role, ...] = ("platform", "compliance", "admin", "partner")


async def test_from_yes_to_closed(story: Story) -> None:
    await story.enter()
    await story.listen("platform")
    referral = await story.agree(outcome=True)
    told = {"status": "acknowledged", "status_token": "s-1", "resource_link": "https://aid.example/for-you"}
    story.receiver.answers = [web.json_response(told)]
    async with story.office() as office:
        await office.rest(story.house)
    (shown,) = (await story.shown())["referrals"]
    assert (shown["state"], shown["link"]) == ("acknowledged", "https://aid.example/for-you")
    assert shown["message"] == "We have contacted Demo Aid, and they have got it."
    story.clock.forward(1)
    assert (await story.report(referral["token"], "contacted"))["moved"] is True
    story.clock.forward(1)
    await story.report(referral["token"], "closed", outcome="advice_given")
    (shown,) = (await story.shown(language="fr"))["referrals"]
    assert (shown["state"], shown["message"]) == ("closed", "Aide Démo a donné des conseils.")
    await story.deliver()
    changed = story.received("referral.changed")
    assert changed == [
        {"player": PLAYER, "referral": referral["token"], "state": state}
        for state in ("acknowledged", "contacted", "closed")
    ]
    row = await story.referral(referral["token"])
    assert row["player"] == PLAYER
    assert (row["outcome"], row["ended_at"]) == ("advice_given", "2026-01-01T12:00:02.000Z")


async def test_without_the_second_consent_nothing_is_heard_of_the_outcome(story: Story) -> None:
    await story.enter()
    await story.listen("platform")
    referral = await story.agree()
    await story.deliver()
    contacted = await story.report(referral["token"], "contacted")
    assert (contacted["state"], contacted["moved"], contacted["outcome"]) == ("acknowledged", True, False)
    await story.report(referral["token"], "closed", outcome="in_treatment")
    row = await story.referral(referral["token"])
    assert (row["state"], row["outcome"], row["contacted_at"]) == ("closed", None, None)
    await story.deliver()
    assert story.received("referral.changed") == []
    kept = str([vars(each) for each in await story.rows(ReferralStatus)])
    assert "contacted" not in kept
    assert "in_treatment" not in kept


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=204),
        web.Response(body=b"\xff\xfe not json"),
        web.Response(body=b'{"status": ' + b"[" * 5000),
        web.json_response({"status": "maybe"}),
        web.json_response({"status": "acknowledged", "resource_link": "javascript:alert(1)"}),
        web.json_response({"status": "acknowledged", "resource_link": "https://aid.example/\n"}),
        web.json_response({"status": "acknowledged", "status_token": "x" * 129}),
    ],
    ids=["none", "bytes", "deep", "status", "link", "line", "token"],
)
async def test_what_is_no_answer_counts_as_none(story: Story, answer: web.Response) -> None:
    await story.enter()
    referral = await story.agree()
    story.receiver.answers = [web.Response(body=answer.body, status=answer.status)]
    await story.deliver()
    row = await story.referral(referral["token"])
    assert (row["state"], row["resource_link"]) == ("delivered", None)
    assert row["due_at"] == "2026-01-03T12:00:00.000Z"
    (shown,) = (await story.shown())["referrals"]
    assert shown["message"] == "We have contacted Demo Aid."
    assert shown["link"] == "https://aid.example/start"


async def test_a_call_before_the_delivery_is_known_implies_it(story: Story) -> None:
    await story.enter()
    referral = await story.agree()
    assert (await story.report(referral["token"], "acknowledged"))["state"] == "acknowledged"
    await story.deliver()
    row = await story.referral(referral["token"])
    assert (row["state"], row["is_overdue"]) == ("acknowledged", False)


async def test_calls_that_overtake_one_another(story: Story) -> None:
    await story.enter()
    referral = await story.agree(outcome=True)
    await story.report(referral["token"], "closed", outcome="in_treatment", at="2026-01-01T11:30:00Z")
    for status, at in (("contacted", "11:20:00"), ("acknowledged", "11:10:00")):
        told = await story.report(referral["token"], status, at=f"2026-01-01T{at}Z")
        assert (told["state"], told["moved"]) == ("closed", False)
    said = [(row.status, row.moved) for row in await story.rows(ReferralStatus)]
    assert sorted(said) == [("acknowledged", False), ("closed", True), ("contacted", False)]


async def test_what_cannot_be_both_is_refused_unless_it_is_older(story: Story) -> None:
    await story.enter()
    referral = await story.agree(outcome=True)
    await story.report(referral["token"], "contacted", at="2026-01-01T11:30:00Z")
    said = {"reason": "no_capacity"}
    refused = await story.call(referral["token"], "declined", at="2026-01-01T11:40:00Z", **said)
    assert problem(refused) == (409, "contradiction")
    told = await story.report(referral["token"], "declined", at="2026-01-01T11:20:00Z", **said)
    assert (told["state"], told["moved"]) == ("contacted", False)


async def test_the_same_message_counts_once(story: Story) -> None:
    await story.enter()
    referral, other = await story.agree("p-1", outcome=True), await story.agree("p-2")
    first = await story.call(referral["token"], "contacted", "cb_same")
    again = await story.call(referral["token"], "contacted", "cb_same")
    assert first.content == again.content
    assert len(await story.rows(ReferralStatus)) == 1
    later = await story.call(referral["token"], "unreachable", "cb_same")
    elsewhere = await story.call(other["token"], "contacted", "cb_same")
    assert problem(later) == problem(elsewhere) == (422, "message-reused")
    assert (await story.referral(referral["token"]))["state"] == "contacted"
    many = await asyncio.gather(*(story.call(other["token"], "contacted", "cb_many") for _ in range(5)))
    assert {(each.status_code, each.content) for each in many} == {(200, many[0].content)}
    assert len(await story.rows(ReferralStatus)) == 2


class TestWhoMayCall:
    async def test_an_unknown_token_looks_like_somebody_elses(self, story: Story) -> None:
        await story.enter()
        await story.enter(id="other-aid", verification_keys=[public_key(OTHER_PRIVATE)], capacity_per_hour=1)
        referral = await story.agree()
        assert referral["partner"]["id"] == "demo-aid"
        unknown = await story.call("rf_" + "a" * 32, "contacted")
        elses = await story.call(referral["token"], "contacted", key=OTHER_PRIVATE)
        assert problem(unknown) == problem(elses) == (404, "unknown-referral")
        assert unknown.content == elses.content

    async def test_a_bad_signature(self, story: Story) -> None:
        await story.enter()
        referral = await story.agree()
        body = json.dumps({"status": "contacted", "at": "2026-01-01T12:00:00Z"}).encode()
        good = signed(body, "cb_x", story.clock())
        for headers, sent in (
            ({}, body),
            (good, body + b" "),
            (good | {"webhook-id": "cb_y"}, body),
            (good | {"webhook-signature": "v1a,AAAA"}, body),
            (good | {"webhook-signature": "v1a,%%% v1, v2,AAAA ,"}, body),
            (good | {"webhook-timestamp": "-1"}, body),
            (signed(body, "cb_x", story.clock() - 301_000_000), body),
            (signed(body, "cb_x", story.clock() + 301_000_000), body),
            (signed(body, "cb_x", story.clock(), OTHER_PRIVATE), body),
        ):
            for token in (referral["token"], "rf_" + "a" * 32):
                response = await story.client.post(
                    f"/v1/referrals/{token}/status", content=sent, headers=headers
                )
                assert problem(response) == (401, "bad-signature")
        assert (await story.referral(referral["token"]))["state"] == "consented"

    async def test_a_shared_secret_and_keys_in_rotation(self, story: Story) -> None:
        shared = new_hmac_secret()
        made = await story.enter(verification_keys=[shared, public_key(PRIVATE)])
        referral = await story.agree(outcome=True)
        assert (await story.call(referral["token"], "acknowledged", key=shared)).status_code == 200
        assert (await story.call(referral["token"], "contacted")).status_code == 200
        old = [each["id"] for each in made["verification_keys"]]
        changes = {"retire": old, "add": [public_key(OTHER_PRIVATE)]}
        assert (await story.client.post("/v1/partners/demo-aid/keys", json=changes)).status_code == 200
        for key in (shared, PRIVATE):
            gone = await story.call(referral["token"], "closed", key=key, outcome="not_needed")
            assert problem(gone) == (401, "bad-signature")
        new = await story.call(referral["token"], "closed", key=OTHER_PRIVATE, outcome="not_needed")
        assert new.status_code == 200


async def test_strangers_are_counted(valkey: Server, redis: Redis, store_url: str) -> None:
    async with telling(valkey, store_url, request_limits={"strangers": "5/hour"}) as story:
        await story.enter()
        token = "rf_" + "a" * 32
        answers = [
            (await story.client.post(f"/v1/referrals/{token}/status", content=b"{}")).status_code
            for _ in range(7)
        ]
        assert answers == [401] * 5 + [429] * 2
        referral = await story.agree()
        assert (await story.call(referral["token"], "acknowledged")).status_code == 200


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"status": "lost"}, "status"),
        ({"status": "contacted", "at": "yesterday"}, "at"),
        ({"status": "contacted", "at": "2026-01-01T12:00:00"}, "at"),
        ({"status": "contacted", "at": "2026-01-01T12:06:00Z"}, "at"),
        ({"status": "declined"}, "reason"),
        ({"status": "declined", "reason": "did not like them"}, "reason"),
        ({"status": "contacted", "reason": "other"}, "reason"),
        ({"status": "closed"}, "outcome"),
        ({"status": "contacted", "outcome": "in_treatment"}, "outcome"),
        ({"status": "contacted", "resource_link": "http://aid.example"}, "resource_link"),
        ({"status": "contacted", "note": "p-1 is well"}, "body"),
        ([], "body"),
    ],
)
async def test_calls_that_make_no_sense(story: Story, said: Any, name: str) -> None:
    await story.enter()
    referral = await story.agree(outcome=True)
    if isinstance(said, dict):
        said = {"at": "2026-01-01T12:00:00Z"} | said
    body = json.dumps(said).encode()
    response = await story.client.post(
        f"/v1/referrals/{referral['token']}/status",
        content=body,
        headers=signed(body, "cb_1", story.clock()),
    )
    assert problem(response) == (400, "invalid-parameter")
    assert [each["name"] for each in response.json()["parameters"]] == [name]
    assert "p-1" not in response.text
    garbage = await story.client.post(
        f"/v1/referrals/{referral['token']}/status",
        content=b"{",
        headers=signed(b"{", "cb_2", story.clock()),
    )
    assert problem(garbage) == (400, "malformed-body")


async def test_agents_are_told_once_of_what_nobody_acknowledged(story: Story) -> None:
    await story.enter(sla_hours=24)
    await story.listen()
    late, early = await story.agree("p-1"), await story.agree("p-2")
    await story.deliver()
    await story.report(early["token"], "acknowledged")
    story.clock.forward(24 * 3600 - 1)
    await story.watch()
    await story.deliver()
    assert story.received("referral.overdue") == []
    story.clock.forward(1)
    for _ in range(2):
        await story.watch()
        await story.deliver()
    (told,) = story.received("referral.overdue")
    assert told == {
        "referral": late["token"],
        "partner": "demo-aid",
        "due_at": "2026-01-02T12:00:00.000Z",
    }
    assert (await story.referral(late["token"]))["is_overdue"] is True
    await story.report(late["token"], "acknowledged")
    assert (await story.referral(late["token"]))["is_overdue"] is False


async def test_agents_are_told_of_what_is_declined(story: Story) -> None:
    await story.enter()
    await story.listen()
    referral = await story.agree()
    await story.report(referral["token"], "declined", reason="no_capacity")
    await story.deliver()
    assert story.received("referral.declined") == [
        {"referral": referral["token"], "partner": "demo-aid", "reason": "no_capacity"}
    ]
    (shown,) = (await story.shown())["referrals"]
    assert shown["message"].startswith("Demo Aid cannot take this on")


async def test_what_cannot_be_delivered(story: Story) -> None:
    await story.enter()
    referral = await story.agree()

    async def down(_: web.Request) -> web.Response:
        return web.Response(status=500)

    story.receiver.always = down

    async def given_up(office: Office) -> bool:
        await office.rest(story.house)
        story.clock.forward(6 * 3600)
        return (await story.referral(referral["token"]))["undelivered_at"] is not None

    async with story.office() as office:
        for _ in range(60):
            if await given_up(office):
                break
    (shown,) = (await story.shown())["referrals"]
    assert shown["state"] == "consented"
    assert shown["message"].startswith("We have not got through to Demo Aid yet.")
    assert (await story.withdraw(referral["consents"][0]["id"]))["partner_told"] is True


class TestBySlip:
    async def test_agents_record_what_they_are_told(self, story: Story) -> None:
        await story.enter(**slip())
        await story.know()
        taken = await story.say(await story.asked(), contact_by=None, outcome=True)
        token = taken["referral"]["token"]
        at = "2026-01-01T12:00:00Z"
        path = f"/v1/referrals/{token}/record"
        for said, state in (
            ({"status": "contacted", "at": at}, "contacted"),
            ({"status": "acknowledged", "at": at}, "contacted"),
            ({"status": "closed", "at": at, "outcome": "advice_given"}, "closed"),
        ):
            response = await story.client.post(path, json=said)
            assert (response.status_code, response.json()["state"]) == (200, state)
        assert response.json()["outcome"] == "advice_given"
        assert problem(await story.client.post(path, json={"status": "closed"})) == (400, "invalid-parameter")
        for role in NOT_AGENTS:
            refused = await story.client.post(
                path,
                json=said,
                auth=story.as_(role),
            )
            assert problem(refused) == (403, "forbidden")

    async def test_who_reports_by_itself_is_not_reported_for(self, story: Story) -> None:
        await story.enter()
        referral = await story.agree()
        response = await story.client.post(
            f"/v1/referrals/{referral['token']}/record",
            json={"status": "acknowledged", "at": "2026-01-01T12:00:00Z"},
        )
        assert problem(response) == (409, "reports-itself")

    async def test_nothing_is_overdue_that_nobody_has_to_acknowledge(self, story: Story) -> None:
        await story.enter(**slip())
        await story.listen()
        await story.know()
        await story.say(await story.asked(), contact_by=None)
        story.clock.forward(20 * 86_400)
        await story.watch()
        await story.deliver()
        assert story.received("referral.overdue") == []


async def test_codes_are_free_again_when_a_referral_has_ended(story: Story) -> None:
    await story.enter()
    referral = await story.agree()
    (row,) = await story.rows(Referral)
    assert row.open_code == row.code == referral["code"]
    await story.withdraw(referral["consents"][0]["id"])
    (row,) = await story.rows(Referral)
    assert (row.open_code, row.code) == (None, referral["code"])
