"""Watching that referrals are acknowledged in time."""

from __future__ import annotations

from api.backoffice.lease import OfficeLease
from api.referrals.service import ReferralsService
from api.store.database import Store

EVERY_S = 20.0
AT_ONCE = 100


class Acknowledgements:
    """Tells agents of referrals that nobody has acknowledged in time, once each."""

    name = "acknowledgements"

    def __init__(self, store: Store, lease: OfficeLease, service: ReferralsService) -> None:
        self._store = store
        self._lease = lease
        self._service = service

    async def round(self) -> float:
        async with self._store.write() as session:
            await self._lease.check(session)
            told = await self._service.tell_overdue(session, AT_ONCE)
        return 0 if told == AT_ONCE else EVERY_S
