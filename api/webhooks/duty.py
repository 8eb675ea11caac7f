"""Erasing what messages said once nobody needs it any more."""

from __future__ import annotations

from api.backoffice.lease import OfficeLease
from api.deployment import Ground
from api.webhooks import claims
from api.webhooks.tables import NO_BODY
from detector.events.instants import DAY_US

KEPT_US = 7 * DAY_US
"""How long the body of a message is kept after it was delivered, cancelled or expired."""
EVERY_S = 3600.0


class Erasing:
    """Erases the bodies of old messages, a page at a time; what failed is kept, for it may be sent again.

    That there was a message, what of, when and how each attempt ended stays, with what tells the same body
    again for who has the keyring.
    """

    name = "erasing"

    PAGE = 500

    def __init__(self, ground: Ground, lease: OfficeLease) -> None:
        self._store, self._keyring = ground.store, ground.keyring
        self._clock, self._lease = ground.clock, lease

    async def round(self) -> float:
        before_us = self._clock() - KEPT_US
        async with self._store.write() as session:
            await self._lease.check(session)
            rows = await claims.to_erase(session, before_us, self.PAGE)
            for row in rows:
                row.erased, row.body = self._keyring.fingerprint(row.body.encode()), NO_BODY
        return 0.0 if len(rows) == self.PAGE else EVERY_S
