"""A real Valkey for every test that asks for one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from redis import Redis

from detector.drivers.valkey import Server

# Where a landing hangs on it, the same examples each time; at a desk new ones, which is how faults are found.
settings.register_profile("steady", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("steady")


@pytest.fixture(scope="session")
def valkey() -> Iterator[Server]:
    """One server a worker; its directory is short, for the sake of the socket's path."""
    with tempfile.TemporaryDirectory(prefix="tw") as home, Server(Path(home)) as server:
        yield server


@pytest.fixture
def redis(valkey: Server) -> Iterator[Redis]:
    """A client of an empty database."""
    with Redis.from_url(valkey.url, protocol=2) as client:
        client.flushall()
        yield client
