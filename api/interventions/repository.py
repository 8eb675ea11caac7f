"""Interventions as the detector wrote them, and the platform's answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.exceptions import WatchError

from api.interventions.schemas import PlatformAnswer
from detector.drivers.streams import (
    INTERVENTIONS_DONE,
    INTERVENTIONS_ENDS,
    INTERVENTIONS_LAPSED,
    INTERVENTIONS_UNDONE,
    intervention_key,
)

_SCRIPT = Path(__file__).with_name("lapse.lua").read_bytes()

PAGE = 500
AT_ONCE = 1000
"""Interventions that one step takes out of the undone, during which Redis serves nobody else (about 3 ms)."""

SETS = {"undone": INTERVENTIONS_UNDONE, "done": INTERVENTIONS_DONE, "lapsed": INTERVENTIONS_LAPSED}

Place = tuple[int, str]
"""The place of an intervention in its set: deadline in µs, id."""

_answers = msgspec.json.Decoder(list[PlatformAnswer])


class InterventionsRepository:
    """The records of interventions and the sets that order them by deadline."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._lapse = redis.register_script(_SCRIPT)

    async def lapse(self, now_us: int) -> None:
        """Take what has ended by itself out of the undone."""
        keys = [INTERVENTIONS_ENDS, INTERVENTIONS_UNDONE, INTERVENTIONS_LAPSED]
        while await self._lapse(keys=keys, args=[now_us, AT_ONCE]) == AT_ONCE:
            pass

    async def after(self, state: str, place: Place | None, until_us: int | None, count: int) -> list[Place]:
        """At most `count` places of a set behind `place`, those due first; none due after `until_us`."""
        least: int | str = "-inf" if place is None else place[0]
        most: int | str = "+inf" if until_us is None else until_us
        found: list[Place] = []
        read = 0
        while True:
            page: Any = await self._redis.zrangebyscore(
                SETS[state], least, most, start=read, num=PAGE, withscores=True
            )
            for member, due in page:
                each = (int(due), member.decode())
                if place is None or each > place:
                    found.append(each)
                    if len(found) == count:
                        return found
            read += len(page)
            if len(page) < PAGE:
                return found

    async def records(self, ids: Sequence[str]) -> list[tuple[bytes, list[PlatformAnswer]] | None]:
        """Each intervention's JSON and its answers; None where there is none of that id."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for each in ids:
                pipe.hmget(intervention_key(each), "i", "a")
            found: list[tuple[bytes | None, bytes | None]] = await pipe.execute()
        return [
            None if told is None else (told, _answers.decode(answers) if answers else [])
            for told, answers in found
        ]

    async def answer(
        self,
        intervention_id: str,
        due_us: int,
        decide: Callable[[list[PlatformAnswer]], list[PlatformAnswer] | None],
    ) -> list[PlatformAnswer] | None:
        """Replace an intervention's answers by what `decide` makes of them, with nobody in between.

        Parameters
        ----------
        decide
            Returns the new answers, or None to leave them; may be asked again when somebody was quicker. What
            it raises ends it all with nothing written.

        Returns
        -------
        list of PlatformAnswer or None
            The answers as they then are; None if there is no such intervention.
        """
        key = intervention_key(intervention_id)
        async with self._redis.pipeline(transaction=True) as pipe:
            while True:
                await pipe.watch(key)
                stored: Any = await pipe.hmget(key, "i", "a")
                if stored[0] is None:
                    return None
                before = _answers.decode(stored[1]) if stored[1] else []
                after = decide(before)
                if after is None:
                    return before
                pipe.multi()  # type: ignore[no-untyped-call]
                pipe.hset(key, "a", msgspec.json.encode(after))
                if after[-1].outcome == "done":
                    for each in (INTERVENTIONS_UNDONE, INTERVENTIONS_ENDS, INTERVENTIONS_LAPSED):
                        pipe.zrem(each, intervention_id)
                    pipe.zadd(INTERVENTIONS_DONE, {intervention_id: due_us})
                try:
                    await pipe.execute()
                except WatchError:
                    continue
                return after
