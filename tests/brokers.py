"""Kafka for tests: librdkafka's mock cluster always, a real Apache Kafka where there are Java and its jars.

`TILTWATCH_KAFKA` in the environment names a broker that is there already, to be used for the real one, and
`TILTWATCH_KAFKA_JARS` a folder of Apache Kafka's jars; without it they are looked for where `make kafka` puts
them.
"""

from __future__ import annotations

import functools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from detector.bench import node
from detector.drivers.kafka.topics import specs

PARTITIONS = 4
GROUP = "tiltwatch"
"""The group of settings by default."""
ANSWER_S = 30.0
"""How long a broker may take for anything asked of it."""
_STOP_S = 30.0
_HERE = Path(__file__).parent
_JARS = _HERE.parent / ".kafka"
_CLUSTER = "tiltwatch-tests-000000"


def shelter() -> None:
    """Take the two names out of the environment, where services under test would read them as settings.

    Processes started later, of xdist above all, find them under other names.
    """
    for name in ("KAFKA", "KAFKA_JARS"):
        if f"TILTWATCH_{name}" in os.environ:
            os.environ[f"TESTS_{name}"] = os.environ.pop(f"TILTWATCH_{name}")


@dataclass(frozen=True, slots=True)
class Kept:
    """A record as another client than ours reads it; `at_ms` is its timestamp."""

    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]
    partition: int
    offset: int
    at_ms: int


