"""A fleet of workers, a log that flows at its own pace, and what an undisturbed run would have left."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka.errors import KafkaError as KafkaFault
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from detector.drivers.detection import Detection
from detector.drivers.kafka.partition import Partition
from detector.drivers.kafka.topics import ALERTS, EVENTS
from detector.drivers.rulesets import read_rule_set
from detector.engine.engine import GRACE_US
from detector.engine.places import read_places
from detector.events.decode import Decoder
from detector.events.instants import micros, rfc3339_ms
from detector.events.money import Currencies
from detector.language.pack import default_pack
from detector.simulator import Config, events
from tests.brokers import Broker, Kept, kept_of
from tests.kafka.workers import WorkerProcess, committed, ends, keyed

PARTITIONS = 12
WORKERS = 3
SESSION_S = 3
PATIENCE_S = 240.0
_BATCH = 2000


# The log


def log_of(
    count: int, players: int, seed: int, *, troubled: float = 0.5, corrupt: float = 0.01
) -> list[bytes]:
    """A simulated log with all that replay and workers have to agree upon; it ends with a tick."""
    config = Config(
        players=players,
        events=count,
        seed=seed,
        troubled=troubled,
        repeats=0.02,
        late=0.05,
        corrupt=corrupt,
        corrections=0.02,
    )
    return ended(list(events(config)))


def ended(lines: Sequence[bytes]) -> list[bytes]:
    """A log with a tick at its end.

    Each partition has its own high mark, and alerts of silence come as far as that has come. The tick, which
    goes to every partition, brings all of them to where a replay ends.
    """
    decoder = Decoder(Currencies())
    high_us = max(
        micros(event.ts) for line in lines[-2 * _BATCH :] if hasattr(event := decoder.decode(line), "ts")
    )
    return [*lines, b'{"type":"tick","ts":"%b"}' % rfc3339_ms(high_us - GRACE_US).encode()]


def write_log(path: Path, lines: Sequence[bytes]) -> Path:
    """A log as a file."""
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


class Flow:
    """Lines on their way to Kafka, in a thread, at so many a second; None: as fast as they go.

    The last of `log_of` goes to every partition. What is sent while brokers are away is sent when they are
    back, once and in its order.
    """

    def __init__(self, kafka: Broker, lines: Sequence[bytes], rate: float | None = None) -> None:
        self.sent = 0
        self._lines = lines
        self._rate = rate
        self._gone = threading.Event()
        self._producer = Producer(
            {
                "bootstrap.servers": kafka.servers,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "message.timeout.ms": 0,  # however long it takes
                "queue.buffering.max.messages": 2_000_000,
                "linger.ms": 5,
                "log_level": 0,
            }
        )
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:
            self._failed = error

    def _work(self) -> None:
        began = time.monotonic()
        for number, line in enumerate(self._lines[:-1]):
            if number % 100 == 0:
                if self._gone.is_set():
                    return
                self._producer.poll(0)
                if self._rate is not None:
                    time.sleep(max(0.0, began + number / self._rate - time.monotonic()))
            key, value = keyed(line)
            self._producer.produce(EVENTS, value, None if key is None else key.encode())
            self.sent = number + 1
        for partition in range(PARTITIONS):
            self._producer.produce(EVENTS, self._lines[-1], partition=partition)
        self._producer.flush(PATIENCE_S)

    @property
    def is_flowing(self) -> bool:
        """Whether there is more to come."""
        return self._thread.is_alive()

    def wait(self) -> None:
        """Wait until the brokers have it all."""
        self._thread.join()
        assert self._failed is None, self._failed
        assert len(self._producer) == 0, "the brokers did not take it all"

    def leave(self) -> None:
        """Send no more, for the test is over, however it went."""
        self._gone.set()
        self._thread.join()


# The workers


class Fleet:
    """Three workers of one group, each with its own disk.

    `is_revived`: one that ends by itself is started again, as whatever runs workers would do; else no worker
    may end by itself.
    """

    def __init__(self, kafka: Broker, home: Path, *, is_revived: bool = False, **settings: object) -> None:
        told: dict[str, object] = {"SESSION_S": SESSION_S, "CHECKPOINT_S": 1} | settings
        self.revived = 0
        self._is_revived = is_revived
        self._kafka = kafka
        self.workers = [
            WorkerProcess(kafka, home / f"w{number}", **told)  # type: ignore[arg-type]  # `command` is no setting
            for number in range(WORKERS)
        ]

    def start(self) -> None:
        for each in self.workers:
            each.start()

    def until_all_ready(self) -> None:
        """Wait until they share all partitions."""

        def is_shared() -> bool:
            bodies = [each.get("/readyz") for each in self.workers]
            counts = [json.loads(body)["partitions"] for status, body in bodies if status == 200]
            return len(counts) == WORKERS and sum(counts) == PARTITIONS and all(counts)

        self.until(is_shared, "all are ready")

    def until_moved(self) -> None:
        """Wait until checkpoints go on from where they are: who is killed then is killed at work."""
        before = self._reached()
        wanted = sum(ends(self._kafka, (EVENTS,)).values())
        self.until(lambda: before < (now := self._reached()) or now >= wanted, "work goes on")

    def _reached(self) -> int:
        try:
            return sum(committed(self._kafka).values())
        except KafkaFault:
            return 0

    def until_judged(self, *topics: str) -> None:
        """Wait until checkpoints hold all that stands on the inputs by now, which nobody adds to."""
        wanted = ends(self._kafka, topics or (EVENTS,))

        def is_there() -> bool:
            try:
                reached = committed(self._kafka)
            except KafkaFault:
                return False  # nobody has joined the group yet
            return all(reached.get(place, 0) >= end for place, end in wanted.items())

        self.until(is_there, "all is judged")

    def until(self, condition: Callable[[], object], what: str, seconds: float = PATIENCE_S) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.look()
            assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
            time.sleep(0.2)

    def look(self) -> None:
        """See whether all are alive."""
        for each in self.workers:
            if each.process.poll() is None:
                continue
            assert self._is_revived, f"a worker ended: {each.log[-3000:]}"
            each.start()
            self.revived += 1

    def stop(self) -> None:
        """End them as an operator would; each must manage."""
        assert [each.stop(30) for each in self.workers] == [0] * WORKERS

    def kill(self) -> None:
        for each in self.workers:
            each.kill()

    def times_said(self, what: str) -> int:
        """How often the workers have said something in their logs."""
        return sum(each.log.count(f'"event": "{what}"') for each in self.workers)


@contextmanager
def fleet(kafka: Broker, home: Path, *, is_revived: bool = False, **settings: object) -> Iterator[Fleet]:
    """Three workers until the block ends, whatever becomes of them."""
    made = Fleet(kafka, home, is_revived=is_revived, **settings)
    made.start()
    try:
        yield made
    finally:
        made.kill()


@contextmanager
def flow(kafka: Broker, lines: Sequence[bytes], rate: float | None = None) -> Iterator[Flow]:
    """A `Flow` that ends with the block."""
    made = Flow(kafka, lines, rate)
    try:
        yield made
    finally:
        made.leave()


# What they left


def read(kafka: Broker, topic: str) -> list[Kept]:
    """All that is committed on a topic, each partition's in its order; quicker than Python can decode it."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.servers,
            "group.id": "tests-storms",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "log_level": 3,
        }
    )
    waiting = set(range(kafka.topics()[topic]))
    consumer.assign([TopicPartition(topic, number, 0) for number in waiting])
    found: list[Kept] = []
    deadline = time.monotonic() + PATIENCE_S
    try:
        while waiting:
            assert time.monotonic() < deadline, f"{topic} cannot be read to its end"
            for message in consumer.consume(10_000, 0.5):
                error = message.error()
                if error is not None:
                    assert error.code() == KafkaError._PARTITION_EOF, error
                    waiting.discard(message.partition() or 0)
                    continue
                found.append(kept_of(message))
    finally:
        consumer.close()
    return found


