"""Snapshots of players' risk, as the detector wrote them."""

from __future__ import annotations

from typing import Any

import msgspec
from redis.asyncio import Redis

from detector.drivers.streams import PLAYERS, RISKS
from detector.score.standing import Risk

_decode = msgspec.json.Decoder(Risk).decode


class PlayersRepository:
    """What Redis holds of players."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def risk(self, player: str) -> Risk | None:
        """Where the player's rules stood last; nothing stands where none has held; None: no such player."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hget(RISKS, player)
            pipe.hexists(PLAYERS, player)
            answers: Any = await pipe.execute()
        snapshot, is_known = answers
        if snapshot is not None:
            return _decode(snapshot)
        return Risk(player, 0, []) if is_known else None
