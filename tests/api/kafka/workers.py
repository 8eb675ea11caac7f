"""Workers that say what a test has them say."""

from __future__ import annotations

from typing import Any

import msgspec
from redis import Redis


def said(
    worker: str,
    at_us: int,
    state: str = "running",
    rules: str | None = None,
    **partitions: Any,
) -> bytes:
    """What a worker says of itself; `p0={"lag": 3}` is of a partition that is in no way special else."""
    told = {
        name.removeprefix("p"): {
            "rules": rules or "",
            "high_us": at_us,
            "watermark_us": at_us,
            "lag": 0,
            "next": {},
        }
        | values
        for name, values in partitions.items()
    }
    return msgspec.json.encode(
        {"worker": worker, "at": at_us, "state": state, "rules": rules, "partitions": told, "players": 1}
    )


def all_of(worker: str, at_us: int, *numbers: int, **more: Any) -> bytes:
    """What a worker that has these partitions says."""
    partitions: dict[str, Any] = {f"p{number}": {} for number in numbers}
    return said(worker, at_us, **more, **partitions)


def put(redis: Redis, *told: bytes) -> None:
    """Have it in Redis, as the bridge would."""
    for each in told:
        redis.hset("tw:workers", msgspec.json.decode(each)["worker"], each)
