"""A log as those who learn see it: samples and labels in the order of time, the rules' own score with each.

Learning is no part of detecting: what comes out here is the same that an embedded detector and workers on
Kafka hand out, and whoever learns takes it from any of them.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Callable, Iterator
from datetime import datetime

import msgspec

from detector.drivers.collector import without_collector
from detector.drivers.detection import Detection
from detector.drivers.letters import Letter
from detector.drivers.lines import LogReader
from detector.drivers.shard import Shard
from detector.engine.alerts import Alert
from detector.engine.judging import Effects
from detector.events.instants import DAY_US, micros
from models.sample import Label, Sample

SETTLED_US = 31 * 60 * 1_000_000
"""How far behind the ticked watermark nothing new comes up any more: a session's fate is open for 30 min."""
HALVED_US = 14 * DAY_US
"""The time in which what the rules made of a player halves: a baseline has to forget, or it only counts."""


class RulesAlone:
    """What the rules alone make of each player, told by their alerts on risk, in order of time."""

    def __init__(self) -> None:
        self._latest: dict[str, tuple[int, int]] = {}

    def note(self, alert: Alert) -> None:
        """Take an alert in."""
        if alert.audience == "risk":
            opened_us = micros(datetime.fromisoformat(alert.opened_at))
            self._latest[alert.player] = (opened_us, alert.score)

    def of(self, player: str, at_us: int) -> float:
        """The latest score, 0 to 100, halved for each HALVED_US since."""
        opened_us, score = self._latest.get(player, (at_us, 0))
        return float(score * 0.5 ** (max(0, at_us - opened_us) / HALVED_US))


class InOrder:
    """Puts alerts, samples and labels in order of time, as far as nothing earlier can come any more."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, str, int, Alert | Sample | Label]] = []
        self._number = 0
        self._rules = RulesAlone()

    def take(self, effects: Effects) -> None:
        """Take in what judging brought about."""
        for alert in (*effects.alerts, *effects.shadow):
            # An alert of the same moment is part of what the rules made of the player then.
            self._push(micros(datetime.fromisoformat(alert.opened_at)), 0, alert.player, alert)
        for sample in effects.samples:
            self._push(sample.at, 1, sample.player, sample)
        for label in effects.labels:
            self._push(label.at, 2, label.player, label)

    def _push(self, at_us: int, rank: int, player: str, each: Alert | Sample | Label) -> None:
        self._number += 1
        heapq.heappush(self._waiting, (at_us, rank, player, self._number, each))

    def until(self, settled_us: int) -> Iterator[Sample | Label]:
        """What happened up to an instant, in order."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= settled_us:
            each = heapq.heappop(waiting)[-1]
            if isinstance(each, Alert):
                self._rules.note(each)
            elif isinstance(each, Label):
                yield each
            else:
                yield msgspec.structs.replace(each, rules=self._rules.of(each.player, each.at))


def samples_of(
    log: LogReader, detection: Detection, *, progress: Callable[[int], object] | None = None
) -> Iterator[Sample | Label]:
    """The samples and labels of an opened log, by time; what is refused is passed over.

    Raises
    ------
    InputError
        The log cannot be read.
    """
    shard = Shard(dataclasses.replace(detection, keep_samples=True))
    engine, order = shard.engine, InOrder()
    letters: list[Letter] = []
    lines = 0
    with without_collector():
        for chunk in log.chunks():
            shard.take(chunk, lambda place: place, letters)
            letters.clear()
            engine.tick(engine.watermark_us)
            order.take(engine.take())
            yield from order.until(engine.ticked_us - SETTLED_US)
            lines += len(chunk)
            if progress is not None:
                progress(lines)
    engine.finish()
    order.take(engine.take())
    yield from order.until(engine.high_us)
