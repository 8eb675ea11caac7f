"""Where messages go, and what is on its way."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from api.store.tables import Table
from api.webhooks.schemas import EndpointState, Kind, Outcome, Owner, Signing

MessageState = Literal[
    "waiting", "sending", "recalled", "parked", "delivered", "failed", "cancelled", "expired"
]

NO_BODY = "{}"
"""What stands in the place of a body that was erased."""


class Endpoint(Table):
    """Where messages of one receiver go.

    `owner` is partner, platform or desk; `kind` webhook or mail; `state` enabled, disabled (by us) or gone
    (it answered 410). `types` is a JSON list, None for all. `version` changes with whatever a sender has to
    know.

    What follows `version` is the circuit breaker and the pace: failures in a row, until when nothing is sent
    and how long the next pause is, since when nothing got through and when people were told of it, until
    when the receiver asked to be left alone, and when the last of the slots used so far is free again.
    """

    __tablename__ = "endpoints"

    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[Owner]
    owner_id: Mapped[str | None]
    kind: Mapped[Kind]
    url: Mapped[str] = mapped_column(Text)
    signing: Mapped[Signing]
    rate_per_s: Mapped[int]
    burst: Mapped[int]
    types: Mapped[str | None] = mapped_column(Text)
    state: Mapped[EndpointState]
    created_us: Mapped[int]
    version: Mapped[int]

    failures: Mapped[int]
    open_until_us: Mapped[int | None]
    pause_us: Mapped[int]
    failing_since_us: Mapped[int | None]
    told_us: Mapped[int | None]
    held_until_us: Mapped[int]
    freed_us: Mapped[int]

    __table_args__ = (Index(None, "owner", "owner_id"),)


class EndpointSecret(Table):
    """A secret that signs: `scheme` v1a (ed25519) or v1 (HMAC), sealed; its public half where it has one."""

    __tablename__ = "endpoint_secrets"

    id: Mapped[str] = mapped_column(primary_key=True)
    endpoint: Mapped[str] = mapped_column(ForeignKey("endpoints.id"), index=True)
    scheme: Mapped[Literal["v1a", "v1"]]
    secret: Mapped[str] = mapped_column(Text)
    public: Mapped[str | None]
    created_us: Mapped[int]
    until_us: Mapped[int | None] = mapped_column(index=True)


class Message(Table):
    """One message to one endpoint; its body is fixed when it is written.

    `state` is waiting; sending (claimed) or recalled (taken back while being sent); parked until its
    endpoint is enabled; or where it ends: delivered, failed, cancelled, expired. `attempts` counts claims,
    `tries` the failures since `since_us`, when it was put or last replayed. `erased` is the fingerprint of a
    body that is not kept any more, None while it is.
    """

    __tablename__ = "messages"

    id: Mapped[str] = mapped_column(primary_key=True)
    endpoint: Mapped[str] = mapped_column(ForeignKey("endpoints.id"))
    type: Mapped[str]
    subject: Mapped[str]
    body: Mapped[str] = mapped_column(Text)
    state: Mapped[MessageState]
    created_us: Mapped[int]
    since_us: Mapped[int]
    due_us: Mapped[int]
    not_after_us: Mapped[int | None]
    attempts: Mapped[int]
    tries: Mapped[int]
    done_us: Mapped[int | None]
    erased: Mapped[str | None]

    __table_args__ = (
        Index(None, "erased", "state", "done_us"),
        Index(None, "endpoint", "state", "due_us", "id"),
        Index(None, "state", "created_us"),
        Index(None, "state", "not_after_us"),
        Index(None, "subject"),
        Index(None, "created_us", "id"),
    )


class Attempt(Table):
    """How one attempt at a message ended."""

    __tablename__ = "attempts"

    message: Mapped[str] = mapped_column(ForeignKey("messages.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at_us: Mapped[int]
    outcome: Mapped[Outcome]
    status: Mapped[int | None]
    milliseconds: Mapped[int]
