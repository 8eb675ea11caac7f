"""Taking a player's answer: kept with the exact words it was given to, acted on in one transaction."""

from __future__ import annotations

import hashlib
import hmac

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from api.audit.chain import canonical
from api.consent import repository, wording
from api.consent.receipts import Notice, digest, record
from api.consent.schemas import AnswerTaken, NoReferral, Preference, PromptAnswer, ReferralForPlayer
from api.consent.sealing import seal
from api.consent.service import ConsentService
from api.consent.showing import (
    consent_until,
    is_reached_by,
    reasons_of,
    referral_shown,
    texts_shown,
)
from api.consent.signposts import signposts
from api.consent.tables import Consent, Prompt
from api.deployment import Ground
from api.partners import repository as partners
from api.partners.choice import protection
from api.partners.schemas import EncryptionKey, Entry
from api.partners.service import entry_of
from api.partners.tables import Partner
from api.players.facts import Facts, facts_of
from api.problems import (
    CONTRADICTION,
    NO_SEALING_KEY,
    PROMPT_CLOSED,
    TEXT_CHANGED,
    UNKNOWN_PROMPT,
    Problem,
    wrong,
)
from api.referrals import repository as referrals
from api.referrals.payload import Agreed
from api.referrals.protocol import ContactBy, Language
from api.referrals.service import ReferralsService
from api.referrals.tokens import new_id

_TRIES = 3


class _OtherKey(Exception):  # noqa: N818  (a signal inside this file)
    """The organisation's key was changed while contact details were encrypted to the one before."""


