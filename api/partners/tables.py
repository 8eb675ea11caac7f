"""Aid organisations and the keys they sign with."""

from __future__ import annotations

from sqlalchemy import Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from api.store.tables import Table


class Partner(Table):
    """An entry of the register; `entry` is what somebody wrote there, as JSON.

    `endpoint` is where webhooks to it go; None where it is reached by a slip.
    """

    __tablename__ = "partners"

    id: Mapped[str] = mapped_column(primary_key=True)
    entry: Mapped[str] = mapped_column(Text)
    endpoint: Mapped[str | None]
    created_us: Mapped[int]
    changed_us: Mapped[int]
    suspended_us: Mapped[int | None]


class PartnerKey(Table):
    """A key that a partner's callbacks are verified with: `public` as it is, or a shared one, sealed."""

    __tablename__ = "partner_keys"
    __table_args__ = (Index("ix_partner_keys_partner", "partner"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    partner: Mapped[str]
    public: Mapped[str | None]
    sealed: Mapped[str | None] = mapped_column(Text)
    created_us: Mapped[int]
    retired_us: Mapped[int | None]
