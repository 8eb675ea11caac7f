"""Telling somebody what stands in the audit chain: a duty that misses no entry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.audit.tables import AuditRow
from api.backoffice import progress
from api.backoffice.lease import OfficeLease
from api.deployment import Deployment

T = TypeVar("T")

EVERY_S = 0.5
BATCH = 500


class Walking(Generic[T]):
    """Goes along the chain, whose entries stand in the order of their commits, from the first entry on.

    What entries say is told at least once, in their order: the place moves when `tell` has returned. After a
    crash, or when `tell` fails, the same is told once more; whoever is told has to bear that.

    Parameters
    ----------
    name
        Of the duty, as logs have it.
    place
        The name, among those of `api.backoffice.progress`, under which it is kept up to which entry the chain
        was told. No other walk may have it; a new one begins at the beginning.
    says
        What an entry says to whom it is told to; None where it is nothing to them. It may read the store, as
        it is now: that can be later than the entry.
    tell
        Tells a batch, never an empty one, and returns when it cannot be lost any more.

    Examples
    --------
    >>> async def says(session: AsyncSession, row: AuditRow) -> str | None:
    ...     return row.subject if row.action == "key.revoked" else None
    >>> async def tell(keys: Sequence[str]) -> None:
    ...     print(*keys)
    >>> def telling_the_door(deployment: Deployment, lease: OfficeLease) -> Walking[str]:
    ...     return Walking(deployment, lease, "telling the door", "door", says, tell)
    """

    def __init__(
        self,
        deployment: Deployment,
        lease: OfficeLease,
        name: str,
        place: str,
        says: Callable[[AsyncSession, AuditRow], Awaitable[T | None]],
        tell: Callable[[Sequence[T]], Awaitable[None]],
    ) -> None:
        self.name = name
        self._store = deployment.store
        self._lease = lease
        self._place = place
        self._says = says
        self._tell = tell

    async def round(self) -> float:
        async with self._store.read() as session:
            await self._lease.check(session)
            place = int(await progress.reached(session, self._place) or "0")
            query = select(AuditRow).where(AuditRow.seq > place).order_by(AuditRow.seq).limit(BATCH)
            rows = list((await session.execute(query)).scalars())
            said = [each for row in rows if (each := await self._says(session, row)) is not None]
        if not rows:
            return EVERY_S
        if said:
            await self._tell(said)
        async with self._store.write() as session:
            await self._lease.check(session)
            await progress.move(session, self._place, str(rows[-1].seq))
        return 0.0 if len(rows) == BATCH else EVERY_S
