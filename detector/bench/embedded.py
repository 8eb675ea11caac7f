"""Embedded mode end to end, against the same work in Redis with nobody detecting anything.

Ours: batches over HTTP to a running tiltwatch, until the last alert can be read. The peer: the same events put in by
the same script, read back in the same batches, and for each batch the same players' records, marks and
alerts stored in the same transaction, all of them prepared beforehand. Both servers sync every write.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import xxhash
from redis import Redis
from redis.exceptions import ResponseError

from detector.bench.rounds import Plan, Row, interleaved
from detector.bench.service import Client, Service, is_caught_up, running
from detector.drivers.lease import Lease
from detector.drivers.streams import ALERTS, ENGINE, EVENTS, FEED, GROUP, PLAYERS, trim_behind_readers
from detector.drivers.valkey import Server
from detector.engine.engine import Engine
from detector.errors import StateError
from detector.events.decode import Decoder, Refusal
from detector.events.identity import identity
from detector.events.money import Currencies
from detector.language.pack import default_pack, load_rules
from detector.simulator import Config, events

BATCH = 500
"""Events in a request, in a step of the script, and in a transaction of the detector."""
EVENTS_A_PLAYER = 100
FIRST, THEN = 0.3, 0.6
KEPT = 100_000
PERIODS = 5


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch brings into Redis: the script's arguments, and what is stored for it."""

    lines: list[bytes]
    arguments: list[bytes]
    records: dict[bytes, bytes]
    marks: bytes
    alerts: list[tuple[str, bytes]]


def measure(plan: Plan) -> list[Row]:
    """One row; the rounds are consecutive parts of one log."""
    size = max(BATCH, plan.events // (plan.rounds + 1) // BATCH * BATCH)
    total = size * (plan.rounds + 1)
    config = Config(events=total, players=max(10, total // EVENTS_A_PLAYER))
    plan.tell(f"embedded: preparing {total:,} events")
    batches = list(_prepared(config))
    parts = [batches[start : start + size // BATCH] for start in range(0, len(batches), size // BATCH)]
    alerts = sum(len(batch.alerts) for batch in batches)
    with ExitStack() as stack:
        service = stack.enter_context(running())
        bare = stack.enter_context(_bare(parts))
        figures = interleaved({"tiltwatch, embedded": _Ours(service, parts), PEER: bare}, plan)
        _agree(service, alerts)
"""
"""
