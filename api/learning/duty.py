"""Telling those who learn what people found of alerts."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.alerts import repository
from api.alerts.labels import label_of
from api.alerts.working import is_settled
from api.audit.tables import AuditRow
from api.backoffice import progress
from api.backoffice.lease import OfficeLease
from api.deployment import Deployment
from api.kafka.line import Outgoing
from detector.drivers import streams
from detector.drivers.kafka import topics
from models.sample import Label

PLACE = "labels"
"""The name under which it is kept up to which entry of the audit chain those who learn were told."""
EVERY_S = 0.5
BATCH = 500


class TellingTrainer:
    """Goes along the audit chain, whose entries stand in the order of their commits, and misses none.

    A label is told at least once: the place moves when it is where samples are. A second time it finds the
    samples that it speaks of answered and gone.
    """

    name = "telling the trainer"

    def __init__(self, deployment: Deployment, lease: OfficeLease) -> None:
        self._store = deployment.store
        self._redis = deployment.redis
        self._line = deployment.line
        self._lease = lease

    async def round(self) -> float:
        async with self._store.read() as session:
            await self._lease.check(session)
            place = int(await progress.reached(session, PLACE) or "0")
            query = select(AuditRow).where(AuditRow.seq > place).order_by(AuditRow.seq).limit(BATCH)
            rows = list((await session.execute(query)).scalars())
            labels = [each for row in rows if (each := await _label(session, row)) is not None]
        if not rows:
            return EVERY_S
        await self._tell(labels)
        async with self._store.write() as session:
            await self._lease.check(session)
            await progress.move(session, PLACE, str(rows[-1].seq))
        return 0.0 if len(rows) == BATCH else EVERY_S

    async def _tell(self, labels: list[Label]) -> None:
        told = [(each.player, msgspec.json.encode(each)) for each in labels]
        if self._line is not None:
            await self._line.send([Outgoing(topics.SAMPLES, data, player.encode()) for player, data in told])
        elif told:
            async with self._redis.pipeline(transaction=True) as pipe:
                for _, data in told:
                    pipe.xadd(streams.SAMPLES, {"s": data})
                await pipe.execute()


async def _label(session: AsyncSession, row: AuditRow) -> Label | None:
    """What an entry teaches; None where it teaches nothing, or one more person has to say so first."""
    if row.action != "alert.judged":
        return None
    alert = await repository.find(session, row.subject.removeprefix("alert:"))
    if alert is None:
        return None
    details: dict[str, Any] = msgspec.json.decode(row.details)
    given = [
        each for each in await repository.verdicts_of(session, alert.id) if each.number <= details["number"]
    ]
    if not is_settled(alert, given):
        return None
    return label_of(alert.body, details["verdict"], row.at_us)
