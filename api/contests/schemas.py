"""What is asked and answered about contests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Why = Literal["not_my_play", "wrong_data", "means_changed", "sought_help_already", "harms_me", "other"]
WHY: Mapping[Why, str] = {
    "not_my_play": "somebody else played",
    "wrong_data": "what it rests on is wrong",
    "means_changed": "the player's means are other than assumed",
    "sought_help_already": "the player gets help already",
    "harms_me": "it does harm, such as money that cannot be reached",
    "other": "something else",
}
"""Why a player contests, and what each code means."""

Decision = Literal["upheld", "lifted"]
ContestState = Literal["open", "overdue", "upheld", "lifted"]
Grounds = Literal[
    "signs_stand",
    "required_by_law",
    "player_at_risk",
    "data_was_wrong",
    "not_the_player",
    "means_verified",
    "milder_will_do",
]
GROUNDS: Mapping[Decision, Mapping[Grounds, str]] = {
    "upheld": {
        "signs_stand": "what was noticed stands",
        "required_by_law": "the law leaves no choice",
        "player_at_risk": "lifting it would put the player at risk",
    },
    "lifted": {
        "data_was_wrong": "what it rested on was wrong",
        "not_the_player": "somebody else played",
        "means_verified": "the player's means were checked",
        "milder_will_do": "something milder will do",
    },
}
"""Decision → the reasons that may be given for it, and what each means."""


class NewContest(BaseModel):
    """What the player says, as a code."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "means_changed"}]})

    reason: Why


class NewDecision(BaseModel):
    """A decision on a contest."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"decision": "lifted", "reasons": ["means_verified"]}]},
    )

    decision: Decision
    reasons: Annotated[list[Grounds], Field(min_length=1, max_length=4)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if set(self.reasons) - GROUNDS[self.decision].keys():
            raise ValueError(f"the reasons for {self.decision} are {', '.join(GROUNDS[self.decision])}")
        if len(set(self.reasons)) < len(self.reasons):
            raise ValueError("each reason is given once")
        return self


class ContestQuery(BaseModel):
    """Which contests are asked for."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[
        ContestState,
        Field(description="open: to be decided; overdue: open past the deadline."),
    ] = "open"
    limit: Annotated[int, Field(ge=1, le=500, description="Most contests in one answer.")] = 50
    cursor: Annotated[
        str | None, Field(max_length=128, description="`next_cursor` of the answer before.")
    ] = None


class Contest(BaseModel):
    """A contest; `player` is a pseudonym for who sees no players."""

    id: str
    intervention: str
    alert: str
    player: str
    reason: Why
    state: ContestState
    opened_at: str
    due_at: str
    escalations: int
    reasons: list[Grounds]
    decided_by: str | None
    decided_at: str | None


class Contests(BaseModel):
    """A page of contests, those due first."""

    items: list[Contest]
    next_cursor: str | None
