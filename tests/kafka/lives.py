"""A partition without Kafka that can be lost and taken up again, and all that left it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detector.drivers.detection import Detection
from detector.drivers.kafka.incoming import Record
from detector.drivers.kafka.marks import MARKS, PLAYER
from detector.drivers.kafka.outgoing import Outgoing
from detector.drivers.kafka.partition import Partition
from detector.engine.engine import Engine
from detector.events.decode import Decoder
from detector.events.money import Currencies
from detector.ladder.load import LADDERS
from detector.language.pack import default_pack, load_rules
from detector.language.rule import Rule
from detector.mapping.feed import FeedMapping
from tests.drivers.small import MINUTE_US, NOON_US, event
from tests.kafka.workers import keyed

IN = "rg.events"
CURRENCIES = Currencies()
LATER_MS = 1_830_000_000_000
FOREVER_US = 2**60


@dataclass(frozen=True)
class Read:
    """A record as a consumer gives it."""

    offset: int
    value: bytes | None
    key: bytes | None = None
    timestamp: int = LATER_MS
    headers: Sequence[tuple[str, bytes]] = ()


def records(lines: Iterable[bytes]) -> list[Record]:
    """Lines of a log as the records of a partition, keyed as the platform keys them."""
    found: list[Record] = []
    for offset, line in enumerate(lines):
        key, value = keyed(line)
        found.append(Read(offset, value, None if key is None else key.encode()))
    return found


@dataclass
class Found:
    """All that left a partition, over all its lives."""

    alerts: dict[str, bytes] = field(default_factory=dict)
    shadow: dict[str, bytes] = field(default_factory=dict)
    interventions: dict[str, bytes] = field(default_factory=dict)
    refused: dict[tuple[str, int, bytes], tuple[str, int]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    """The players' alerts as they came."""

    def add(self, out: Outgoing) -> None:
        """Take what left. What comes twice must be the same both times."""
        for kind, more in (
            (self.alerts, out.effects.alerts),
            (self.shadow, out.effects.shadow),
            (self.interventions, out.interventions),
        ):
            for each in more:
                told = each.to_json()
                assert kind.setdefault(each.id, told) == told
        self.order += [alert.id for alert in out.effects.alerts]
        for refused in out.refused:
            place = refused.topic, refused.offset, refused.refusal.original
            told_so = refused.refusal.reason, refused.at_us
            assert self.refused.setdefault(place, told_so) == told_so


@functools.cache
def the_pack() -> list[Rule]:
    return load_rules(default_pack(), CURRENCIES)


class Life:
    """A partition, what is kept of it, and what left it; it can be lost and taken up again."""

    def __init__(
        self,
        rules: Path | None = None,
        inputs: Mapping[str, FeedMapping | None] | None = None,
        *,
        wait_s: float = 2.0,
    ) -> None:
        self.detection = Detection(load_rules(rules, CURRENCIES) if rules else the_pack())
        self.inputs = inputs or {IN: None}
        self.wait_s = wait_s
        self.kept: dict[bytes, bytes] = {}
        self.feared: set[tuple[str, int]] = set()
        self.found = Found()
        self.now_s = 0.0
        self.again()

    def again(self) -> None:
        """Trust what is kept alone."""
        self.partition = Partition(
            3,
            self.make_engine,
            LADDERS.packaged,
            self.inputs,
            Decoder(CURRENCIES),
            lambda key: self.kept.get(key) or None,
            self.feared,
            "rs_one",
            wait_s=self.wait_s,
            now_s=self.now_s,
        )
        if MARKS in self.kept:
            self.partition.load_marks(self.kept[MARKS])
        for key, record in self.kept.items():
            if key.startswith(PLAYER):
                self.partition.load_player(key, record)

    def make_engine(self, stored: Callable[[str], bytes | None]) -> Engine:
        return self.detection.engine(keep_records=True, stored=stored)

    @property
    def next(self) -> dict[str, int]:
        return self.partition.next

    def take(self, batch: Sequence[Record], topic: str = IN) -> Outgoing:
        self.partition.take(topic, batch, self.now_s)
        return self.send()

    def wait(self, seconds: float) -> Outgoing:
        self.now_s += seconds
        self.partition.go_on(self.now_s)
        return self.send()

    def send(self) -> Outgoing:
        out = self.partition.outgoing(NOON_US, FOREVER_US)
        self.found.add(out)
        return out

    def save(self) -> None:
        """A checkpoint that is kept at once."""
        self.kept |= self.partition.unsaved()
        self.partition.saved()


def minutes(offset: int, at: int, **more: Any) -> Read:
    return Read(offset, event(f"e{offset}", NOON_US + at * MINUTE_US, **more), b"p1")
