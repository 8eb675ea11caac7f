"""What a worker tells of itself on `rg.status`."""

from __future__ import annotations

from typing import Literal

import msgspec

EVERY_S = 2.0
"""How often a worker tells."""

State = Literal["recovering", "running", "stopping"]


class PartitionStatus(msgspec.Struct):
    """How far a partition has come; times are µs of event time, `next` tells each topic's next offset."""

    rules: str
    high_us: int
    watermark_us: int
    lag: int
    next: dict[str, int]


class Status(msgspec.Struct):
    """A worker; `rules` is the set that all its partitions are judged by, None while they differ."""

    worker: str
    at: int
    state: State
    rules: str | None
    partitions: dict[str, PartitionStatus]
    players: int


encode = msgspec.json.Encoder().encode
