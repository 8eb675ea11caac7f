"""What was answered to which key."""

from __future__ import annotations

from sqlalchemy import Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from api.store.tables import Table


class IdempotentRequest(Table):
    """A request under a key; `claim` says whose turn it is while `status` is 0."""

    __tablename__ = "idempotent_requests"
    __table_args__ = (Index("ix_idempotent_requests_claimed_us", "claimed_us"),)

    principal: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    claim: Mapped[str]
    claimed_us: Mapped[int]
    status: Mapped[int]
    body: Mapped[str] = mapped_column(Text)
