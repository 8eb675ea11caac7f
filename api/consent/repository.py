"""Prompts and consents in the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.consent.tables import Consent, Prompt
from api.players.tables import PlayerFacts
from api.referrals.tables import Referral


class Leaving(NamedTuple):
    """A referral about to be sent: how its consent stands, where the player is, who gets it, who they are."""

    token: str
    consent: str
    jurisdiction: str
    partner: str
    identity: str | None


async def add(session: AsyncSession, *rows: Prompt | Consent) -> None:
    """Keep new ones."""
    session.add_all(rows)
    await session.flush()


async def prompt(session: AsyncSession, prompt_id: str, *, lock: bool = False) -> Prompt | None:
    """The prompt of an id."""
    return await session.get(Prompt, prompt_id, with_for_update=lock or None, populate_existing=lock)


async def open_prompts(session: AsyncSession, player: str, now_us: int) -> Sequence[Prompt]:
    """A player's open prompts, the newest first."""
    asked = select(Prompt).where(Prompt.player == player, Prompt.state == "open", Prompt.expires_us > now_us)
    return (await session.scalars(asked.order_by(Prompt.opened_us.desc(), Prompt.id))).all()


async def last_no(session: AsyncSession, player: str) -> int | None:
    """When a player last said no to help."""
    asked = select(func.max(Prompt.answered_us)).where(
        Prompt.player == player, Prompt.purpose == "help", Prompt.agreed.is_(False)
    )
    return await session.scalar(asked)


async def last_offer(session: AsyncSession, player: str) -> int | None:
    """When an agent last had a player asked."""
    asked = select(func.max(Prompt.opened_us)).where(Prompt.player == player, Prompt.origin == "agent")
    return await session.scalar(asked)


async def loads(session: AsyncSession, since_us: int) -> Counter[str]:
    """By organisation, to how many players it was named since a time.

    A prompt put earlier counts too once it is agreed to: that is when it brings work.
    """
    put = select(Prompt.partner, func.count()).where(Prompt.opened_us >= since_us).group_by(Prompt.partner)
    agreed = (
        select(Referral.partner, func.count())
        .join(Prompt, Prompt.id == Referral.prompt)
        .where(Referral.consented_us >= since_us, Prompt.opened_us < since_us)
        .group_by(Referral.partner)
    )
    found: Counter[str] = Counter()
    for asked in (put, agreed):
        for partner, count in (await session.execute(asked)).all():
            found[partner] += count
    return found


async def consent(session: AsyncSession, consent_id: str, *, lock: bool = False) -> Consent | None:
    """The consent of an id."""
    return await session.get(Consent, consent_id, with_for_update=lock or None, populate_existing=lock)


async def consents_of_prompt(
    session: AsyncSession, prompt_id: str, *, lock: bool = False
) -> Sequence[Consent]:
    """What was agreed to in an answer, the referral first."""
    asked = select(Consent).where(Consent.prompt == prompt_id).order_by(Consent.kind.desc())
    if lock:
        asked = asked.with_for_update()
    return (await session.scalars(asked)).all()


async def consents_of_player(session: AsyncSession, player: str) -> Sequence[Consent]:
    """All that a player ever agreed to."""
    asked = select(Consent).where(Consent.player == player).order_by(Consent.kind.desc(), Consent.id)
    return (await session.scalars(asked)).all()


async def prompts_of_minors(session: AsyncSession, limit: int) -> Sequence[Prompt]:
    """Open prompts of players who are under age, and which nobody is answering at this moment."""
    asked = (
        select(Prompt)
        .join(PlayerFacts, PlayerFacts.player == Prompt.player)
        .where(PlayerFacts.identity == "under_age", Prompt.state == "open")
        .order_by(Prompt.id)
        .limit(limit)
    )
    return (await session.scalars(asked.with_for_update(skip_locked=True, of=Prompt))).all()


async def consent_of_a_minor(session: AsyncSession) -> Consent | None:
    """A consent to a referral that somebody under age has given, and which nobody is taking back now."""
    asked = (
        select(Consent)
        .join(PlayerFacts, PlayerFacts.player == Consent.player)
        .where(PlayerFacts.identity == "under_age", Consent.state == "given", Consent.kind == "referral")
        .order_by(Consent.id)
        .limit(1)
    )
    return await session.scalar(asked.with_for_update(skip_locked=True, of=Consent))


async def leaving(session: AsyncSession, tokens: Collection[str]) -> Sequence[Leaving]:
    """What has to be so of referrals that are about to be sent."""
    asked = (
        select(Referral.token, Consent.state, Prompt.jurisdiction, Referral.partner, PlayerFacts.identity)
        .join(Prompt, Prompt.id == Referral.prompt)
        .join(Consent, Consent.id == Referral.consent)
        .join(PlayerFacts, PlayerFacts.player == Referral.player, isouter=True)
        .where(Referral.token.in_(tokens))
    )
    return [Leaving(*row) for row in (await session.execute(asked)).all()]


async def overdue_prompts(session: AsyncSession, now_us: int, limit: int) -> Sequence[Prompt]:
    """Open prompts whose time is over, and which nobody is answering at this moment."""
    asked = select(Prompt).where(Prompt.state == "open", Prompt.expires_us <= now_us)
    ordered = asked.order_by(Prompt.expires_us, Prompt.id).limit(limit)
    return (await session.scalars(ordered.with_for_update(skip_locked=True))).all()


async def overdue_consents(session: AsyncSession, now_us: int, limit: int) -> Sequence[Consent]:
    """Consents whose time is over, and which nobody is taking back at this moment."""
    asked = select(Consent).where(Consent.state == "given", Consent.expires_us <= now_us)
    ordered = asked.order_by(Consent.expires_us, Consent.id).limit(limit)
    return (await session.scalars(ordered.with_for_update(skip_locked=True))).all()
