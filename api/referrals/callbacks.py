"""Callbacks of aid organisations: who signed, and what it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec
from sqlalchemy.exc import IntegrityError

from api.partners.service import PartnersService
from api.problems import BAD_SIGNATURE, MALFORMED_BODY, Problem, wrong
from api.referrals.protocol import Callback
from api.referrals.service import ReferralsService
from api.store.database import Store
from api.webhooks.signatures import NotVerified, verify

_decode = msgspec.json.Decoder(Callback).decode


class CallbacksService:
    """Takes callbacks in.

    Parameters
    ----------
    clock
        Tells the wall clock, in µs since the epoch.
    """

    def __init__(
        self, store: Store, partners: PartnersService, referrals: ReferralsService, clock: Callable[[], int]
    ) -> None:
        self._store = store
        self._partners = partners
        self._referrals = referrals
        self._clock = clock

    async def who(self, headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
        """Which organisation has signed a message, and the message's id.

        The keys of all are tried, whatever the message is about: so somebody else's signature and a token
        that does not exist are answered alike.

        Raises
        ------
        Problem
            None has, or it is too old.
        """
        async with self._store.read() as session:
            keys = await self._partners.keys_in_force(session)
        for partner, theirs in keys.items():
            try:
                return partner, verify(theirs, headers, body, self._clock())
            except NotVerified:
                continue
        raise Problem(BAD_SIGNATURE, "See docs/partner-protocol.md on signing.")

    async def take(self, token: str, partner: str, message: str, body: bytes) -> bytes:
        """Take in what an organisation says; returns what it is answered, as JSON."""
        said = read(body)
        try:
            return await self._report(token, partner, message, body, said)
        except IntegrityError:
            # The same message at the same moment: now it is known.
            return await self._report(token, partner, message, body, said)

    async def _report(self, token: str, partner: str, message: str, body: bytes, said: Callback) -> bytes:
        async with self._store.write() as session:
            return await self._referrals.report(session, token, partner, message, body, said)


def read(body: bytes) -> Callback:
    """A callback's body.

    Raises
    ------
    Problem
        It is not JSON, or not what the protocol says.
    """
    try:
        return _decode(body)
    except msgspec.ValidationError as error:
        # Its message repeats what was sent; only the place is passed on.
        place = re.search(r"`\$\.(\w+)`", str(error))
        name = place[1] if place and place[1] in Callback.__struct_fields__ else "body"
        raise wrong(name, "It is not what the protocol says") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Problem(MALFORMED_BODY, "Send one JSON object.") from None
