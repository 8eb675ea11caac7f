"""What `/v1/alerts` is asked and answers."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from msgspec import Meta, Struct
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from api.alerts.codes import FINDINGS, VERDICTS, Because, Did, Finding, Verdict, Waiting
from api.referrals.protocol import Reason, Urgency
from detector.ladder.actions import ACTIONS, HUMAN

Severity = Literal["low", "medium", "high", "critical"]
Audience = Literal["risk", "follow_up", "compliance", "operations"]
Level = Literal["L0", "L1", "L2", "L3", "L4", "L5"]
Stage = Literal["open", "snoozed", "acted", "closed", "past"]
Outcome = Literal["done", "attempted", "ordered", "offered"]
Action = Literal[
    "show_information",
    "personal_message",
    "suggest_limit",
    "suggest_break",
    "marketing_off",
    "bonuses_off",
    "deposit_hold",
    "pause",
    "pause_unless_answered",
    "human_review",
    "human_contact",
    "offer_referral",
    "crisis_line",
    "offer_exclusion",
    "block",
]
KEY = r"^[0-9a-f]{12}$"

assert set(get_args(Action)) == set(ACTIONS)


class AlertQuery(BaseModel):
    """Which alerts are asked for; every filter given must hold."""

    model_config = ConfigDict(extra="forbid")

    order: Annotated[
        Literal["newest", "queue"],
        Field(
            description="queue: those that are owed something, the most urgent first, then by deadline; "
            "newest: all."
        ),
    ] = "newest"
    limit: Annotated[int, Field(ge=1, le=500, description="Most alerts in one answer.")] = 50
    cursor: Annotated[
        str | None, Field(max_length=128, description="`next_cursor` of the answer before.")
    ] = None
    player: Annotated[
        str | None, Field(max_length=128, description="A player's id, or pseudonym for who sees no players.")
    ] = None
    rule: Annotated[
        str | None, Field(max_length=128, description="A rule's id for any version, or id@version.")
    ] = None
    severity: Severity | None = None
    audience: Audience | None = None
    since: Annotated[AwareDatetime | None, Field(description="Opened at this time or later.")] = None
    state: Annotated[
        Stage | None,
        Field(
            description="open: something is due; snoozed: put off; acted: what was due is done; closed: by a "
            "verdict; past: too old when it came to be owed. In the queue: open, unless said otherwise."
        ),
    ] = None
    assignee: Annotated[
        str | None,
        Field(pattern=r"^(me|nobody|[0-9a-f]{12})$", description="`me`, `nobody`, or the id of a key."),
    ] = None
    overdue: Annotated[bool | None, Field(description="Whether the deadline has passed with it due.")] = None


class VerdictGiven(Struct, frozen=True):
    """One verdict; `number` counts from 1."""

    number: int
    verdict: Verdict
    reasons: list[Because]
    by: str
    at: str


class Done(Struct, frozen=True):
    """What somebody did about an alert."""

    id: str
    action: str
    outcome: Annotated[
        Outcome,
        Meta(description="done, attempted: by a person; ordered: of the platform; offered: to the player."),
    ]
    code: str | None
    level: str | None
    intervention: str | None
    prompt: str | None
    by: str
    at: str


class Work(Struct, frozen=True):
    """How the work on an alert stands; times are RFC 3339, UTC, in milliseconds."""

    state: Stage
    level: Annotated[str, Meta(description="The level it calls for.")]
    jurisdiction: str | None
    urgency: Annotated[int, Meta(description="The higher, the earlier in the queue.")]
    due_at: Annotated[str | None, Meta(description="The deadline; null for what is past.")]
    overdue: bool
    escalations: Annotated[int, Meta(description="How often the deadline, or a further period, has passed.")]
    assignee: Annotated[str | None, Meta(description="The id of the key whose holder works on it.")]
    snoozed_until: str | None
    acted_at: Annotated[str | None, Meta(description="When anything was first done or ordered.")]
    met_at: Annotated[str | None, Meta(description="When what was due was done.")]
    verdict: Verdict | None
    verdicts: Annotated[int, Meta(description="How many verdicts were given; the last one counts.")]


class Standing(BaseModel):
    """How the work on an alert stands after a request."""

    alert: str
    state: Stage
    urgency: int
    due_at: str | None
    overdue: bool
    escalations: int
    assignee: str | None
    snoozed_until: str | None
    acted_at: str | None
    met_at: str | None
    verdict: Verdict | None
    verdicts: int


class Assignment(BaseModel):
    """To whom an alert goes."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"to": "me"}, {"to": None}, {"to": "me", "from": "0123456789ab"}]},
    )

    to: Annotated[
        str | None,
        Field(pattern=r"^(me|[0-9a-f]{12})$", description="`me`, the id of a key, or null: nobody."),
    ]
    taken_from: Annotated[
        str | None,
        Field(
            alias="from",
            pattern=KEY,
            description="Who has it now; needed to take it from somebody else.",
        ),
    ] = None


