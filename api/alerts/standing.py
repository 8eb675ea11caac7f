"""How the work on an alert stands, told from its row."""

from __future__ import annotations

from api.alerts.schemas import Stage, Standing, Work
from api.alerts.tables import NEVER_US, AlertRow
from detector.events.instants import rfc3339_ms


def acted(row: AlertRow, at_us: int, *, by_people: bool) -> None:
    """Note that something was done; what was due is met unless it is a person's and a machine did it."""
    if row.acted_us is None:
        row.acted_us = at_us
    if by_people or not row.by_people:
        if row.met_us is None:
            row.met_us = at_us
        row.next_us = NEVER_US
        if row.stage == "open":
            row.stage = "acted"


def stage_of(row: AlertRow, now_us: int) -> Stage:
    """The state of the work as it is shown."""
    if row.stage == "open" and row.snoozed_until_us > now_us:
        return "snoozed"
    return row.stage


def is_overdue(row: AlertRow, now_us: int) -> bool:
    """Whether something is due, and the deadline has passed."""
    return row.stage == "open" and row.due_us <= now_us


def work(row: AlertRow, now_us: int) -> Work:
    """How the work stands, as it is shown beside the alert."""
    state = stage_of(row, now_us)
    return Work(
        state=state,
        level=row.level,
        jurisdiction=row.jurisdiction,
        urgency=-row.rank,
        due_at=told_at(row.due_us),
        overdue=is_overdue(row, now_us),
        escalations=row.escalations,
        assignee=row.assignee,
        snoozed_until=rfc3339_ms(row.snoozed_until_us) if state == "snoozed" else None,
        acted_at=told_at(row.acted_us),
        met_at=told_at(row.met_us),
        verdict=row.verdict,
        verdicts=row.verdicts,
    )


def standing(row: AlertRow, now_us: int) -> Standing:
    """The same as the answer to a request that changed it."""
    shown = work(row, now_us)
    return Standing(alert=row.id, **{name: getattr(shown, name) for name in _SHARED})


def told_at(at_us: int | None) -> str | None:
    """A time as it is shown; null where there is none."""
    return None if at_us is None or at_us == NEVER_US else rfc3339_ms(at_us)


_SHARED = Standing.model_fields.keys() - {"alert"}
