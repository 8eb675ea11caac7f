"""Consent receipts, with the fields of ISO/IEC TS 27560: what was agreed to, by whom, for what, for how long.

The player stands there by their pseudonym. Most of a receipt is fixed when the consent is given and kept with
it; only its events are added to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from api.consent.schemas import ConsentKind, ConsentState
from api.consent.tables import Consent
from api.partners.choice import Protection, country
from api.partners.schemas import Entry
from api.referrals.protocol import Language, Purpose
from detector.events.instants import rfc3339_ms

SCHEMA_VERSION = "ISO/IEC TS 27560:2023"

PII_TYPES = {
    "help": ("wish_for_help", "urgency_band", "reason_categories", "contact_preference", "region", "token"),
    "slip": ("wish_for_help", "token"),
    "outcome": ("contact_result", "outcome_category"),
    "donation": ("wish_to_give", "region", "token"),
}

Use = Literal["referral_for_help", "hearing_of_the_outcome", "introduction_for_a_donation"]
Instant = Annotated[str, Meta(description="RFC 3339, UTC, in milliseconds.")]


class Header(Struct, frozen=True):
    """Which record this is, and of whom."""

    schema_version: str
    record_id: str
    pii_principal_id: Annotated[str, Meta(description="The player's pseudonym with this operator.")]


class Notice(Struct, frozen=True):
    """What the player read: the text's version, its hash, and the hash of the words as they were shown."""

    text: str
    language: Language
    text_hash: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    shown_hash: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Storage(Struct, frozen=True):
    """Where it is kept and until when."""

    locations: Annotated[list[str], Meta(description="Countries (ISO 3166).")]
    until: Instant


class PurposeOfUse(Struct, frozen=True):
    """One purpose, with what is processed for it."""

    purpose: Use
    lawful_basis: Literal["explicit_consent"]
    pii_types: list[str]
    recipients: Annotated[list[str], Meta(description="Ids of parties.")]
    storage: Storage
    jurisdictions: list[str]
    safeguard: Protection
    withdrawal_method: str


class Processing(Struct, frozen=True):
    """What was agreed to."""

    privacy_notice: Notice
    language: Language
    purposes: list[PurposeOfUse]


class Party(Struct, frozen=True):
    """Somebody who takes part."""

    party_id: str
    party_role: Literal["pii_controller", "recipient"]
    party_name: str | None


class Event(Struct, frozen=True):
    """What happened to the consent, the earliest first."""

    event_state: ConsentState
    event_time: Instant
    event_type: Literal["explicit", "automatic"]
    channel: str | None
    validity: Annotated[str | None, Meta(description="Until when it counts.")]


class Receipt(Struct, frozen=True):
    """A consent receipt."""

    header: Header
    pii_processing: Processing
    parties: list[Party]
    events: list[Event]


class Record(Struct, frozen=True):
    """What never changes of a receipt."""

    header: Header
    pii_processing: Processing
    parties: list[Party]
    channel: str


def record(
    *,
    consent: str,
    pseudonym: str,
    kind: ConsentKind,
    purpose: Purpose,
    notice: Notice,
    partner: str,
    entry: Entry,
    safeguard: Protection,
    jurisdiction: str,
    brand: str | None,
    contact: Sequence[str],
    channel: str,
    until_us: int,
) -> Record:
    """The part of a receipt that is fixed when a consent is given; `contact` names what was typed in."""
    told: Use
    if kind == "outcome":
        told, types, recipient = "hearing_of_the_outcome", PII_TYPES["outcome"], "controller"
    elif purpose == "help":
        told, recipient = "referral_for_help", partner
        types = PII_TYPES["slip"]
        if entry.is_sent_to:
            types = (*PII_TYPES["help"], *(f"contact_{each}" for each in contact))
    else:
        told, types, recipient = "introduction_for_a_donation", PII_TYPES["donation"], partner
    location = country(jurisdiction) if kind == "outcome" else entry.location
    use = PurposeOfUse(
        purpose=told,
        lawful_basis="explicit_consent",
        pii_types=list(types),
        recipients=[recipient],
        storage=Storage([location], rfc3339_ms(until_us)),
        jurisdictions=[jurisdiction],
        safeguard=safeguard,
        withdrawal_method=f"POST /v1/consents/{consent}/withdraw, wherever the player reads of the referral",
    )
    return Record(
        Header(SCHEMA_VERSION, consent, pseudonym),
        Processing(notice, notice.language, [use]),
        [
            Party("controller", "pii_controller", brand),
            Party(partner, "recipient", entry.names.in_(notice.language)),
        ],
        channel,
    )


def receipt(consent: Consent) -> Receipt:
    """The receipt of a consent as it stands."""
    kept = msgspec.json.decode(consent.record, type=Record)
    until = rfc3339_ms(consent.expires_us)
    events = [Event("given", rfc3339_ms(consent.given_us), "explicit", kept.channel, until)]
    if consent.ended_us is not None:
        by: Literal["explicit", "automatic"] = "explicit" if consent.state == "withdrawn" else "automatic"
        events.append(Event(consent.state, rfc3339_ms(consent.ended_us), by, None, None))
    return Receipt(kept.header, kept.pii_processing, kept.parties, events)


def to_json(shown: Receipt) -> bytes:
    """A receipt as it is given out and hashed."""
    return msgspec.json.encode(shown, order="sorted")


def digest(consent: Consent) -> str:
    """What the audit keeps of a receipt."""
    return hashlib.sha256(to_json(receipt(consent))).hexdigest()


def schema() -> bytes:
    """The JSON Schema of a receipt, ending in a line feed."""
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A consent receipt of tiltwatch",
        **msgspec.json.schema(Receipt),
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
