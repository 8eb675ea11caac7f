"""One office at a time, and what it does when that goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import select

from api.backoffice.lease import LeaseLost, OfficeLease
from api.backoffice.office import Office
from api.backoffice.tables import Place
from api.store.database import Store
from tests.api.archive.office import Clock

LASTS_US = 5_000_000
QUICK_S = 0.01


class Counting:
    """A duty that counts its rounds in the store, under the lease."""

    name = "counting"

    def __init__(self, store: Store, lease: OfficeLease, who: str) -> None:
        self._store = store
        self._lease = lease
        self.who = who
        self.rounds = 0
        self.lost = 0

    async def round(self) -> float:
        try:
            async with self._store.write() as session:
                await self._lease.check(session)
                row = await session.get(Place, self.who)
                if row is None:
                    session.add(Place(name=self.who, entry="1"))
                else:
                    row.entry = str(int(row.entry) + 1)
        except LeaseLost:
            self.lost += 1
            raise
        self.rounds += 1
        return QUICK_S


class Failing:
    """A duty that never works."""

    name = "failing"

    def __init__(self) -> None:
        self.rounds = 0

    async def round(self) -> float:
        self.rounds += 1
        raise ZeroDivisionError


async def rounds(store: Store, who: str) -> int:
    async with store.read() as session:
        found = (await session.execute(select(Place.entry).where(Place.name == who))).scalar()
    return int(found or 0)


async def until(condition: Callable[[], object]) -> None:
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not happen")


@asynccontextmanager
async def working(store: Store, clock: Clock, who: str) -> AsyncIterator[list[Counting]]:
    """An office; yields the duties of its terms."""
    made: list[Counting] = []

    def duties(lease: OfficeLease) -> list[Counting]:
        made.append(Counting(store, lease, who))
        return made[-1:]

    stop = asyncio.Event()
    office = Office(OfficeLease(store, clock, LASTS_US), duties, QUICK_S)
    task = asyncio.create_task(office.run(stop))
    try:
        yield made
    finally:
        stop.set()
        await task


async def test_of_two_offices_one_works(store_url: str) -> None:
    clock = Clock()
    stores = Store(store_url), Store(store_url)
    async with working(stores[0], clock, "first") as first:
        await until(lambda: first and first[0].rounds > 2)
        async with working(stores[1], clock, "second") as second:
            before = first[0].rounds
            await until(lambda: first[0].rounds > before + 20)
            assert second == []
    assert await rounds(stores[1], "second") == 0
    for store in stores:
        await store.close()


async def test_the_next_one_begins_at_once_when_one_ends(store_url: str) -> None:
    clock = Clock()
    store = Store(store_url)
    async with working(store, clock, "first") as first:
        await until(lambda: first and first[0].rounds > 2)
    async with working(store, clock, "second") as second:
        await until(lambda: second and second[0].rounds > 2)
    await store.close()


async def test_who_slept_past_its_lease_writes_nothing_when_it_wakes(store_url: str) -> None:
    """As after SIGSTOP: it was in the middle of a round, and knows nothing of what happened since."""
    clock = Clock()
    store = Store(store_url)
    sleeper = OfficeLease(store, clock, LASTS_US)
    assert await sleeper.take()
    duty = Counting(store, sleeper, "sleeper")
    await duty.round()
    clock.us += LASTS_US + 1
    async with working(store, clock, "other") as other:
        await until(lambda: other and other[0].rounds > 2)
        with pytest.raises(LeaseLost):
            await duty.round()
        assert not await sleeper.take()
        assert await rounds(store, "sleeper") == 1
    await store.close()


async def test_an_office_that_loses_its_lease_ends_its_term_and_begins_anew(store_url: str) -> None:
    clock = Clock()
    store = Store(store_url)
    async with working(store, clock, "first") as first:
        await until(lambda: first and first[0].rounds > 2)
        clock.us += LASTS_US + 1
        thief = OfficeLease(store, clock, LASTS_US)
        # It renews all the time; whoever takes it has to find it run out.
        taken = False
        for _ in range(200):
            clock.us += LASTS_US + 1
            taken = await thief.take()
            if taken:
                break
        assert taken
        written = await rounds(store, "first")
        await asyncio.sleep(10 * QUICK_S)
        assert await rounds(store, "first") == written
        await thief.give_back()
        await until(lambda: len(first) > 1 and first[-1].rounds > 2)
    await store.close()


async def test_a_duty_that_fails_does_not_stop_the_others(store_url: str) -> None:
    clock = Clock()
    store = Store(store_url)
    failing = Failing()
    made: list[Counting] = []

    def duties(lease: OfficeLease) -> list[Counting | Failing]:
        made.append(Counting(store, lease, "counting"))
        return [failing, made[-1]]

    stop = asyncio.Event()
    task = asyncio.create_task(Office(OfficeLease(store, clock, LASTS_US), duties, QUICK_S).run(stop))
    await until(lambda: failing.rounds and made and made[0].rounds > 20)
    assert len(made) == 1
    assert failing.rounds < 5  # it is tried again after a while, not all the time
    stop.set()
    await task
    await store.close()


async def test_only_the_holder_gives_a_lease_back(store_url: str) -> None:
    clock = Clock()
    store = Store(store_url)
    first, second = (OfficeLease(store, clock, LASTS_US) for _ in range(2))
    assert await first.take()
    await second.give_back()
    assert not await second.take()
    clock.us += LASTS_US
    assert await second.take()
    assert not await first.take()
    await store.close()


async def test_many_that_reach_for_it_at_once_get_it_once(store_url: str) -> None:
    clock = Clock()
    stores = [Store(store_url) for _ in range(4)]
    leases = [OfficeLease(store, clock, LASTS_US) for store in stores for _ in range(3)]
    assert sum(await asyncio.gather(*(lease.take() for lease in leases))) == 1
    for store in stores:
        await store.close()
