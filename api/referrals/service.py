"""Referrals on their way: made, taken back, delivered, and what was said of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncSession

from api.audit.service import Audit
from api.keyring import Keyring
from api.partners import repository as partners
from api.partners.service import entry_of
from api.partners.tables import Partner
from api.problems import (
    CONTRADICTION,
    INVALID_PARAMETER,
    MESSAGE_REUSED,
    REPORTS_ITSELF,
    UNKNOWN_REFERRAL,
    Problem,
)
from api.referrals import repository
from api.referrals.payload import Agreed, payload
from api.referrals.protocol import Callback, CallbackAnswer, DeliveryAnswer, Ended, Status
from api.referrals.states import FINAL, step
from api.referrals.tables import Referral, ReferralStatus
from api.referrals.tokens import new_code, new_id, new_token
from api.settings import Settings
from api.webhooks import repository as webhooks
from api.webhooks.outbox import Outbox
from api.webhooks.tables import Message
from detector.events.instants import HOUR_US, MINUTE_US, micros, rfc3339_ms

CREATED, WITHDRAWN, EXPIRED = "referral.created", "referral.withdrawn", "referral.expired"

TOLERANCE_US = 5 * MINUTE_US
"""How far ahead of us an organisation's clock may be."""

_OF_THE_OUTCOME: frozenset[Status] = frozenset(("contacted", "unreachable"))
"""What only the second consent lets us know. That a referral is over has to be known to end it."""

_to_answer = msgspec.json.Decoder(DeliveryAnswer).decode


def address_of(settings: Settings) -> str:
    """Under which address organisations reach us: the public one, else where we listen."""
    return settings.public_url or f"http://{settings.host}:{settings.port}"


