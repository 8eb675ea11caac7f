"""Watching that what was contested gets decided."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from api.alerts.duty import DEADLINES
from api.alerts.urgency import deadline
from api.audit.service import Audit
from api.backoffice.deadlines import escalate_due
from api.backoffice.lease import OfficeLease
from api.contests import repository
from api.contests.tables import ContestRow
from api.deployment import Deployment
from api.webhooks.outbox import Outbox
from detector.events.instants import rfc3339_ms


class OverdueContests:
    """Tells the desk of contests whose deadline has passed, once for each period that it has."""

    name = "overdue contests"

    def __init__(self, deployment: Deployment, lease: OfficeLease) -> None:
        self._store = deployment.store
        self._clock = deployment.clock
        self._lease = lease
        self._outbox = Outbox(deployment.clock)

    async def round(self) -> float:
        return await escalate_due(
            self._store,
            self._lease,
            self._clock(),
            first_due=repository.first_due,
            due=repository.due,
            escalate=self._escalate,
        )

    async def _escalate(self, session: AsyncSession, row: ContestRow, now_us: int) -> None:
        due = deadline(row.opened_us, row.due_us - row.opened_us)
        row.escalations = due.steps(now_us)
        row.next_us = due.after(row.escalations)
        subject = f"contest:{row.id}"
        Audit.tell(session, DEADLINES, "contest.escalated", subject, escalations=row.escalations)
        data = {
            "contest": row.id,
            "alert": row.alert,
            "due_at": rfc3339_ms(row.due_us),
            "escalations": row.escalations,
        }
        await self._outbox.tell(session, "desk", "contest.overdue", data, subject=subject)
