"""Snapshots of players' risk, as the detector wrote them."""

from __future__ import annotations

from typing import Any

import msgspec
from redis.asyncio import Redis

from detector.drivers.streams import PLAYERS, RISKS, RULES
from detector.score.standing import Risk

_decode = msgspec.json.Decoder(Risk).decode


class PlayersRepository:
    """What Redis holds of players."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def risk(self, player: str) -> tuple[Risk | None, str | None]:
        """Where the player's rules stood last, and the id of the set of rules that runs.

        Nothing stands where no rule has held; None: no such player.
        """
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hget(RISKS, player)
            pipe.hexists(PLAYERS, player)
            pipe.hget(RULES, "set")
            answers: Any = await pipe.execute()
        snapshot, is_known, running = answers
        name = None if running is None else running.decode()
        if snapshot is not None:
            return _decode(snapshot), name
        return (Risk(player, 0, []) if is_known else None), name
