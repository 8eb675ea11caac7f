"""A request that is sent twice happens once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

import httpx
import pytest
from pydantic import BaseModel
from redis import Redis
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.service import Principal
from api.backoffice.tables import Place
from api.idempotency import repository
from api.idempotency.service import CLAIM_US, KEPT_US, Once
from api.idempotency.tables import IdempotentRequest
from api.keyring import Keyring
from api.problems import Problem
from api.store.database import Store
from detector.drivers.valkey import Server
from tests.api.archive.office import Clock
from tests.api.serving import problem, serving

BODY = {"name": "x", "role": "agent"}
KEY = {"idempotency-key": "one"}
WHO = Principal("k", "somebody", "admin", frozenset())
OTHER = Principal("l", "somebody else", "admin", frozenset())


async def count(client: httpx.AsyncClient) -> int:
    return len((await client.get("/v1/keys")).json()["items"])


async def test_the_same_request_gets_the_stored_answer_byte_for_byte(client: httpx.AsyncClient) -> None:
    before = await count(client)
    first = await client.post("/v1/keys", json=BODY, headers=KEY)
    again = await client.post("/v1/keys", json=BODY, headers=KEY)
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert await count(client) == before + 1


async def test_without_a_key_it_happens_twice(client: httpx.AsyncClient) -> None:
    before = await count(client)
    for _ in range(2):
        await client.post("/v1/keys", json=BODY)
    assert await count(client) == before + 2


async def test_another_body_under_the_key_is_refused(client: httpx.AsyncClient) -> None:
    await client.post("/v1/keys", json=BODY, headers=KEY)
    for other in ({**BODY, "name": "y"}, {"role": "agent", "name": "x"}):
        answer = await client.post("/v1/keys", json=other, headers=KEY)
        assert problem(answer) == (422, "key-reused")


async def test_another_route_under_the_key_is_another_request(client: httpx.AsyncClient) -> None:
    await client.post("/v1/keys", json=BODY, headers=KEY)
    answer = await client.post("/v1/keys?x=1", json=BODY, headers=KEY)
    assert problem(answer) == (422, "key-reused")


async def test_a_failed_request_leaves_the_key_free(client: httpx.AsyncClient) -> None:
    wrong = {**BODY, "expires_at": "2020-01-01T00:00:00Z"}
    assert problem(await client.post("/v1/keys", json=wrong, headers=KEY))[0] == 400
    assert (await client.post("/v1/keys", json=BODY, headers=KEY)).status_code == 201


@pytest.mark.parametrize("key", ["a b", "é", "x" * 129, ""])
async def test_a_key_that_is_none(client: httpx.AsyncClient, key: str) -> None:
    headers = {b"idempotency-key": key.encode()}
    answer = await client.post("/v1/keys", json=BODY, headers=headers)
    assert problem(answer) == (400, "invalid-parameter")


async def test_many_at_once_do_it_once(client: httpx.AsyncClient) -> None:
    before = await count(client)
    found = await asyncio.gather(*(client.post("/v1/keys", json=BODY, headers=KEY) for _ in range(20)))
    done = [answer for answer in found if answer.status_code == 201]
    assert len({answer.content for answer in done}) == 1
    assert {problem(answer) for answer in found if answer.status_code != 201} <= {(409, "key-in-flight")}
    assert await count(client) == before + 1


async def test_two_keys_of_one_name_by_two_who_ask(valkey: Server, redis: Redis, store_url: str) -> None:
    async with serving(valkey.url, database_url=store_url) as client:
        made = (await client.post("/v1/keys", json={"name": "o", "role": "admin"})).json()["key"]
        first = await client.post("/v1/keys", json=BODY, headers=KEY)
        second = await client.post("/v1/keys", json=BODY, headers={**KEY, "authorization": f"Bearer {made}"})
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json()["id"] != second.json()["id"]


# Claims


class Done(BaseModel):
    number: int


class Counter:
    """Work that leaves a row, and can be held up in the middle."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.once = Once(store, Keyring({"k": b"1" * 32}), clock, "one", b"POST /x")
        self.number = 0

    async def work(self, session: AsyncSession) -> Done:
        self.number += 1
        session.add(Place(name=f"done {self.number}", entry="x"))
        return Done(number=self.number)

    async def rows(self) -> int:
        async with self.store.read() as session:
            return (await session.execute(select(func.count()).select_from(Place))).scalar() or 0


