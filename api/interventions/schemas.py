"""What `/v1/interventions` is asked and answers."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

State = Literal["undone", "overdue", "done", "lapsed", "lifted"]
Contested = Literal["open", "upheld", "lifted"]
Outcome = Literal["done", "refused", "failed"]
Reason = Literal[
    "already_in_force",
    "player_answered",
    "unknown_player",
    "account_closed",
    "not_supported",
    "not_permitted",
    "unreachable",
    "technical",
    "other",
]


class InterventionQuery(BaseModel):
    """Which interventions are asked for."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[
        State,
        Field(
            description="undone: not acknowledged as done; overdue: undone past the deadline; done; "
            "lapsed: ended without having been done; lifted: taken back after the player contested it."
        ),
    ] = "undone"
    limit: Annotated[int, Field(ge=1, le=500, description="Most interventions in one answer.")] = 50
    cursor: Annotated[
        str | None, Field(max_length=128, description="`next_cursor` of the answer before.")
    ] = None


class Acknowledgement(BaseModel):
    """The platform's answer to one intervention."""

    model_config = ConfigDict(extra="forbid", strict=True)

    outcome: Annotated[
        Outcome,
        Field(
            description="done; refused: it will not be done; failed: it was tried in vain. Only what is done "
            "is no longer owed."
        ),
    ]
    at: Annotated[AwareDatetime, Field(description="When it was done, refused or tried.")]
    # The default is validated too, so that a missing reason is a fault of `reason`, not of the whole answer.
    reason: Annotated[
        Reason | None, Field(description="A code; needed unless it is done.", validate_default=True)
    ] = None

    @field_validator("reason")
    @classmethod
    def _says_why(cls, reason: Reason | None, info: ValidationInfo) -> Reason | None:
        if reason is None and info.data.get("outcome", "done") != "done":
            raise PydanticCustomError("reason_missing", "Say the reason of what was not done")
        return reason


class PlatformAnswer(Struct, frozen=True):
    """One answer as it is kept; times are RFC 3339, UTC, in milliseconds."""

    outcome: Outcome
    at: str
    reason: str | None
    received_at: Annotated[str, Meta(description="When the service learned of it.")]


class Progress(Struct, frozen=True):
    """Where an intervention stands, beside what was asked for."""

    state: State
    answers: Annotated[list[PlatformAnswer], Meta(description="The answers to it, oldest first.")]
    contested: Annotated[Contested | None, Meta(description="How the player's contest stands.")]


class Marketing(BaseModel):
    """Whether marketing has to stay away from a player."""

    suppressed: bool
    until: Annotated[str | None, Field(description="Until when; null where it need not.")]
