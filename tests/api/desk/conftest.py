"""A service for every test of the desk, on each kind of database, with a clock that the test turns."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis import Redis

from detector.drivers.valkey import Server
from tests.api.desk.office import Clock
from tests.api.serving import Client, serving


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(valkey: Server, redis: Redis, store_url: str, clock: Clock) -> AsyncIterator[Client]:
    async with serving(valkey.url, database_url=store_url, clock=clock) as each:
        yield each
