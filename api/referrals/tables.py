"""Referrals, and what was said of them."""

from __future__ import annotations

from sqlalchemy import Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from api.referrals.protocol import DeclineReason, Outcome, Purpose, Standing, Status, Urgency
from api.referrals.schemas import Way
from api.store.tables import Table


class Referral(Table):
    """A player on the way to an aid organisation, which knows them by the token alone.

    `code` is for players to quote; `open_code` is the same as long as the referral is open, so that no two
    open ones have one. `due_us` is when the acknowledgement is due, None where none is expected.
    """

    __tablename__ = "referrals"
    __table_args__ = (
        Index("ix_referrals_player", "player"),
        Index("ix_referrals_partner", "partner", "consented_us"),
        Index("ix_referrals_consented_us", "consented_us"),
        Index("ix_referrals_consent", "consent"),
        Index("ix_referrals_state", "state", "due_us"),
        Index("ix_referrals_open_code", "open_code", unique=True),
    )

    token: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str]
    open_code: Mapped[str | None]
    player: Mapped[str]
    partner: Mapped[str]
    purpose: Mapped[Purpose]
    prompt: Mapped[str]
    consent: Mapped[str]
    outcome_consent: Mapped[str | None]
    delivery: Mapped[Way]
    urgency: Mapped[Urgency | None]
    reasons: Mapped[str] = mapped_column(Text)
    state: Mapped[Standing]
    consented_us: Mapped[int]
    expires_us: Mapped[int]
    delivered_us: Mapped[int | None]
    given_up_us: Mapped[int | None]
    due_us: Mapped[int | None]
    overdue_us: Mapped[int | None]
    acknowledged_us: Mapped[int | None]
    contacted_us: Mapped[int | None]
    unreachable_us: Mapped[int | None]
    declined_us: Mapped[int | None]
    ended_us: Mapped[int | None]
    reason: Mapped[DeclineReason | None]
    outcome: Mapped[Outcome | None]
    status_token: Mapped[str | None]
    resource_link: Mapped[str | None]


class ReferralStatus(Table):
    """What somebody said of a referral, in the order in which it came; `answer` is what they were told.

    `message` is the id under which a partner sent it: it counts once. `status` is None where it was said
    without the player's consent to hearing it, and therefore not kept.
    """

    __tablename__ = "referral_statuses"
    __table_args__ = (
        Index("ix_referral_statuses_token", "token", "received_us"),
        Index("ix_referral_statuses_message", "partner", "message", unique=True),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    token: Mapped[str]
    partner: Mapped[str]
    message: Mapped[str | None]
    fingerprint: Mapped[str]
    said_by: Mapped[str]
    status: Mapped[Status | None]
    at_us: Mapped[int]
    received_us: Mapped[int]
    moved: Mapped[bool]
    reason: Mapped[DeclineReason | None]
    outcome: Mapped[Outcome | None]
    answer: Mapped[str] = mapped_column(Text)
