"""Whether the service can do its work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from redis.exceptions import RedisError

from api.health.repository import HealthRepository
from api.health.schemas import Checks
from api.kafka.line import BrokersAway, Line
from detector.drivers.kafka.status import Status
from detector.drivers.kafka.topics import EVENTS

BROKERS_S = 2.0
"""How long the brokers may take to say which topics they have."""


class HealthService:
    """Looks at what the service depends on.

    Parameters
    ----------
    clock
        Tells the wall clock, in µs since the epoch.
    line
        To the brokers; None where Redis carries the events.
    """

    def __init__(
        self, repository: HealthRepository, clock: Callable[[], int], line: Line | None = None
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._line = line

    async def checks(self) -> Checks:
        """The state of each part."""
        if self._line is not None:
            return await self._distributed(self._line)
        try:
            state = await self._repository.detector_state()
        except RedisError:
            return Checks(redis="unreachable", detector="unknown")
        if state is None:
            return Checks(redis="ok", detector="absent")
        return Checks(redis="ok", detector="ok" if state == "running" else "loading")

    async def _distributed(self, line: Line) -> Checks:
        partitions: set[int] = set()
        kafka: Literal["ok", "unreachable", "topics missing"] = "ok"
        try:
            partitions = (await line.partitions(BROKERS_S)).get(EVENTS, set())
            kafka = "ok" if partitions else "topics missing"
        except BrokersAway:
            kafka = "unreachable"
        try:
            live = await self._repository.workers(self._clock())
        except RedisError:
            return Checks(redis="unreachable", detector="unknown", kafka=kafka)
        return Checks(redis="ok", detector=_state(live, partitions), kafka=kafka)


def _state(
    live: Sequence[Status], partitions: set[int]
) -> Literal["ok", "absent", "recovering", "incomplete"]:
    if not live:
        return "absent"
    if any(each.state == "recovering" for each in live):
        return "recovering"
    held = {int(number) for each in live for number in each.partitions}
    return "ok" if partitions <= held else "incomplete"
