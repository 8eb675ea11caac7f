"""Interventions and their answers in the store."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from api.interventions.tables import InterventionAnswer, InterventionRow, Suppression
from api.store.adding import add_new

Place = tuple[int, str]
"""The place of an intervention among those of its state: deadline in µs, id."""


async def add(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Add the interventions that are not there yet; returns their ids."""
    return await add_new(session, InterventionRow, rows)


async def suppress(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add the suppressions that are not there yet."""
    await add_new(session, Suppression, rows)


async def after(
    session: AsyncSession, state: str, place: Place | None, now_us: int, count: int
) -> list[InterventionRow]:
    """At most `count` interventions that are in a state, those due first, behind `place`."""
    row = InterventionRow
    query = select(row).order_by(row.due_us, row.id).limit(count)
    if place is not None:
        query = query.where(tuple_(row.due_us, row.id) > tuple_(*place))
    if state in ("undone", "overdue"):
        query = query.where(row.state == "undone", row.ends_us > now_us)
        if state == "overdue":
            query = query.where(row.due_us <= now_us)
    elif state == "lapsed":
        query = query.where(row.state == "undone", row.ends_us <= now_us)
    else:
        query = query.where(row.state == state)
    return list((await session.execute(query)).scalars())


async def find(session: AsyncSession, intervention_id: str, *, lock: bool = False) -> InterventionRow | None:
    """One intervention; locked, nobody else changes it until this transaction ends.

    Whoever locks its alert too does that first.
    """
    return await session.get(
        InterventionRow, intervention_id, with_for_update=lock or None, populate_existing=lock
    )


async def of_alert(session: AsyncSession, alert: str) -> list[InterventionRow]:
    """What an alert asked for, those due first."""
    row = InterventionRow
    query = select(row).where(row.alert == alert).order_by(row.due_us, row.id)
    return list((await session.execute(query)).scalars())


async def undone_of(session: AsyncSession, alert: str, action: str) -> list[InterventionRow]:
    """What an alert asked for of one action and is not done, locked."""
    row = InterventionRow
    query = (
        select(row)
        .where(row.alert == alert, row.action == action, row.state == "undone")
        .order_by(row.id)
        .with_for_update()
    )
    return list((await session.execute(query)).scalars())


async def done_of(session: AsyncSession, alerts: Collection[str]) -> list[tuple[str, str]]:
    """Alert and action of what is done among what these alerts asked for."""
    if not alerts:
        return []
    row = InterventionRow
    query = select(row.alert, row.action).where(row.alert.in_(alerts), row.state == "done")
    return [(alert, action) for alert, action in await session.execute(query)]


async def answers(
    session: AsyncSession, interventions: Collection[str]
) -> dict[str, list[InterventionAnswer]]:
    """Intervention → its answers, the first first."""
    found: dict[str, list[InterventionAnswer]] = {each: [] for each in interventions}
    if found:
        row = InterventionAnswer
        query = select(row).where(row.intervention.in_(interventions)).order_by(row.number)
        for each in (await session.execute(query)).scalars():
            found[each.intervention].append(each)
    return found


async def answer(session: AsyncSession, row: InterventionAnswer) -> None:
    """Keep an answer."""
    session.add(row)
    await session.flush()


async def off_stream(session: AsyncSession, count: int) -> list[InterventionRow]:
    """At most `count` interventions that stand on no stream yet."""
    row = InterventionRow
    query = select(row).where(row.on_stream.is_(False)).order_by(row.taken_us, row.id).limit(count)
    return list((await session.execute(query)).scalars())


async def put_on_stream(session: AsyncSession, ids: Collection[str]) -> None:
    """Have it known that they stand on the stream now."""
    change = update(InterventionRow).where(InterventionRow.id.in_(ids)).values(on_stream=True)
    await session.execute(change.execution_options(synchronize_session=False))


async def lift_suppression(session: AsyncSession, intervention_id: str, at_us: int) -> None:
    """Have marketing come back as far as one intervention kept it away."""
    change = (
        update(Suppression)
        .where(Suppression.intervention == intervention_id, Suppression.lifted_us.is_(None))
        .values(lifted_us=at_us)
    )
    await session.execute(change.execution_options(synchronize_session=False))


async def suppressed_until(session: AsyncSession, player: str, now_us: int) -> int | None:
    """Until when marketing has to stay away from a player; None if it need not."""
    query = select(func.max(Suppression.until_us)).where(
        Suppression.player == player, Suppression.until_us > now_us, Suppression.lifted_us.is_(None)
    )
    return (await session.execute(query)).scalar()
