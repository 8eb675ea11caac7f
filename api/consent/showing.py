"""Prompts, consents and referrals as a player gets to see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import msgspec

from api.consent import phrases, wording
from api.consent.schemas import (
    CONTACT_DETAILS,
    ConsentShown,
    Named,
    Options,
    PromptShown,
    Question,
    ReferralForPlayer,
)
from api.consent.tables import Consent, Prompt
from api.consent.timing import CONSENT_US
from api.partners.schemas import Entry
from api.referrals.protocol import Language, Reason, Window
from api.referrals.tables import Referral
from detector.events.instants import rfc3339_ms


def texts_shown(prompt: Prompt, entry: Entry, language: Language) -> list[wording.Shown]:
    """The questions of a prompt, filled in."""
    told = wording.Told(
        partner=entry.names.in_(language),
        until_us=consent_until(prompt),
        urgency=prompt.urgency,
        reasons=reasons_of(prompt),
        contact=entry.sealing_key is not None,
    )
    texts = wording.texts_of(prompt.purpose, is_sent=entry.is_sent_to)
    return [wording.show(wording.in_force(each, language), told) for each in texts]


def consent_until(prompt: Prompt) -> int:
    """Until when a yes to a prompt counts: from the question on, so that the text can name the day."""
    return prompt.opened_us + CONSENT_US[prompt.purpose]


def is_reached_by(prompt: Prompt, entry: Entry) -> bool:
    """Whether the organisation gets in touch with the player, and so has to know how."""
    return prompt.purpose == "help" and entry.is_sent_to


def prompt_shown(prompt: Prompt, entry: Entry, language: Language) -> PromptShown:
    """A prompt as it is to be shown."""
    is_reached = is_reached_by(prompt, entry)
    return PromptShown(
        id=prompt.id,
        purpose=prompt.purpose,
        origin=prompt.origin,
        partner=named(prompt.partner, entry, language),
        reasons=list(reasons_of(prompt)),
        texts=[
            Question(
                asks=each.asks,
                text=each.text,
                hash=each.hash,
                language=each.language,
                title=each.title,
                body=each.body,
                agree=each.agree,
                refuse=each.refuse,
            )
            for each in texts_shown(prompt, entry, language)
        ],
        options=Options(
            channels=entry.channels if is_reached else [],
            languages=entry.languages if is_reached else [],
            windows=list(get_args(Window)) if is_reached else [],
            contact=list(CONTACT_DETAILS) if is_reached and entry.sealing_key is not None else [],
        ),
        opened_at=rfc3339_ms(prompt.opened_us),
        expires_at=rfc3339_ms(prompt.expires_us),
    )


def referral_shown(
    referral: Referral, entry: Entry, consents: Sequence[Consent], language: Language
) -> ReferralForPlayer:
    """A referral as the player may see it."""
    who = named(referral.partner, entry, language)
    is_slip = referral.delivery == "slip"
    told = phrases.message(
        language,
        who.name,
        referral.state,
        slip=is_slip,
        undelivered=referral.state == "consented" and referral.given_up_us is not None,
        recalled=any(each.id == referral.consent and each.state == "invalidated" for each in consents),
        outcome=referral.outcome,
    )
    return ReferralForPlayer(
        token=referral.token,
        purpose=referral.purpose,
        partner=who,
        state=referral.state,
        message=told,
        code=referral.code,
        # Its own page at once, the one that it names for this player once it has answered.
        link=referral.resource_link or who.link,
        phone=None if entry.contact is None else entry.contact.phone,
        consents=[consent_shown(each) for each in consents if each.prompt == referral.prompt],
    )


def consent_shown(consent: Consent) -> ConsentShown:
    """A consent as it stands."""
    return ConsentShown(
        id=consent.id,
        asks=consent.kind,
        text=consent.text,
        state=consent.state,
        given_at=rfc3339_ms(consent.given_us),
        expires_at=rfc3339_ms(consent.expires_us),
        ended_at=None if consent.ended_us is None else rfc3339_ms(consent.ended_us),
    )


def named(partner: str, entry: Entry, language: Language) -> Named:
    """An organisation by its name, with its page in a language, or in the other one."""
    link = entry.links.get(language) or next(iter(entry.links.values()), None)
    return Named(id=partner, name=entry.names.in_(language), link=link)


def reasons_of(prompt: Prompt) -> Sequence[Reason]:
    return msgspec.json.decode(prompt.reasons, type=list[Reason])
