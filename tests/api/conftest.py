"""The service over a real Valkey and each kind of database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis import Redis

from api.settings import Settings
from detector.drivers.valkey import Server
from tests.api.serving import Client, serving


@pytest.fixture
async def client(valkey: Server, redis: Redis, store_url: str) -> AsyncIterator[Client]:
    """A client of a service small enough to run into every bound."""
    settings = Settings(max_body_bytes=20_000, max_body_events=60, backlog_limit=70)
    async with serving(valkey.url, settings, database_url=store_url) as each:
        yield each