class NewVerdict(BaseModel):
    """A verdict on an alert."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"verdict": "confirmed", "reasons": ["pattern_confirmed"]}]},
    )

    verdict: Verdict
    reasons: Annotated[list[Because], Field(min_length=1, max_length=5)]
    changes: Annotated[
        int | None,
        Field(ge=1, le=2**31, description="The number of the verdict that it takes the place of."),
    ] = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if set(self.reasons) - VERDICTS[self.verdict].keys():
            raise ValueError(f"the reasons for {self.verdict} are {', '.join(VERDICTS[self.verdict])}")
        if len(set(self.reasons)) < len(self.reasons):
            raise ValueError("each reason is given once")
        return self


class Snooze(BaseModel):
    """Putting work on an alert off."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"until": "2026-01-05T12:00:00Z", "reason": "contact_agreed"}]},
    )

    until: Annotated[AwareDatetime, Field(description="At most the deadline.")]
    reason: Waiting


class NewAction(BaseModel):
    """Something done about an alert, or ordered of the platform."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"action": "human_contact", "outcome": "done", "code": "spoken"},
                {"action": "deposit_hold", "level": "L3"},
                {"action": "offer_referral", "reasons": ["money"], "urgency": "soon"},
            ]
        },
    )

    action: Action
    outcome: Annotated[Did | None, Field(description="Of human_review and human_contact.")] = None
    code: Annotated[Finding | None, Field(description="What became of it, of the same.")] = None
    level: Annotated[
        Level | None,
        Field(
            description="At which level the platform is asked; else the alert's, or the lowest above it, or "
            "below, that has the action."
        ),
    ] = None
    reasons: Annotated[
        list[Reason] | None,
        Field(min_length=1, max_length=3, description="Of offer_referral; else the alert's."),
    ] = None
    urgency: Annotated[Urgency | None, Field(description="Of offer_referral; else by the level.")] = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        findings = FINDINGS.get(self.action)
        if findings is None:
            if self.outcome is not None or self.code is not None:
                raise ValueError("`outcome` and `code` belong to human_review and human_contact")
        elif self.outcome is None or self.code not in findings[self.outcome]:
            told = "; ".join(f"{outcome}: {', '.join(codes)}" for outcome, codes in findings.items())
            raise ValueError(f"{self.action} needs an outcome with its code: {told}")
        if self.action != "offer_referral" and (self.reasons is not None or self.urgency is not None):
            raise ValueError("`reasons` and `urgency` belong to offer_referral")
        if self.action in HUMAN and self.level is not None:
            raise ValueError("`level` belongs to what the platform is asked")
        return self


class ActionTaken(BaseModel):
    """What was done or ordered, and how the alert stands then."""

    id: str
    action: Action
    outcome: Outcome
    intervention: Annotated[str | None, Field(description="Id of what the platform was asked.")]
    prompt: Annotated[str | None, Field(description="Id of what the player was asked.")]
    work: Standing
