"""Prompts and consents."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from api.consent.schemas import ConsentKind, ConsentState, Origin
from api.referrals.protocol import Language, Purpose, Urgency
from api.store.tables import Table


class Prompt(Table):
    """A question put to a player, naming one aid organisation.

    `reasons` and `answer` are JSON; `sealed` is what tells the same answer sent again from another one.
    """

    __tablename__ = "prompts"
    __table_args__ = (
        Index("ix_prompts_player", "player", "opened_us"),
        Index("ix_prompts_partner", "partner", "opened_us"),
        Index("ix_prompts_state", "state", "expires_us"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    player: Mapped[str]
    origin: Mapped[Origin]
    alert: Mapped[str | None]
    purpose: Mapped[Purpose]
    partner: Mapped[str]
    jurisdiction: Mapped[str]
    language: Mapped[Language]
    channel: Mapped[str]
    urgency: Mapped[Urgency]
    reasons: Mapped[str] = mapped_column(Text)
    state: Mapped[Literal["open", "answered", "closed", "expired"]]
    opened_us: Mapped[int]
    expires_us: Mapped[int]
    answered_us: Mapped[int | None]
    agreed: Mapped[bool | None]
    answer: Mapped[str | None] = mapped_column(Text)
    sealed: Mapped[str | None] = mapped_column(Text)


class Consent(Table):
    """One purpose a consent; `record` is the part of its receipt that never changes, as JSON."""

    __tablename__ = "consents"
    __table_args__ = (
        Index("ix_consents_player", "player"),
        Index("ix_consents_prompt", "prompt"),
        Index("ix_consents_state", "state", "expires_us"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    prompt: Mapped[str]
    player: Mapped[str]
    kind: Mapped[ConsentKind]
    purpose: Mapped[Purpose]
    partner: Mapped[str]
    text: Mapped[str]
    state: Mapped[ConsentState]
    given_us: Mapped[int]
    expires_us: Mapped[int]
    ended_us: Mapped[int | None]
    record: Mapped[str] = mapped_column(Text)
