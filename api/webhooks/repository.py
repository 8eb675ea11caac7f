"""Endpoints, their secrets and their messages, in the store."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import case, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from api.store.tables import Table
from api.webhooks.tables import Attempt, Endpoint, EndpointSecret, Message


async def add(session: AsyncSession, *rows: Table) -> None:
    """Add rows."""
    session.add_all(rows)
    await session.flush()


async def endpoint(session: AsyncSession, endpoint_id: str, *, lock: bool = False) -> Endpoint | None:
    """An endpoint; locked, nobody else changes it until the transaction ends."""
    # Who puts a message only relies on the endpoint being there, and need not wait.
    locked = {"key_share": True} if lock else None
    return await session.get(Endpoint, endpoint_id, with_for_update=locked, populate_existing=lock)


async def endpoints(session: AsyncSession, after: tuple[int, str], limit: int) -> Sequence[Endpoint]:
    """A page of endpoints, the oldest first."""
    asked = select(Endpoint).where(tuple_(Endpoint.created_us, Endpoint.id) > after)
    return (await session.scalars(asked.order_by(Endpoint.created_us, Endpoint.id).limit(limit))).all()


async def owned(session: AsyncSession, owner: str, of: Collection[str]) -> Sequence[Endpoint]:
    """The endpoints of an owner whose `owner_id` is one of these, for this transaction alone."""
    asked = select(Endpoint).where(Endpoint.owner == owner, Endpoint.owner_id.in_(of)).order_by(Endpoint.id)
    return (await session.scalars(asked.with_for_update(key_share=True))).all()


async def state_of(session: AsyncSession, endpoint_id: str) -> str | None:
    """The state of an endpoint as it is stored."""
    return await session.scalar(select(Endpoint.state).where(Endpoint.id == endpoint_id))


async def subscribed(session: AsyncSession, owner: str, type_: str) -> list[str]:
    """Ids of an owner's enabled endpoints that take messages of a type."""
    asked = select(Endpoint.id, Endpoint.types).where(Endpoint.owner == owner, Endpoint.state == "enabled")
    rows = (await session.execute(asked.order_by(Endpoint.id))).all()
    return [each for each, types in rows if types is None or type_ in msgspec.json.decode(types)]


async def secrets_of(
    session: AsyncSession, endpoints: Collection[str], now_us: int
) -> Sequence[EndpointSecret]:
    """The secrets with which endpoints sign, the newest first."""
    asked = select(EndpointSecret).where(
        EndpointSecret.endpoint.in_(endpoints),
        or_(EndpointSecret.until_us.is_(None), EndpointSecret.until_us > now_us),
    )
    newest_first = asked.order_by(EndpointSecret.created_us.desc(), EndpointSecret.id)
    return (await session.scalars(newest_first)).all()


async def about(session: AsyncSession, subject: str, types: Collection[str]) -> Sequence[Message]:
    """The messages of some types on a subject, for this transaction alone."""
    asked = select(Message).where(Message.subject == subject, Message.type.in_(types))
    return (await session.scalars(asked.order_by(Message.id).with_for_update())).all()


async def message(session: AsyncSession, message_id: str, *, lock: bool = False) -> Message | None:
    """A message; locked, nobody else changes it until the transaction ends."""
    return await session.get(Message, message_id, with_for_update=lock or None, populate_existing=lock)


async def messages(
    session: AsyncSession,
    before: tuple[int, str] | None,
    limit: int,
    *,
    states: Collection[str] | None,
    endpoint: str | None,
    type_: str | None,
) -> Sequence[Message]:
    """A page of messages, the newest first."""
    asked = select(Message)
    if before is not None:
        asked = asked.where(tuple_(Message.created_us, Message.id) < before)
    if states is not None:
        asked = asked.where(Message.state.in_(states))
    if endpoint is not None:
        asked = asked.where(Message.endpoint == endpoint)
    if type_ is not None:
        asked = asked.where(Message.type == type_)
    asked = asked.order_by(Message.created_us.desc(), Message.id.desc()).limit(limit)
    return (await session.scalars(asked)).all()


async def attempts(session: AsyncSession, messages: Sequence[Message], most: int) -> dict[str, list[Attempt]]:
    """The latest attempts at messages, the last one first."""
    found: dict[str, list[Attempt]] = {each.id: [] for each in messages}
    since = case({each.id: each.attempts - most for each in messages}, value=Attempt.message)
    if messages:
        asked = select(Attempt).where(Attempt.message.in_(list(found)), Attempt.number > since)
        for row in await session.scalars(asked.order_by(Attempt.number.desc())):
            found[row.message].append(row)
    return found


async def park(session: AsyncSession, endpoint_id: str) -> None:
    """Keep what waits for an endpoint until it is enabled."""
    waiting = update(Message).where(Message.endpoint == endpoint_id, Message.state == "waiting")
    await session.execute(waiting.values(state="parked"))


async def unpark(session: AsyncSession, endpoint_id: str, now_us: int) -> None:
    """Have what was parked wait again, as if it had been put now."""
    parked = update(Message).where(Message.endpoint == endpoint_id, Message.state == "parked")
    await session.execute(parked.values(state="waiting", due_us=now_us, since_us=now_us, tries=0))


async def given_up(
    session: AsyncSession, endpoint_id: str, since_us: int, now_us: int, limit: int
) -> Sequence[Message]:
    """What was given up at an endpoint since a time and still is of use, for this transaction alone."""
    asked = select(Message).where(
        Message.endpoint == endpoint_id,
        Message.state == "failed",
        Message.done_us >= since_us,
        or_(Message.not_after_us.is_(None), Message.not_after_us > now_us),
    )
    asked = asked.order_by(Message.created_us, Message.id).limit(limit).with_for_update()
    return (await session.scalars(asked)).all()


async def waiting_by_owner(session: AsyncSession) -> list[tuple[str, int, int]]:
    """Owner, how many messages wait for its endpoints, and since when the oldest does."""
    asked = (
        select(Endpoint.owner, func.count(), func.min(Message.created_us))
        .join(Message, Message.endpoint == Endpoint.id)
        .where(Message.state.in_(("waiting", "sending", "parked")))
        .group_by(Endpoint.owner)
        .order_by(Endpoint.owner)
    )
    return [(owner, depth, oldest) for owner, depth, oldest in await session.execute(asked)]
