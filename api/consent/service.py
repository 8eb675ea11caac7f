"""Asking players, keeping what they answered, and taking it back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from api.consent import repository
from api.consent.receipts import digest, receipt, to_json
from api.consent.schemas import (
    ConsentEnded,
    HelpAsked,
    HelpWanted,
    NoReferral,
    Origin,
    PlayerPrompts,
    PromptShown,
)
from api.consent.showing import consent_shown, prompt_shown, referral_shown
from api.consent.signposts import signposts
from api.consent.tables import Consent, Prompt
from api.consent.timing import AFTER_NO_US, BETWEEN_OFFERS_US, PROMPT_US
from api.deployment import Ground
from api.partners import repository as partners
from api.partners.choice import Candidate, Wish, choose, fits, protection
from api.partners.schemas import Entry
from api.partners.service import entry_of
from api.partners.tables import Partner
from api.players.facts import Facts, facts_of
from api.problems import ASKED_LATELY, NO_REFERRAL, UNKNOWN_CONSENT, Problem
from api.referrals import repository as referrals
from api.referrals.payload import region_of
from api.referrals.protocol import MOST_REASONS, Language, Purpose, Reason, Urgency
from api.referrals.service import ReferralsService
from api.referrals.tokens import new_id
from api.store.adding import storable
from api.webhooks.outbox import Outbox
from api.webhooks.tables import Message
from detector.events.instants import HOUR_US, rfc3339_ms


class ConsentService:
    """Prompts and consents of a deployment."""

    def __init__(self, ground: Ground, outbox: Outbox, referrals_service: ReferralsService) -> None:
        self._ground = ground
        self._store = ground.store
        self._audit = ground.audit
        self._keyring = ground.keyring
        self._clock = ground.clock
        self._outbox = outbox
        self._referrals = referrals_service

    # Asking

    async def ask_help(self, session: AsyncSession, wanted: HelpWanted, actor: str) -> HelpAsked:
        """A player asks by themselves: always possible, and answered with where to turn in any case."""
        player = storable(wanted.player)
        facts = await facts_of(session, player)
        language = wanted.language or language_of(facts)
        jurisdiction = self.jurisdiction_of(facts)
        told = signposts(jurisdiction, language)
        found = await self._find(session, facts, jurisdiction, wanted.purpose, language)
        if not isinstance(found, Partner):
            # Nothing of the player is kept but that it was so.
            self._audit.tell(session, actor, "help.signposted", self._subject(player), reason=found)
            return HelpAsked(prompt=None, reason=found, signposts=told)
        prompt = await self._open_already(session, player, wanted.purpose)
        if prompt is None:
            assert jurisdiction is not None
            prompt = await self._open(
                session,
                found,
                player=player,
                origin="player",
                alert=None,
                purpose=wanted.purpose,
                jurisdiction=jurisdiction,
                language=language,
                channel=wanted.channel,
                urgency="routine",
                reasons=wanted.reasons,
                actor=actor,
            )
        return HelpAsked(prompt=await self._shown(session, prompt, language), reason=None, signposts=told)

    async def offer(
        self,
        session: AsyncSession,
        *,
        player: str,
        alert: str | None,
        reasons: Sequence[Reason],
        urgency: Urgency,
        jurisdiction: str | None,
        actor: str,
    ) -> str:
        """Ask a player, in an agent's name, whether an aid organisation may help; returns the prompt's id.

        Where a prompt is open already, it is that one. What is urgent may be asked at any time.

        Raises
        ------
        Problem
            No organisation may be named to this player (`no-referral`, with a reason code), or they were
            asked only lately (`asked-lately`).
        """
        facts = await facts_of(session, player)
        place = jurisdiction or self.jurisdiction_of(facts)
        language = language_of(facts)
        found = await self._find(session, facts, place, "help", language)
        if not isinstance(found, Partner):
            raise Problem(NO_REFERRAL, "Tell the player where else there is help.", reason=found)
        prompt = await self._open_already(session, player, "help")
        if prompt is not None:
            return prompt.id
        if urgency != "urgent":
            await self._be_calm(session, player)
        assert place is not None
        prompt = await self._open(
            session,
            found,
            player=player,
            origin="agent",
            alert=alert,
            purpose="help",
            jurisdiction=place,
            language=language,
            channel="platform",
            urgency=urgency,
            reasons=list(dict.fromkeys(reasons))[:MOST_REASONS],
            actor=actor,
        )
        return prompt.id

    async def shown_to(self, player: str, language: Language | None) -> PlayerPrompts:
        """Everything there is to show a player about help, in a language."""
        player = storable(player)
        async with self._store.read(snapshot=True) as session:
            facts = await facts_of(session, player)
            told = language or language_of(facts)
            prompts = await repository.open_prompts(session, player, self._clock())
            made = await referrals.of_player(session, player)
            consents = await repository.consents_of_player(session, player)
            entries = await self._entries(session)
        return PlayerPrompts(
            items=[prompt_shown(each, entries[each.partner], told) for each in prompts],
            referrals=[referral_shown(each, entries[each.partner], consents, told) for each in made],
            signposts=signposts(self.jurisdiction_of(facts), told),
        )

    # Taking back

    async def withdraw(self, session: AsyncSession, consent_id: str, actor: str) -> ConsentEnded:
        """Take a consent back. Without the first one there is nothing left to hear of, so both end."""
        found = await repository.consent(session, consent_id, lock=True)
        if found is None:
            raise Problem(UNKNOWN_CONSENT, "None of this id was given.")
        told = False
        if found.state == "given":
            told = await self._take_back(session, found, "withdrawn", actor)
        return ConsentEnded(consent=consent_shown(found), partner_told=told)

    async def _take_back(
        self, session: AsyncSession, found: Consent, how: Literal["withdrawn", "invalidated"], actor: str
    ) -> bool:
        """End a locked consent and what hangs on it; whether the organisation has to be told, and is."""
        token, told = await referrals.token_of_consent(session, found.id), False
        ending = [found]
        if found.kind == "referral":
            ending = list(await repository.consents_of_prompt(session, found.prompt, lock=True))
        for each in ending:
            if each.state == "given":
                each.state, each.ended_us = how, self._clock()
                self._audit.tell(
                    session,
                    actor,
                    f"consent.{how}",
                    self._subject(each.player),
                    consent=each.id,
                    receipt=digest(each),
                )
        if token is not None and found.kind == "referral":
            told = await self._referrals.end(session, token, "withdrawn")
        if token is not None and any(each.kind == "outcome" for each in ending):
            await self._referrals.forget_outcome(session, token)
        return told

    # What must not leave, though it was agreed to

    async def held_back(self, session: AsyncSession, messages: Sequence[Message]) -> set[str]:
        """Which of these referrals must not leave now, whatever was so when the player said yes.

        The player is not known to be of age any more, the consent has ended, or the organisation keeps what
        it gets where nothing protects it.
        """
        tokens = {each.id: each.subject.removeprefix("referral:") for each in messages}
        rows = await repository.leaving(session, set(tokens.values()))
        entries = {}
        for partner_id in {row.partner for row in rows}:
            partner = await partners.find(session, partner_id)
            assert partner is not None
            entries[partner_id] = entry_of(partner)
        free = {
            row.token
            for row in rows
            if row.consent == "given"
            and row.identity == "verified"
            and protection(entries[row.partner], row.jurisdiction) is not None
        }
        return {message for message, token in tokens.items() if token not in free}

    async def recall(self, session: AsyncSession) -> bool:
        """Take back what somebody under age agreed to; one consent at a time, False where there is none."""
        found = await repository.consent_of_a_minor(session)
        if found is None:
            return False
        await self._take_back(session, found, "invalidated", "system:consent")
        return True

    async def close_prompts(self, session: AsyncSession, limit: int) -> int:
        """Take questions away that were put to somebody under age; returns how many."""
        found = await repository.prompts_of_minors(session, limit)
        for prompt in found:
            await self._take_away(session, prompt, "closed")
        return len(found)

    async def receipt(self, consent_id: str) -> bytes:
        """The receipt of a consent, as JSON."""
        async with self._store.read() as session:
            found = await repository.consent(session, consent_id)
        if found is None:
            raise Problem(UNKNOWN_CONSENT, "None of this id was given.")
        return to_json(receipt(found))

    # Running out

    async def expire_prompts(self, session: AsyncSession, limit: int) -> int:
        """Take questions away that nobody answered in time; returns how many."""
        found = await repository.overdue_prompts(session, self._clock(), limit)
        for prompt in found:
            await self._take_away(session, prompt, "expired")
        return len(found)

    async def _take_away(
        self, session: AsyncSession, prompt: Prompt, state: Literal["expired", "closed"]
    ) -> None:
        prompt.state = state
        data = {"player": prompt.player, "prompt": prompt.id}
        await self._outbox.tell(session, "platform", "prompt.expired", data, subject=f"prompt:{prompt.id}")
        self._audit.tell(
            session, "system:consent", f"prompt.{state}", self._subject(prompt.player), prompt=prompt.id
        )

    async def expire_consents(self, session: AsyncSession, limit: int) -> int:
        """End consents whose time is over, and the referrals made from them; returns how many."""
        found = await repository.overdue_consents(session, self._clock(), limit)
        for each in found:
            each.state, each.ended_us = "expired", self._clock()
            self._audit.tell(
                session,
                "system:consent",
                "consent.expired",
                self._subject(each.player),
                consent=each.id,
                receipt=digest(each),
            )
            if each.kind == "referral":
                token = await referrals.token_of_consent(session, each.id)
                if token is not None:
                    await self._referrals.end(session, token, "expired")
        return len(found)

    # What both asking and answering need

    def jurisdiction_of(self, facts: Facts) -> str | None:
        """Where a player is, as far as it is known."""
        return facts.jurisdiction or self._ground.settings.jurisdiction

    def hindrance(self, facts: Facts, jurisdiction: str | None) -> NoReferral | None:
        """What stands against anything of a player leaving, if something does."""
        if facts.identity == "under_age":
            return "under_age"
        if facts.identity != "verified":
            return "identity_unverified"
        if region_of(jurisdiction) is None:
            return "jurisdiction_unknown"
        return None

    def still_fits(self, partner: Partner, entry: Entry, prompt: Prompt, language: Language) -> bool:
        """Whether the organisation that a prompt names may still be referred to."""
        wish = Wish(prompt.purpose, prompt.jurisdiction, language, self._clock())
        return partner.suspended_us is None and fits(entry, wish)

    def _subject(self, player: str) -> str:
        return f"player:{self._keyring.pseudonym(player)}"

    async def _find(
        self,
        session: AsyncSession,
        facts: Facts,
        jurisdiction: str | None,
        purpose: Purpose,
        language: Language,
    ) -> Partner | NoReferral:
        """An organisation for a player, which nobody else is given meanwhile; or why there is none."""
        reason = self.hindrance(facts, jurisdiction)
        if reason is not None:
            return reason
        assert jurisdiction is not None
        now_us = self._clock()
        rows = {row.id: row for row in await partners.take_in_turn(session)}
        loads = await repository.loads(session, now_us - now_us % HOUR_US)
        candidates = [Candidate(row.id, entry_of(row), loads[row.id]) for row in rows.values()]
        chosen = choose(candidates, Wish(purpose, jurisdiction, language, now_us))
        return "no_organisation" if chosen is None else rows[chosen.id]

    async def _open_already(self, session: AsyncSession, player: str, purpose: Purpose) -> Prompt | None:
        found = await repository.open_prompts(session, player, self._clock())
        return next((each for each in found if each.purpose == purpose), None)

    async def _be_calm(self, session: AsyncSession, player: str) -> None:
        """Refuse to ask somebody who has just been asked."""
        no_us = await repository.last_no(session, player)
        offer_us = await repository.last_offer(session, player)
        again_us = max(
            0 if no_us is None else no_us + AFTER_NO_US,
            0 if offer_us is None else offer_us + BETWEEN_OFFERS_US,
        )
        if again_us > self._clock():
            told = "They can ask for help themselves at any time."
            raise Problem(ASKED_LATELY, told, again_at=rfc3339_ms(again_us))

    async def _open(
        self,
        session: AsyncSession,
        partner: Partner,
        *,
        player: str,
        origin: Origin,
        alert: str | None,
        purpose: Purpose,
        jurisdiction: str,
        language: Language,
        channel: str,
        urgency: Urgency,
        reasons: Sequence[Reason],
        actor: str,
    ) -> Prompt:
        now_us = self._clock()
        prompt = Prompt(
            id=new_id("pr"),
            player=player,
            origin=origin,
            alert=alert,
            purpose=purpose,
            partner=partner.id,
            jurisdiction=jurisdiction,
            language=language,
            channel=channel,
            urgency=urgency,
            reasons=msgspec.json.encode(list(reasons) if purpose == "help" else []).decode(),
            state="open",
            opened_us=now_us,
            expires_us=now_us + PROMPT_US,
            answered_us=None,
            agreed=None,
            answer=None,
            sealed=None,
        )
        await repository.add(session, prompt)
        data = {"player": player, "prompt": prompt.id}
        await self._outbox.tell(session, "platform", "prompt.opened", data, subject=f"prompt:{prompt.id}")
        self._audit.tell(
            session,
            actor,
            "prompt.opened",
            self._subject(player),
            prompt=prompt.id,
            purpose=purpose,
            origin=origin,
            partner=partner.id,
        )
        return prompt

    @staticmethod
    async def _shown(session: AsyncSession, prompt: Prompt, language: Language) -> PromptShown:
        partner = await partners.find(session, prompt.partner)
        assert partner is not None
        return prompt_shown(prompt, entry_of(partner), language)

    @staticmethod
    async def _entries(session: AsyncSession) -> dict[str, Entry]:
        return {row.id: entry_of(row) for row in await partners.everyone(session)}


def language_of(facts: Facts) -> Language:
    """The language that a player reads, of those there are texts in."""
    return "fr" if (facts.language or "").lower().startswith("fr") else "en"
