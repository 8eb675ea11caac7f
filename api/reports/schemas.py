"""What `/v1/reports` is asked and answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Age = Literal["not_due", "overdue_1h", "overdue_1d", "overdue_1w", "overdue_longer"]


class WithoutActionQuery(BaseModel):
    """Which part of the list is asked for."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=500, description="Most alerts in one answer.")] = 50
    cursor: Annotated[
        str | None, Field(max_length=128, description="`next_cursor` of the answer before.")
    ] = None


class Unacted(BaseModel):
    """An alert about which nobody has done anything."""

    alert: str
    player: Annotated[str, Field(description="A pseudonym for who sees no players.")]
    rule: str
    level: str
    severity: str
    jurisdiction: str | None
    opened_at: str
    due_at: str
    age: Annotated[Age, Field(description="Against the deadline: overdue by an hour, a day, a week at most.")]
    escalations: int
    assignee: str | None
    snoozed_until: str | None


class Count(BaseModel):
    """How many such alerts there are of one kind."""

    level: str
    jurisdiction: str | None
    age: Age
    alerts: int


class LevelCount(BaseModel):
    """How many alerts there are at one level."""

    level: str
    alerts: int


class WithoutAction(BaseModel):
    """Alerts that are owed something and had no action at all, those overdue longest first.

    Beside them stands how many are owed nothing although nothing was done, of the last thirty days.
    """

    as_of: str
    total: int
    overdue: int
    counts: list[Count]
    since: Annotated[str, Field(description="From when on `closed_without_action` and `past` count.")]
    closed_without_action: Annotated[
        list[LevelCount], Field(description="Closed by a verdict since then, with no action at all.")
    ]
    past: Annotated[
        list[LevelCount],
        Field(description="Taken over since then, too old to be owed or of a level that is on no ladder."),
    ]
    items: list[Unacted]
    next_cursor: str | None
