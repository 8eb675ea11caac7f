"""What the platform is asked to do, its answers, and how long marketing stays away."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import Boolean, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from api.interventions.schemas import Contested, Outcome
from api.store.tables import Table


class InterventionRow(Table):
    """An intervention; `state` is undone, done or lifted, what is overdue or lapsed being told by the clock.

    `ends_us` is NEVER_US for what has to be done however late. `ordered_by` is who ordered it, None where the
    detector asked; `on_stream` whether it stands on the stream of interventions. `contested` says how a
    contest stands.
    """

    __tablename__ = "interventions"

    id: Mapped[str] = mapped_column(primary_key=True)
    alert: Mapped[str]
    player: Mapped[str]
    pseudonym: Mapped[str]
    level: Mapped[str]
    action: Mapped[str]
    jurisdiction: Mapped[str | None]
    contest: Mapped[bool] = mapped_column(Boolean)
    due_us: Mapped[int]
    ends_us: Mapped[int]
    taken_us: Mapped[int]
    ordered_by: Mapped[str | None]
    on_stream: Mapped[bool] = mapped_column(Boolean)
    state: Mapped[Literal["undone", "done", "lifted"]]
    contested: Mapped[Contested | None]
    body: Mapped[str] = mapped_column(Text)

    __table_args__ = (
        Index(None, "state", "due_us", "id"),
        Index(None, "alert"),
        Index(None, "player"),
        Index(None, "on_stream"),
    )


class InterventionAnswer(Table):
    """One answer to an intervention, the first being number 1."""

    __tablename__ = "intervention_answers"

    intervention: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    outcome: Mapped[Outcome]
    at_us: Mapped[int]
    reason: Mapped[str | None]
    received_us: Mapped[int]
    actor: Mapped[str]


class Suppression(Table):
    """Marketing, or bonuses, kept away from a player until a time, unless it was lifted."""

    __tablename__ = "marketing_suppressions"

    intervention: Mapped[str] = mapped_column(primary_key=True)
    player: Mapped[str]
    action: Mapped[str]
    from_us: Mapped[int]
    until_us: Mapped[int]
    lifted_us: Mapped[int | None]

    __table_args__ = (Index(None, "player", "until_us"),)
