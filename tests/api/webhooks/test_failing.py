"""What does not get through is tried again, for days; then a human has it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from api.webhooks.retrying import SECOND_US, Options, retry_after_us
from api.webhooks.tables import Message
from detector.events.instants import DAY_US
from tests.api.webhooks.receiving import House, Receiver, delivering, failing, options


def test_the_schedule_spans_about_three_days() -> None:
    assert 3 * DAY_US < Options().span_us < 3.5 * DAY_US


def test_jitter_stays_within_a_fifth() -> None:
    pauses = [Options(uniform=partial(float, drawn)).pause_before(1) for drawn in (0.0, 0.5, 1.0)]
    assert pauses == [4 * SECOND_US, 5 * SECOND_US, 6 * SECOND_US]


async def test_a_failure_is_tried_again_on_schedule_and_given_up_at_its_end(
    house: House, receiver: Receiver
) -> None:
    endpoint = await house.open(receiver.url)
    desk = await house.open(receiver.url + "/desk", owner="desk", owner_id=None)
    given_up: list[str] = []

    async def note(session: AsyncSession, message: Message, _: bytes) -> None:
        given_up.append(message.id)

    message_id = await house.put(endpoint)
    begun_us = house.clock()
    receiver.always = failing()
    made = options(break_after=100, down_after_us=30 * DAY_US)
    async with delivering(house, made, on_given_up={"referral.created": note}) as office:
        due = []
        while (row := await house.message(message_id)).state == "waiting":
            due.append((row.due_us - begun_us) // SECOND_US)
            house.clock.now_us = row.due_us
            if row.tries == len(made.schedule_us):
                receiver.always = None
                receiver.answers = [web.Response(status=503)]
            await office.rest(house)
    pauses = [each // SECOND_US for each in made.schedule_us]
    assert due == [sum(pauses[:number]) for number in range(len(pauses) + 1)]
    assert row.state == "failed"
    assert given_up == [message_id]
    assert len(await house.outcomes(message_id)) == len(pauses) + 1
    assert await house.audited("delivery.g") == ["delivery.given_up"]
    assert [each["type"] for each in await house.bodies(desk)] == ["delivery.given_up"]
    (told,) = [each["data"] for each in await house.bodies(desk)]
    assert told["delivery"] == message_id
    assert told["partner"] == "demo-aid"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (lambda: web.Response(status=500), ("refused", 500)),
        (lambda: web.Response(status=404), ("refused", 404)),
        (lambda: web.Response(status=301, headers={"location": "/elsewhere"}), ("redirected", 301)),
        (lambda: web.Response(status=304), ("redirected", 304)),
        (None, ("unreachable", None)),
    ],
)
async def test_anything_but_2xx_is_a_failure(
    house: House, receiver: Receiver, answer: Any, outcome: tuple[str, int | None]
) -> None:
    async def break_off(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    receiver.answers = [answer() if answer else break_off]
    message_id = await house.put(await house.open(receiver.url))
    async with delivering(house) as office:
        await office.rest(house)
        assert await house.outcomes(message_id) == [outcome]
        assert len(receiver.received) == 1
        house.clock.forward(5)
        await office.rest(house)
    assert await house.outcomes(message_id) == [outcome, ("delivered", 204)]


async def test_nobody_listening_and_never_answering_are_failures(house: House, receiver: Receiver) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    receiver.always = hang
    hanging = await house.put(await house.open(receiver.url))
    nobody = await house.put(await house.open("http://127.0.0.1:1/"))
    async with delivering(house, options(timeout_s=0.2)) as office:
        await office.rest(house)
    assert await house.outcomes(hanging) == [("timeout", None)]
    assert await house.outcomes(nobody) == [("unreachable", None)]


async def test_2xx_is_2xx_although_the_rest_of_the_answer_gets_lost(house: House, receiver: Receiver) -> None:
    async def stop_halfway(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=200, headers={"content-length": "1000"})
        await response.prepare(request)
        await response.write(b"x")
        assert request.transport is not None
        request.transport.close()
        return response

    receiver.answers = [stop_halfway]
    message_id = await house.put(await house.open(receiver.url))
    async with delivering(house) as office:
        await office.rest(house)
    assert await house.outcomes(message_id) == [("delivered", 200)]


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_holds_the_whole_endpoint_back(
    house: House, receiver: Receiver, status: int
) -> None:
    endpoint = await house.open(receiver.url)
    first = await house.put(endpoint)
    receiver.answers = [web.Response(status=status, headers={"retry-after": "3600"})]
    async with delivering(house) as office:
        await office.rest(house)
        second = await house.put(endpoint)
        for seconds in (0, 10, 3589):
            house.clock.forward(seconds)
            await office.rest(house)
            assert len(receiver.received) == 1
        house.clock.forward(1)
        await office.rest(house)
    assert {each.id for each in receiver.received} == {first, second}
    assert len(receiver.received) == 3


async def test_being_busy_uses_no_tries_up(house: House, receiver: Receiver) -> None:
    message_id = await house.put(await house.open(receiver.url))
    receiver.answers = [web.Response(status=429, headers={"retry-after": "60"}) for _ in range(30)]
    async with delivering(house) as office:
        for _ in range(30):
            await office.rest(house)
            house.clock.forward(60)
        row = await house.message(message_id)
        assert (row.attempts, row.tries, row.state) == (30, 0, "waiting")
        assert row.due_us <= house.clock()
        await office.rest(house)
    assert (await house.message(message_id)).state == "delivered"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Thu, 01 Jan 2026 12:01:00 GMT", 60),
        ("Thursday, 01-Jan-26 12:01:00 GMT", 60),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0),
        ("99999999999999999999", 86_400),
        ("Fri, 01 Jan 2027 12:00:00 GMT", 86_400),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_a_day_at_most(
    house_clock_us: int, header: str | None, seconds: int | None
) -> None:
    expected = None if seconds is None else house_clock_us + seconds * SECOND_US
    assert retry_after_us(header, house_clock_us) == expected
