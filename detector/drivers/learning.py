"""What a detector tells those who learn, and a log as they see it.

Learning is no part of detecting: samples, labels and flags come out of replay, the embedded detector and
workers on Kafka alike, and whoever learns takes them from any of these.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import datetime
from operator import attrgetter

from detector.drivers.collector import without_collector
from detector.drivers.detection import Detection
from detector.drivers.letters import Letter
from detector.drivers.lines import LogReader
from detector.drivers.shard import Shard
from detector.engine.judging import Effects
from detector.events.instants import micros
from models.ordering import Heard, InOrder
from models.sample import Flag, Label, Sample


def told(effects: Effects) -> Iterator[Heard]:
    """What those who learn are told of what judging brought about, by time.

    However long the batch was, nothing of the next one is then earlier than InOrder waits for: moments are
    judged only when the batch is over, and would else come hours late in a log that is read quickly.
    """
    flags = (
        Flag(player=alert.player, at=micros(datetime.fromisoformat(alert.opened_at)), score=alert.score)
        for alert in effects.alerts
        if alert.audience == "risk"
    )
    heard: list[Heard] = [*effects.samples, *effects.labels, *flags]
    yield from sorted(heard, key=attrgetter("at"))


def heard_of(
    log: LogReader, detection: Detection, *, progress: Callable[[int], object] | None = None
) -> Iterator[Heard]:
    """What those who learn are told of an opened log, nearly in order; what is refused is passed over.

    Raises
    ------
    InputError
        The log cannot be read.
    """
    shard = Shard(dataclasses.replace(detection, keep_samples=True))
    engine = shard.engine
    letters: list[Letter] = []
    lines = 0
    with without_collector():
        for chunk in log.chunks():
            shard.take(chunk, lambda place: place, letters)
            letters.clear()
            engine.tick(engine.watermark_us)
            yield from told(engine.take())
            lines += len(chunk)
            if progress is not None:
                progress(lines)
    engine.finish()
    yield from told(engine.take())


def samples_of(log: LogReader, detection: Detection) -> Iterator[Sample | Label]:
    """The samples and labels of an opened log, by time."""
    order = InOrder()
    for each in heard_of(log, detection):
        order.hear(each)
        yield from order.settled()
    yield from order.until(2**62)
