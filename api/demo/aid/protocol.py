"""What an aid organisation gets and answers: docs/partner-protocol.md as types.

Members that the protocol does not name are refused: whoever sends them sends more than was agreed.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Status = Literal["acknowledged", "contacted", "unreachable", "declined", "closed"]


class Consent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the player agreed to; `outcome`: whether the organisation may say how it went."""

    id: str
    text: str
    expires_at: str
    outcome: bool


class ContactBy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the player wants to be reached."""

    channel: Literal["phone", "text", "email", "chat", "letter"]
    language: Literal["en", "fr"]
    window: Literal["morning", "afternoon", "evening", "any"]


class Created(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A referral, as `referral.created` brings it."""

    token: str
    purpose: Literal["help", "donation"]
    consent: Consent
    region: str | None
    expires_at: str
    reply_url: str
    urgency: Literal["routine", "soon", "urgent"] | None = None
    reasons: list[Literal["money", "time", "play", "limits", "contact"]] = []
    contact_by: ContactBy | None = None
    sealed_contact: str | None = None


class Ended(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `referral.withdrawn` and `referral.expired` bring."""

    token: str
    at: str


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What every message is."""

    type: Literal["referral.created", "referral.withdrawn", "referral.expired", "endpoint.test"]
    timestamp: str
    data: msgspec.Raw


class Answer(msgspec.Struct, frozen=True):
    """What a delivery is answered with."""

    status: Literal["acknowledged"]
    status_token: str
    resource_link: str


class Callback(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the organisation says later on."""

    status: Status
    at: str
    reason: str | None = None
    outcome: str | None = None
