"""Keeping the streams in Redis short, which the embedded detector does where there is no Kafka."""

from __future__ import annotations

import asyncio

import structlog
from redis import Redis
from redis.exceptions import ResponseError

from api.deployment import Deployment
from api.kafka.workers import WORKERS, workers
from detector.drivers.streams import (
    ARCHIVE,
    EVENTS,
    GROUP,
    INTERVENTIONS,
    SERVICE,
    TAKEN_OVER,
    make_group,
    trim_behind_readers,
    trim_what_was_taken,
)
from detector.events.instants import DAY_US

log = structlog.get_logger()

EVERY_S = 1.0


class KeepingStreams:
    """Makes the groups that say what was read, drops what all have read, forgets workers long gone."""

    name = "keeping streams"

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._redis: Redis | None = None

    async def round(self) -> float:
        if self._redis is None:
            self._redis = Redis.from_url(self._deployment.redis_url, socket_timeout=10, protocol=2)
            await asyncio.to_thread(self._make_groups, self._redis)
        await asyncio.to_thread(self._trim, self._redis)
        await self._forget()
        return EVERY_S

    async def end(self) -> None:
        """Disconnect."""
        if self._redis is not None:
            self._redis.close()
            self._redis = None

    @staticmethod
    def _make_groups(redis: Redis) -> None:
        make_group(redis, EVENTS, ARCHIVE)
        for stream in TAKEN_OVER:
            make_group(redis, stream, SERVICE)
        try:
            left = redis.xgroup_destroy(EVENTS, GROUP)
        except ResponseError:
            return
        if left:
            # It would hold the stream for ever: workers read Kafka.
            log.warning("an embedded detector has worked on this Redis; what it left unread is not judged")

    def _trim(self, redis: Redis) -> None:
        settings = self._deployment.settings
        trim_behind_readers(redis, EVENTS)
        trim_behind_readers(redis, INTERVENTIONS)
        for stream in TAKEN_OVER:
            kept = settings.interventions_kept if stream == INTERVENTIONS else settings.alerts_kept
            trim_what_was_taken(redis, stream, kept)

    async def _forget(self) -> None:
        before_us = self._deployment.clock() - DAY_US
        gone = [each.worker for each in await workers(self._deployment.redis) if each.at < before_us]
        if gone:
            await self._deployment.redis.hdel(WORKERS, *gone)
