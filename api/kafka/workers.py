"""What the workers say of themselves, as the bridge has it in Redis."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from redis.asyncio import Redis

from detector.drivers.kafka.status import Status

WORKERS = "tw:workers"
"""Hash: worker → what it last said of itself, as JSON; see STATUS in `detector.drivers.kafka.topics`."""
SILENT_US = 15_000_000
"""A worker that has said nothing for so long does not count any more; it should every 2 s."""

_decode = msgspec.json.Decoder(Status).decode


async def workers(redis: Redis) -> list[Status]:
    """All workers that ever said something and were not forgotten, by name."""
    answer: Any = await redis.hgetall(WORKERS)
    found = (_read(body) for body in answer.values())
    return sorted((each for each in found if each is not None), key=lambda each: each.worker)


async def live_workers(redis: Redis, now_us: int) -> list[Status]:
    """Those of them that are at work."""
    return [each for each in await workers(redis) if is_live(each, now_us)]


def is_live(worker: Status, now_us: int) -> bool:
    """Whether a worker said something lately, and not that it ends."""
    return worker.state != "stopping" and now_us - worker.at < SILENT_US


def running(live: Iterable[Status]) -> str | None:
    """The id of the set of rules that all of them run; None where they differ, or nobody says."""
    sets = {each.rules for each in live if each.partitions}
    return sets.pop() if len(sets) == 1 else None


def _read(body: bytes) -> Status | None:
    try:
        return _decode(body)
    except msgspec.DecodeError:  # of another version than this service
        return None
