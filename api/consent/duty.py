"""Ending what has run out: prompts nobody answered, consents and their referrals.

And what must not be: questions to somebody who turned out to be under age, and what they agreed to.
"""

from __future__ import annotations

from api.backoffice.lease import OfficeLease
from api.consent.service import ConsentService
from api.store.database import Store

EVERY_S = 20.0
AT_ONCE = 20


class RunningOut:
    """Ends prompts and consents whose time is over or that never counted, and tells who needs to know."""

    name = "running out"

    def __init__(self, store: Store, lease: OfficeLease, service: ConsentService) -> None:
        self._store = store
        self._lease = lease
        self._service = service

    async def round(self) -> float:
        async with self._store.write() as session:
            await self._lease.check(session)
            done = await self._service.expire_prompts(session, AT_ONCE)
            done += await self._service.close_prompts(session, AT_ONCE)
        # One by one: a transaction that takes back several messages could wait for one that settles them.
        while done < AT_ONCE:
            async with self._store.write() as session:
                await self._lease.check(session)
                if not (
                    await self._service.recall(session) or await self._service.expire_consents(session, 1)
                ):
                    return 0 if done else EVERY_S
            done += 1
        return 0
