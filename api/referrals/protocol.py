"""What travels between tiltwatch and an aid organisation: every field there is, and the schema of each.

Nothing here is a free text of ours. `docs/partner-protocol.md` says the same for people, the files in
`docs/protocol/` for machines; they are made from these structs.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

Purpose = Literal["help", "donation"]
Urgency = Literal["routine", "soon", "urgent"]
Reason = Literal["money", "time", "play", "limits", "contact"]
Channel = Literal["phone", "text", "email", "chat", "letter"]
Language = Literal["en", "fr"]
Window = Literal["morning", "afternoon", "evening", "any"]
Status = Literal["acknowledged", "contacted", "unreachable", "declined", "closed"]
Standing = Literal["consented", "delivered", Status, "withdrawn", "expired"]
DeclineReason = Literal["no_capacity", "out_of_region", "out_of_scope", "duplicate", "other"]
Outcome = Literal["in_treatment", "advice_given", "referred_on", "not_needed", "no_contact"]

MOST_REASONS = 3
REFERRAL_ID = r"^rf_[a-z2-7]{32}$"
CONSENT_ID = r"^cs_[a-z2-7]{26}$"
REGION = r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$"
LINK = r"^https://[!-~]+$(?!\n)"  # `$` alone lets a line feed through in Python
MOST_LINK = 512

Token = Annotated[
    str, Meta(pattern=REFERRAL_ID, description="The referral, as this organisation alone knows it.")
]
Instant = Annotated[
    str,
    Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", description="RFC 3339, UTC, in milliseconds."),
]
ConsentId = Annotated[str, Meta(pattern=CONSENT_ID)]
TextVersion = Annotated[str, Meta(pattern=r"^[a-z]+@[1-9][0-9]*$")]
Region = Annotated[
    str, Meta(pattern=REGION, description="A country, or a province of it (ISO 3166); never anything finer.")
]
Url = Annotated[str, Meta(pattern=r"^https?://[!-~]+$", max_length=MOST_LINK)]
Link = Annotated[str, Meta(pattern=LINK, max_length=MOST_LINK)]
Jwe = Annotated[
    str,
    Meta(
        pattern=r"^[\w-]+\.[\w-]*\.[\w-]+\.[\w-]+\.[\w-]+$",
        max_length=4096,
        description="Contact details, encrypted to the organisation's key.",
    ),
]
StatusToken = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,128}$(?!\n)")]


class Consented(Struct, frozen=True, forbid_unknown_fields=True):
    """The player's consent; `outcome` says whether the organisation may report what came of it."""

    id: ConsentId
    text: TextVersion
    expires_at: Instant
    outcome: bool


class ContactBy(Struct, frozen=True, forbid_unknown_fields=True):
    """How the player would like to be reached."""

    channel: Channel
    language: Language
    window: Window


class Created(Struct, frozen=True, forbid_unknown_fields=True, tag_field="purpose"):
    """`referral.created`: what both purposes have."""

    token: Token
    consent: Consented
    region: Region | None
    expires_at: Instant
    reply_url: Url


class HelpCreated(Created, frozen=True, forbid_unknown_fields=True, tag="help", kw_only=True):
    """`referral.created` of somebody who would like help."""

    urgency: Urgency
    reasons: Annotated[list[Reason], Meta(max_length=MOST_REASONS)]
    contact_by: ContactBy
    sealed_contact: Jwe | UnsetType = UNSET


class DonationCreated(Created, frozen=True, forbid_unknown_fields=True, tag="donation"):
    """`referral.created` of somebody who would like to give; the answer's link leads to where they can."""


class Ended(Struct, frozen=True, forbid_unknown_fields=True):
    """`referral.withdrawn` and `referral.expired`."""

    token: Token
    at: Instant


class DeliveryAnswer(Struct, frozen=True):
    """What an organisation may answer to `referral.created`; anything else in it is not looked at."""

    status: Literal["acknowledged"] | UnsetType = UNSET
    status_token: StatusToken | UnsetType = UNSET
    resource_link: Link | UnsetType = UNSET


class SealedContact(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is inside a `sealed_contact`: as the player typed it, for this purpose."""

    name: Annotated[str, Meta(min_length=1, max_length=100)] | UnsetType = UNSET
    phone: Annotated[str, Meta(min_length=1, max_length=32)] | UnsetType = UNSET
    email: Annotated[str, Meta(min_length=1, max_length=254)] | UnsetType = UNSET
    address: Annotated[str, Meta(min_length=1, max_length=300)] | UnsetType = UNSET


class Callback(Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /v1/referrals/{token}/status`: what became of a referral."""

    status: Status
    at: Annotated[datetime, Meta(tz=True, description="When that was so: RFC 3339 with an offset.")]
    reason: DeclineReason | UnsetType = UNSET
    outcome: Outcome | UnsetType = UNSET
    resource_link: Link | UnsetType = UNSET
    status_token: StatusToken | UnsetType = UNSET


class CallbackAnswer(Struct, frozen=True):
    """What a callback is answered.

    `moved` says whether it changed the state; `outcome` whether the player wants us to hear of what comes.
    """

    token: Token
    state: Standing
    moved: bool
    outcome: bool


_FILES: dict[str, tuple[Any, str]] = {
    "referral.created": (HelpCreated | DonationCreated, "`data` of referral.created"),
    "referral.withdrawn": (Ended, "`data` of referral.withdrawn"),
    "referral.expired": (Ended, "`data` of referral.expired"),
    "delivery-answer": (DeliveryAnswer, "The body of a 2xx answer to referral.created; it may be left out"),
    "sealed-contact": (SealedContact, "What a sealed_contact holds once it is opened"),
    "status-callback": (Callback, "The body of POST /v1/referrals/{token}/status"),
    "status-answer": (CallbackAnswer, "What POST /v1/referrals/{token}/status is answered with 200"),
}


def schemas() -> dict[str, bytes]:
    """JSON Schema (2020-12) files of the protocol, by name, each ending in a line feed."""
    found = {}
    for name, (type_, title) in _FILES.items():
        document = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": title,
            **msgspec.json.schema(type_),
        }
        found[f"{name}.schema.json"] = msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
    return found
