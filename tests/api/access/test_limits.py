"""How many requests a key may send."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import cast

import httpx
from redis import Redis

from api.settings import Settings
from detector.drivers.valkey import Server
from tests.api.serving import Client, issue, problem, serving

FEW = Settings(request_limits={"agent": "20/day", "strangers": "10/day"})


async def answers(client: Client, count: int, **headers: str) -> Counter[int]:
    found = await asyncio.gather(*(client.get("/v1/alerts", headers=headers) for _ in range(count)))
    return Counter(answer.status_code for answer in found)


async def test_the_limit_is_exact_however_many_ask_at_once(
    valkey: Server, redis: Redis, store_url: str
) -> None:
    async with serving(valkey.url, FEW, database_url=store_url) as client:
        assert await answers(client, 60) == {200: 20, 429: 40}
        refused = await client.get("/v1/alerts")
        assert problem(refused) == (429, "rate-limited")
        assert int(refused.headers["retry-after"]) >= 1


async def test_several_services_count_together(valkey: Server, redis: Redis, store_url: str) -> None:
    async with (
        serving(valkey.url, FEW, database_url=store_url) as first,
        serving(valkey.url, FEW, database_url=store_url) as second,
    ):
        second.auth = cast(httpx.Auth, first.auth)
        found = await asyncio.gather(*(answers(each, 30) for each in (first, second)))
        assert sum(found, Counter()) == {200: 20, 429: 40}


async def test_each_key_has_its_own(valkey: Server, redis: Redis, store_url: str) -> None:
    async with serving(valkey.url, FEW, database_url=store_url) as client:
        other = await issue(client.app, "agent")
        assert await answers(client, 25) == {200: 20, 429: 5}
        assert await answers(client, 5, authorization=f"Bearer {other}") == {200: 5}


async def test_strangers_are_counted_by_address(valkey: Server, redis: Redis, store_url: str) -> None:
    async with serving(valkey.url, FEW, database_url=store_url) as client:
        assert await answers(client, 15, authorization="Bearer x") == {401: 10, 429: 5}
        assert await answers(client, 1) == {200: 1}
