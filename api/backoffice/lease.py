"""One back office at a time: a lease in the store."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from api.backoffice.tables import Lease
from api.store.database import Store

NAME = "backoffice"


class LeaseLost(Exception):  # noqa: N818  (a signal inside the back office)
    """Somebody else has the lease now."""


class OfficeLease:
    """The lease of one back office; every transaction of it checks that it still has it.

    Parameters
    ----------
    lasts_us
        How long after its last renewal it counts as gone.
    """

    def __init__(self, store: Store, clock: Callable[[], int], lasts_us: int) -> None:
        self._store = store
        self._clock = clock
        self._lasts_us = lasts_us
        self._holder = secrets.token_hex(8)

    async def take(self) -> bool:
        """Take the lease, or renew it; False while another holds it."""
        try:
            return await self._take()
        except IntegrityError:  # there was none yet, and another was quicker
            return False

    async def _take(self) -> bool:
        now_us = self._clock()
        async with self._store.write() as session:
            row = await self._row(session)
            if row is not None and row.holder != self._holder and row.until_us > now_us:
                return False
            if row is None:
                session.add(Lease(name=NAME, holder=self._holder, until_us=now_us + self._lasts_us))
            else:
                row.holder, row.until_us = self._holder, now_us + self._lasts_us
        return True

    async def check(self, session: AsyncSession) -> int:
        """Have a transaction fail unless the lease is ours, LeaseLost then; until when it surely is."""
        row = await self._row(session)
        if row is None or row.holder != self._holder:
            raise LeaseLost
        return row.until_us

    async def give_back(self) -> None:
        """Let the next one begin at once."""
        async with self._store.write() as session:
            row = await self._row(session)
            if row is not None and row.holder == self._holder:
                await session.delete(row)

    @staticmethod
    async def _row(session: AsyncSession) -> Lease | None:
        return (await session.execute(select(Lease).where(Lease.name == NAME).with_for_update())).scalar()
