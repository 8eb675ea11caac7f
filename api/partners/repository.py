"""The register in the store."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.partners.tables import Partner, PartnerKey


async def add(session: AsyncSession, partner: Partner) -> None:
    """Enter an organisation; IntegrityError if there is one of that id."""
    session.add(partner)
    await session.flush()


async def find(
    session: AsyncSession, partner_id: str, *, lock: bool = False, hold: bool = False
) -> Partner | None:
    """The organisation of an id; `lock` to change it, `hold` to have nobody change it meanwhile."""
    query = select(Partner).where(Partner.id == partner_id)
    if lock or hold:
        query = query.with_for_update(read=hold and not lock)
    return (await session.execute(query)).scalar()


async def everyone(session: AsyncSession) -> Sequence[Partner]:
    """Every organisation there is, by id."""
    return (await session.execute(select(Partner).order_by(Partner.id))).scalars().all()


async def take_in_turn(session: AsyncSession) -> Sequence[Partner]:
    """Those that are not suspended, by id; until this transaction ends nobody else chooses among them."""
    query = select(Partner).where(Partner.suspended_us.is_(None)).order_by(Partner.id).with_for_update()
    return (await session.execute(query)).scalars().all()


async def add_key(session: AsyncSession, key: PartnerKey) -> None:
    """Keep a key."""
    session.add(key)


async def keys(session: AsyncSession, partner_id: str | None = None) -> Sequence[PartnerKey]:
    """The keys of an organisation, or of all of them, the oldest first."""
    query = select(PartnerKey).order_by(PartnerKey.created_us, PartnerKey.id)
    if partner_id is not None:
        query = query.where(PartnerKey.partner == partner_id)
    return (await session.execute(query)).scalars().all()
