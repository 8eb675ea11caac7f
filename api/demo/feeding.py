"""Simulated players, sent to the service: weeks of history at once, then the present as it happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice

import aiohttp

from api.demo.client import Client
from detector.errors import TiltwatchError
from detector.events.instants import micros

BATCH = 2_000
REAL_TIME_S = 0.2
"""How often the present's events are sent."""

Stamped = tuple[int, bytes]
Say = Callable[[str], None]


async def feed(
    service: Client, events: Iterator[Stamped], start_us: int, history_sent: asyncio.Event, say: Say
) -> None:
    """Send what has arrived by `start_us` as fast as it is taken in, and what comes later when it comes.

    Parameters
    ----------
    history_sent
        Is set in between.

    Raises
    ------
    TiltwatchError
        The service does not take the events.
    """
    sent = 0
    waiting: Stamped | None = None
    batch: list[bytes] = []
    for arrival_us, line in events:
        if arrival_us > start_us:
            waiting = (arrival_us, line)
            break
        batch.append(line)
        if len(batch) == BATCH:
            sent += await _post(service, batch)
            batch = []
    sent += await _post(service, batch)
    history_sent.set()
    say(f"{sent:,} events of history are in; from here on it is the present.")
    while waiting is not None:
        now_us = micros(datetime.now(UTC))
        batch = []
        while waiting is not None and waiting[0] <= now_us:
            batch.append(waiting[1])
            waiting = next(iter(islice(events, 1)), None)
        await _post(service, batch)
        await asyncio.sleep(REAL_TIME_S)


async def _post(service: Client, lines: list[bytes]) -> int:
    """Send lines, again and again while the service has no room; returns how many there were."""
    if not lines:
        return 0
    while True:
        try:
            answer = await service.events(lines)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TiltwatchError("the service does not answer the demonstration") from error
        if answer.status == 202:
            return len(lines)
        if answer.status not in (429, 503):
            raise TiltwatchError(f"the service answered the demonstration with {answer.status}")
        await asyncio.sleep(0.5)
