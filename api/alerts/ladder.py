"""The ladder that the detector works by at this moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import structlog
from redis.asyncio import Redis

from detector.drivers.streams import RULES
from detector.errors import RuleErrors
from detector.ladder.ladder import Ladder
from detector.ladder.load import LADDERS
from detector.language.pack import default_pack

log = structlog.get_logger()

InForce = Callable[[], Awaitable[Ladder]]


class LadderInForce:
    """Reads the ladder beside the rules, and reads it again when the detector says that it runs others."""

    def __init__(self, redis: Redis, folder: Path | None) -> None:
        self._redis = redis
        self._folder = folder or default_pack()
        self._known: tuple[bytes | None, Ladder] | None = None

    async def __call__(self) -> Ladder:
        """The ladder.

        Raises
        ------
        RuleErrors
            It cannot be read, and never could.
        """
        running: Any = await self._redis.hget(RULES, "set")
        if self._known is None or self._known[0] != running:
            try:
                self._known = running, await asyncio.to_thread(LADDERS.of, self._folder)
            except RuleErrors:
                if self._known is None:
                    raise
                log.error("the ladder in force cannot be read any more, and the one before it holds")
        return self._known[1]
