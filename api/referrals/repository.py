"""Referrals in the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from api.consent.tables import Prompt
from api.referrals.protocol import Outcome, Standing
from api.referrals.tables import Referral, ReferralStatus


class Reached(NamedTuple):
    """How far a referral came: every step, µs from delivery to acknowledgement, and if that was in time."""

    partner: str
    state: Standing
    outcome: Outcome | None
    steps: Sequence[str]
    taken_us: int | None
    in_time: bool


async def add(session: AsyncSession, referral: Referral) -> None:
    """Keep a new referral."""
    session.add(referral)
    await session.flush()


async def find(session: AsyncSession, token: str, *, lock: bool = False) -> Referral | None:
    """The referral of a token."""
    return await session.get(Referral, token, with_for_update=lock or None, populate_existing=lock)


async def token_of_consent(session: AsyncSession, consent: str) -> str | None:
    """The referral that one of two consents was given for."""
    asked = select(Referral.token).where(
        (Referral.consent == consent) | (Referral.outcome_consent == consent)
    )
    return await session.scalar(asked)


async def of_player(session: AsyncSession, player: str) -> Sequence[Referral]:
    """A player's referrals, the newest first."""
    asked = select(Referral).where(Referral.player == player)
    return (await session.scalars(asked.order_by(Referral.consented_us.desc(), Referral.token))).all()


async def is_taken(session: AsyncSession, code: str) -> bool:
    """Whether an open referral has this code."""
    return await session.scalar(select(Referral.token).where(Referral.open_code == code)) is not None


async def page(
    session: AsyncSession,
    *,
    partner: str | None,
    state: Standing | None,
    before: tuple[int, str] | None,
    limit: int,
    delivered: bool = False,
) -> Sequence[Referral]:
    """Referrals, the newest first, behind a place; with `delivered` those alone that arrived."""
    asked = select(Referral)
    if delivered:
        asked = asked.where(Referral.delivered_us.is_not(None))
    if partner is not None:
        asked = asked.where(Referral.partner == partner)
    if state is not None:
        asked = asked.where(Referral.state == state)
    if before is not None:
        asked = asked.where(tuple_(Referral.consented_us, Referral.token) < before)
    ordered = asked.order_by(Referral.consented_us.desc(), Referral.token.desc())
    return (await session.scalars(ordered.limit(limit))).all()


async def overdue(session: AsyncSession, now_us: int, limit: int) -> Sequence[Referral]:
    """Referrals whose acknowledgement is due and of which nobody was told; others see to none of them."""
    asked = (
        select(Referral)
        .where(Referral.state == "delivered", Referral.due_us <= now_us, Referral.overdue_us.is_(None))
        .order_by(Referral.due_us, Referral.token)
        .limit(limit)
    )
    return (await session.scalars(asked.with_for_update(skip_locked=True))).all()


async def add_status(session: AsyncSession, status: ReferralStatus) -> None:
    """Keep what was said; IntegrityError if a message of the same id was quicker."""
    session.add(status)
    await session.flush()


async def status_of_message(session: AsyncSession, partner: str, message: str) -> ReferralStatus | None:
    """What an organisation said in a message."""
    asked = select(ReferralStatus).where(ReferralStatus.partner == partner, ReferralStatus.message == message)
    return await session.scalar(asked)


async def newest_said(session: AsyncSession, token: str) -> int | None:
    """The latest time that anything said of a referral was so, None where nothing was said."""
    return await session.scalar(select(func.max(ReferralStatus.at_us)).where(ReferralStatus.token == token))


async def forget_what_was_said(session: AsyncSession, token: str, answer: str) -> None:
    """Empty everything that was said of a referral, but that it was said."""
    await session.execute(
        update(ReferralStatus)
        .where(ReferralStatus.token == token)
        .values(status=None, reason=None, outcome=None, fingerprint="", answer=answer)
    )


async def offered(session: AsyncSession, since_us: int, until_us: int) -> dict[str, Counter[bool | None]]:
    """By organisation, what was answered to the prompts of a time that named it; None: nothing."""
    asked = (
        select(Prompt.partner, Prompt.agreed, func.count())
        .where(Prompt.opened_us >= since_us, Prompt.opened_us < until_us)
        .group_by(Prompt.partner, Prompt.agreed)
    )
    found: dict[str, Counter[bool | None]] = {}
    for partner, agreed, count in (await session.execute(asked)).all():
        found.setdefault(partner, Counter())[agreed] = count
    return found


async def reached(session: AsyncSession, since_us: int, until_us: int) -> Sequence[Reached]:
    """How far the referrals came whose prompts were put in a time."""
    asked = (
        select(
            Referral.partner,
            Referral.state,
            Referral.outcome,
            Referral.delivered_us,
            Referral.acknowledged_us,
            Referral.contacted_us,
            Referral.unreachable_us,
            Referral.declined_us,
            Referral.due_us,
        )
        .join(Prompt, Prompt.id == Referral.prompt)
        .where(Prompt.opened_us >= since_us, Prompt.opened_us < until_us)
        .order_by(Referral.token)
    )
    found = []
    for partner, state, outcome, delivered, acknowledged, contacted, unreachable, declined, due in (
        await session.execute(asked)
    ).all():
        steps = {
            "delivered": delivered,
            "contacted": contacted,
            "unreachable": unreachable,
            "declined": declined,
        }
        came = [name for name, at_us in steps.items() if at_us is not None]
        took = None if acknowledged is None or delivered is None else acknowledged - delivered
        in_time = due is None or (acknowledged is not None and acknowledged <= due)
        found.append(Reached(partner, state, outcome, came, took, in_time))
    return found
