"""Which segments there are."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.archive.tables import Segment


async def segments(session: AsyncSession, since_day: str = "") -> list[Segment]:
    """The segments of a day and of later ones, in order."""
    query = select(Segment).where(Segment.day >= since_day).order_by(Segment.day, Segment.part)
    return list((await session.execute(query)).scalars())


async def unsealed(session: AsyncSession) -> list[Segment]:
    """The segments that can still grow, in order."""
    query = select(Segment).where(Segment.sealed_us.is_(None)).order_by(Segment.day, Segment.part)
    return list((await session.execute(query)).scalars())


async def newest(session: AsyncSession) -> Segment | None:
    """The segment that was begun last."""
    query = select(Segment).order_by(Segment.day.desc(), Segment.part.desc()).limit(1)
    return (await session.execute(query)).scalar()
