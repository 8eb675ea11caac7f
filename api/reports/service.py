"""Alerts without action: who was flagged, and nobody did anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import cast

from api.access.service import Principal
from api.alerts import repository
from api.alerts.standing import stage_of
from api.alerts.tables import NEVER_US, AlertRow
from api.audit.views import listed
from api.paging import cursor_of, read_cursor
from api.reports.schemas import Age, Count, LevelCount, Unacted, WithoutAction, WithoutActionQuery
from api.store.database import Store
from detector.events.instants import DAY_US, HOUR_US, rfc3339_ms

LATEST: Age = "overdue_longer"
AGES: tuple[tuple[Age, int], ...] = (
    ("not_due", 0),
    ("overdue_1h", HOUR_US),
    ("overdue_1d", DAY_US),
    ("overdue_1w", 7 * DAY_US),
)
"""Age of what is due later than so long before now; whatever is older is LATEST."""

ROUTE = "/v1/reports/alerts-without-action"
LOOKED_BACK_US = 30 * DAY_US
"""How far back what is no longer owed is counted."""

_PLACE = re.compile(r"(\d{1,19})-([0-9a-f]{32})")


class ReportsService:
    """Reports for those who answer for the platform.

    Parameters
    ----------
    clock
        Tells the wall clock, in µs since the epoch.
    """

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    async def without_action(self, query: WithoutActionQuery, who: Principal) -> WithoutAction:
        """The report as of now, or the next page of its list."""
        now_us, place = self._clock(), _place_of(query.cursor)
        edges = [(name, now_us - ago_us) for name, ago_us in AGES]
        async with self._store.read(snapshot=True) as session:
            counted = await repository.count_without_action(session, edges, LATEST)
            rows = await repository.without_action(session, place, query.limit + 1)
            since_us = now_us - LOOKED_BACK_US
            closed = await repository.count_closed_without_action(session, since_us)
            past = await repository.count_past(session, since_us)
        page = rows[: query.limit]
        if who.sees_players:
            await listed(self._store, who, ROUTE, [row.pseudonym for row in page])
        counts = [
            Count(level=level, jurisdiction=jurisdiction, age=cast(Age, age), alerts=number)
            for level, jurisdiction, age, number in counted
        ]
        ages = [name for name, _ in AGES] + [LATEST]
        counts.sort(key=lambda each: (each.level, each.jurisdiction or "", ages.index(each.age)))
        return WithoutAction(
            as_of=rfc3339_ms(now_us),
            total=sum(each.alerts for each in counts),
            overdue=sum(each.alerts for each in counts if each.age != "not_due"),
            counts=counts,
            since=rfc3339_ms(since_us),
            closed_without_action=_by_level(closed),
            past=_by_level(past),
            items=[_unacted(row, who, now_us) for row in page],
            next_cursor=_cursor_of(page[-1]) if len(rows) > len(page) else None,
        )


def age(due_us: int, now_us: int) -> Age:
    """How a deadline stands to now."""
    return next((name for name, ago_us in AGES if due_us > now_us - ago_us), LATEST)


def _by_level(counted: Mapping[str, int]) -> list[LevelCount]:
    return [LevelCount(level=level, alerts=number) for level, number in sorted(counted.items())]


def _unacted(row: AlertRow, who: Principal, now_us: int) -> Unacted:
    snoozed = stage_of(row, now_us) == "snoozed"
    return Unacted(
        alert=row.id,
        player=row.player if who.sees_players else row.pseudonym,
        rule=row.rule,
        level=row.level,
        severity=row.severity,
        jurisdiction=row.jurisdiction,
        opened_at=rfc3339_ms(row.opened_us),
        due_at=rfc3339_ms(row.due_us),
        age=age(row.due_us, now_us),
        escalations=row.escalations,
        assignee=row.assignee,
        snoozed_until=rfc3339_ms(row.snoozed_until_us) if snoozed else None,
    )


def _cursor_of(row: AlertRow) -> str:
    return cursor_of(f"{row.due_us}-{row.id}")


def _place_of(cursor: str | None) -> tuple[int, str] | None:
    match = read_cursor(cursor, _PLACE)
    if match is None:
        return None
    return min(int(match[1]), NEVER_US), match[2]