async def claim_and_die(each: Counter) -> None:
    """As a process does that is killed before its transaction."""
    assert each.once.key is not None
    claimed = await each.once._claim(WHO.id, each.once.key, _fingerprint(each), "the dead")
    assert claimed is None


def _fingerprint(each: Counter) -> str:
    return each.once.keyring.fingerprint(each.once.what)


async def test_nothing_kept_tells_without_the_keyring_what_was_asked(store_url: str) -> None:
    store = Store(store_url)
    each = Counter(store, Clock())
    await claim_and_die(each)
    async with store.read() as session:
        kept = await repository.find(session, WHO.id, "one")
    assert kept is not None
    plain = {hashlib.new(name, each.once.what).hexdigest() for name in ("md5", "sha1", "sha256", "sha512")}
    assert kept.fingerprint not in plain
    assert kept.fingerprint != Keyring({"k": b"2" * 32}).fingerprint(each.once.what)
    await store.close()


async def test_what_is_at_work_is_waited_for_and_taken_over_after_a_minute(store_url: str) -> None:
    store, clock = Store(store_url), Clock()
    each = Counter(store, clock)
    await claim_and_die(each)
    clock.us += CLAIM_US - 1
    with pytest.raises(Problem) as raised:
        await each.once.run(WHO, each.work)
    assert (raised.value.kind.name, raised.value.retry_after_s) == ("key-in-flight", 1)
    clock.us += 1
    answer = await each.once.run(WHO, each.work)
    assert (answer.status_code, answer.body) == (201, b'{"number":1}')
    assert (await each.once.run(WHO, each.work)).body == b'{"number":1}'
    assert await each.rows() == 1
    await store.close()


async def test_who_wakes_up_after_having_been_taken_over_does_nothing(store_url: str) -> None:
    store, clock = Store(store_url), Clock()
    sleeper, other = Counter(store, clock), Counter(store, clock)

    async def sleep_long() -> None:
        clock.us += CLAIM_US
        assert (await other.once.run(WHO, other.work)).body == b'{"number":1}'

    with pytest.raises(Problem) as raised:
        await sleeper.once.run(WHO, _named(sleeper), first=sleep_long)
    assert raised.value.kind.name == "key-in-flight"
    assert await other.rows() == 1
    # The answer of whoever took over stands, and the sleeper has not let the key go.
    assert (await sleeper.once.run(WHO, sleeper.work)).body == b'{"number":1}'
    await store.close()


def _named(each: Counter) -> Callable[[AsyncSession], Awaitable[Done]]:
    async def work(session: AsyncSession) -> Done:
        session.add(Place(name="the sleeper's", entry="x"))
        return Done(number=99)

    return work


async def test_work_that_fails_is_undone_and_lets_the_key_go(store_url: str) -> None:
    store, clock = Store(store_url), Clock()
    each = Counter(store, clock)

    async def fail(session: AsyncSession) -> Done:
        await each.work(session)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await each.once.run(WHO, fail)
    assert await each.rows() == 0
    assert (await each.once.run(WHO, each.work)).status_code == 201
    await store.close()


async def test_an_answer_is_kept_for_two_days(store_url: str) -> None:
    store, clock = Store(store_url), Clock()
    each = Counter(store, clock)
    await each.once.run(WHO, each.work)
    clock.us += KEPT_US
    assert (await each.once.run(WHO, each.work)).body == b'{"number":1}'
    clock.us += 1
    assert (await each.once.run(WHO, each.work)).body == b'{"number":2}'
    async with store.write() as session:
        assert await repository.forget(session, clock.us + 1) == 1
    await store.close()


async def test_answers_lie_sealed_in_the_store(store_url: str) -> None:
    store, clock = Store(store_url), Clock()
    each = Counter(store, clock)
    await each.once.run(WHO, each.work)
    await each.once.run(OTHER, each.work)
    async with store.read() as session:
        rows = list((await session.execute(select(IdempotentRequest))).scalars())
    assert len(rows) == 2
    assert not any("number" in row.body for row in rows)
    await store.close()