def alerts(kafka: Broker) -> tuple[dict[str, bytes], int]:
    """The alerts by id, and how many records there are; one that comes twice must be the same both times."""
    found: dict[str, bytes] = {}
    records = read(kafka, ALERTS)
    for each in records:
        assert each.value is not None
        told = json.loads(each.value)
        assert each.key == told["player"].encode()
        assert found.setdefault(told["id"], each.value) == each.value, f"{told['id']} comes in two forms"
    return found, len(records)


def same_alerts(kafka: Broker, expected: Mapping[str, bytes]) -> int:
    """Hold the alerts against an undisturbed run's, byte for byte; returns how many came again."""
    assert len(expected) > 20, "too calm to show anything"
    found, count = alerts(kafka)
    assert len(expected.keys() - found) == 0, "alerts are missing"
    assert len(found.keys() - expected) == 0, "alerts are there that nobody expects"
    assert found == expected
    return count - len(found)


# The undisturbed run, in this process


@dataclass(frozen=True, slots=True)
class Line:
    """A record as a partition reads it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


def players_after(number: int, records: Iterable[Line]) -> dict[bytes, bytes]:
    """What the changelog of a partition holds after these records, had nothing ever happened to it."""
    kept: dict[bytes, bytes] = {}
    rules = read_rule_set(default_pack(), Currencies())
    detection = Detection.of(rules, Currencies(), None, read_places(None, None, {}), keep_samples=True)
    partition = Partition(
        number,
        lambda stored: detection.engine(keep_records=True, stored=stored),
        rules.ladder,
        {EVENTS: None},
        Decoder(Currencies()),
        kept.get,
        set(),
        rules.id,
        wait_s=1,
        now_s=0,
    )
    lines = list(records)
    for begin in range(0, len(lines), _BATCH):
        partition.take(EVENTS, lines[begin : begin + _BATCH], 0)
        partition.outgoing(2**62, 0)
        kept.update(partition.unsaved())
        partition.saved()
    return kept


def lines_of(records: Iterable[Kept]) -> dict[int, list[Line]]:
    """Records of an input by partition."""
    found: dict[int, list[Line]] = {number: [] for number in range(PARTITIONS)}
    for each in records:
        found[each.partition].append(Line(each.offset, each.at_ms, each.key, each.value))
    return found


def newest(records: Iterable[Kept], number: int) -> dict[bytes, bytes]:
    """What compaction would leave of a partition of the changelog."""
    return {
        each.key: each.value or b"" for each in records if each.partition == number and each.key is not None
    }
