"""The chain, its head, and the checkpoints along it."""

from __future__ import annotations

from sqlalchemy import Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from api.store.tables import Table


class AuditRow(Table):
    """One entry; `hash` is SHA-256, in hex, over the one before and everything in this."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_subject", "subject"), Index("ix_audit_action", "action"))

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at_us: Mapped[int]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    details: Mapped[str] = mapped_column(Text)
    hash: Mapped[str]


class AuditHead(Table):
    """The end of the chain, a single row; it is locked by whoever is going to add to it."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int]
    hash: Mapped[str]
    key: Mapped[str]
    signature: Mapped[str]


class AuditCheckpoint(Table):
    """A signed statement of how the chain stood."""

    __tablename__ = "audit_checkpoints"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hash: Mapped[str]
    at_us: Mapped[int]
    key: Mapped[str]
    signature: Mapped[str]
