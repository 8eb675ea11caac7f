"""A real Valkey, a real PostgreSQL, a store and the log for every test that asks for one."""

from __future__ import annotations

import io
import logging
import os
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
import structlog
from hypothesis import settings
from redis import Redis

from api import logs
from detector.drivers.valkey import Server
from detector.engine import compile_rules
from tests import brokers
from tests.brokers import Broker, MockBroker, RealBroker
from tests.stores import BACKENDS, Postgres, postgres_server, sqlite_store

brokers.shelter()

# Where a landing hangs on it, the same examples each time; at a desk new ones, which is how faults are found.
settings.register_profile("steady", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("steady")


@pytest.fixture(scope="session", autouse=True)
def compiled_once() -> Iterator[None]:
    """Tests make thousands of engines of the same rules: what an engine writes is compiled once.

    It is written each time all the same, and half of what an engine takes to begin is Python's compiler.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compile_rules, "compile", lru_cache(5_000)(compile), raising=False)
        yield


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


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server a worker."""
    with postgres_server() as server:
        yield server


@pytest.fixture(params=BACKENDS)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty migrated database; every test that asks for it runs on each kind."""
    if request.param == "sqlite":
        yield sqlite_store(tmp_path)
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.lent() as url:
        yield url


@pytest.fixture
def mock_kafka() -> Iterator[MockBroker]:
    """librdkafka's mock cluster, without topics."""
    with brokers.mock_broker() as broker:
        yield broker


@pytest.fixture
def real_kafka() -> Iterator[RealBroker]:
    """An Apache Kafka of this test's own, without topics, to be stopped and started as one likes."""
    reason = brokers.why_not_real(own=True)
    if reason is not None:
        pytest.skip(reason)
    with brokers.real_broker() as broker:
        yield broker


@pytest.fixture(params=["mock", pytest.param("real", marks=pytest.mark.storm)])
def kafka(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """Brokers without topics; every test that asks for them runs on the mock cluster and on a real Kafka.

    The real one is the one that the environment names, or one of the test's own.
    """
    if request.param == "mock":
        yield request.getfixturevalue("mock_kafka")
        return
    reason = brokers.why_not_real()
    if reason is not None:
        pytest.skip(reason)
    with brokers.real_or_given_broker() as broker:
        yield broker


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The logs of this process as in production, at their most talkative."""
    root = logging.getLogger()
    before = root.handlers, root.level
    logs.configure("json", "debug")
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    stream = io.StringIO()
    handler.setStream(stream)
    yield stream
    logging.raiseExceptions = True
    root.handlers, root.level = before
    for ours in ("api", "detector"):
        logging.getLogger(ours).setLevel(logging.NOTSET)
    structlog.reset_defaults()
