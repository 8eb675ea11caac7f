"""What the routes of prompts and consents are asked and answer."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.consent.signposts import Signpost
from api.referrals.protocol import MOST_REASONS, Channel, Language, Purpose, Reason, Window

PROMPT_ID = r"^pr_[a-z2-7]{26}$"
_PRINTABLE = r"^[^\x00-\x1f\x7f\u2028\u2029]+$"

Asked = Literal["web", "app", "phone", "chat", "in_person"]
NoReferral = Literal["under_age", "identity_unverified", "jurisdiction_unknown", "no_organisation"]
Origin = Literal["player", "agent"]
ConsentKind = Literal["referral", "outcome"]
ConsentState = Literal["given", "withdrawn", "expired", "invalidated"]
ContactDetail = Literal["name", "phone", "email", "address"]
CONTACT_DETAILS: tuple[ContactDetail, ...] = get_args(ContactDetail)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class HelpWanted(_Strict):
    """A player asks for help, or to give."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"player": "p-1", "purpose": "help", "channel": "app"}]},
    )

    player: Annotated[str, Field(min_length=1, max_length=128)]
    purpose: Purpose = "help"
    language: Annotated[
        Language | None, Field(description="None: the player's own, as far as it is known, else English.")
    ] = None
    channel: Annotated[Asked, Field(description="Where the player asked.")]
    reasons: Annotated[
        list[Reason],
        Field(max_length=MOST_REASONS, description="What it is about, if the player has said so."),
    ] = []


class Question(BaseModel):
    """One question, word for word. Its `text` and `hash` go back with the answer."""

    asks: ConsentKind
    text: str
    hash: str
    language: Language
    title: str
    body: list[str]
    agree: str
    refuse: str


class Named(BaseModel):
    """The organisation that is named."""

    id: str
    name: str
    link: Annotated[str | None, Field(description="Its page for players, there without any consent.")]


class Options(BaseModel):
    """What may be chosen in an answer; nothing of it for a donation."""

    channels: list[Channel]
    languages: list[Language]
    windows: list[Window]
    contact: Annotated[list[ContactDetail], Field(description="Contact details that may be typed in.")]


class PromptShown(BaseModel):
    """A prompt as it is to be shown; `texts` in this order, each with its own yes and no."""

    id: str
    purpose: Purpose
    origin: Origin
    partner: Named
    reasons: list[Reason]
    texts: list[Question]
    options: Options
    opened_at: str
    expires_at: str


class ConsentShown(BaseModel):
    """A consent that was given."""

    id: str
    asks: ConsentKind
    text: str
    state: Annotated[
        ConsentState,
        Field(description="invalidated: whoever gave it turned out to be under age."),
    ]
    given_at: str
    expires_at: str
    ended_at: str | None


class ReferralForPlayer(BaseModel):
    """A referral as the player may see it: what was done, and where to turn at once."""

    token: str
    purpose: Purpose
    partner: Named
    state: str
    message: str
    code: Annotated[str, Field(description="What the player quotes when they get in touch themselves.")]
    link: str | None
    phone: str | None
    consents: list[ConsentShown]


class HelpAsked(BaseModel):
    """What comes of asking for help: a prompt, or where to turn and why there is none."""

    prompt: PromptShown | None
    reason: NoReferral | None
    signposts: list[Signpost]


class PlayerPrompts(BaseModel):
    """Everything there is to show a player about help."""

    items: Annotated[list[PromptShown], Field(description="Prompts that are open, the newest first.")]
    referrals: list[ReferralForPlayer]
    signposts: list[Signpost]


class Echo(_Strict):
    """A text as it was shown."""

    text: Annotated[str, Field(pattern=r"^[a-z]{1,20}@[1-9][0-9]{0,5}$")]
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Preference(_Strict):
    """How the player would like to be reached."""

    channel: Channel
    window: Window = "any"
    language: Annotated[Language | None, Field(description="None: the one of the answer.")] = None


class ContactDetails(_Strict):
    """What the player typed in for this purpose. It is encrypted to the organisation and not kept."""

    name: Annotated[str | None, Field(min_length=1, max_length=100, pattern=_PRINTABLE)] = None
    phone: Annotated[str | None, Field(min_length=1, max_length=32, pattern=_PRINTABLE)] = None
    email: Annotated[str | None, Field(min_length=1, max_length=254, pattern=_PRINTABLE)] = None
    address: Annotated[str | None, Field(min_length=1, max_length=300, pattern=_PRINTABLE)] = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise ValueError("it holds nothing; leave it out")
        return self


class PromptAnswer(_Strict):
    """The player's answer, to each question by itself."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "referral": True,
                    "outcome": False,
                    "texts": [
                        {"text": "referral@1", "hash": "0" * 64},
                        {"text": "outcome@1", "hash": "0" * 64},
                    ],
                    "language": "en",
                    "contact_by": {"channel": "phone", "window": "evening"},
                }
            ]
        },
    )

    referral: bool
    outcome: bool = False
    texts: Annotated[
        list[Echo],
        Field(min_length=1, max_length=2, description="`text` and `hash` of every question, as shown."),
    ]
    language: Annotated[Language, Field(description="In which the questions were shown.")]
    contact_by: Preference | None = None
    contact: ContactDetails | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.referral and (self.outcome or self.contact_by or self.contact):
            raise ValueError("nothing goes with a no")
        return self


class AnswerTaken(BaseModel):
    """What came of an answer."""

    prompt: str
    agreed: bool
    reason: Annotated[NoReferral | None, Field(description="Why nothing was sent although they agreed.")]
    referral: ReferralForPlayer | None
    signposts: list[Signpost]


class ConsentEnded(BaseModel):
    """A consent that was taken back."""

    consent: ConsentShown
    partner_told: Annotated[
        bool, Field(description="Whether the organisation may hold something of it, and is being told.")
    ]
