"""What store and Redis know of how things stand."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.alerts.tables import AlertRow
from api.audit.tables import AuditHead
from api.backoffice.lease import NAME
from api.backoffice.tables import Lease
from detector.drivers.progress import Progress, read_progress
from detector.drivers.streams import EVENTS, PROGRESS


async def backlog(redis: Redis) -> dict[str, int]:
    """Reader of the stream of events → how many entries it has yet to read."""
    try:
        groups: Any = await redis.xinfo_groups(EVENTS)
    except ResponseError:  # there is no stream yet
        return {}
    return {each["name"].decode(): int(each["lag"]) for each in groups if each["lag"] is not None}


async def progress(redis: Redis) -> Progress | None:
    """What the trainer told last; None where there is none, or it has been silent for days."""
    data: Any = await redis.get(PROGRESS)
    return read_progress(data)


async def alerts(session: AsyncSession) -> list[tuple[str, str, str, int]]:
    """How many alerts there are, by severity, audience and stage."""
    by = (AlertRow.severity, AlertRow.audience, AlertRow.stage)
    found = await session.execute(select(*by, func.count()).group_by(*by))
    return [(severity, audience, stage, count) for severity, audience, stage, count in found]


async def overdue(session: AsyncSession, now_us: int) -> int:
    """How many alerts are owed an action and past their deadline."""
    query = select(func.count()).where(AlertRow.stage == "open", AlertRow.due_us <= now_us)
    return (await session.execute(query)).scalar() or 0


async def entries(session: AsyncSession) -> int:
    """The length of the audit chain, as it is on record."""
    return (await session.execute(select(AuditHead.seq))).scalar() or 0


async def lease_until_us(session: AsyncSession) -> int | None:
    """Until when a back office holds the lease; None: nobody does."""
    return (await session.execute(select(Lease.until_us).where(Lease.name == NAME))).scalar()
