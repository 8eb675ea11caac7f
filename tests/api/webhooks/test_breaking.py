"""An endpoint that is gone or keeps failing is left alone for a while, and the desk is told."""

from __future__ import annotations

from aiohttp import web

from api.webhooks.retrying import SECOND_US
from tests.api.webhooks.receiving import House, Receiver, delivering, failing, options


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
