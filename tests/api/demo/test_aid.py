"""The demonstration's aid organisation over real HTTP, in the process it really runs in."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest
from joserfc import jwe
from joserfc.jwk import OKPKey

from api.demo.aid.running import Plan
from api.demo.aid.sealing import ALGORITHMS
from api.demo.aid.signing import SecretSigner, check
from api.demo.neighbour import Neighbour, neighbour
from tests.api.demo.sender import TOKEN, Service, in_business, referral, send, until

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes, yes").decode()


async def states(aid: Neighbour) -> dict[str, str]:
    return {token: each["state"] for token, each in (await aid.look())["referrals"].items()}


async def said(service: Service, count: int) -> list[dict[str, Any]]:
    async def heard() -> list[dict[str, Any]] | None:
        return [body for _, body in service.heard] if len(service.heard) >= count else None

    found: list[dict[str, Any]] = await until(heard)
    return found


async def test_a_referral_is_acknowledged_with_a_status_token_and_a_link_to_help() -> None:
    async with in_business() as (service, aid):
        answer = await send(aid, service.signer, referral())
        assert answer.status_code == 200
        told = answer.json()
        assert told["status"] == "acknowledged"
        assert told["resource_link"].startswith("https://")
        assert 0 < len(told["status_token"]) <= 128
        assert await states(aid) == {TOKEN: "acknowledged"}


async def test_the_same_message_is_acknowledged_again_and_counted_once() -> None:
    async with in_business() as (service, aid):
        first = await send(aid, service.signer, referral(), message_id="msg_1")
        again = await send(aid, service.signer, referral(), message_id="msg_1")
        assert again.json() == first.json()
        assert (await aid.look())["counts"] == {"referral.created": 1, "repeated": 1}


async def test_a_shared_secret_is_as_good_as_a_key() -> None:
    async with in_business(keys=[SECRET]) as (service, aid):
        assert (await send(aid, SecretSigner(SECRET), referral())).status_code == 200
        assert (await send(aid, service.signer, referral())).status_code == 401


async def test_of_several_keys_each_opens_the_door() -> None:
    async with in_business() as (service, aid):
        await aid.practise(keys=[SECRET, service.signer.public])
        assert (await send(aid, service.signer, referral())).status_code == 200
        assert (await send(aid, SecretSigner(SECRET), referral())).status_code == 200


SPOILT: list[dict[str, str]] = [
    {"webhook-signature": "v1a,AAAA"},
    {"webhook-signature": "v1,AAAA"},
    {"webhook-signature": "nonsense"},
    {"webhook-signature": ""},
    {"webhook-timestamp": "1700000000"},
    {"webhook-timestamp": "now"},
    {"webhook-timestamp": "9" * 400},
    {"webhook-id": "msg_of_somebody_else"},
]


async def test_what_is_not_signed_properly_is_refused() -> None:
    async with in_business() as (service, aid):
        await aid.practise(keys=[SECRET, service.signer.public])
        for headers in SPOILT:
            for signer in (service.signer, SecretSigner(SECRET)):
                answer = await send(aid, signer, referral(), headers=headers)
                assert answer.status_code == 401, headers
        assert (await aid.look())["counts"] == {"refused": 2 * len(SPOILT)}
        assert await states(aid) == {}


async def test_what_the_protocol_does_not_name_is_refused() -> None:
    more: list[dict[str, Any]] = [{"player": "p-1"}, {"amount": 5}, {"note": "x"}, {"urgency": "at once"}]
    async with in_business() as (service, aid):
        for each in more:
            assert (await send(aid, service.signer, referral(**each))).status_code == 400, each
        assert (await aid.look())["counts"] == {"not the protocol": len(more)}


async def test_it_says_when_the_player_was_reached_and_when_it_is_done() -> None:
    async with in_business(contact_after_s=0.01, close_after_s=0.01) as (service, aid):
        await send(aid, service.signer, referral(reply_url=service.reply_url()))
        contacted, closed = await said(service, 2)
        assert (contacted["status"], closed["status"]) == ("contacted", "closed")
        assert closed["outcome"] == "advice_given"
        assert "outcome" not in contacted
        assert await states(aid) == {TOKEN: "closed"}


@pytest.mark.parametrize(
    ("finds", "then"),
    [
        ("unreachable", [("unreachable", None, None), ("closed", None, "no_contact")]),
        ("declined", [("declined", "no_capacity", None)]),
    ],
)
async def test_not_everybody_is_reached(finds: str, then: list[tuple[str, str | None, str | None]]) -> None:
    async with in_business(contact_after_s=0.01, close_after_s=0.01, finds=finds) as (service, aid):
        await send(aid, service.signer, referral(reply_url=service.reply_url()))
        heard = await said(service, len(then))
        assert [(each["status"], each.get("reason"), each.get("outcome")) for each in heard] == then


async def test_an_answer_that_was_not_heard_is_said_again_under_its_id() -> None:
    async with in_business(contact_after_s=0.01, close_after_s=None) as (service, aid):
        service.answers = [500, 429, 200]
        await send(aid, service.signer, referral(reply_url=service.reply_url()))
        heard = await said(service, 3)
        assert len({message_id for message_id, _ in service.heard}) == 1
        assert heard[0] == heard[1] == heard[2]


async def test_an_answer_goes_to_the_service_and_nowhere_else() -> None:
    async with in_business(contact_after_s=0.01) as (service, aid):
        elsewhere = service.reply_url().replace("127.0.0.1", "localhost")
        await send(aid, service.signer, referral(reply_url=elsewhere))

        async def unheard() -> bool:
            return bool((await aid.look())["counts"].get("not heard"))

        await until(unheard)
        assert service.heard == []


@pytest.mark.parametrize("how", ["withdrawn", "expired"])
async def test_a_referral_taken_back_is_dropped_with_what_came_with_it(how: str) -> None:
    async with in_business(contact_after_s=0.3) as (service, aid):
        sealed = seal(aid, {"phone": "+1 555 0100"})
        await send(aid, service.signer, referral(reply_url=service.reply_url(), sealed_contact=sealed))
        assert (await aid.look())["referrals"][TOKEN]["contact"] == {"phone": "+1 555 0100"}
        taken_back = {"token": TOKEN, "at": "2026-01-02T00:00:00.000Z"}
        answer = await send(aid, service.signer, taken_back, f"referral.{how}")
        assert answer.status_code == 200
        found = (await aid.look())["referrals"][TOKEN]
        assert (found["state"], found["contact"]) == (how, None)
        # Of another referral, sent later, it speaks; so the one taken back would have been spoken of by now.
        other = "rf_" + "z" * 32
        await send(aid, service.signer, referral(token=other, reply_url=service.reply_url(other)))
        await said(service, 1)
        assert (await states(aid)) == {TOKEN: how, other: "contacted"}
        assert len(service.heard) == 1


def seal(aid: Neighbour, contact: dict[str, str]) -> str:
    key = OKPKey.import_key(aid.where.sealing)
    plain = json.dumps(contact).encode()
    return jwe.encrypt_compact({"alg": "ECDH-ES", "enc": "A256GCM"}, plain, key, algorithms=ALGORITHMS)


async def test_a_contact_sealed_to_somebody_else_is_not_taken() -> None:
    async with in_business() as (service, aid), neighbour(Plan(service=service.url)) as other:
        sealed = seal(other, {"phone": "+1 555 0100"})
        assert (await send(aid, service.signer, referral(sealed_contact=sealed))).status_code == 400


async def test_a_donation_is_taken_without_anybody_to_reach() -> None:
    async with in_business(close_after_s=0.01) as (service, aid):
        gift = referral(purpose="donation", reply_url=service.reply_url())
        for name in ("urgency", "reasons", "contact_by"):
            del gift[name]
        assert (await send(aid, service.signer, gift)).status_code == 200
        (closed,) = await said(service, 1)
        assert (closed["status"], closed["outcome"]) == ("closed", "not_needed")


async def test_the_page_shows_what_a_partner_sees() -> None:
    async with in_business() as (service, aid):
        sealed = seal(aid, {"phone": "+1 555 0100"})
        await send(aid, service.signer, referral(region="<b>", sealed_contact=sealed))
        async with httpx.AsyncClient() as client:
            page = await client.get(aid.where.page)
        for each in (TOKEN, "soon", "money, time", "phone, en, evening", "acknowledged", "sealed to us"):
            assert each in page.text
        assert "555" not in page.text
        assert "<b>" not in page.text
        assert page.headers["content-security-policy"] == "default-src 'none'"


# Moods


async def test_turned_away_with_a_time_to_come_back() -> None:
    async with in_business(mood="429", retry_after_s=7) as (service, aid):
        answer = await send(aid, service.signer, referral())
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
        assert (await aid.look())["counts"] == {"turned away": 1}


@pytest.mark.parametrize(("mood", "status"), [("410", 410), ("500", 500), ("redirect", 307)])
async def test_turned_away(mood: str, status: int) -> None:
    async with in_business(mood=mood) as (service, aid):
        assert (await send(aid, service.signer, referral())).status_code == status
        assert await states(aid) == {}
        await aid.practise(mood="normal")
        assert (await send(aid, service.signer, referral())).status_code == 200


async def test_down_is_not_there_at_all_and_comes_back_at_the_same_address() -> None:
    async with in_business(mood="down") as (service, aid):
        with pytest.raises(httpx.ConnectError):
            await send(aid, service.signer, referral())
        await aid.practise(mood="normal")
        assert (await send(aid, service.signer, referral())).status_code == 200


async def test_slow_has_taken_the_message_when_the_sender_has_given_up() -> None:
    async with in_business(mood="slow", slow_s=60) as (service, aid):
        with pytest.raises(httpx.ReadTimeout):
            await send(aid, service.signer, referral(), message_id="msg_1")
        await aid.practise(mood="normal")
        assert (await send(aid, service.signer, referral(), message_id="msg_1")).status_code == 200
        assert (await aid.look())["counts"] == {"referral.created": 1, "repeated": 1}


async def test_garbage_is_no_json() -> None:
    async with in_business(mood="garbage") as (service, aid):
        answer = await send(aid, service.signer, referral())
        assert answer.status_code == 200
        with pytest.raises(ValueError, match="decode"):
            answer.json()


# The door at the back


async def test_the_control_takes_its_token_alone() -> None:
    async with in_business() as (_, aid), httpx.AsyncClient() as client:
        for told in (b"", b"Bearer", b"Bearer \xe9", b"Bearer " + aid.where.token[:-1].encode()):
            answer = await client.get(aid.where.control, headers={b"authorization": told})
            assert answer.status_code == 401
        assert (await client.get(aid.where.page + "control")).status_code == 404


async def test_a_practice_that_does_not_exist_is_refused() -> None:
    async with in_business() as (_, aid), httpx.AsyncClient() as client:
        told = {"authorization": f"Bearer {aid.where.token}"}
        for body in ("{", "[]", '{"mood": "cheerful"}', '{"moods": "down"}', '{"slow_s": "long"}'):
            answer = await client.post(aid.where.control, content=body, headers=told)
            assert answer.status_code == 400, body


async def test_its_own_answers_can_be_signed_by_the_shared_secret() -> None:
    signer = SecretSigner(SECRET)
    async with neighbour(Plan(service="http://127.0.0.1:1", secret=SECRET)) as aid:
        assert aid.where.signing is None
    headers = signer.headers("cb_1", b"{}")
    assert check([SECRET], headers, b"{}") == "cb_1"
