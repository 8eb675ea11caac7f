"""Referrals for those who read them, each with what is theirs to know."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.service import Principal
from api.audit.service import Audit
from api.keyring import Keyring
from api.paging import cursor_of, read_cursor
from api.partners import repository as partners
from api.partners.service import entry_of
from api.problems import UNKNOWN_REFERRAL, Problem
from api.referrals import repository
from api.referrals.protocol import Language
from api.referrals.schemas import ReferralQuery, Referrals, ReferralShown, Slip
from api.referrals.slips import slip
from api.referrals.tables import Referral
from api.store.database import Store
from detector.events.instants import rfc3339_ms

_PLACE = re.compile(r"([0-9]{1,18}) (rf_[a-z2-7]{32})")


class ReadingReferrals:
    """Shows referrals.

    Parameters
    ----------
    clock
        Tells the wall clock, in µs since the epoch.
    """

    def __init__(self, store: Store, keyring: Keyring, audit: Audit, clock: Callable[[], int]) -> None:
        self._store = store
        self._keyring = keyring
        self._audit = audit
        self._clock = clock

    async def find(self, query: ReferralQuery, who: Principal) -> Referrals:
        """A page of referrals; an organisation's own, where one asks."""
        partner = query.partner
        if who.role == "partner":
            if partner is not None and partner != who.partner:
                return Referrals(items=[], next_cursor=None)
            partner = who.partner or ""
        before = _place_of(query.cursor)
        async with self._store.write() as session:
            rows = await repository.page(
                session,
                partner=partner,
                state=query.state,
                before=before,
                limit=query.limit + 1,
                delivered=who.role == "partner",
            )
            page = rows[: query.limit]
            items = [self.shown(session, row, who) for row in page]
        more = len(rows) > query.limit
        return Referrals(items=items, next_cursor=_cursor_of(page[-1]) if more else None)

    async def get(self, token: str, who: Principal) -> ReferralShown:
        """One referral."""
        async with self._store.write() as session:
            return self.shown(session, await self._found(session, token, who), who)

    async def slip(self, token: str, language: Language, who: Principal) -> Slip:
        """What the player needs to get in touch by themselves."""
        async with self._store.read() as session:
            referral = await self._found(session, token, who)
            partner = await partners.find(session, referral.partner)
        assert partner is not None
        return slip(referral, entry_of(partner), language)

    def shown(self, session: AsyncSession, row: Referral, who: Principal) -> ReferralShown:
        """A referral as one reader may see it; that an agent sees whose it is, is audited."""
        player = None
        if who.role == "agent":
            player = row.player
            subject = f"player:{self._keyring.pseudonym(row.player)}"
            self._audit.tell(session, who.actor, "player.viewed", subject, what="referral")
        elif who.role == "compliance":
            player = self._keyring.pseudonym(row.player)
        # An organisation reads what it was sent; of what is over it was to delete everything but that it is.
        is_bare = who.role == "partner" and (row.delivery == "slip" or row.state in ("withdrawn", "expired"))
        overdue = row.state == "delivered" and row.due_us is not None and row.due_us <= self._clock()
        return ReferralShown(
            token=row.token,
            partner=row.partner,
            purpose=row.purpose,
            state=row.state,
            player=player,
            code=row.code,
            delivery=row.delivery,
            urgency=None if is_bare else row.urgency,
            reasons=[] if is_bare else msgspec.json.decode(row.reasons),
            outcome_consent=row.outcome_consent is not None,
            consented_at=rfc3339_ms(row.consented_us),
            delivered_at=_told(row.delivered_us),
            undelivered_at=_told(row.given_up_us),
            due_at=_told(row.due_us),
            is_overdue=overdue,
            acknowledged_at=_told(row.acknowledged_us),
            contacted_at=_told(row.contacted_us),
            unreachable_at=_told(row.unreachable_us),
            declined_at=_told(row.declined_us),
            ended_at=_told(row.ended_us),
            expires_at=rfc3339_ms(row.expires_us),
            reason=row.reason,
            outcome=row.outcome,
            resource_link=row.resource_link,
        )

    @staticmethod
    async def _found(session: AsyncSession, token: str, who: Principal) -> Referral:
        row = await repository.find(session, token)
        # What has not arrived may still be taken back, and then was never theirs to know.
        if row is None or (
            who.role == "partner" and (row.partner != who.partner or row.delivered_us is None)
        ):
            raise Problem(UNKNOWN_REFERRAL, "None of this token is known to whoever asks.")
        return row


def _told(at_us: int | None) -> str | None:
    return None if at_us is None else rfc3339_ms(at_us)


def _cursor_of(row: Referral) -> str:
    return cursor_of(f"{row.consented_us} {row.token}")


def _place_of(cursor: str | None) -> tuple[int, str] | None:
    match = read_cursor(cursor, _PLACE)
    if match is None:
        return None
    return int(match[1]), match[2]