class ReferralsService:
    """The referrals of a deployment.

    Parameters
    ----------
    address
        Under which organisations reach us.
    clock
        Tells the wall clock, in µs since the epoch.
    """

    def __init__(
        self, outbox: Outbox, audit: Audit, keyring: Keyring, address: str, clock: Callable[[], int]
    ) -> None:
        self._outbox = outbox
        self._audit = audit
        self._keyring = keyring
        self._address = address.rstrip("/")
        self._clock = clock

    async def make(
        self,
        session: AsyncSession,
        partner: Partner,
        agreed: Agreed,
        *,
        player: str,
        prompt: str,
        outcome_consent: str | None,
    ) -> Referral:
        """Make a referral to an organisation and have it sent, or leave it to the player to call."""
        now_us, token = self._clock(), new_token()
        code = await self._code(session)
        is_slip = partner.endpoint is None
        is_help = agreed.purpose == "help"
        referral = Referral(
            token=token,
            code=code,
            open_code=code,
            player=player,
            partner=partner.id,
            purpose=agreed.purpose,
            prompt=prompt,
            consent=agreed.consent,
            outcome_consent=outcome_consent,
            delivery="slip" if is_slip else "webhook",
            urgency=agreed.urgency if is_help else None,
            reasons=msgspec.json.encode(list(agreed.reasons) if is_help else []).decode(),
            # A slip is delivered by being shown; no acknowledgement is due, as the player calls or does not.
            state="delivered" if is_slip else "consented",
            consented_us=now_us,
            expires_us=agreed.expires_us,
            delivered_us=now_us if is_slip else None,
            given_up_us=None,
            due_us=None,
            overdue_us=None,
            acknowledged_us=None,
            contacted_us=None,
            unreachable_us=None,
            declined_us=None,
            ended_us=None,
            reason=None,
            outcome=None,
            status_token=None,
            resource_link=None,
        )
        await repository.add(session, referral)
        subject = f"referral:{token}"
        if partner.endpoint is not None:
            reply_url = f"{self._address}/v1/referrals/{token}/status"
            data = msgspec.to_builtins(payload(token, agreed, reply_url))
            await self._outbox.put(
                session, partner.endpoint, CREATED, data, subject=subject, not_after_us=agreed.expires_us
            )
        self._audit.tell(
            session, "system:consent", "referral.made", subject, partner=partner.id, consent=agreed.consent
        )
        return referral

    async def end(self, session: AsyncSession, token: str, how: Literal["withdrawn", "expired"]) -> bool:
        """Take a referral back, or let it run out; whether the organisation has to be told, and is.

        One that was closed stays so. It is told of a withdrawal all the same: it still holds what it got.
        """
        # The outbox before the referral, in the order in which a delivery locks them.
        gone_out = await self._outbox.cancel(session, f"referral:{token}", (CREATED,), erase=True)
        referral = await self._locked(session, token)
        now_us = self._clock()
        was_final = referral.state in FINAL
        if not was_final:
            referral.state, referral.ended_us, referral.open_code = how, now_us, None
            self._audit.tell(session, "system:consent", f"referral.{how}", f"referral:{token}")
            await self._tell_platform(session, referral)
        if not gone_out or (was_final and (how == "expired" or referral.state != "closed")):
            return False
        partner = await partners.find(session, referral.partner)
        endpoint = None if partner is None else partner.endpoint
        if endpoint is None:
            # It takes calls only by now: what it got is told of where it got it, and waits there in sight.
            sent = await webhooks.about(session, f"referral:{token}", (CREATED,))
            endpoint = sent[0].endpoint
        type_ = WITHDRAWN if how == "withdrawn" else EXPIRED
        data = msgspec.to_builtins(Ended(token, rfc3339_ms(now_us)))
        await self._outbox.put(session, endpoint, type_, data, subject=f"referral:{token}")
        return True

    async def forget_outcome(self, session: AsyncSession, token: str) -> None:
        """Know no more of a referral than without the second consent."""
        referral = await self._locked(session, token)
        referral.outcome_consent = referral.outcome = None
        referral.contacted_us = referral.unreachable_us = None
        if referral.state in _OF_THE_OUTCOME:
            referral.state = "acknowledged"
        answer = msgspec.json.encode(_answer(referral, moved=False)).decode()
        await repository.forget_what_was_said(session, token, answer)

    async def report(
        self, session: AsyncSession, token: str, partner: str, message: str, body: bytes, said: Callback
    ) -> bytes:
        """Take in what an organisation says in a signed message; returns what it is answered, as JSON.

        Raises
        ------
        Problem
            It has no such referral, sent something else under this id, or says what cannot be.
        IntegrityError
            The same message is being taken in elsewhere; try again.
        """
        referral = await repository.find(session, token, lock=True)
        if referral is None or referral.partner != partner:
            raise Problem(UNKNOWN_REFERRAL, "This organisation has none of this token.")
        # Keyed: there are five things to say, and a plain hash would tell which one was not to be kept.
        fingerprint = self._keyring.fingerprint(token.encode() + b"\n" + body)
        known = await repository.status_of_message(session, partner, message)
        if known is not None:
            # Of what was forgotten only the id is left to tell it by.
            if known.fingerprint and known.fingerprint != fingerprint:
                raise Problem(MESSAGE_REUSED, "Use a new webhook-id for another message.")
            return known.answer.encode()
        return await self._take_in(session, referral, said, f"partner:{partner}", message, fingerprint)

    async def record(self, session: AsyncSession, token: str, said: Callback, actor: str) -> Referral:
        """Take in what an organisation said to an agent.

        Raises
        ------
        Problem
            There is no such referral, or it cannot be so.
        """
        referral = await self._locked(session, token)
        if referral.delivery != "slip":
            raise Problem(REPORTS_ITSELF, "What it says comes signed, to /status.")
        await self._take_in(session, referral, said, actor, None, "")
        return referral

    async def delivered(self, session: AsyncSession, message: Message, body: bytes) -> None:
        """A `referral.created` was answered 2xx, with this body."""
        referral = await repository.find(session, _token(message), lock=True)
        if referral is None:
            return
        now_us = self._clock()
        self._audit.tell(session, "system:deliveries", "referral.delivered", message.subject)
        referral.given_up_us = None
        if referral.state in FINAL:
            return
        before = referral.state
        if step(referral.state, "delivered") == "moves":
            partner = await partners.find(session, referral.partner)
            assert partner is not None
            referral.state, referral.delivered_us = "delivered", now_us
            referral.due_us = now_us + entry_of(partner).sla_hours * HOUR_US
        told = _read_answer(body)
        if told.status is not UNSET and step(referral.state, "acknowledged") == "moves":
            _reach(referral, "acknowledged", now_us)
        _note(referral, told)
        if referral.state != before:
            await self._tell_platform(session, referral)

    async def given_up(self, session: AsyncSession, message: Message, _: bytes) -> None:
        """A `referral.created` could not be delivered; agents are told by whoever tried."""
        referral = await repository.find(session, _token(message), lock=True)
        if referral is not None and referral.state == "consented":
            referral.given_up_us = self._clock()
            self._audit.tell(session, "system:deliveries", "referral.undelivered", message.subject)

    async def tell_overdue(self, session: AsyncSession, limit: int) -> int:
        """Tell agents of referrals nobody has acknowledged in time, once each; returns how many."""
        now_us = self._clock()
        found = await repository.overdue(session, now_us, limit)
        for referral in found:
            assert referral.due_us is not None
            referral.overdue_us = now_us
            subject = f"referral:{referral.token}"
            data = {
                "referral": referral.token,
                "partner": referral.partner,
                "due_at": rfc3339_ms(referral.due_us),
            }
            await self._outbox.tell(session, "desk", "referral.overdue", data, subject=subject)
            self._audit.tell(session, "system:referrals", "referral.overdue", subject)
        return len(found)

    async def _take_in(
        self,
        session: AsyncSession,
        referral: Referral,
        said: Callback,
        actor: str,
        message: str | None,
        fingerprint: str,
    ) -> bytes:
        now_us, at_us = self._clock(), micros(said.at)
        _check(said, referral, at_us, now_us)
        may_know = referral.outcome_consent is not None
        kept: Status = said.status
        if not may_know and said.status in _OF_THE_OUTCOME:
            # It implies that they have it, which is all that may be known.
            kept = "acknowledged"
        verdict = step(referral.state, kept)
        if verdict == "contradicts" and not await self._is_older(session, referral, at_us):
            raise Problem(CONTRADICTION, "It is said to have gone another way.")
        moved = verdict == "moves"
        if moved:
            _reach(referral, kept, now_us)
            if kept == "declined":
                referral.reason = None if said.reason is UNSET else said.reason
                await self._tell_declined(session, referral)
            if kept == "closed" and may_know:
                referral.outcome = None if said.outcome is UNSET else said.outcome
        if referral.state not in ("withdrawn", "expired"):
            _note(referral, said)
        answer = msgspec.json.encode(_answer(referral, moved=moved))
        status = ReferralStatus(
            id=new_id("rs"),
            token=referral.token,
            partner=referral.partner,
            message=message,
            fingerprint=fingerprint,
            said_by=actor,
            status=said.status if may_know or said.status not in _OF_THE_OUTCOME else None,
            at_us=at_us,
            received_us=now_us,
            moved=moved,
            reason=None if said.reason is UNSET else said.reason,
            outcome=None if said.outcome is UNSET or not may_know else said.outcome,
            answer=answer.decode(),
        )
        await repository.add_status(session, status)
        # What was said stays out of the audit, which cannot forget: the player may take this back.
        subject = f"referral:{referral.token}"
        self._audit.tell(session, actor, "referral.reported", subject, said=status.id, moved=moved)
        if moved:
            await self._tell_platform(session, referral)
        return answer

    @staticmethod
    async def _is_older(session: AsyncSession, referral: Referral, at_us: int) -> bool:
        newest_us = await repository.newest_said(session, referral.token)
        return newest_us is not None and at_us < newest_us

    async def _tell_declined(self, session: AsyncSession, referral: Referral) -> None:
        data = {"referral": referral.token, "partner": referral.partner, "reason": referral.reason}
        subject = f"referral:{referral.token}"
        await self._outbox.tell(session, "desk", "referral.declined", data, subject=subject)

    async def _tell_platform(self, session: AsyncSession, referral: Referral) -> None:
        if referral.outcome_consent is None:
            return
        data = {"player": referral.player, "referral": referral.token, "state": referral.state}
        subject = f"referral:{referral.token}"
        await self._outbox.tell(session, "platform", "referral.changed", data, subject=subject)

    @staticmethod
    async def _locked(session: AsyncSession, token: str) -> Referral:
        referral = await repository.find(session, token, lock=True)
        if referral is None:
            raise Problem(UNKNOWN_REFERRAL, "None of this token was made.")
        return referral

    @staticmethod
    async def _code(session: AsyncSession) -> str:
        while await repository.is_taken(session, code := new_code()):
            pass
        return code


