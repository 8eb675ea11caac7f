"""How many requests a key may send: counted in Redis, so that several services count together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from limits import RateLimitItem, parse
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import Redis

from api.access.service import Principal
from api.problems import RATE_LIMITED, Problem

STRANGERS = "strangers"
DEFAULTS: Mapping[str, str] = {
    "platform": "2000/second",
    "agent": "50/second",
    "analyst": "50/second",
    "compliance": "50/second",
    "partner": "50/second",
    "admin": "50/second",
    STRANGERS: "20/second",
}
"""Role → requests a key may send; `strangers` is each address that sends no key that is known."""


class RequestLimits:
    """Counts requests, and refuses those beyond the limit.

    Parameters
    ----------
    redis
        Where they are counted.
    own
        Limits in the place of the `DEFAULTS`, in the words of the library: `100/second`.
    """

    def __init__(self, redis: Redis, own: Mapping[str, str]) -> None:
        self._limits: dict[str, RateLimitItem] = {
            who: parse(limit) for who, limit in {**DEFAULTS, **own}.items()
        }
        options: Any = {"connection_pool": redis.connection_pool}
        storage = RedisStorage("async+redis://", implementation="redispy", key_prefix="tw:limits", **options)
        self._counter = SlidingWindowCounterRateLimiter(storage)

    async def count(self, who: Principal) -> None:
        """Count a request of a key; Problem if it is one too many."""
        await self._count(who.role, who.id)

    async def count_stranger(self, address: str) -> None:
        """Count a request of somebody unknown; Problem if it is one too many."""
        await self._count(STRANGERS, address)

    async def _count(self, kind: str, who: str) -> None:
        limit = self._limits[kind]
        if not await self._counter.hit(limit, kind, who):
            raise Problem(RATE_LIMITED, "Slow down.", retry_after_s=max(1, limit.get_expiry() // 2))
