"""Endpoints, their secrets and their messages, in the store."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from api.store.tables import Table
from api.webhooks.tables import Endpoint, EndpointSecret, Message


async def add(session: AsyncSession, *rows: Table) -> None:
    """Add rows."""
    session.add_all(rows)
    await session.flush()


async def endpoint(session: AsyncSession, endpoint_id: str, *, lock: bool = False) -> Endpoint | None:
    """An endpoint; locked, nobody else changes it until the transaction ends."""
    return await session.get(Endpoint, endpoint_id, with_for_update=lock or None, populate_existing=lock)


async def endpoints(session: AsyncSession, after: tuple[int, str], limit: int) -> Sequence[Endpoint]:
    """A page of endpoints, the oldest first."""
    asked = select(Endpoint).where(tuple_(Endpoint.created_us, Endpoint.id) > after)
    return (await session.scalars(asked.order_by(Endpoint.created_us, Endpoint.id).limit(limit))).all()


async def state_of(session: AsyncSession, endpoint_id: str) -> str | None:
    """The state of an endpoint as it is stored."""
    return await session.scalar(select(Endpoint.state).where(Endpoint.id == endpoint_id))


async def subscribed(session: AsyncSession, owner: str, type_: str) -> list[str]:
    """Ids of an owner's enabled endpoints that take messages of a type."""
    asked = select(Endpoint.id, Endpoint.types).where(Endpoint.owner == owner, Endpoint.state == "enabled")
    rows = (await session.execute(asked.order_by(Endpoint.id))).all()
    return [each for each, types in rows if types is None or type_ in msgspec.json.decode(types)]


async def secrets_of(session: AsyncSession, endpoints: Collection[str]) -> Sequence[EndpointSecret]:
    """The secrets of endpoints, the newest first."""
    asked = select(EndpointSecret).where(EndpointSecret.endpoint.in_(endpoints))
    return (await session.scalars(asked.order_by(EndpointSecret.created_us.desc(), EndpointSecret.id))).all()


async def about(session: AsyncSession, subject: str, types: Collection[str]) -> Sequence[Message]:
    """The messages of some types on a subject, for this transaction alone."""
    asked = select(Message).where(Message.subject == subject, Message.type.in_(types))
    return (await session.scalars(asked.order_by(Message.id).with_for_update())).all()
