"""Vouching for the audit chain every minute in which something was added."""

from __future__ import annotations

from api.deployment import Deployment, checkpoints_path

EVERY_S = 60.0


class Checkpoints:
    """Signs the end of the chain, in the store and outside of it."""

    name = "checkpoints"

    def __init__(self, deployment: Deployment) -> None:
        self._audit = deployment.audit
        self._outside = checkpoints_path(deployment.settings)

    async def round(self) -> float:
        await self._audit.checkpoint(self._outside)
        return EVERY_S
