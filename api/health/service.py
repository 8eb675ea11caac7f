"""Whether the service can do its work."""

from __future__ import annotations

from redis.exceptions import RedisError

from api.health.repository import HealthRepository
from api.health.schemas import Checks


class HealthService:
    """Looks at what the service depends on."""

    def __init__(self, repository: HealthRepository) -> None:
        self._repository = repository

    async def checks(self) -> Checks:
        """The state of each part."""
        try:
            state = await self._repository.detector_state()
        except RedisError:
            return Checks(redis="unreachable", detector="unknown")
        if state is None:
            return Checks(redis="ok", detector="absent")
        return Checks(redis="ok", detector="ok" if state == "running" else "loading")
