"""Telling those who learn what people found of alerts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from api.alerts import repository
from api.alerts.labels import label_of
from api.alerts.working import is_settled
from api.audit.tables import AuditRow
from api.audit.walking import Walking
from api.backoffice.lease import OfficeLease
from api.deployment import Deployment
from api.kafka.line import Outgoing
from detector.drivers import streams
from detector.drivers.kafka import topics
from models.sample import Label

PLACE = "labels"
"""The name under which it is kept up to which entry of the audit chain those who learn were told."""


def telling_trainer(deployment: Deployment, lease: OfficeLease) -> Walking[Label]:
    """The duty; a label that is told again finds the samples that it speaks of answered and gone."""

    async def tell(labels: Sequence[Label]) -> None:
        told = [(each.player, msgspec.json.encode(each)) for each in labels]
        if deployment.line is not None:
            await deployment.line.send(
                [Outgoing(topics.SAMPLES, data, player.encode()) for player, data in told]
            )
            return
        async with deployment.redis.pipeline(transaction=True) as pipe:
            for _, data in told:
                pipe.xadd(streams.SAMPLES, {"s": data})
            await pipe.execute()

    return Walking(deployment, lease, "telling the trainer", PLACE, _label, tell)


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
