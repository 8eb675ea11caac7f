"""What `/v1/referrals` is asked and answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.partners.schemas import PARTNER_ID
from api.referrals.protocol import DeclineReason, Outcome, Purpose, Reason, Standing, Urgency

Way = Literal["webhook", "slip"]
MONTH = r"^(19[789][0-9]|2[0-9]{3})-(0[1-9]|1[0-2])$"


class ReferralQuery(BaseModel):
    """Which referrals are asked for."""

    model_config = ConfigDict(extra="forbid")

    state: Standing | None = None
    partner: Annotated[
        str | None, Field(pattern=PARTNER_ID, description="An organisation asks for its own, always.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    cursor: Annotated[
        str | None, Field(max_length=256, description="`next_cursor` of the answer before.")
    ] = None


class ReferralShown(BaseModel):
    """A referral as it stands."""

    token: str
    partner: str
    purpose: Purpose
    state: Standing
    player: Annotated[
        str | None,
        Field(description="For agents; compliance reads a pseudonym, an organisation nothing."),
    ]
    code: Annotated[str, Field(description="What the player quotes to the organisation.")]
    delivery: Way
    urgency: Urgency | None
    reasons: list[Reason]
    outcome_consent: Annotated[
        bool, Field(description="Whether the player wants us to hear what comes of it.")
    ]
    consented_at: str
    delivered_at: str | None
    undelivered_at: Annotated[str | None, Field(description="When delivering it was given up.")]
    due_at: Annotated[str | None, Field(description="By when it is to be acknowledged.")]
    is_overdue: bool
    acknowledged_at: str | None
    contacted_at: str | None
    unreachable_at: str | None
    declined_at: str | None
    ended_at: str | None
    expires_at: str
    reason: DeclineReason | None
    outcome: Outcome | None
    resource_link: str | None


class Referrals(BaseModel):
    """A page of referrals, the newest first."""

    items: list[ReferralShown]
    next_cursor: str | None


class Slip(BaseModel):
    """What a player takes along to the telephone: no reason, no score, no name."""

    organisation: str
    phone: str | None
    mail: str | None
    hours: str | None
    code: str
    say: Annotated[str, Field(description="What the player may say; they need say no more.")]
    text: Annotated[str, Field(description="All of it, to be printed or sent.")]


class OutcomesQuery(BaseModel):
    """Which months are asked for."""

    model_config = ConfigDict(extra="forbid")

    since: Annotated[
        str | None, Field(pattern=MONTH, description="First month, such as 2026-01. None: a year ago.")
    ] = None
    until: Annotated[str | None, Field(pattern=MONTH, description="Last month. None: this one.")] = None


class OutcomesRow(BaseModel):
    """What became of the referrals of one month to one organisation; the month is that of the prompt."""

    month: str
    partner: str
    offered: Annotated[int, Field(description="Prompts that named it.")]
    refused: Annotated[int, Field(description="Answered with no.")]
    unanswered: Annotated[int, Field(description="Ran out, or could not be acted on.")]
    consented: int
    delivered: int
    acknowledged_in_time: int
    acknowledged_late: int
    contacted: int
    unreachable: int
    declined: int
    closed: Annotated[int, Field(description="Closed by the organisation.")]
    closed_by_outcome: Annotated[
        dict[Outcome, int], Field(description="Of those whose players let us hear of it.")
    ]
    withdrawn: int
    expired: int
    median_hours_to_acknowledgement: float | None


class Outcomes(BaseModel):
    """By month and organisation, the earliest first."""

    items: list[OutcomesRow]
