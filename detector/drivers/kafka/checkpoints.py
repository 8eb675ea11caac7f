"""When what was judged is kept, and what comes of it when that fails.

A checkpoint is made ready in one go and written in the background, for what it holds is plain bytes by then.
"""

from __future__ import annotations

import asyncio
import time
from asyncio import Future, Task
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from aiokafka.errors import ProducerFenced

from detector.drivers.kafka.keeping import Kept, Writer
from detector.drivers.kafka.meters import Meters
from detector.drivers.kafka.options import Options
from detector.drivers.kafka.partition import Partition

log = structlog.get_logger()

_SHARE = 9
"""A checkpoint that took a second is followed by this many seconds without one, so that catching up is not
spent on checkpoints …"""
_LONGEST_S = 30.0
"""… and by no more than these: they are what a crash has judged again."""


@dataclass(slots=True)
class Held:
    """A partition that is ours.

    `generation` is the one it was assigned in; `unsure` are the topics of which nothing has come since it was
    made ready, `refetched` where such a topic was gone back for. `sent` has to be acknowledged; `risks` and
    `samples`, each with its player, are to be kept with the next checkpoint. `heard_us` is when an event came
    last, by the wall clock.
    """

    partition: Partition
    kept: Kept
    writer: Writer
    generation: int
    unsure: set[str]
    heard_us: int
    sent: list[Future[Any]] = field(default_factory=list)
    risks: dict[bytes, bytes] = field(default_factory=dict)
    samples: list[tuple[bytes, bytes]] = field(default_factory=list)
    saving: Task[None] | None = None
    is_changed: bool = False
    begun_at: float = 0.0
    took_s: float = 0.0
    refetched: dict[str, int] = field(default_factory=dict)


class Losing(Protocol):
    """Whoever has to know that memory is not to be trusted any more."""

    def is_lost(self, number: int) -> bool:
        """Whether a partition is given up for now."""
        ...

    def lose(self, number: int, cause: str, wait_s: float = 0.0) -> None:
        """Give a partition up, and take it up again from what is kept after a while."""
        ...


class Checkpoints:
    """Makes the checkpoints of a worker's partitions."""

    def __init__(self, options: Options, meters: Meters, losing: Losing) -> None:
        self._options = options
        self._meters = meters
        self._losing = losing

    def is_due(self, held: Held, now_s: float) -> bool:
        """Whether it is time for one."""
        pause = max(self._options.checkpoint_s, min(_SHARE * held.took_s, _LONGEST_S))
        is_saving = held.saving is not None and not held.saving.done()
        return held.is_changed and not is_saving and now_s - held.begun_at >= pause

    def begin(self, held: Held) -> Task[None]:
        """Begin a checkpoint of what was judged so far."""
        held.is_changed = False
        held.begun_at = time.monotonic()
        sent, held.sent = held.sent, []
        risks, held.risks = held.risks, {}
        samples, held.samples = held.samples, []
        changed = held.partition.unsaved()
        held.saving = asyncio.create_task(
            self._write(held, sent, changed, risks, samples, dict(held.partition.next)), name="checkpoint"
        )
        return held.saving

    async def make_now(self, held: Held) -> bool:
        """Have everything judged so far kept before returning; False if that cannot be."""
        number = held.partition.number
        if held.saving is not None:
            await asyncio.wait([held.saving])
        if self._losing.is_lost(number):
            return False
        if held.is_changed:
            await asyncio.wait([self.begin(held)])
        return not self._losing.is_lost(number)

    async def _write(
        self,
        held: Held,
        sent: list[Future[Any]],
        changed: Mapping[bytes, bytes],
        risks: Mapping[bytes, bytes],
        samples: Sequence[tuple[bytes, bytes]],
        reached: Mapping[str, int],
    ) -> None:
        number = held.partition.number
        try:
            await asyncio.gather(*sent)
            last = await held.writer.write(changed, risks, reached, samples)
            held.kept.apply(changed.items(), last)
            held.partition.saved()
            held.took_s = time.monotonic() - held.begun_at
            self._meters.saved(held.took_s)
        except ProducerFenced:
            # Most likely it is another worker's by now, which this one is about to learn from the brokers.
            log.warning("a partition was taken over", partition=number)
            self._losing.lose(number, "fenced", 2 * self._options.session_s)
        except Exception as error:
            log.warning("a checkpoint was not kept", partition=number, error=type(error).__name__)
            self._losing.lose(number, "checkpoint")
