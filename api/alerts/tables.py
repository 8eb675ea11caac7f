"""Alerts, and what people did about them."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import Boolean, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from api.alerts.codes import Verdict
from api.alerts.schemas import Outcome
from api.store.tables import Table

NEVER_US = 2**62
"""Stands where there is no deadline, so that what has none comes last."""


class AlertRow(Table):
    """An alert: what is filtered and sorted on, how the work on it stands, and its JSON as it came.

    `stage` is open, acted (what was due is done), closed (confirmed or not confirmed) or past (too old to be
    owed). `rank` is the urgency, negated. `by_people` says that what is due is a person's; `next_us` is when
    somebody has to look at the deadline. `acted_us` is the first action of anybody, `met_us` the one that was
    due; `verdicts` counts the verdicts given.
    """

    __tablename__ = "alerts"

    id: Mapped[str] = mapped_column(primary_key=True)
    player: Mapped[str]
    pseudonym: Mapped[str]
    rule: Mapped[str]
    rule_id: Mapped[str]
    kind: Mapped[str]
    category: Mapped[str]
    audience: Mapped[str]
    severity: Mapped[str]
    level: Mapped[str]
    jurisdiction: Mapped[str | None]
    opened_us: Mapped[int]
    taken_us: Mapped[int]
    body: Mapped[str] = mapped_column(Text)

    stage: Mapped[Literal["open", "acted", "closed", "past"]]
    rank: Mapped[int]
    by_people: Mapped[bool] = mapped_column(Boolean)
    due_us: Mapped[int]
    period_us: Mapped[int]
    next_us: Mapped[int]
    escalations: Mapped[int]
    assignee: Mapped[str | None]
    assigned_us: Mapped[int | None]
    snoozed_until_us: Mapped[int]
    snooze_reason: Mapped[str | None]
    acted_us: Mapped[int | None]
    met_us: Mapped[int | None]
    verdict: Mapped[Verdict | None]
    verdicts: Mapped[int]

    __table_args__ = (
        Index(None, "opened_us", "id"),
        Index(None, "stage", "rank", "due_us", "id"),
        Index(None, "stage", "due_us", "id"),
        Index(None, "player", "opened_us"),
        Index(None, "pseudonym", "opened_us"),
        Index(None, "rule_id", "opened_us"),
        Index(None, "assignee", "stage"),
        Index(None, "next_us"),
    )


class AlertNote(Table):
    """What a correction touched of an alert; `id` is a hash of the note, `number` its order."""

    __tablename__ = "alert_notes"

    id: Mapped[str] = mapped_column(primary_key=True)
    alert: Mapped[str]
    taken_us: Mapped[int]
    number: Mapped[int]
    body: Mapped[str] = mapped_column(Text)

    __table_args__ = (Index(None, "alert"),)


class AlertAction(Table):
    """What somebody did about an alert: a person's doing with its `code`, or an order to the platform."""

    __tablename__ = "alert_actions"

    id: Mapped[str] = mapped_column(primary_key=True)
    alert: Mapped[str]
    at_us: Mapped[int]
    actor: Mapped[str]
    action: Mapped[str]
    outcome: Mapped[Outcome]
    code: Mapped[str | None]
    level: Mapped[str | None]
    intervention: Mapped[str | None]
    prompt: Mapped[str | None]

    __table_args__ = (Index(None, "alert"),)


class AlertVerdict(Table):
    """One verdict on an alert, the first being number 1; the last one counts."""

    __tablename__ = "alert_verdicts"

    alert: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    verdict: Mapped[Verdict]
    reasons: Mapped[str] = mapped_column(Text)
    actor: Mapped[str]
    at_us: Mapped[int]
