"""The queries of whoever delivers: what is due, taking it, and what was left behind."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from api.webhooks.tables import Attempt, Endpoint, EndpointSecret, Message

IN_FLIGHT = ("sending", "recalled")
OVER = ("delivered", "cancelled", "expired")
"""Where a message ends that is never sent again; what failed may be."""


async def enabled(session: AsyncSession) -> Sequence[tuple[Endpoint, int]]:
    """Every enabled endpoint for which something waits, and when the first of that is due."""
    first = (
        select(func.min(Message.due_us))
        .where(Message.endpoint == Endpoint.id, Message.state == "waiting")
        .scalar_subquery()
    )
    asked = select(Endpoint, first).where(Endpoint.state == "enabled", first.is_not(None))
    return [(row, due_us) for row, due_us in await session.execute(asked)]


async def due(session: AsyncSession, endpoint: str, now_us: int, limit: int) -> Sequence[Message]:
    """What is due at an endpoint, the most overdue first, for this transaction alone.

    Of one subject nothing is taken while something else is under way, so that a withdrawal does not overtake
    what it withdraws.
    """
    other = aliased(Message)
    busy = (
        select(other.id)
        .where(
            other.subject == Message.subject, other.endpoint == Message.endpoint, other.state.in_(IN_FLIGHT)
        )
        .exists()
    )
    asked = (
        select(Message)
        .where(Message.endpoint == endpoint, Message.state == "waiting", Message.due_us <= now_us, ~busy)
        .order_by(Message.due_us, Message.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=Message)
    )
    return (await session.scalars(asked)).all()


async def take(session: AsyncSession, ids: Collection[str]) -> None:
    """Say that these are being sent."""
    taken = update(Message).where(Message.id.in_(ids))
    await session.execute(
        taken.values(state="sending", attempts=Message.attempts + 1),
        execution_options={"synchronize_session": False},
    )


async def left_behind(session: AsyncSession, limit: int) -> Sequence[Message]:
    """What an office was sending when it ended, for this transaction alone."""
    asked = select(Message).where(Message.state.in_(IN_FLIGHT)).order_by(Message.id).limit(limit)
    return (await session.scalars(asked.with_for_update())).all()


async def endpoints(session: AsyncSession, ids: Collection[str]) -> dict[str, Endpoint]:
    """Endpoints by id, which nobody else changes until the transaction ends."""
    asked = select(Endpoint).where(Endpoint.id.in_(ids)).order_by(Endpoint.id)
    return {row.id: row for row in await session.scalars(asked.with_for_update(key_share=True))}


async def messages(session: AsyncSession, ids: Collection[str]) -> dict[str, Message]:
    """Messages by id, which nobody else changes until the transaction ends."""
    asked = select(Message).where(Message.id.in_(ids)).order_by(Message.id)
    return {row.id: row for row in await session.scalars(asked.with_for_update())}


def note(session: AsyncSession, attempt: Attempt) -> None:
    """Keep how an attempt ended."""
    session.add(attempt)


async def overdue(session: AsyncSession, now_us: int, limit: int) -> Sequence[Message]:
    """What waits or is parked and is of no use any more, for this transaction alone."""
    asked = select(Message).where(_is_overdue(now_us))
    return (await session.scalars(asked.limit(limit).with_for_update(skip_locked=True))).all()


async def to_erase(session: AsyncSession, before_us: int, limit: int) -> Sequence[Message]:
    """What is over since before a time and has its body still, for this transaction alone."""
    asked = select(Message).where(
        Message.erased.is_(None), Message.state.in_(OVER), Message.done_us < before_us
    )
    return (await session.scalars(asked.limit(limit).with_for_update(skip_locked=True))).all()


async def down(session: AsyncSession, since_us: int) -> Sequence[Endpoint]:
    """Enabled endpoints that nothing got through to since a time, of which nobody was told."""
    asked = select(Endpoint).where(_is_down(since_us))
    return (await session.scalars(asked.order_by(Endpoint.id).with_for_update(key_share=True))).all()


async def anything_to_tend(session: AsyncSession, now_us: int, down_since_us: int) -> bool:
    """Whether there is anything for `overdue`, `down` or `drop_secrets`."""
    for asked in (
        select(Message.id).where(_is_overdue(now_us)),
        select(Endpoint.id).where(_is_down(down_since_us)),
        select(EndpointSecret.id).where(EndpointSecret.until_us <= now_us),
    ):
        if (await session.execute(asked.limit(1))).first() is not None:
            return True
    return False


async def drop_secrets(session: AsyncSession, now_us: int) -> None:
    """Drop secrets that sign no more."""
    await session.execute(delete(EndpointSecret).where(EndpointSecret.until_us <= now_us))


def _is_overdue(now_us: int) -> ColumnElement[bool]:
    return and_(Message.state.in_(("waiting", "parked")), Message.not_after_us <= now_us)


def _is_down(since_us: int) -> ColumnElement[bool]:
    return and_(
        Endpoint.state == "enabled", Endpoint.failing_since_us <= since_us, Endpoint.told_us.is_(None)
    )
