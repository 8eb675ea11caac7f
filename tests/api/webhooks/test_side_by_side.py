"""What goes wrong with one endpoint or message holds up no other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import delete

from api.webhooks.tables import Attempt
from tests.api.webhooks.receiving import House, Receiver, delivering, options


@pytest.mark.parametrize(
    "header",
    [
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2026 99999999999999999999:00:00 GMT",
        "Mon, 01 Jan 2026 00:00:00 +99999999999999999999",
        "9" * 5000,
    ],
)
async def test_no_retry_after_keeps_others_messages_from_being_settled(
    house: House, receiver: Receiver, header: str
) -> None:
    hostile = await house.put(await house.open(receiver.url))
    receiver.answers = [web.Response(status=503, headers={"retry-after": header})]
    async with delivering(house) as office:
        await office.rest(house)
        other = await house.put(await house.open(receiver.url + "/other", owner_id="other-aid"))
        await office.rest(house)
    assert (await house.message(other)).state == "delivered"
    assert await house.outcomes(hostile) == [("refused", 503)]


async def test_a_slow_endpoint_does_not_hold_up_others(house: House, receiver: Receiver) -> None:
    slow, quick = await house.open(receiver.url + "/slow"), await house.open(receiver.url + "/quick")
    go_on = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        if request.path.endswith("slow"):
            await go_on.wait()
        return web.Response(status=204)

    receiver.always = answer
    for _ in range(150):
        await house.put(slow)
    waiting = [await house.put(quick) for _ in range(5)]

    async def quick_ones_are_delivered() -> bool:
        return {(await house.message(each)).state for each in waiting} == {"delivered"}

    async with delivering(house, options(most_in_flight=40)) as office:
        await office.until(quick_ones_are_delivered)
        assert not go_on.is_set()
        go_on.set()
        await office.rest(house)
    assert len({each.id for each in receiver.received}) == 155


async def test_what_cannot_be_written_holds_up_nobody_else_and_is_written_later(
    house: House, receiver: Receiver
) -> None:
    endpoint = await house.open(receiver.url)
    messages = [await house.put(endpoint) for _ in range(12)]
    bad = messages[5]
    in_the_way: dict[str, Any] = {"message": bad, "number": 1, "at_us": 0, "outcome": "unknown"}
    async with house.ground.store.write() as session:
        session.add(Attempt(**in_the_way, status=None, milliseconds=0))
    all_in = asyncio.Event()

    async def together(_: web.Request) -> web.Response:
        if len(receiver.received) == len(messages):
            all_in.set()
        await all_in.wait()
        return web.Response(status=204)

    receiver.always = together

    async def state(message_id: str) -> str:
        return (await house.message(message_id)).state

    async def others_are_there() -> bool:
        return {await state(each) for each in messages if each != bad} == {"delivered"}

    made = options(gather_s=0.02, settle_again_us=20_000)
    async with delivering(house, made) as office:
        await office.until(others_are_there)
        assert await state(bad) == "sending"
        # Its slot is free, and later ones are settled beside it.
        receiver.always = None
        later = await house.put(endpoint)

        async def later_is_there() -> bool:
            return await state(later) == "delivered"

        await office.until(later_is_there)
        assert await state(bad) == "sending"
        async with house.ground.store.write() as session:
            await session.execute(delete(Attempt).where(Attempt.message == bad))

        async def it_is_there() -> bool:
            return await state(bad) == "delivered"

        await office.until(it_is_there)
        assert {lane.under_way for lane in office.duty._lanes.values()} == {0}
    assert len(receiver.received) == len(messages) + 1, "nothing was sent twice"
    assert await house.outcomes(bad) == [("delivered", 204)]
    assert (await house.audited("delivery.")) == ["delivery.delivered"] * 13
