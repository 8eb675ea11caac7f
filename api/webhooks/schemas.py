"""What `/v1/endpoints` and `/v1/deliveries` are asked and answer."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

Owner = Literal["partner", "platform", "desk"]
Kind = Literal["webhook", "mail"]
Signing = Literal["v1a", "v1", "both"]
EndpointState = Literal["enabled", "disabled", "gone"]
DeliveryState = Literal["waiting", "delivered", "failed", "cancelled", "expired", "parked"]
Outcome = Literal[
    "delivered",
    "refused",
    "redirected",
    "gone",
    "timeout",
    "unreachable",
    "not_allowed",
    "unknown",
    "unheeded",
]

Type = Annotated[str, Field(max_length=64, pattern=r"^[a-z_]+\.[a-z_]+$")]

Cursor = Annotated[str | None, Field(max_length=128, description="`next_cursor` of the answer before.")]

MOST_RATE, MOST_BURST = 1000, 1000


class NewEndpoint(BaseModel):
    """An endpoint to be made: a webhook's URL, or an address for the desk's mail."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "owner": "platform",
                    "url": "https://platform.example/hooks",
                    "types": ["intervention.asked"],
                },
                {"owner": "desk", "kind": "mail", "url": "mailto:desk@casino.example"},
            ]
        },
    )

    owner: Annotated[
        Literal["platform", "desk"],
        Field(description="Whose it is; those of partners come with them."),
    ]
    kind: Kind = "webhook"
    url: Annotated[
        str, Field(min_length=1, max_length=2048, description="https://…; mailto:ADDRESS for the kind mail.")
    ]
    signing: Annotated[Signing, Field(description="v1a is ed25519, v1 is HMAC.")] = "v1a"
    types: Annotated[
        list[Type] | None, Field(min_length=1, max_length=64, description="Types of messages. None: all.")
    ] = None
    rate_per_s: Annotated[
        int, Field(ge=1, le=MOST_RATE, description="Most messages a second in the long run.")
    ] = 10
    burst: Annotated[int, Field(ge=1, le=MOST_BURST, description="Most messages at once.")] = 10

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kind == "mail" and self.owner != "desk":
            raise ValueError("mail goes to the desk alone")
        return self


class Rotation(BaseModel):
    """How secrets are changed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"overlap_h": 24}]})

    overlap_h: Annotated[
        int, Field(ge=0, le=168, description="Hours for which the secrets there are sign along.")
    ] = 24


class PublicKey(BaseModel):
    """A key that verifies `v1a` signatures."""

    key: Annotated[str, Field(description="whpk_…")]
    until: Annotated[str | None, Field(description="When it signs no more, where it was replaced.")]


class EndpointShown(BaseModel):
    """An endpoint without secrets."""

    id: str
    owner: Owner
    owner_id: Annotated[str | None, Field(description="Which partner's.")]
    kind: Kind
    url: str
    signing: Signing
    types: list[str] | None
    rate_per_s: int
    burst: int
    state: Annotated[
        EndpointState, Field(description="gone: it answered 410. What is for it is parked until enabled.")
    ]
    public_keys: list[PublicKey]
    failures: Annotated[int, Field(description="Attempts in a row that failed.")]
    failing_since: str | None
    paused_until: Annotated[
        str | None, Field(description="Until when it is left alone: after failures, or as it asked.")
    ]
    created_at: str


class EndpointWithSecret(EndpointShown):
    """An endpoint with the HMAC secret made for it, which is shown this once."""

    hmac_secret: Annotated[str | None, Field(description="whsec_…; None where it signs with v1a alone.")]


class Endpoints(BaseModel):
    """A page of endpoints, the oldest first."""

    items: list[EndpointShown]
    next_cursor: str | None


class EndpointQuery(BaseModel):
    """Which page of endpoints."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=500)] = 50
    cursor: Cursor = None


class AttemptShown(BaseModel):
    """How one attempt ended."""

    number: int
    at: str
    outcome: Annotated[
        Outcome,
        Field(
            description="refused: answered, but not with 2xx; not_allowed: a private address; unknown: the "
            "sender ended before the answer was noted; unheeded: delivered, but what follows failed here."
        ),
    ]
    status: Annotated[int | None, Field(description="Of the HTTP answer, or the mail server's.")]
    milliseconds: int


class DeliveryShown(BaseModel):
    """A message on its way to one endpoint; neither its body nor whom it is about."""

    id: Annotated[str, Field(description="Its `webhook-id`, the same for all attempts.")]
    endpoint: str
    type: str
    state: DeliveryState
    created_at: str
    next_attempt_at: str | None
    not_after: str | None
    done_at: str | None
    attempts: Annotated[list[AttemptShown], Field(description="The latest ten, the last one first.")]


class Deliveries(BaseModel):
    """A page of deliveries, the newest first."""

    items: list[DeliveryShown]
    next_cursor: str | None


class DeliveryQuery(BaseModel):
    """Which deliveries are asked for; every filter given must hold."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=500)] = 50
    cursor: Cursor = None
    state: DeliveryState | None = None
    endpoint: Annotated[str | None, Field(max_length=64)] = None
    type: Annotated[str | None, Field(max_length=64)] = None


class ReplayWanted(BaseModel):
    """What of an endpoint is sent again."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"since": "2026-01-01T00:00:00Z"}]}
    )

    since: Annotated[AwareDatetime, Field(description="What was given up at this time or later.")]


class Replayed(BaseModel):
    """How many messages are on their way again."""

    replayed: int
    more: Annotated[bool, Field(description="There are more; ask again.")]