class AnsweringService:
    """Takes answers to prompts."""

    def __init__(
        self, ground: Ground, consent_service: ConsentService, referrals_service: ReferralsService
    ) -> None:
        self._store = ground.store
        self._audit = ground.audit
        self._keyring = ground.keyring
        self._clock = ground.clock
        self._consent = consent_service
        self._referrals = referrals_service

    async def answer(self, prompt_id: str, given: PromptAnswer, actor: str) -> AnswerTaken:
        """Take an answer; the same one again is answered the same, and another one refused.

        Contact details are encrypted before anything is written, and go no further unencrypted.
        """
        for _ in range(_TRIES):
            key, sealed = await self._sealed(prompt_id, given)
            try:
                async with self._store.write() as session:
                    return await self._take(session, prompt_id, given, key, sealed, actor)
            except _OtherKey:
                continue
        raise Problem(NO_SEALING_KEY, "Its key keeps changing; send the answer again.")

    async def _sealed(self, prompt_id: str, given: PromptAnswer) -> tuple[EncryptionKey | None, str | None]:
        if given.contact is None:
            return None, None
        async with self._store.read() as session:
            prompt = await repository.prompt(session, prompt_id)
            partner = None if prompt is None else await partners.find(session, prompt.partner)
        if prompt is None or partner is None or prompt.state != "open":
            return None, None
        key = entry_of(partner).sealing_key
        if key is None:
            raise Problem(NO_SEALING_KEY, "Send the answer without contact details; there is a code instead.")
        return key, seal(given.contact.model_dump(exclude_none=True), key)

    async def _take(
        self,
        session: AsyncSession,
        prompt_id: str,
        given: PromptAnswer,
        key: EncryptionKey | None,
        sealed: str | None,
        actor: str,
    ) -> AnswerTaken:
        prompt = await repository.prompt(session, prompt_id, lock=True)
        if prompt is None:
            raise Problem(UNKNOWN_PROMPT, "None of this id was opened.")
        fingerprint = hashlib.sha256(canonical(given.model_dump(mode="json")).encode()).digest()
        if prompt.state == "answered":
            return await self._again(session, prompt, given, fingerprint)
        if prompt.state != "open" or prompt.expires_us <= self._clock():
            raise Problem(PROMPT_CLOSED, "Ask again, or have the player ask.")
        # Nobody suspends the organisation, or changes its entry, between here and the end.
        partner = await partners.find(session, prompt.partner, hold=True)
        assert partner is not None
        entry = entry_of(partner)
        shown = _as_echoed(texts_shown(prompt, entry, given.language), given)
        facts = await facts_of(session, prompt.player)
        if not given.referral:
            self._keep(prompt, given, shown, fingerprint, agreed=False)
            self._tell(session, actor, "consent.refused", prompt, text=shown[0].text, shown=shown[0].hash)
            return self._taken(prompt, given.language, facts, agreed=False)
        reason = self._consent.hindrance(facts, self._consent.jurisdiction_of(facts))
        if reason is None and not self._consent.still_fits(partner, entry, prompt, given.language):
            reason = "no_organisation"
        if reason is not None:
            prompt.state, prompt.answered_us = "closed", self._clock()
            self._tell(session, actor, "prompt.closed", prompt, reason=reason)
            return self._taken(prompt, given.language, facts, agreed=True, reason=reason)
        if given.contact is not None and key != entry.sealing_key:
            raise _OtherKey
        contact_by = _preference(prompt, entry, given)
        self._keep(prompt, given, shown, fingerprint, agreed=True)
        consents = await self._consents(session, prompt, partner, entry, given, shown, facts, actor)
        outcome = next((each.id for each in consents if each.kind == "outcome"), None)
        agreed = Agreed(
            purpose=prompt.purpose,
            consent=consents[0].id,
            text=consents[0].text,
            outcome=outcome is not None,
            expires_us=consents[0].expires_us,
            jurisdiction=prompt.jurisdiction,
            urgency=prompt.urgency,
            reasons=reasons_of(prompt),
            contact_by=contact_by,
            sealed_contact=sealed,
        )
        referral = await self._referrals.make(
            session, partner, agreed, player=prompt.player, prompt=prompt.id, outcome_consent=outcome
        )
        told = referral_shown(referral, entry, consents, given.language)
        return self._taken(prompt, given.language, facts, agreed=True, referral=told)

    async def _again(
        self, session: AsyncSession, prompt: Prompt, given: PromptAnswer, fingerprint: bytes
    ) -> AnswerTaken:
        assert prompt.sealed is not None
        kept = self._keyring.unseal(_context(prompt.id), prompt.sealed)
        if not hmac.compare_digest(kept, fingerprint):
            raise Problem(
                CONTRADICTION, "The prompt was answered otherwise. What was agreed to can be withdrawn."
            )
        facts = await facts_of(session, prompt.player)
        partner = await partners.find(session, prompt.partner)
        assert partner is not None
        consents = await repository.consents_of_prompt(session, prompt.id)
        told = None
        if consents:
            token = await referrals.token_of_consent(session, consents[0].id)
            referral = None if token is None else await referrals.find(session, token)
            if referral is not None:
                told = referral_shown(referral, entry_of(partner), consents, given.language)
        return self._taken(prompt, given.language, facts, agreed=bool(prompt.agreed), referral=told)

    def _keep(
        self,
        prompt: Prompt,
        given: PromptAnswer,
        shown: list[wording.Shown],
        fingerprint: bytes,
        *,
        agreed: bool,
    ) -> None:
        prompt.state, prompt.answered_us, prompt.agreed = "answered", self._clock(), agreed
        prompt.answer = canonical(
            {
                **given.model_dump(mode="json", include={"referral", "outcome", "language", "contact_by"}),
                "texts": [
                    {"text": each.text, "text_hash": each.text_hash, "hash": each.hash} for each in shown
                ],
            }
        )
        # Sealed: an answer holds a telephone number, and the hash of one is guessed in no time.
        prompt.sealed = self._keyring.seal(_context(prompt.id), fingerprint)

    async def _consents(
        self,
        session: AsyncSession,
        prompt: Prompt,
        partner: Partner,
        entry: Entry,
        given: PromptAnswer,
        shown: list[wording.Shown],
        facts: Facts,
        actor: str,
    ) -> list[Consent]:
        """The consents of a yes, the referral's first, each with its receipt."""
        now_us, until_us = self._clock(), consent_until(prompt)
        protected_by = protection(entry, prompt.jurisdiction)
        assert protected_by is not None  # else it would not fit
        made = []
        for each in shown:
            if each.asks == "outcome" and not given.outcome:
                self._tell(session, actor, "consent.refused", prompt, text=each.text, shown=each.hash)
                continue
            consent_id = new_id("cs")
            kept = record(
                consent=consent_id,
                pseudonym=self._keyring.pseudonym(prompt.player),
                kind=each.asks,
                purpose=prompt.purpose,
                notice=Notice(each.text, each.language, each.text_hash, each.hash),
                partner=partner.id,
                entry=entry,
                safeguard=protected_by,
                jurisdiction=prompt.jurisdiction,
                brand=facts.brand,
                contact=[] if given.contact is None else sorted(given.contact.model_dump(exclude_none=True)),
                channel=prompt.channel,
                until_us=until_us,
            )
            consent = Consent(
                id=consent_id,
                prompt=prompt.id,
                player=prompt.player,
                kind=each.asks,
                purpose=prompt.purpose,
                partner=partner.id,
                text=each.text,
                state="given",
                given_us=now_us,
                expires_us=until_us,
                ended_us=None,
                record=msgspec.json.encode(kept, order="sorted").decode(),
            )
            await repository.add(session, consent)
            self._tell(
                session,
                actor,
                "consent.given",
                prompt,
                consent=consent.id,
                text=each.text,
                shown=each.hash,
                receipt=digest(consent),
            )
            made.append(consent)
        return made

    def _tell(self, session: AsyncSession, actor: str, action: str, prompt: Prompt, **details: str) -> None:
        subject = f"player:{self._keyring.pseudonym(prompt.player)}"
        self._audit.tell(session, actor, action, subject, prompt=prompt.id, **details)

    def _taken(
        self,
        prompt: Prompt,
        language: Language,
        facts: Facts,
        *,
        agreed: bool,
        reason: NoReferral | None = None,
        referral: ReferralForPlayer | None = None,
    ) -> AnswerTaken:
        told = signposts(self._consent.jurisdiction_of(facts), language)
        return AnswerTaken(prompt=prompt.id, agreed=agreed, reason=reason, referral=referral, signposts=told)


def _as_echoed(shown: list[wording.Shown], given: PromptAnswer) -> list[wording.Shown]:
    """The questions, if they are the ones that were shown."""
    if {(each.text, each.hash) for each in shown} != {(each.text, each.hash) for each in given.texts}:
        raise Problem(TEXT_CHANGED, "Show the player what the prompt says now.")
    return shown


def _preference(prompt: Prompt, entry: Entry, given: PromptAnswer) -> ContactBy | None:
    """How the player wants to be reached, if the organisation can do that."""
    wanted: Preference | None = given.contact_by
    if prompt.purpose == "donation" and given.outcome:
        raise wrong("outcome", "It is not asked about a donation")
    if not is_reached_by(prompt, entry):
        if wanted is not None:
            raise wrong("contact_by", "Nobody will get in touch: see the prompt's options")
        return None
    if wanted is None:
        raise wrong("contact_by", "Say how the player would like to be reached")
    language = wanted.language or given.language
    if wanted.channel not in entry.channels or language not in entry.languages:
        raise wrong("contact_by", "The organisation does not offer that; see the prompt's options")
    return ContactBy(wanted.channel, language, wanted.window)


def _context(prompt_id: str) -> str:
    return f"prompts.sealed:{prompt_id}"
