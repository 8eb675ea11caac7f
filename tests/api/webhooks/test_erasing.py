"""What messages said is not kept for longer than it is needed."""

from __future__ import annotations

from typing import Any

import pytest

from api.backoffice.lease import LeaseLost, OfficeLease
from api.webhooks.duty import KEPT_US, Erasing
from api.webhooks.tables import Message, MessageState
from tests.api.webhooks.receiving import LONG_US, House, Receiver, delivering


class SmallPages(Erasing):
    PAGE = 2


async def erasing(house: House) -> Erasing:
    lease = OfficeLease(house.ground.store, house.clock, LONG_US)
    assert await lease.take()
    return SmallPages(house.ground, lease)


async def ended(house: House, message_id: str, state: MessageState) -> None:
    """Have a message be in a state as of now."""
    async with house.ground.store.write() as session:
        row = await session.get(Message, message_id)
        assert row is not None
        row.state = state
        row.done_us = None if state in ("waiting", "sending", "parked", "recalled") else house.clock()


async def test_a_week_after_it_was_delivered_only_that_it_was_is_kept(
    house: House, receiver: Receiver
) -> None:
    endpoint = await house.open(receiver.url)
    ids = [await house.put(endpoint) for _ in range(5)]
    async with delivering(house) as office:
        await office.rest(house)
    before = [await house.message(each) for each in ids]
    duty = await erasing(house)
    house.clock.now_us += KEPT_US
    assert await duty.round() > 0
    assert [(await house.message(each)).body for each in ids] == [row.body for row in before]
    house.clock.now_us += 1
    assert [await duty.round() for _ in range(4)] == [0.0, 0.0, 3600.0, 3600.0], "in pages"
    for row in before:
        now = await house.message(row.id)
        assert (now.body, now.erased) == ("{}", house.ground.keyring.fingerprint(row.body.encode()))
        kept = ("type", "subject", "endpoint", "state", "attempts", "created_us", "done_us")
        assert [getattr(now, name) for name in kept] == [getattr(row, name) for name in kept]
        assert await house.outcomes(row.id) == [("delivered", 204)]


@pytest.mark.parametrize(
    ("state", "goes"),
    [
        *dict.fromkeys(("delivered", "cancelled", "expired"), True).items(),
        *dict.fromkeys(("failed", "waiting", "parked", "sending", "recalled"), False).items(),
    ],
)
async def test_what_may_still_be_sent_is_kept(house: House, state: MessageState, goes: bool) -> None:
    message_id = await house.put(await house.open("http://127.0.0.1:1/"))
    await ended(house, message_id, state)
    duty = await erasing(house)
    house.clock.now_us += 10 * KEPT_US
    await duty.round()
    row = await house.message(message_id)
    assert (row.body == "{}", row.erased is not None) == (goes, goes)


async def test_taken_back_after_it_was_erased_it_stays_so(house: House) -> None:
    subject: dict[str, Any] = {"subject": "referral:1"}
    message_id = await house.put(await house.open("http://127.0.0.1:1/"), **subject)
    await ended(house, message_id, "expired")
    house.clock.now_us += KEPT_US + 1
    await (await erasing(house)).round()
    erased = (await house.message(message_id)).erased
    async with house.ground.store.write() as session:
        await house.outbox.cancel(session, "referral:1", ("referral.created",))
    row = await house.message(message_id)
    assert (row.state, row.body, row.erased) == ("cancelled", "{}", erased)


async def test_who_lost_the_lease_erases_nothing(house: House) -> None:
    message_id = await house.put(await house.open("http://127.0.0.1:1/"))
    await ended(house, message_id, "delivered")
    old = await erasing(house)
    house.clock.now_us += LONG_US + 1
    await erasing(house)
    with pytest.raises(LeaseLost):
        await old.round()
    assert (await house.message(message_id)).erased is None
