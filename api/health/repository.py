"""What Redis knows of the detector."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from detector.drivers.streams import DETECTOR


class HealthRepository:
    """The detector's lease, which Redis lets go some seconds after the detector's last sign."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def detector_state(self) -> str | None:
        """`loading` or `running`; None when no detector gave a sign lately."""
        state: Any = await self._redis.hget(DETECTOR, "state")
        return None if state is None else state.decode()
