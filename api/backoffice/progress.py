"""How far a stream has been taken over, or what was written down last, by name."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from api.backoffice.tables import Place


async def reached(session: AsyncSession, name: str) -> str | None:
    """Where one has come to; None before the first."""
    row = await session.get(Place, name, populate_existing=True)
    return None if row is None else row.entry


async def move(session: AsyncSession, name: str, entry: str) -> None:
    """Say where one has come to now."""
    await session.merge(Place(name=name, entry=entry))
