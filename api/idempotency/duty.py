"""Dropping answers that were kept long enough."""

from __future__ import annotations

from api.backoffice.lease import OfficeLease
from api.deployment import Deployment
from api.idempotency import repository
from api.idempotency.service import KEPT_US

EVERY_S = 3600.0


class Forgetting:
    """Drops old answers to idempotent requests."""

    name = "forgetting"

    def __init__(self, deployment: Deployment, lease: OfficeLease) -> None:
        self._lease = lease
        self._store = deployment.store
        self._clock = deployment.clock

    async def round(self) -> float:
        async with self._store.write() as session:
            await self._lease.check(session)
            await repository.forget(session, self._clock() - KEPT_US)
        return EVERY_S
