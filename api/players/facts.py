"""What is known of a player beside their play: where they are, what they read, whether they are of age."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.players.tables import Identity, PlayerFacts
from api.store.adding import storable

MINIMUM_AGE = 18
MINIMUM_AGES: Mapping[str, int] = MappingProxyType(
    {
        **dict.fromkeys(
            ("CA-ON", "CA-BC", "CA-SK", "CA-NS", "CA-NB", "CA-NL", "CA-PE", "CA-YT", "CA-NT", "CA-NU"), 19
        ),
        **dict.fromkeys(("US-NJ", "US-PA", "US-MI", "US-WV", "US-CT", "US-DE", "US-RI"), 21),
    }
)
"""Jurisdiction → years from which one may gamble there, where that is not MINIMUM_AGE."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A player as far as they are known."""

    jurisdiction: str | None = None
    language: str | None = None
    brand: str | None = None
    identity: Identity = "unverified"


async def facts_of(session: AsyncSession, player: str) -> Facts:
    """What is known of a player; of one who was never heard of nothing is, and they are unverified."""
    columns = (PlayerFacts.jurisdiction, PlayerFacts.language, PlayerFacts.brand, PlayerFacts.identity)
    row = (
        await session.execute(select(*columns).where(PlayerFacts.player == storable(player)))
    ).one_or_none()
    return Facts() if row is None else Facts(row[0], row[1], row[2], row[3])
