"""What is of no use any more, or is taken back, is not sent."""

from __future__ import annotations

import asyncio

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from api.webhooks.retrying import SECOND_US
from api.webhooks.tables import Message
from detector.events.instants import HOUR_US
from tests.api.webhooks.receiving import House, Receiver, delivering, failing


async def test_what_is_of_no_use_any_more_is_dropped_unsent(house: House, receiver: Receiver) -> None:
    endpoint = await house.open(receiver.url)
    soon = await house.put(endpoint, not_after_us=house.clock() + 10 * SECOND_US)
    receiver.always = failing()
    async with delivering(house) as office:
        await office.rest(house)
        house.clock.forward(10)
        await office.rest(house)
        assert (await house.message(soon)).state == "expired"
    assert len(receiver.received) == 1
    assert await house.audited("delivery.") == ["delivery.expired"]


async def test_what_is_parked_expires_too(house: House, receiver: Receiver) -> None:
    endpoint = await house.open(receiver.url)
    async with house.ground.store.write() as session:
        await house.endpoints.disable(session, endpoint.id, "key:1")
    parked = await house.put(endpoint, not_after_us=house.clock() + HOUR_US)
    async with delivering(house) as office:
        house.clock.forward(3600)
        await office.rest(house)
        await office.rest(house)
    assert (await house.message(parked)).state == "expired"
    assert receiver.received == []


async def test_cancelling_takes_back_what_waits_and_says_what_may_have_gone_out(
    house: House, receiver: Receiver
) -> None:
    endpoint = await house.open(receiver.url)
    receiver.answers = [web.Response(status=500)]
    tried = await house.put(endpoint, subject="referral:tried")
    async with delivering(house) as office:
        await office.rest(house)
        fresh = await house.put(endpoint, subject="referral:fresh")
        kept = await house.put(endpoint, "referral.withdrawn", subject="referral:fresh")
        async with house.ground.store.write() as session:
            assert await house.outbox.cancel(session, "referral:tried", ["referral.created"])
            assert not await house.outbox.cancel(session, "referral:fresh", ["referral.created"])
            assert not await house.outbox.cancel(session, "referral:unknown", ["referral.created"])
        house.clock.forward(60)
        await office.rest(house)
    assert [(await house.message(each)).state for each in (tried, fresh, kept)] == [
        "cancelled",
        "cancelled",
        "delivered",
    ]
    assert [each.id for each in receiver.received] == [tried, kept]


async def test_what_is_taken_back_while_it_is_sent_moves_nothing_when_it_arrives(
    house: House, receiver: Receiver
) -> None:
    endpoint = await house.open(receiver.url)
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        arrived.set()
        await go_on.wait()
        return web.Response(status=200)

    followed: list[str] = []

    async def follow(session: AsyncSession, message: Message, _: bytes) -> None:
        followed.append(message.id)

    receiver.answers = [wait]
    message_id = await house.put(endpoint, subject="referral:1")
    async with delivering(house, on_delivered={"referral.created": follow}) as office:

        async def there() -> bool:
            return arrived.is_set()

        await office.until(there)
        async with house.ground.store.write() as session:
            assert await house.outbox.cancel(session, "referral:1", ["referral.created"])
        go_on.set()
        await office.rest(house)
    assert followed == []
    assert (await house.message(message_id)).state == "cancelled"
    assert await house.outcomes(message_id) == [("delivered", 200)]
