"""Telling the desk when nobody is being scored any more, and when it goes on."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from api.audit.service import Audit
from api.backoffice import progress
from api.backoffice.lease import OfficeLease
from api.deployment import Deployment
from api.kafka.workers import is_live, workers
from api.webhooks.outbox import Outbox
from detector.drivers.kafka.status import Status
from detector.events.instants import MINUTE_US, rfc3339_ms

ACTOR = "system:kafka"
SUBJECT = "scoring:workers"
PLACE = "scoring"
"""The name under which it is kept that people were told: `stopped` or `going`."""
STOPPED_US = MINUTE_US
"""After so long without a word, or with more and more to do and nothing done, scoring has stopped."""
EVERY_S = 1.0


@dataclass(slots=True)
class _Seen:
    """A partition as it was when it last moved."""

    next: dict[str, int]
    lag: int
    at_us: int


@dataclass(slots=True)
class Watch:
    """Tells from what workers say whether scoring goes on.

    Parameters
    ----------
    since_us
        When it began to look: before that nobody can be said to have been silent.
    """

    since_us: int
    stopped_us: int = STOPPED_US
    _seen: dict[str, _Seen] = field(default_factory=dict)

    def look(self, told: list[Status], now_us: int) -> str | None:
        """Why scoring has stopped by now: `no_worker` or `no_progress`; None while it goes on."""
        speaking = [each for each in told if each.state != "stopping"]
        last_us = max((each.at for each in speaking), default=0)
        if now_us - max(last_us, self.since_us) >= self.stopped_us:
            return "no_worker"
        stuck = [self._stands(each, now_us) for each in speaking if is_live(each, now_us)]
        return "no_progress" if any(stuck) else None

    def _stands(self, worker: Status, now_us: int) -> bool:
        """Whether a partition of a worker gets more and more to do and does nothing."""
        stands = False
        for number, each in worker.partitions.items():
            seen = self._seen.get(number)
            if seen is None or seen.next != each.next or each.lag == 0:
                self._seen[number] = _Seen(dict(each.next), each.lag, now_us)
            elif now_us - seen.at_us >= self.stopped_us and each.lag > seen.lag:
                stands = True
        return stands


class WatchingScoring:
    """Tells once that scoring has stopped, and once that it goes on."""

    name = "watching scoring"

    def __init__(self, deployment: Deployment, lease: OfficeLease, stopped_us: int = STOPPED_US) -> None:
        self._redis = deployment.redis
        self._store = deployment.store
        self._clock = deployment.clock
        self._lease = lease
        self._outbox = Outbox(deployment.clock)
        self._watch = Watch(deployment.clock(), stopped_us)

    async def round(self) -> float:
        now_us = self._clock()
        why = self._watch.look(await workers(self._redis), now_us)
        async with self._store.read() as session:
            was_stopped = await progress.reached(session, PLACE) == "stopped"
        if (why is not None) == was_stopped:
            return EVERY_S
        async with self._store.write() as session:
            await self._lease.check(session)
            if why is not None:
                await self._tell(session, "scoring.stopped", "stopped", reason=why, at=rfc3339_ms(now_us))
            else:
                await self._tell(session, "scoring.resumed", "going", at=rfc3339_ms(now_us))
        return EVERY_S

    async def _tell(self, session: AsyncSession, what: str, place: str, **told: str) -> None:
        Audit.tell(session, ACTOR, what, SUBJECT, **told)
        await self._outbox.tell(session, "desk", what, told, subject=SUBJECT)
        await progress.move(session, PLACE, place)
