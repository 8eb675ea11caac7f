"""What Redis knows of the detector."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from api.kafka.workers import live_workers
from detector.drivers.kafka.status import Status
from detector.drivers.streams import DETECTOR


class HealthRepository:
    """The workers, or the detector's lease, which Redis lets go some seconds after its last sign."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def detector_state(self) -> str | None:
        """`loading` or `running`; None when no detector gave a sign lately."""
        state: Any = await self._redis.hget(DETECTOR, "state")
        return None if state is None else state.decode()

    async def workers(self, now_us: int) -> list[Status]:
        """The workers on Kafka that gave a sign lately."""
        return await live_workers(self._redis, now_us)
