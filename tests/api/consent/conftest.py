"""A story for every test that asks for one, on each kind of database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis import Redis

from detector.drivers.valkey import Server
from tests.api.consent.asking import Story, telling


@pytest.fixture
async def story(valkey: Server, redis: Redis, store_url: str) -> AsyncIterator[Story]:
    """A service, an organisation that listens, and nobody who has asked for anything yet."""
    async with telling(valkey, store_url) as each:
        yield each
