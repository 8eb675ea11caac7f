"""What does not get through is tried again, for days; then a human has it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from api.webhooks.retrying import SECOND_US, Options, retry_after_us
from api.webhooks.tables import Attempt, Message
from detector.events.instants import DAY_US, HOUR_US
from tests.api.webhooks.receiving import House, Receiver, delivering


def options(**other: Any) -> Options:
    """Real pauses, no jitter, no waiting where the clock is moved by hand."""
    return Options(**({"gather_s": 0.001, "idle_s": 0.01, "jitter": 0, "timeout_s": 5} | other))


def failing(status: int = 500) -> Any:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status)

    return answer


def test_the_schedule_spans_about_three_days() -> None:
    assert 3 * DAY_US < Options().span_us < 3.5 * DAY_US


def test_jitter_stays_within_a_fifth() -> None:
    pauses = [Options(uniform=lambda drawn=drawn: drawn).pause_before(1) for drawn in (0.0, 0.5, 1.0)]  # type: ignore[misc]
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


async def test_410_ends_it_until_somebody_enables_it_again(house: House, receiver: Receiver) -> None:
    endpoint = await house.open(receiver.url)
    desk = await house.open(receiver.url + "/desk", owner="desk", owner_id=None)
    first, second = await house.put(endpoint), await house.put(endpoint)
    receiver.answers = [web.Response(status=410)]
    async with delivering(house, options(most_of_one=1)) as office:
        await office.rest(house)
        assert (await house.endpoint(endpoint)).state == "gone"
        third = await house.put(endpoint)
        assert [(await house.message(each)).state for each in (first, second, third)] == ["parked"] * 3
        assert [each["data"]["reason"] for each in await house.bodies(desk)] == ["gone"]
        async with house.ground.store.write() as session:
            await house.endpoints.enable(session, endpoint.id, "key:1")
        await office.rest(house)
    assert [(await house.message(each)).state for each in (first, second, third)] == ["delivered"] * 3
    assert {each["type"] for each in await house.bodies(desk)} == {"partner.down", "partner.up"}
    assert await house.audited("endpoint.") == [
        "endpoint.opened",
        "endpoint.opened",
        "endpoint.gone",
        "endpoint.enabled",
    ]


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


async def test_an_endpoint_that_keeps_failing_is_left_alone_and_probed_one_at_a_time(
    house: House, receiver: Receiver
) -> None:
    endpoint = await house.open(receiver.url)
    receiver.always = failing()
    for _ in range(40):
        await house.put(endpoint)
    made = options(most_of_one=1)
    async with delivering(house, made) as office:
        await office.rest(house)
        assert len(receiver.received) == 10
        pauses = []
        for number in range(9):
            row = await house.endpoint(endpoint)
            assert row.open_until_us is not None
            pauses.append((row.open_until_us - house.clock()) // SECOND_US)
            house.clock.now_us = row.open_until_us
            await office.rest(house)
            assert len(receiver.received) == 11 + number
    assert pauses == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]


async def test_a_breaker_outlives_the_office_and_closes_with_the_first_success(
    house: House, receiver: Receiver
) -> None:
    endpoint = await house.open(receiver.url)
    receiver.always = failing()
    for _ in range(30):
        await house.put(endpoint)
    async with delivering(house, options(most_of_one=1)) as office:
        await office.rest(house)
    assert len(receiver.received) == 10
    receiver.always = None
    async with delivering(house, options(most_of_one=1)) as office:
        await office.rest(house)
        assert len(receiver.received) == 10
        house.clock.forward(30)
        await office.rest(house)
    row = await house.endpoint(endpoint)
    assert (row.failures, row.open_until_us, row.failing_since_us) == (0, None, None)
    assert len(receiver.received) == 40


async def test_the_desk_is_told_once_that_an_endpoint_is_down_and_once_that_it_is_back(
    house: House, receiver: Receiver
) -> None:
    endpoint = await house.open(receiver.url)
    desk = await house.open("http://127.0.0.1:1/", owner="desk", owner_id=None)
    receiver.always = failing()
    await house.put(endpoint)
    async with delivering(house, options(break_after=2)) as office:
        for _ in range(40):
            await office.rest(house)
            house.clock.forward(60)
        told = await house.bodies(desk)
        assert [each["type"] for each in told] == ["partner.down"]
        assert told[0]["data"]["endpoint"] == endpoint.id
        assert told[0]["data"]["since"] == "2026-01-01T12:00:00.000Z"
        receiver.always = None
        for _ in range(4):
            await office.rest(house)
            house.clock.forward(3600)
    assert [each["type"] for each in await house.bodies(desk)] == ["partner.down", "partner.up"]


async def test_two_dead_endpoints_of_the_desk_do_not_tell_of_each_other_for_ever(
    house: House, receiver: Receiver
) -> None:
    receiver.always = failing()
    desks = [await house.open(f"{receiver.url}/{each}", owner="desk", owner_id=None) for each in (1, 2)]
    await house.put(desks[0], "alert.opened")
    made = options(schedule_us=(SECOND_US,), break_after=1000)
    async with delivering(house, made) as office:
        for _ in range(30):
            await office.rest(house)
            house.clock.forward(3600)
        types = [each["type"] for desk in desks for each in await house.bodies(desk)]
    assert len(types) <= 4
    assert types.count("delivery.given_up") == types.count("alert.opened") == 1


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
