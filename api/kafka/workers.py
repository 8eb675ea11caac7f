"""What the workers say of themselves, as the bridge has it in Redis."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec
from redis.asyncio import Redis

WORKERS = "tw:workers"
"""Hash: worker → what it last said of itself, as JSON; see STATUS in `detector.drivers.kafka.topics`."""
SILENT_US = 15_000_000
"""A worker that has said nothing for so long does not count any more; it should every 2 s."""


class PartitionTold(msgspec.Struct):
    """A partition as its worker sees it: `lag` are the records still to be read, `next` the place in each
    topic, times in µs of event time."""

    rules: str | None = None
    high_us: int | None = None
    watermark_us: int | None = None
    lag: int = 0
    next: dict[str, int] = {}


class WorkerTold(msgspec.Struct):
    """A worker; `at` is its wall clock in µs, `rules` the set it runs, None while its partitions differ."""

    worker: str
    at: int
    state: Literal["recovering", "running", "stopping"]
    rules: str | None = None
    partitions: dict[str, PartitionTold] = {}
    players: int = 0

    def is_live(self, now_us: int) -> bool:
        """Whether it said something lately, and not that it ends."""
        return self.state != "stopping" and now_us - self.at < SILENT_US


_decode = msgspec.json.Decoder(WorkerTold).decode


async def workers(redis: Redis) -> list[WorkerTold]:
    """All workers that ever said something and were not forgotten, by name."""
    answer: Any = await redis.hgetall(WORKERS)
    found = (_read(body) for body in answer.values())
    return sorted((each for each in found if each is not None), key=lambda each: each.worker)


async def live_workers(redis: Redis, now_us: int) -> list[WorkerTold]:
    """Those of them that are at work."""
    return [each for each in await workers(redis) if each.is_live(now_us)]


def running(live: Iterable[WorkerTold]) -> str | None:
    """The id of the set of rules that all of them run; None where they differ, or nobody says."""
    sets = {each.rules for each in live if each.partitions}
    return sets.pop() if len(sets) == 1 else None


def _read(body: bytes) -> WorkerTold | None:
    try:
        return _decode(body)
    except msgspec.DecodeError:  # of another version than this service
        return None
