"""What leaves for an organisation: one pure function, which is given nothing that must not leave.

It knows no player, no alert and no score, so none can slip into what it makes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import UNSET

from api.referrals.protocol import (
    MOST_REASONS,
    REGION,
    Consented,
    ContactBy,
    DonationCreated,
    HelpCreated,
    Purpose,
    Reason,
    Urgency,
)
from detector.events.instants import rfc3339_ms


@dataclass(frozen=True, slots=True)
class Agreed:
    """What the player agreed to have sent.

    `urgency`, `reasons`, `contact_by` and `sealed_contact` go along where they would like help, and only
    there.
    """

    purpose: Purpose
    consent: str
    text: str
    outcome: bool
    expires_us: int
    jurisdiction: str | None
    urgency: Urgency = "routine"
    reasons: Sequence[Reason] = ()
    contact_by: ContactBy | None = None
    sealed_contact: str | None = None


def payload(token: str, agreed: Agreed, reply_url: str) -> HelpCreated | DonationCreated:
    """The `data` of `referral.created`."""
    expires_at = rfc3339_ms(agreed.expires_us)
    consent = Consented(agreed.consent, agreed.text, expires_at, agreed.outcome)
    region = region_of(agreed.jurisdiction)
    if agreed.purpose == "donation":
        return DonationCreated(token, consent, region, expires_at, reply_url)
    assert agreed.contact_by is not None
    return HelpCreated(
        token,
        consent,
        region,
        expires_at,
        reply_url,
        urgency=agreed.urgency,
        reasons=list(agreed.reasons[:MOST_REASONS]),
        contact_by=agreed.contact_by,
        sealed_contact=UNSET if agreed.sealed_contact is None else agreed.sealed_contact,
    )


def region_of(jurisdiction: str | None) -> str | None:
    """A jurisdiction as far as it may be told: a country or a province, and nothing that is neither.

    >>> region_of("CA-ON"), region_of("CA-ON-TORONTO")
    ('CA-ON', None)
    """
    return jurisdiction if jurisdiction is not None and re.fullmatch(REGION, jurisdiction) else None
