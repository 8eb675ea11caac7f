"""Alerts as the detector wrote them, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from detector.drivers.streams import ALERTS, notes_key


class AlertsRepository:
    """The stream of alerts and the lists of their notes."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def before(self, entry: str | None, count: int) -> list[tuple[str, bytes]]:
        """At most `count` alerts older than the stream entry `entry` (None: the newest), as (entry, JSON)."""
        newest = "+" if entry is None else f"({entry}"
        found: Any = await self._redis.xrevrange(ALERTS, max=newest, count=count)
        return [(key.decode(), fields[b"a"]) for key, fields in found]

    async def notes(self, alert_ids: Sequence[str]) -> list[list[bytes]]:
        """The notes of each alert, oldest first, as JSON."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for alert_id in alert_ids:
                pipe.lrange(notes_key(alert_id), 0, -1)
            notes: list[list[bytes]] = await pipe.execute()
        return notes
