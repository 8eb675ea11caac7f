"""Brokers to measure on: those that were named, or an Apache Kafka of the bench's own."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from detector.bench import node
from detector.drivers.kafka import admin
from detector.drivers.kafka.connection import Connection, read_servers
from detector.drivers.kafka.faults import Wanted
from detector.drivers.kafka.topics import EVENTS
from detector.errors import SettingsError, StateError

JARS = Path(".kafka")
"""Where `make kafka` puts Apache Kafka's jars."""
START_S = 60.0
STOP_S = 30.0
OURS = ("rg.", "tiltwatch-bench")
"""How topics begin that workers and the bench make."""
_HEAP_MB = 768
_CLUSTER = "tiltwatch-bench-000000"


class Brokers:
    """Brokers that are there, and the topics that are made on them for as long as is measured.

    Attributes
    ----------
    connection
        How they are reached.
    told
        What they are, in words.
    """

    def __init__(self, connection: Connection, told: str) -> None:
        self.connection = connection
        self.told = told

    @property
    def environment(self) -> dict[str, str]:
        """What a worker is given to find them."""
        return {
            "TILTWATCH_KAFKA": ",".join(self.connection.servers),
            "TILTWATCH_KAFKA_CHECK_CRCS": str(self.connection.check_crcs).lower(),
        }

    async def prepare(self, group: str, partitions: int) -> None:
        """Make the topics of a group of workers; StateError if they are not to be had."""
        wanted = Wanted(group, frozenset({EVENTS}), partitions, 1)
        _, faults = await admin.init(self.connection, wanted)
        if fatal := [fault for fault in faults if fault.stops]:
            raise StateError("; ".join(map(str, fatal)))

    async def create(self, topic: str, partitions: int, config: Mapping[str, str]) -> None:
        """Make a topic that is nobody's but the bench's."""
        async with _client(self.connection) as client:
            await client.create_topics([NewTopic(topic, partitions, 1, topic_configs=dict(config))])

    async def topics(self) -> frozenset[str]:
        """The names of all topics."""
        async with _client(self.connection) as client:
            return frozenset(await client.list_topics())


class _client:  # noqa: N801  (a context, used like a function)
    """An admin client for one call; SettingsError if the brokers do not answer."""

    def __init__(self, connection: Connection) -> None:
        self._client = AIOKafkaAdminClient(**connection.aiokafka())

    async def __aenter__(self) -> Any:
        try:
            await self._client.start()
        except (KafkaError, TimeoutError):
            await self._client.close()
            raise SettingsError("the brokers do not answer") from None
        return self._client

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()


@contextmanager
def brokers(servers: str | None, jars: Path | None = None) -> Iterator[Brokers]:
    """Brokers that are named, which must know nothing of us, or else one of our own.

    Parameters
    ----------
    servers
        `host:port`, with commas between; None for one of our own.
    jars
        Apache Kafka's jars; where they are looked for otherwise, the environment or `JARS` tells.

    Raises
    ------
    SettingsError
        They do not answer or are in use, or there is no Kafka to be started; the message says how to get one.
    """
    if servers is None:
        with _own(jars or Path(os.environ.get("TILTWATCH_KAFKA_JARS") or JARS)) as own:
            yield own
        return
    given = Brokers(Connection(read_servers(servers)), "on brokers that were there")
    before = asyncio.run(given.topics())
    # They could be somebody's: what is measured would be read as real events, and what is made is deleted.
    if theirs := sorted(name for name in before if name.startswith(OURS)):
        raise SettingsError(
            f"{servers} has {', '.join(theirs[:3])}; the bench wants brokers without our topics"
        )
    try:
        yield given
    finally:
        asyncio.run(_delete(given, before))


async def _delete(given: Brokers, before: frozenset[str]) -> None:
    """Delete what has been made since, and wait until brokers no longer tell of it."""
    deadline = time.monotonic() + STOP_S
    while made := [each for each in await given.topics() - before if each.startswith(OURS)]:
        if time.monotonic() > deadline:
            raise StateError(f"{', '.join(sorted(made)[:3])} could not be deleted")
        async with _client(given.connection) as client:
            await client.delete_topics(made)
        await asyncio.sleep(0.5)


def why_none(jars: Path) -> str | None:
    """Why no Kafka can be started here and what to do about it; None if it can."""
    hint = "or name brokers by --kafka HOST:PORT"
    if node.java_version() < node.NEEDS_JAVA:
        return f"no Kafka: there is no Java {node.NEEDS_JAVA}; install it and run `make kafka`, {hint}"
    if not any(jars.glob("kafka_*.jar")):
        return f"no Kafka: its jars are not there; run `make kafka`, {hint}"
    return None


@contextmanager
def _own(jars: Path) -> Iterator[Brokers]:
    """One node of Apache Kafka on loopback."""
    if (reason := why_none(jars)) is not None:
        raise SettingsError(reason)
    with tempfile.TemporaryDirectory(prefix="tiltwatch-bench-") as folder:
        home = Path(folder)
        port, control = _free_ports()
        settings = home / "server.properties"
        node.write_settings(settings, _settings(home, port, control))
        java = node.java(jars, _HEAP_MB)
        made = _run(
            [*java, "kafka.tools.StorageTool", "format", "--cluster-id", _CLUSTER, "--config", str(settings)]
        )
        if made.returncode:
            raise StateError(f"Kafka's storage cannot be made: {_last(made.stdout + made.stderr)}")
        words = home / "broker.log"
        with words.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603  (the Java on the path)
                [*java, "kafka.Kafka", str(settings)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            own = Brokers(
                Connection((f"127.0.0.1:{port}",)), f"Apache Kafka {_version(jars)}, one node on this machine"
            )
            _wait_until(lambda: _answers(own, port), process, words)
            yield own
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _settings(home: Path, port: int, control: int) -> dict[str, object]:
    return node.settings(home / "data", port, control) | {
        # Workers that start together are given their partitions at once.
        "group.initial.rebalance.delay.ms": 3000,
        "log.cleaner.enable": "false",
    }


def _wait_until(is_so: Callable[[], bool], process: subprocess.Popen[bytes], words: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        if is_so():
            return
        time.sleep(0.1)
    raise StateError(f"Kafka did not start: {_last(words.read_text(errors='replace'))}")


def _answers(own: Brokers, port: int) -> bool:
    # A client that finds nobody waits longer than the next attempt would take.
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) != 0:
            return False
    with suppress(SettingsError):
        asyncio.run(own.topics())
        return True
    return False


def _version(jars: Path) -> str:
    return next(iter(sorted(jars.glob("kafka_*.jar")))).stem.rpartition("-")[2]


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  (see callers)


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]


def _free_ports() -> list[int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return [one.getsockname()[1], other.getsockname()[1]]
