"""Alerts on the terminal, as they come."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import msgspec
from redis.asyncio import Redis

from api.demo.feeding import Say
from detector.drivers.streams import ALERTS, EVENTS, GROUP, order_of
from detector.engine.alerts import Alert


async def tell(redis_url: str, start: str, history_sent: asyncio.Event, say: Say) -> None:
    """Print alerts: those opened before `start` by their number, those of the present one by one.

    Parameters
    ----------
    history_sent
        Set once all of the history's events are in.
    """
    history: Counter[str] = Counter()
    # With a time-out the client waits by asyncio.wait_for, which on Python 3.11 can lose a cancellation.
    redis = Redis.from_url(redis_url, protocol=2, socket_timeout=None)
    last, summed_up = b"0", False
    until: bytes | None = None
    try:
        while True:
            answer: Any = await redis.xread({ALERTS: last}, count=500, block=300)
            entries = answer[0][1] if answer else []
            for entry, fields in entries:
                last = entry
                alert = msgspec.json.decode(fields[b"a"], type=Alert)
                if alert.opened_at < start and not summed_up:
                    history[alert.rule] += 1
                    continue
                say(
                    f"{alert.opened_at[11:19]}  {alert.severity.upper():8}  {alert.player}  "
                    f"{alert.rule} ({alert.kind}): {alert.explanation}"
                )
            if summed_up or entries:
                continue
            if until is None and history_sent.is_set():
                until = await _newest(redis)
            if until is not None and await _is_read(redis, until):
                say(_told_history(history))
                summed_up = True
    finally:
        await redis.aclose()


async def _newest(redis: Redis) -> bytes:
    """The place of the newest event."""
    found: Any = await redis.xinfo_stream(EVENTS)
    newest: bytes = found["last-generated-id"]
    return newest


async def _is_read(redis: Redis, until: bytes) -> bool:
    """Whether the detector is done with the events up to a place, their alerts on the stream."""
    groups: Any = await redis.xinfo_groups(EVENTS)
    return any(
        each["name"] == GROUP.encode() and order_of(each["last-delivered-id"]) >= order_of(until)
        for each in groups
    )


def _told_history(history: Counter[str]) -> str:
    lines = [f"{sum(history.values())} alerts from the history:"]
    lines += [f"  {count:4}  {rule}" for rule, count in history.most_common()]
    return "\n".join(lines)
