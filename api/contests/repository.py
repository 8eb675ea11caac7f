"""Contests in the store."""

from __future__ import annotations

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from api.alerts.tables import NEVER_US
from api.contests.tables import ContestRow

Place = tuple[int, str]
"""The place of a contest among those of its state: deadline in µs, id."""


async def add(session: AsyncSession, row: ContestRow) -> None:
    """Keep a new contest."""
    session.add(row)
    await session.flush()


async def find(session: AsyncSession, contest_id: str, *, lock: bool = False) -> ContestRow | None:
    """One contest; locked, nobody else changes it until this transaction ends."""
    return await session.get(ContestRow, contest_id, with_for_update=lock or None, populate_existing=lock)


async def of_intervention(session: AsyncSession, intervention: str) -> ContestRow | None:
    """The contest of an intervention."""
    query = select(ContestRow).where(ContestRow.intervention == intervention)
    return (await session.execute(query)).scalar()


async def after(
    session: AsyncSession, state: str, place: Place | None, now_us: int, count: int
) -> list[ContestRow]:
    """At most `count` contests of a state, those due first, behind `place`."""
    row = ContestRow
    query = select(row).order_by(row.due_us, row.id).limit(count)
    if state in ("open", "overdue"):
        query = query.where(row.decision.is_(None))
        if state == "overdue":
            query = query.where(row.due_us <= now_us)
    else:
        query = query.where(row.decision == state)
    if place is not None:
        query = query.where(tuple_(row.due_us, row.id) > tuple_(*place))
    return list((await session.execute(query)).scalars())


async def first_due(session: AsyncSession) -> int:
    """When the next deadline has to be looked at; NEVER_US where none has."""
    return (await session.execute(select(func.min(ContestRow.next_us)))).scalar() or NEVER_US


async def due(session: AsyncSession, now_us: int, count: int) -> list[ContestRow]:
    """At most `count` contests whose deadline has to be looked at by now, locked; those locked are left."""
    query = (
        select(ContestRow)
        .where(ContestRow.next_us <= now_us)
        .order_by(ContestRow.next_us, ContestRow.id)
        .limit(count)
        .with_for_update(skip_locked=True)
    )
    return list((await session.execute(query)).scalars())
