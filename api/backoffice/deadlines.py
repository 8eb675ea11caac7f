"""Escalating what is past its deadline, whatever it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from api.backoffice.lease import OfficeLease
from api.store.database import Store

LONGEST_S = 5.0
"""Looked for at least this often: what is made meanwhile may be due earlier than all there was."""
BATCH = 200
"""Most rows in one transaction."""

Row = TypeVar("Row")


async def escalate_due(
    store: Store,
    lease: OfficeLease,
    now_us: int,
    *,
    first_due: Callable[[AsyncSession], Awaitable[int]],
    due: Callable[[AsyncSession, int, int], Awaitable[Sequence[Row]]],
    escalate: Callable[[AsyncSession, Row, int], Awaitable[None]],
) -> float:
    """Escalate what has to be looked at by now; returns after how many seconds to look again.

    Parameters
    ----------
    first_due
        When the next deadline has to be looked at.
    due
        At most so many rows whose deadline has to be looked at by a time, locked; those locked are left.
    escalate
        Called with each of them, and has it looked at later the next time.
    """
    async with store.read() as session:
        first_us = await first_due(session)
    if first_us > now_us:
        return min(LONGEST_S, (first_us - now_us) / 1_000_000)
    async with store.write() as session:
        await lease.check(session)
        rows = await due(session, now_us, BATCH)
        for row in rows:
            await escalate(session, row, now_us)
    return 0.0 if rows else 1.0  # else somebody is working on them at this moment