def _token(message: Message) -> str:
    return message.subject.removeprefix("referral:")


def _reach(referral: Referral, state: Status, now_us: int) -> None:
    """Go on to a state; those between are implied by it."""
    referral.state = state
    referral.delivered_us = referral.delivered_us or now_us
    referral.given_up_us = None
    referral.acknowledged_us = referral.acknowledged_us or now_us
    if state == "contacted":
        referral.contacted_us = now_us
    elif state == "unreachable":
        referral.unreachable_us = now_us
    elif state == "declined":
        referral.declined_us = now_us
    elif state == "closed":
        referral.ended_us, referral.open_code = now_us, None


def _note(referral: Referral, told: DeliveryAnswer | Callback) -> None:
    if told.resource_link is not UNSET:
        referral.resource_link = told.resource_link
    if told.status_token is not UNSET:
        referral.status_token = told.status_token


def _read_answer(body: bytes) -> DeliveryAnswer:
    """An organisation's answer; what is no answer of the protocol counts as none."""
    try:
        return _to_answer(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return DeliveryAnswer()


def _answer(referral: Referral, *, moved: bool) -> CallbackAnswer:
    return CallbackAnswer(referral.token, referral.state, moved, referral.outcome_consent is not None)


def _check(said: Callback, referral: Referral, at_us: int, now_us: int) -> None:
    """Refuse what does not fit together."""
    faults = []
    if at_us > now_us + TOLERANCE_US:
        faults.append(("at", "It lies in the future"))
    if (said.status == "declined") != (said.reason is not UNSET):
        faults.append(("reason", "It is given where the status is declined, and only there"))
    if said.status != "closed" and said.outcome is not UNSET:
        faults.append(("outcome", "It is given where the status is closed, and only there"))
    if said.status == "closed" and said.outcome is UNSET and referral.outcome_consent is not None:
        faults.append(("outcome", "It is needed: the player has agreed that we hear of it"))
    if faults:
        told = [{"name": name, "reason": reason} for name, reason in faults]
        raise Problem(INVALID_PARAMETER, "See `parameters`.", parameters=told)
