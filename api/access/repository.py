"""API keys in the store."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.tables import ApiKey


async def add(session: AsyncSession, key: ApiKey) -> None:
    """Keep a new key."""
    session.add(key)


async def find(session: AsyncSession, key_id: str, *, lock: bool = False) -> ApiKey | None:
    """The key of an id."""
    return await session.get(ApiKey, key_id, with_for_update=lock)


async def all_keys(session: AsyncSession) -> list[ApiKey]:
    """Every key there ever was, the oldest first."""
    return list((await session.execute(select(ApiKey).order_by(ApiKey.created_us, ApiKey.id))).scalars())
