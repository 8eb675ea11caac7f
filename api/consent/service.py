"""Asking players, and keeping what they answered."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from api.deployment import Deployment
from api.referrals.protocol import Reason, Urgency


class ConsentService:
    """Prompts and consents of a deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    async def offer(
        self,
        session: AsyncSession,
        *,
        player: str,
        alert: str | None,
        reasons: Sequence[Reason],
        urgency: Urgency,
        jurisdiction: str | None,
        actor: str,
    ) -> str:
        """Ask a player, in an agent's name, whether an aid organisation may help; returns the prompt's id.

        Raises
        ------
        Problem
            No organisation may be named to this player (`no-referral`, with a reason code), or they were
            asked only lately (`asked-lately`).
        """
        raise NotImplementedError
