"""Vouching for the audit chain every minute in which something was added."""

from __future__ import annotations

from api.backoffice.lease import OfficeLease
from api.deployment import Deployment, checkpoints_path

EVERY_S = 60.0


class Checkpoints:
    """Signs the end of the chain, in the store and outside of it."""

    name = "checkpoints"

    def __init__(self, deployment: Deployment, lease: OfficeLease) -> None:
        self._lease = lease
        self._audit = deployment.audit
        self._outside = checkpoints_path(deployment.settings)

    async def round(self) -> float:
        await self._audit.checkpoint(self._outside, first=self._lease.check)
        return EVERY_S
