"""What players' events say of them."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from api.store.tables import Table

Identity = Literal["verified", "unverified", "under_age"]


class PlayerFacts(Table):
    """One player; beside each fact the time of the event that said it, 0 where none did.

    No segment of the archive older than `since_day` has anything of theirs. `jurisdiction` is the
    deployment's own where no event says one. `adult_us` is from when they count as of age by `birth_year`;
    `identity` is what follows from all of these.
    """

    __tablename__ = "player_facts"
    __table_args__ = (
        Index("ix_player_facts_pseudonym", "pseudonym", unique=True),
        Index("ix_player_facts_identity", "identity"),
    )

    player: Mapped[str] = mapped_column(primary_key=True)
    pseudonym: Mapped[str]
    since_day: Mapped[str]
    brand: Mapped[str | None]
    brand_us: Mapped[int]
    jurisdiction: Mapped[str | None]
    jurisdiction_us: Mapped[int]
    language: Mapped[str | None]
    language_us: Mapped[int]
    outcome: Mapped[str | None]
    outcome_us: Mapped[int]
    over_age: Mapped[bool | None]
    over_age_us: Mapped[int]
    birth_year: Mapped[int | None]
    birth_year_us: Mapped[int]
    adult_us: Mapped[int | None]
    identity: Mapped[Identity]
