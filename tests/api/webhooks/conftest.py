"""A receiver and a deployment for every test that asks for one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.webhooks.receiving import Clock, House, Receiver, housing, receiving


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Listens on loopback."""
    async with receiving() as each:
        yield each


@pytest.fixture
async def house(store_url: str, tmp_path: Path) -> AsyncIterator[House]:
    """A deployment on each kind of database."""
    async with housing(store_url, tmp_path) as each:
        yield each


@pytest.fixture
def house_clock_us() -> int:
    """Where the clock of a deployment stands at first: 2026-01-01 12:00 UTC."""
    return Clock().now_us
