"""Workers as processes of their own, what they are fed, and what they left on the brokers."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import environ
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import ConsumerRecord

from detector.drivers.kafka.marks import MARKS, read_marks
from detector.drivers.kafka.topics import changelog
from tests.brokers import Broker

TILTWATCH = Path(sys.executable).with_name("tiltwatch")
PATIENCE_S = 40.0
_LOG_END = 3000


@dataclass(frozen=True)
class Sent:
    """A record to write: its key, value and headers."""

    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]] = field(default_factory=list)


class WorkerProcess:
    """One `tiltwatch worker`; its log is kept over restarts, and so is its disk.

    Parameters
    ----------
    home
        A folder of its own, for its data and its log.
    settings
        By name without prefix, whatever its environment is to say.
    command
        What is run instead of `tiltwatch worker`.
    """

    def __init__(
        self,
        kafka: Broker,
        home: Path,
        *,
        command: Sequence[str | Path] = (TILTWATCH, "worker"),
        **settings: object,
    ) -> None:
        self.name = str(settings.get("WORKER_NAME", home.name))
        self.log_file = home / "worker.log"
        self._command = command
        home.mkdir(parents=True, exist_ok=True)
        told: dict[str, object] = {
            "DATA_DIR": home / "data",
            "WORKER_NAME": self.name,
            "WORKER_PORT": 0,
            "HOST": "127.0.0.1",
            "LOG_FORMAT": "json",
            "CHECKPOINT_S": 0.3,
            "SESSION_S": 6,
        } | settings
        ours = {f"TILTWATCH_{key}": str(value) for key, value in told.items()}
        self._environment = {**environ, **kafka.environment, **ours}
        self._process: subprocess.Popen[bytes] | None = None
        self._begun_at = 0

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """What runs now, or ran last."""
        assert self._process is not None
        return self._process

    def start(self) -> None:
        """Start it; ready it is later."""
        self._begun_at = self.log_file.stat().st_size if self.log_file.exists() else 0
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)

    def stop(self, seconds: float = 20) -> int:
        """End it as an operator would; returns its exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self) -> None:
        """End it at once, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def signal(self, which: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(which)

    @property
    def log(self) -> str:
        """All it has said, over all its lives."""
        return self.log_file.read_text(errors="replace")

    @property
    def told(self) -> list[dict[str, Any]]:
        """The lines of its log in this life."""
        lines = self.log_file.read_bytes()[self._begun_at :].splitlines()
        return [json.loads(line) for line in lines if line.startswith(b"{") and line.endswith(b"}")]

    def wait_for(self, condition: Callable[[], object], seconds: float = PATIENCE_S) -> None:
        """Wait until something holds; fails with the end of its log if it does not, or if it ends before."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"it ended: {self.log[-_LOG_END:]}"
            assert time.monotonic() < deadline, f"it did not happen in time: {self.log[-_LOG_END:]}"
            time.sleep(0.05)

    @property
    def port(self) -> int:
        """Where it answers over HTTP, once it has said so."""
        self.wait_for(lambda: any("port" in line for line in self.told))
        return int(next(line["port"] for line in self.told if "port" in line))

    def get(self, path: str) -> tuple[int, str]:
        """What it answers over HTTP: status and body; 0 where it does not."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()
        except OSError:
            return 0, ""

    def is_ready(self, partitions: int | None = None) -> bool:
        """Whether all that is assigned to it is ready, and that it is so many partitions."""
        status, body = self.get("/readyz")
        return status == 200 and (partitions is None or json.loads(body)["partitions"] == partitions)

    def until_ready(self, partitions: int | None = None) -> None:
        """Wait until it has so many partitions and all of them are ready."""
        self.wait_for(lambda: self.is_ready(partitions))


@contextmanager
def worker(kafka: Broker, home: Path, **settings: object) -> Iterator[WorkerProcess]:
    """A worker until the block ends, whatever becomes of it; `settings` as of `WorkerProcess`."""
    made = WorkerProcess(kafka, home, **settings)  # type: ignore[arg-type]  # `command` is no setting
    made.start()
    try:
        yield made
    finally:
        made.kill()


def keyed(line: bytes) -> tuple[str | None, bytes]:
    """A line of a log as a record of rg.events, keyed by its player where it has one."""
    try:
        event = json.loads(line)
    except ValueError:
        return None, line
    player = event.get("player") if isinstance(event, dict) else None
    return player if isinstance(player, str) else None, line


def feed(kafka: Broker, lines: Iterable[bytes], topic: str = "rg.events") -> int:
    """Write lines of a log as the platform would; returns how many."""
    records = [keyed(line) for line in lines]
    kafka.put(topic, *records)
    return len(records)


async def read_all(kafka: Broker, topic: str) -> list[ConsumerRecord[bytes, bytes]]:
    """All that is committed on a topic by now, each partition's in order."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.servers,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        check_crcs=kafka.check_crcs,
    )
    found: list[ConsumerRecord[bytes, bytes]] = []
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in range(kafka.topics()[topic])]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        deadline = time.monotonic() + PATIENCE_S
        # Marks of transactions have offsets too, and are no records.
        while any([await consumer.position(place) < ends[place] for place in places]):
            assert time.monotonic() < deadline, f"{topic} cannot be read to its end"
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += records
    finally:
        await consumer.stop()
    return sorted(found, key=lambda each: (each.partition, each.offset))


