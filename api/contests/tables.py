"""What was contested."""

from __future__ import annotations

from sqlalchemy import Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from api.contests.schemas import Decision, Why
from api.store.tables import Table


class ContestRow(Table):
    """A contest of one intervention, of which there is one at most; `decision` is None while it is open."""

    __tablename__ = "contests"

    id: Mapped[str] = mapped_column(primary_key=True)
    intervention: Mapped[str] = mapped_column(unique=True)
    alert: Mapped[str]
    player: Mapped[str]
    pseudonym: Mapped[str]
    reason: Mapped[Why]
    opened_by: Mapped[str]
    opened_us: Mapped[int]
    due_us: Mapped[int]
    next_us: Mapped[int]
    escalations: Mapped[int]
    decision: Mapped[Decision | None]
    reasons: Mapped[str | None] = mapped_column(Text)
    decided_by: Mapped[str | None]
    decided_us: Mapped[int | None]

    __table_args__ = (Index(None, "decision", "due_us", "id"), Index(None, "next_us"))
