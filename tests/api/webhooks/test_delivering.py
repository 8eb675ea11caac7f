"""What waits in the outbox arrives, and what comes of it is written."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from api.backoffice.lease import LeaseLost, OfficeLease
from api.webhooks import signatures
from api.webhooks.tables import Message
from tests.api.webhooks.receiving import House, Receiver, delivering


async def test_a_message_arrives_signed_and_as_it_was_put(house: House, receiver: Receiver) -> None:
    endpoint = await house.open(receiver.url, signing="both")
    message_id = await house.put(endpoint)
    house.clock.forward(60)
    async with delivering(house) as office:
        await office.rest(house)
    (received,) = receiver.received
    assert received.document == {
        "type": "referral.created",
        "timestamp": "2026-01-01T12:00:00.000Z",
        "data": {"token": "rf_x"},
    }
    async with house.ground.store.read() as session:
        publics, hmac = await house.endpoints.reveal(session, endpoint.id)
    assert hmac is not None
    for key in (*publics, hmac):
        assert signatures.verify([key], received.headers, received.body, house.clock()) == message_id
    assert (await house.message(message_id)).state == "delivered"
    assert await house.outcomes(message_id) == [("delivered", 204)]
    assert await house.audited("delivery.") == ["delivery.delivered"]


async def test_what_is_rolled_back_is_never_sent(house: House, receiver: Receiver) -> None:
    endpoint = await house.open(receiver.url)

    async def put_and_fail() -> None:
        async with house.ground.store.write() as session:
            await house.outbox.put(session, endpoint.id, "referral.created", {}, subject="referral:1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await put_and_fail()
    async with delivering(house) as office:
        await office.rest(house)
    assert receiver.received == []


async def test_what_follows_a_delivery_is_one_with_it(house: House, receiver: Receiver) -> None:
    endpoint = await house.open(receiver.url)
    receiver.answers = [web.json_response({"status": "acknowledged"}) for _ in range(2)]
    answers: list[bytes] = []

    async def follow(session: AsyncSession, message: Message, answer: bytes) -> None:
        answers.append(answer)
        house.ground.audit.tell(session, "system:test", "referral.acknowledged", message.subject)
        if len(answers) == 1:
            raise RuntimeError

    message_id = await house.put(endpoint)
    async with delivering(house, on_delivered={"referral.created": follow}) as office:
        await office.rest(house)
        assert (await house.message(message_id)).state == "waiting"
        assert await house.audited("referral.") == []
        house.clock.forward(5)
        await office.rest(house)
    assert answers == [b'{"status": "acknowledged"}'] * 2
    assert {each.id for each in receiver.received} == {message_id}
    assert await house.outcomes(message_id) == [("unheeded", 200), ("delivered", 200)]
    assert await house.audited("referral.") == ["referral.acknowledged"]


async def test_an_answer_is_read_to_16_kib_and_no_further(house: House, receiver: Receiver) -> None:
    endpoint = await house.open(receiver.url)
    receiver.answers = [web.Response(body=b"x" * 16_384), web.Response(body=b"x" * 5_000_000)]
    answers: list[bytes] = []

    async def follow(session: AsyncSession, message: Message, answer: bytes) -> None:
        answers.append(answer)

    async with delivering(house, on_delivered={"referral.created": follow}) as office:
        for _ in range(2):
            await house.put(endpoint)
            await office.rest(house)
    assert answers == [b"x" * 16_384, b""]


async def test_two_messages_of_one_subject_never_overtake_each_other(
    house: House, receiver: Receiver
) -> None:
    endpoint = await house.open(receiver.url)
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def wait(request: web.Request) -> web.Response:
        arrived.set()
        await go_on.wait()
        return web.Response(status=204)

    receiver.answers = [wait]
    first = await house.put(endpoint, subject="referral:1")
    async with delivering(house) as office:

        async def one_is_there() -> bool:
            return arrived.is_set()

        await office.until(one_is_there)
        second = await house.put(endpoint, "referral.withdrawn", subject="referral:1")
        other = await house.put(endpoint, subject="referral:2")

        async def the_other_is_there() -> bool:
            return len(receiver.received) == 2

        await office.until(the_other_is_there)
        go_on.set()
        await office.rest(house)
    assert [each.id for each in receiver.received] == [first, other, second]


async def test_what_was_being_sent_when_an_office_ended_is_sent_again_under_its_id(
    house: House, receiver: Receiver
) -> None:
    endpoint = await house.open(receiver.url)
    message_id = await house.put(endpoint)
    async with house.ground.store.write() as session:
        row = await session.get(Message, message_id)
        assert row is not None
        row.state, row.attempts = "sending", 1  # as kill -9 leaves it
    async with delivering(house) as office:
        await office.rest(house)
    assert [each.id for each in receiver.received] == [message_id]
    assert await house.outcomes(message_id) == [("unknown", None), ("delivered", 204)]


async def test_who_lost_the_lease_writes_nothing_and_sends_nothing(house: House, receiver: Receiver) -> None:
    endpoint = await house.open(receiver.url)
    async with delivering(house) as office:
        await office.rest(house)
        house.clock.now_us *= 2  # the lease has long run out
        assert await OfficeLease(house.ground.store, house.clock, 5_000_000).take()
        message_id = await house.put(endpoint)
        with pytest.raises(LeaseLost):
            await office.rest(house)
    assert receiver.received == []
    assert (await house.message(message_id)).state == "waiting"


async def test_a_lease_that_ran_out_sends_nothing_although_nobody_took_it(
    house: House, receiver: Receiver
) -> None:
    endpoint = await house.open(receiver.url)
    message_id = await house.put(endpoint)
    async with delivering(house) as office:
        house.clock.now_us *= 2

        async def looked() -> bool:
            return True

        for _ in range(20):
            await office.until(looked)
        assert receiver.received == []
        assert await house.outcomes(message_id) == []
        assert await office.duty._lease.take()
        await office.rest(house)
    assert [each.id for each in receiver.received] == [message_id]