def read(kafka: Broker, topic: str) -> list[ConsumerRecord[bytes, bytes]]:
    """`read_all` for tests that are no coroutines."""
    return asyncio.run(read_all(kafka, topic))


def values(kafka: Broker, topic: str) -> list[Any]:
    """The values of a topic's records, out of JSON."""
    return [json.loads(each.value or b"null") for each in read(kafka, topic)]


def alerts(kafka: Broker, topic: str = "rg.alerts") -> dict[str, bytes]:
    """The alerts of a topic by id; one that comes twice must be the same both times."""
    found: dict[str, bytes] = {}
    for each in read(kafka, topic):
        assert each.value is not None
        id_ = json.loads(each.value)["id"]
        assert found.setdefault(id_, each.value) == each.value, f"the alert {id_} comes in two forms"
    return found


def statuses(kafka: Broker) -> dict[str, dict[str, Any]]:
    """What each worker said last of itself."""
    return {told["worker"]: told for told in values(kafka, "rg.status")}


def kept(kafka: Broker, group: str = "tiltwatch") -> dict[tuple[str, int], int]:
    """The next offset of each topic and partition, as the last checkpoint on the changelog has it."""
    found: dict[tuple[str, int], int] = {}
    for each in read(kafka, changelog(group)):
        if each.key == MARKS and each.value:
            marks = read_marks(each.value)
            found |= {(topic, each.partition): offset for topic, offset in marks.next.items()}
    return found


def committed(kafka: Broker, group: str = "tiltwatch") -> dict[tuple[str, int], int]:
    """The next offset that a group has committed, of each topic and partition.

    The mock cluster keeps nothing of offsets that are committed by transactions.
    """

    async def ask() -> Mapping[TopicPartition, Any]:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.servers)
        await admin.start()
        try:
            found: Mapping[TopicPartition, Any] = await admin.list_consumer_group_offsets(group)
            return found
        finally:
            await admin.close()

    found = asyncio.run(ask())
    return {(tp.topic, tp.partition): each.offset for tp, each in found.items() if each.offset >= 0}


def until_judged(kafka: Broker, by: WorkerProcess, *topics: str) -> None:
    """Wait until a checkpoint holds all that stands on the inputs by now, `rg.events` unless named."""
    wanted = ends(kafka, topics or ("rg.events",))

    def is_there() -> bool:
        reached = kept(kafka)
        return all(reached.get(place, 0) >= end for place, end in wanted.items() if end)

    by.wait_for(is_there, 60)


def ends(kafka: Broker, topics: Sequence[str]) -> dict[tuple[str, int], int]:
    """The end of each partition."""

    async def ask() -> Mapping[TopicPartition, int]:
        consumer = AIOKafkaConsumer(bootstrap_servers=kafka.servers)
        await consumer.start()
        try:
            there = kafka.topics()
            places = [TopicPartition(topic, number) for topic in topics for number in range(there[topic])]
            found: Mapping[TopicPartition, int] = await consumer.end_offsets(places)
            return found
        finally:
            await consumer.stop()

    return {(tp.topic, tp.partition): end for tp, end in asyncio.run(ask()).items()}


def replayed(home: Path, log: Path, *more: str | Path, rules: Path | None = None) -> dict[str, bytes]:
    """The alerts that `tiltwatch replay` finds in a log, by id, as bytes."""
    home.mkdir(parents=True, exist_ok=True)
    out = home / "replayed.jsonl"
    command: list[str | Path] = [TILTWATCH, "replay", log, "--alerts", out, *more]
    if rules is not None:
        command += ["--rules", rules]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    return {json.loads(line)["id"]: line for line in out.read_bytes().splitlines()}
