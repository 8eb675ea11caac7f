"""Endpoints: made, given new secrets, tried, enabled and disabled."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from api.audit.service import Audit
from api.keyring import Keyring
from api.problems import CONTRADICTION, UNKNOWN_ENDPOINT, Problem, wrong
from api.webhooks import repository, signatures
from api.webhooks.guard import Network, check_url
from api.webhooks.outbox import Outbox
from api.webhooks.schemas import (
    DeliveryShown,
    EndpointQuery,
    Endpoints,
    EndpointShown,
    EndpointState,
    EndpointWithSecret,
    Kind,
    NewEndpoint,
    Owner,
    Signing,
)
from api.webhooks.showing import cursor_after, delivery_shown, endpoint_shown, place_of
from api.webhooks.tables import Endpoint, EndpointSecret
from detector.events.instants import HOUR_US

MOST_SECRETS = 6
"""Secrets of one endpoint that may sign at a time."""

_SCHEMES: dict[str, tuple[str, ...]] = {"v1a": ("v1a",), "v1": ("v1",), "both": ("v1a", "v1")}
# Narrower than mail allows: no quotes, no comments, nothing that a header could be broken with.
_MAILTO = re.compile(r"mailto:[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.)*[A-Za-z0-9-]{1,63}", re.ASCII)


class EndpointsService:
    """The endpoints of a deployment.

    Parameters
    ----------
    clock
        Tells the wall clock, in µs since the epoch.
    networks
        Private networks that webhooks may go to.
    """

    def __init__(
        self, keyring: Keyring, audit: Audit, clock: Callable[[], int], networks: Sequence[Network]
    ) -> None:
        self._keyring = keyring
        self._audit = audit
        self._clock = clock
        self._networks = networks
        self._outbox = Outbox(clock)

    async def open_endpoint(
        self,
        session: AsyncSession,
        *,
        owner: Owner,
        owner_id: str | None,
        kind: Kind,
        url: str,
        signing: Signing,
        rate_per_s: int,
        burst: int,
        types: list[str] | None,
        actor: str,
        endpoint_id: str | None = None,
    ) -> Endpoint:
        """Make an endpoint with secrets of its own; `reveal` has what its receiver needs.

        Raises
        ------
        Problem
            Nothing can be sent to that URL.
        """
        self._check(kind, url)
        now_us = self._clock()
        made = Endpoint(
            id=endpoint_id or f"ep_{secrets.token_hex(12)}",
            owner=owner,
            owner_id=owner_id,
            kind=kind,
            url=url,
            signing=signing,
            rate_per_s=rate_per_s,
            burst=burst,
            types=None if types is None else msgspec.json.encode(sorted(set(types))).decode(),
            state="enabled",
            created_us=now_us,
            version=1,
            failures=0,
            open_until_us=None,
            pause_us=0,
            failing_since_us=None,
            told_us=None,
            held_until_us=0,
            freed_us=0,
        )
        await repository.add(session, made)
        if kind == "webhook":
            await self._add_secrets(session, made, now_us)
        self._audit.tell(session, actor, "endpoint.opened", f"endpoint:{made.id}", owner=owner, kind=kind)
        return made

    async def close_endpoint(self, session: AsyncSession, endpoint_id: str, actor: str) -> None:
        """Send nothing there any more; what waits is parked. Nothing happens where it is closed already."""
        await self._set_state(session, endpoint_id, "disabled", actor)

    async def reveal(self, session: AsyncSession, endpoint_id: str) -> tuple[list[str], str | None]:
        """The public keys that verify what is sent to an endpoint, and the newest HMAC secret.

        Show the secret in the answer to whoever made or rotated it and nowhere else.
        """
        alive = [row for row in await self._secrets(session, endpoint_id) if row.until_us is None]
        publics = [row.public for row in alive if row.public is not None]
        hmac = next((unsealed(self._keyring, row) for row in alive if row.scheme == "v1"), None)
        return publics, hmac

    async def create(self, session: AsyncSession, wanted: NewEndpoint, actor: str) -> EndpointWithSecret:
        """Make an endpoint of the platform or the desk."""
        made = await self.open_endpoint(
            session,
            owner=wanted.owner,
            owner_id=None,
            kind=wanted.kind,
            url=wanted.url,
            signing=wanted.signing,
            rate_per_s=wanted.rate_per_s,
            burst=wanted.burst,
            types=wanted.types,
            actor=actor,
        )
        return await self._with_secret(session, made)

    async def rotate(
        self, session: AsyncSession, endpoint_id: str, overlap_h: int, actor: str
    ) -> EndpointWithSecret:
        """Make new secrets; those there are sign along for so many hours.

        Raises
        ------
        Problem
            There is no such endpoint, it signs nothing, or too many secrets sign already.
        """
        found = await self._locked(session, endpoint_id)
        if found.kind != "webhook":
            raise Problem(CONTRADICTION, "Mail is not signed.")
        now_us = self._clock()
        until_us = now_us + overlap_h * HOUR_US
        alive = await self._secrets(session, endpoint_id)
        if overlap_h and len(alive) + len(_SCHEMES[found.signing]) > MOST_SECRETS:
            raise Problem(CONTRADICTION, f"{MOST_SECRETS} secrets sign at most; end some with `overlap_h` 0.")
        for row in alive:
            row.until_us = until_us if row.until_us is None else min(row.until_us, until_us)
        await self._add_secrets(session, found, now_us)
        found.version += 1
        self._audit.tell(session, actor, "endpoint.rotated", f"endpoint:{found.id}", overlap_h=overlap_h)
        return await self._with_secret(session, found)

    async def disable(self, session: AsyncSession, endpoint_id: str, actor: str) -> EndpointShown:
        """Send nothing there until it is enabled; what waits is parked."""
        return await self._shown(session, await self._set_state(session, endpoint_id, "disabled", actor))

    async def enable(self, session: AsyncSession, endpoint_id: str, actor: str) -> EndpointShown:
        """Send there again, what was parked too."""
        return await self._shown(session, await self._set_state(session, endpoint_id, "enabled", actor))

    async def test(self, session: AsyncSession, endpoint_id: str, actor: str) -> DeliveryShown:
        """Put an `endpoint.test` on its way; `/v1/deliveries` tells what became of it."""
        found = await self._locked(session, endpoint_id)
        if found.state != "enabled":
            raise Problem(CONTRADICTION, "Enable it first.")
        subject = f"endpoint:{found.id}"
        message_id = await self._outbox.put(session, found.id, "endpoint.test", {}, subject=subject)
        self._audit.tell(session, actor, "endpoint.tested", subject, delivery=message_id)
        message = await repository.message(session, message_id)
        assert message is not None
        return delivery_shown(message, [])

    async def find(self, session: AsyncSession, query: EndpointQuery) -> Endpoints:
        """A page of endpoints."""
        after = place_of(query.cursor) or (-1, "")
        rows = await repository.endpoints(session, after, query.limit + 1)
        page = rows[: query.limit]
        keys = await repository.secrets_of(session, [row.id for row in page], self._clock())
        more = len(rows) > query.limit
        return Endpoints(
            items=[endpoint_shown(row, [key for key in keys if key.endpoint == row.id]) for row in page],
            next_cursor=cursor_after(page[-1].created_us, page[-1].id) if more else None,
        )

    async def change_address(self, session: AsyncSession, endpoint_id: str, url: str, actor: str) -> None:
        """Send to another URL from now on, what waits too."""
        found = await self._locked(session, endpoint_id)
        self._check(found.kind, url)
        if found.url != url:
            found.url, found.version = url, found.version + 1
            self._audit.tell(session, actor, "endpoint.moved", f"endpoint:{found.id}")

    async def change_pace(
        self, session: AsyncSession, endpoint_id: str, rate_per_s: int, burst: int, actor: str
    ) -> None:
        """Send faster or slower from now on."""
        found = await self._locked(session, endpoint_id)
        if (found.rate_per_s, found.burst) != (rate_per_s, burst):
            found.rate_per_s, found.burst, found.version = rate_per_s, burst, found.version + 1
            self._audit.tell(session, actor, "endpoint.paced", f"endpoint:{found.id}")

    def _check(self, kind: str, url: str) -> None:
        reason = None
        if kind == "mail":
            if not _MAILTO.fullmatch(url):
                reason = "mailto: and one plain address"
        else:
            try:
                check_url(url, self._networks)
            except ValueError as error:
                reason = str(error)
        if reason is not None:
            raise wrong("url", reason)

    async def _locked(self, session: AsyncSession, endpoint_id: str) -> Endpoint:
        found = await repository.endpoint(session, endpoint_id, lock=True)
        if found is None:
            raise Problem(UNKNOWN_ENDPOINT, "It never existed.")
        return found

    async def _set_state(
        self, session: AsyncSession, endpoint_id: str, state: EndpointState, actor: str
    ) -> Endpoint:
        found = await self._locked(session, endpoint_id)
        if found.state == state:
            return found
        now_us = self._clock()
        found.state, found.version = state, found.version + 1
        if state == "enabled":
            # Whether people were told that it is down stays: it is not back before something gets through.
            found.failures, found.open_until_us, found.pause_us = 0, None, 0
            found.failing_since_us, found.held_until_us = None, 0
            await repository.unpark(session, found.id, now_us)
        else:
            await repository.park(session, found.id)
        self._audit.tell(session, actor, f"endpoint.{state}", f"endpoint:{found.id}")
        return found

    async def _add_secrets(self, session: AsyncSession, owner: Endpoint, now_us: int) -> None:
        for scheme in _SCHEMES[owner.signing]:
            secret = signatures.new_private_key() if scheme == "v1a" else signatures.new_hmac_secret()
            secret_id = f"es_{secrets.token_hex(12)}"
            row = EndpointSecret(
                id=secret_id,
                endpoint=owner.id,
                scheme=scheme,
                secret=self._keyring.seal(_context(secret_id), secret.encode()),
                public=signatures.public_key(secret) if scheme == "v1a" else None,
                created_us=now_us,
                until_us=None,
            )
            await repository.add(session, row)

    async def _secrets(self, session: AsyncSession, endpoint_id: str) -> Sequence[EndpointSecret]:
        return await repository.secrets_of(session, [endpoint_id], self._clock())

    async def _shown(self, session: AsyncSession, row: Endpoint) -> EndpointShown:
        return endpoint_shown(row, await self._secrets(session, row.id))

    async def _with_secret(self, session: AsyncSession, row: Endpoint) -> EndpointWithSecret:
        shown = await self._shown(session, row)
        _, hmac = await self.reveal(session, row.id)
        return EndpointWithSecret(**shown.model_dump(), hmac_secret=hmac)


def unsealed(keyring: Keyring, row: EndpointSecret) -> str:
    """The secret itself."""
    return keyring.unseal(_context(row.id), row.secret).decode()


def _context(secret_id: str) -> str:
    return f"endpoint_secrets.secret:{secret_id}"
