"""Alerts in the store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from api.alerts.standing import acted
from api.alerts.tables import NEVER_US, AlertAction, AlertNote, AlertRow, AlertVerdict
from api.store.adding import add_new


@dataclass(frozen=True, slots=True)
class Sought:
    """Which alerts are sought; None: any."""

    now_us: int
    player: str | None = None
    pseudonym: str | None = None
    rule: str | None = None
    severity: str | None = None
    audience: str | None = None
    since_us: int | None = None
    state: str | None = None
    assignee: str | None = None
    is_assigned: bool | None = None
    overdue: bool | None = None


# Taking over


async def add_alerts(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Add the alerts that are not there yet; returns their ids."""
    return await add_new(session, AlertRow, rows)


async def add_notes(session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> int:
    """Add the notes that are not there yet; returns how many."""
    return len(await add_new(session, AlertNote, rows))


# Finding


async def newest(
    session: AsyncSession, sought: Sought, after: tuple[int, str] | None, count: int
) -> list[AlertRow]:
    """At most `count` alerts, the newest first, behind the one opened at `after` of that id."""
    query = _sought(sought).order_by(AlertRow.opened_us.desc(), AlertRow.id.desc()).limit(count)
    if after is not None:
        query = query.where(tuple_(AlertRow.opened_us, AlertRow.id) < tuple_(*after))
    return list((await session.execute(query)).scalars())


async def queued(
    session: AsyncSession, sought: Sought, after: tuple[int, int, str] | None, count: int
) -> list[AlertRow]:
    """At most `count` alerts in the queue's order, behind the one of that rank, deadline and id."""
    query = _sought(sought).order_by(AlertRow.rank, AlertRow.due_us, AlertRow.id).limit(count)
    if after is not None:
        query = query.where(tuple_(AlertRow.rank, AlertRow.due_us, AlertRow.id) > tuple_(*after))
    return list((await session.execute(query)).scalars())


def _sought(sought: Sought) -> Select[AlertRow]:
    conditions: list[ColumnElement[bool]] = []
    exact = (
        (AlertRow.player, sought.player),
        (AlertRow.pseudonym, sought.pseudonym),
        (AlertRow.severity, sought.severity),
        (AlertRow.audience, sought.audience),
        (AlertRow.assignee, sought.assignee),
    )
    conditions += [column == value for column, value in exact if value is not None]
    if sought.rule is not None:
        column = AlertRow.rule if "@" in sought.rule else AlertRow.rule_id
        conditions.append(column == sought.rule)
    if sought.since_us is not None:
        conditions.append(AlertRow.opened_us >= sought.since_us)
    if sought.is_assigned is not None:
        conditions.append(AlertRow.assignee.is_not(None) == sought.is_assigned)
    if sought.state in ("open", "snoozed"):
        snoozed = AlertRow.snoozed_until_us > sought.now_us
        conditions += [AlertRow.stage == "open", snoozed if sought.state == "snoozed" else ~snoozed]
    elif sought.state is not None:
        conditions.append(AlertRow.stage == sought.state)
    if sought.overdue is not None:
        overdue = (AlertRow.stage == "open") & (AlertRow.due_us <= sought.now_us)
        conditions.append(overdue if sought.overdue else ~overdue)
    return select(AlertRow).where(*conditions)


async def find(session: AsyncSession, alert_id: str, *, lock: bool = False) -> AlertRow | None:
    """One alert; locked, nobody else changes it until this transaction ends."""
    return await session.get(AlertRow, alert_id, with_for_update=lock or None, populate_existing=lock)


async def notes_of(session: AsyncSession, alerts: Collection[str]) -> dict[str, list[str]]:
    """Alert → its notes' JSON, in the order in which they came."""
    query = (
        select(AlertNote.alert, AlertNote.body)
        .where(AlertNote.alert.in_(alerts))
        .order_by(AlertNote.taken_us, AlertNote.number, AlertNote.id)
    )
    found: dict[str, list[str]] = {each: [] for each in alerts}
    for alert, body in await session.execute(query):
        found[alert].append(body)
    return found


async def actions_of(session: AsyncSession, alert: str) -> list[AlertAction]:
    """What was done about an alert, the first first."""
    query = select(AlertAction).where(AlertAction.alert == alert).order_by(AlertAction.at_us, AlertAction.id)
    return list((await session.execute(query)).scalars())


async def verdicts_of(session: AsyncSession, alert: str) -> list[AlertVerdict]:
    """The verdicts on an alert, the first first."""
    query = select(AlertVerdict).where(AlertVerdict.alert == alert).order_by(AlertVerdict.number)
    return list((await session.execute(query)).scalars())


# Working


async def add(session: AsyncSession, row: AlertAction | AlertVerdict) -> None:
    """Keep what was done or said."""
    session.add(row)
    await session.flush()


async def note_action(session: AsyncSession, alert_id: str, at_us: int, *, by_people: bool) -> None:
    """Have it known that something was done about an alert, if there is one of that id."""
    row = await find(session, alert_id, lock=True)
    if row is not None:
        acted(row, at_us, by_people=by_people)


# Deadlines


async def first_due(session: AsyncSession) -> int:
    """When the next deadline has to be looked at; NEVER_US where none has."""
    return (await session.execute(select(func.min(AlertRow.next_us)))).scalar() or NEVER_US


async def due(session: AsyncSession, now_us: int, count: int) -> list[AlertRow]:
    """At most `count` alerts whose deadline has to be looked at by now, locked; those locked are left."""
    query = (
        select(AlertRow)
        .where(AlertRow.next_us <= now_us)
        .order_by(AlertRow.next_us, AlertRow.id)
        .limit(count)
        .with_for_update(skip_locked=True)
    )
    return list((await session.execute(query)).scalars())


# Reports


async def without_action(session: AsyncSession, after: tuple[int, str] | None, count: int) -> list[AlertRow]:
    """At most `count` alerts that are owed something and had no action at all, those due first."""
    query = select(AlertRow).where(*_NOTHING_DONE).order_by(AlertRow.due_us, AlertRow.id).limit(count)
    if after is not None:
        query = query.where(tuple_(AlertRow.due_us, AlertRow.id) > tuple_(*after))
    return list((await session.execute(query)).scalars())


async def count_without_action(
    session: AsyncSession, edges: Iterable[tuple[str, int]], latest: str
) -> list[tuple[str, str | None, str, int]]:
    """How many such alerts there are, by level, jurisdiction and age.

    Parameters
    ----------
    edges
        Name of an age, and the deadline from which on it applies, the latest first.
    latest
        The name of what is older than all of them.
    """
    age = case(*((AlertRow.due_us > edge, name) for name, edge in edges), else_=latest)
    query = (
        select(AlertRow.level, AlertRow.jurisdiction, age, func.count())
        .where(*_NOTHING_DONE)
        .group_by(AlertRow.level, AlertRow.jurisdiction, age)
    )
    return [(level, place, name, number) for level, place, name, number in await session.execute(query)]


async def count_closed_without_action(session: AsyncSession, since_us: int) -> dict[str, int]:
    """How many alerts were closed since a time by a verdict alone, by level."""
    last = (AlertVerdict.alert == AlertRow.id) & (AlertVerdict.number == AlertRow.verdicts)
    query = (
        select(AlertRow.level, func.count())
        .join(AlertVerdict, last)
        .where(AlertRow.stage == "closed", AlertRow.acted_us.is_(None), AlertVerdict.at_us >= since_us)
        .group_by(AlertRow.level)
    )
    return {level: int(number) for level, number in await session.execute(query)}


async def count_past(session: AsyncSession, since_us: int) -> dict[str, int]:
    """How many alerts that nobody owes anything for were taken over since a time, by level."""
    query = (
        select(AlertRow.level, func.count())
        .where(AlertRow.stage == "past", AlertRow.taken_us >= since_us)
        .group_by(AlertRow.level)
    )
    return {level: int(number) for level, number in await session.execute(query)}


_NOTHING_DONE = (AlertRow.stage == "open", AlertRow.acted_us.is_(None))