class Broker:
    """Brokers that run somewhere, and what tests do there with another client than the product's.

    Attributes
    ----------
    servers
        Where they are, as the setting KAFKA takes it.
    check_crcs
        What the setting KAFKA_CHECK_CRCS has to be.
    """

    check_crcs = True

    def __init__(self, servers: str) -> None:
        self.servers = servers

    @property
    def environment(self) -> dict[str, str]:
        """What a process of ours is given to find them."""
        return {
            "TILTWATCH_KAFKA": self.servers,
            "TILTWATCH_KAFKA_CHECK_CRCS": str(self.check_crcs).lower(),
        }

    def create(self, topics: Mapping[str, int], config: Mapping[str, str] | None = None) -> None:
        """Make topics, each with so many partitions."""
        wanted = [
            NewTopic(name, num_partitions=partitions, replication_factor=1, config=dict(config or {}))
            for name, partitions in topics.items()
        ]
        admin = self._admin()  # which takes what is under way with it when it goes
        for made in admin.create_topics(wanted).values():
            made.result(ANSWER_S)
        self._until(lambda: topics.keys() <= self.topics().keys(), f"topics {', '.join(topics)} come")

    def create_ours(self, *more: str, partitions: int = PARTITIONS, group: str = GROUP) -> None:
        """Make all topics of ours and more inputs, as the product wants them."""
        for spec in specs(group):
            self.create(
                {spec.name: spec.partitions or partitions}, {"cleanup.policy": spec.cleanup} | spec.config
            )
        if more:
            self.create(dict.fromkeys(more, partitions))

    def topics(self) -> dict[str, int]:
        """Every topic that is no broker's own, with how many partitions it has."""
        found = self._admin().list_topics(timeout=ANSWER_S).topics
        return {name: len(each.partitions) for name, each in found.items() if not name.startswith("__")}

    def put(self, topic: str, *records: tuple[str | None, bytes | None], **more: Any) -> None:
        """Write records, each its key and value, and wait until they are there; `more` as of `produce`."""
        producer = Producer({"bootstrap.servers": self.servers, "partitioner": "murmur2_random"})
        for key, value in records:
            producer.produce(topic, value, None if key is None else key.encode(), **more)
            producer.poll(0)
        assert producer.flush(ANSWER_S) == 0

    def read(self, topic: str, count: int, *, until: bytes | None = None) -> list[Kept]:
        """The first `count` records of a topic or more, up to a value at least; fails if they do not come.

        Each partition's are in order, and those of transactions are committed.
        """
        consumer = Consumer(
            {
                "bootstrap.servers": self.servers,
                "group.id": "tests-reader",
                "enable.auto.commit": False,
                "log_level": 3,
            }
        )
        consumer.assign([TopicPartition(topic, number, 0) for number in range(self.topics()[topic])])
        found: list[Kept] = []
        deadline = time.monotonic() + ANSWER_S
        try:
            while len(found) < count or (until is not None and all(each.value != until for each in found)):
                assert time.monotonic() < deadline, f"{len(found)} of {count} records came"
                message = consumer.poll(0.2)
                if message is None or message.error() is not None:
                    continue
                found.append(kept_of(message))
        finally:
            consumer.close()
        return found

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.servers, "log_level": 0})

    def _until(self, is_so: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + ANSWER_S
        while not is_so():
            assert time.monotonic() < deadline, f"{what}: not within {ANSWER_S:.0f} s"
            time.sleep(0.05)


class MockBroker(Broker):
    """librdkafka's mock cluster of one broker; see `tests.mock_broker` for what it cannot do."""

    check_crcs = False

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        super().__init__(process.stdout.readline().strip())
        assert self.servers, "the mock cluster did not start"

    def create(self, topics: Mapping[str, int], config: Mapping[str, str] | None = None) -> None:
        """Declare topics, each with so many partitions; settings of topics it has none."""
        for name, partitions in topics.items():
            self._order(f"topic {name} {partitions}")

    def down(self) -> None:
        """Have it take no connections and drop those there are."""
        self._order("down")

    def up(self) -> None:
        """Have it take connections again; it has forgotten nothing."""
        self._order("up")

    def stop(self) -> None:
        """Have it hang: connections stay, nothing answers."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it answer again."""
        self.process.send_signal(signal.SIGCONT)

    def _order(self, order: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(order, file=self.process.stdin, flush=True)
        assert self.process.stdout.readline() == "done\n", order


@contextmanager
def mock_broker() -> Iterator[MockBroker]:
    """A mock cluster without topics, within a tenth of a second."""
    command = [sys.executable, str(_HERE / "mock_broker.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield MockBroker(process)
        finally:
            process.kill()


class RealBroker(Broker):
    """One node of Apache Kafka on loopback, without topics; what is acknowledged survives `kill` and `stop`.

    Parameters
    ----------
    home
        A folder of its own for data, settings and log.
    jars
        Apache Kafka's jars.
    heap_mb
        How much memory it takes, in MiB.
    """

    def __init__(self, home: Path, jars: Path, heap_mb: int = 512) -> None:
        port, control = _free_ports(2)
        super().__init__(f"127.0.0.1:{port}")
        self._process: subprocess.Popen[bytes] | None = None
        self._home = home
        self._log = home / "broker.log"
        told = _properties(home / "data", port, control)
        settings = home / "server.properties"
        node.write_settings(settings, told)
        self._command = [*node.java(jars, heap_mb), "kafka.Kafka", str(settings)]

    def start(self) -> None:
        """Start it, on the same port and data as before, and wait until it answers."""
        if not (self._home / "data").exists():
            shutil.copytree(_formatted(), self._home / "data")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        self._until(self._answers, "the broker answers")

    def stop(self) -> None:
        """End it as an operator would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, whatever it is doing."""
        self._end(signal.SIGKILL)

    def restart(self, *, killed: bool = False) -> None:
        """End it and start it again; connections break, topics and records stay."""
        self._end(signal.SIGKILL if killed else signal.SIGTERM)
        self.start()

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the broker ended: {self._log.read_text(errors='replace')[-2000:]}")
        # A client that finds nobody waits longer than the next attempt would take.
        with socket.socket() as probe:
            host, _, port = self.servers.partition(":")
            if probe.connect_ex((host, int(port))) != 0:
                return False
        try:
            return bool(self._admin().list_topics(timeout=2).brokers)
        except KafkaException:
            return False


class GivenBroker(Broker):
    """Brokers that were there before, left without what tests made there."""

    def __init__(self, servers: str) -> None:
        super().__init__(servers)
        self._theirs: frozenset[str] = frozenset()
        self._theirs = frozenset(self.topics())
        before = sorted(self._theirs & {each.name for each in specs(GROUP)})
        # They could be somebody's: nothing but what tests made is ever deleted.
        assert not before, f"{servers} has {', '.join(before)}; tests want brokers without our topics"

    def topics(self) -> dict[str, int]:
        """Every topic that has come since, with how many partitions it has."""
        return {name: count for name, count in super().topics().items() if name not in self._theirs}

    def clear(self) -> None:
        """Delete every topic that has come since."""
        mine = list(self.topics())
        if mine:
            admin = self._admin()
            for gone in admin.delete_topics(mine).values():
                gone.result(ANSWER_S)
            self._until(lambda: not self.topics(), "topics go")


_java_version = functools.cache(node.java_version)


def find_jars() -> Path | None:
    """The folder of Apache Kafka's jars; None where there are none."""
    folder = Path(os.environ.get("TESTS_KAFKA_JARS") or _JARS)
    return folder.absolute() if any(folder.glob("kafka_*.jar")) else None


def why_not_real(*, own: bool = False) -> str | None:
    """Why no real Kafka can be had here, or none of our own, and what to do about it; None if it can."""
    if os.environ.get("TESTS_KAFKA") and not own:
        return None
    if _java_version() < node.NEEDS_JAVA:
        return f"no real Kafka: there is no Java {node.NEEDS_JAVA}; install it and run `make kafka`"
    if find_jars() is None:
        return "no real Kafka: its jars are not there; run `make kafka`"
    return None


@contextmanager
def real_broker() -> Iterator[RealBroker]:
    """A real Kafka of our own, within some seconds; ask `why_not_real` first."""
    jars = find_jars()
    assert jars is not None
    with tempfile.TemporaryDirectory(prefix="tw-kafka-") as home:
        broker = RealBroker(Path(home), jars)
        try:
            broker.start()
            yield broker
        finally:
            broker.kill()


@contextmanager
def real_or_given_broker() -> Iterator[Broker]:
    """The brokers that the environment names, or a real Kafka of our own."""
    given = os.environ.get("TESTS_KAFKA")
    if not given:
        with real_broker() as broker:
            yield broker
        return
    there = GivenBroker(given)
    try:
        yield there
    finally:
        there.clear()


def kept_of(message: Any) -> Kept:
    """A message of confluent-kafka as tests look at it."""
    # What the client says of its types allows for deserialisers, which ours has none of.
    return Kept(
        message.key(),
        message.value(),
        {name: value or b"" for name, value in message.headers() or ()},
        message.partition(),
        message.offset(),
        message.timestamp()[1],
    )


def _properties(data: Path, port: int, control: int) -> dict[str, object]:
    """The settings of a node that is quick to start, to rebalance and to be told of the dead."""
    return node.settings(data, port, control) | {
        "group.initial.rebalance.delay.ms": 500,
        "group.min.session.timeout.ms": 1000,
        "broker.heartbeat.interval.ms": 500,
        "broker.session.timeout.ms": 3000,
        "log.cleaner.dedupe.buffer.size": 32 * 2**20,
    }


@functools.cache
def _formatted() -> Path:
    """A folder of data as a new node has it: making one takes as long as starting does."""
    jars = find_jars()
    assert jars is not None
    home = Path(tempfile.mkdtemp(prefix="tw-kafka-template-"))
    settings = home / "server.properties"
    told = _properties(home / "data", *_free_ports(2))
    node.write_settings(settings, told)
    tool = [*node.java(jars, 256), "kafka.tools.StorageTool"]
    made = subprocess.run(
        [*tool, "format", "--cluster-id", _CLUSTER, "--config", str(settings)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return home / "data"


def _free_ports(count: int) -> list[int]:
    """Ports below those that outgoing connections take: a broker that restarts must find its own free."""
    found: list[int] = []
    while len(found) < count:
        port = random.randint(20_000, 32_000)
        with socket.socket() as probe:
            if port not in found and probe.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
    return found
