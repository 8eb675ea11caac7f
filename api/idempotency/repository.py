"""Requests under a key, in the store."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import CursorResult, UpdateBase, delete, update
from sqlalchemy.ext.asyncio import AsyncSession

from api.idempotency.tables import IdempotentRequest


async def find(session: AsyncSession, principal: str, key: str) -> IdempotentRequest | None:
    """The request of a key, for this transaction alone."""
    return await session.get(IdempotentRequest, (principal, key), with_for_update=True)


async def add(session: AsyncSession, request: IdempotentRequest) -> None:
    """Claim a key nobody has used; IntegrityError if somebody was quicker."""
    session.add(request)
    await session.flush()


async def finish(session: AsyncSession, principal: str, key: str, claim: str, status: int, body: str) -> bool:
    """Keep the answer; False if the claim was taken over meanwhile."""
    done = update(IdempotentRequest).where(
        IdempotentRequest.principal == principal,
        IdempotentRequest.key == key,
        IdempotentRequest.claim == claim,
    )
    return await _touched(session, done.values(status=status, body=body)) > 0


async def release(session: AsyncSession, principal: str, key: str, claim: str) -> None:
    """Give a claim back: nothing came of it."""
    await session.execute(
        delete(IdempotentRequest).where(
            IdempotentRequest.principal == principal,
            IdempotentRequest.key == key,
            IdempotentRequest.claim == claim,
            IdempotentRequest.status == 0,
        )
    )


async def forget(session: AsyncSession, before_us: int) -> int:
    """Drop what was claimed before a time; returns how many."""
    return await _touched(session, delete(IdempotentRequest).where(IdempotentRequest.claimed_us < before_us))


async def _touched(session: AsyncSession, statement: UpdateBase) -> int:
    # A session says of what it executes no more than that there is a result.
    result = cast(CursorResult[Any], await session.execute(statement))
    return result.rowcount
