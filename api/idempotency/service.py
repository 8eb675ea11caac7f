"""Doing what a request asks once, however often it is sent.

The answer is kept in the transaction of what was done, so that one is never there without the other. While
it is being done the key is claimed; a claim whose holder died is taken over after a minute, and should the
holder wake up then, its transaction fails.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.service import Principal
from api.idempotency import repository
from api.idempotency.tables import IdempotentRequest
from api.keyring import Keyring
from api.problems import KEY_IN_FLIGHT, KEY_REUSED, Problem
from api.store.database import Store
from detector.events.instants import HOUR_US, MINUTE_US

CLAIM_US = MINUTE_US
KEPT_US = 48 * HOUR_US
"""How long an answer is kept."""

REPLAYED = "Idempotent-Replayed"
"""The header of an answer that was given before."""

PROBLEMS = (KEY_IN_FLIGHT, KEY_REUSED)

Work = Callable[[AsyncSession], Awaitable[BaseModel]]


@dataclass(frozen=True, slots=True)
class Once:
    """One request; `run` does its work."""

    store: Store
    keyring: Keyring
    clock: Callable[[], int]
    key: str | None
    what: bytes

    async def run(
        self,
        who: Principal,
        work: Work,
        status: int = 201,
        first: Callable[[], Awaitable[None]] | None = None,
    ) -> Response:
        """Do the work in one writing transaction, or give the answer that was given before.

        Parameters
        ----------
        work
            Is handed the transaction; what it raises undoes everything, and leaves the key free.
        first
            Done before the transaction, for what takes too long to hold one open, once the key is claimed.

        Raises
        ------
        Problem
            The key is in use for another request, or for this one at this moment.
        """
        if self.key is None:
            if first is not None:
                await first()
            async with self.store.write() as session:
                body = (await work(session)).model_dump_json().encode()
            return _response(status, body)
        # Keyed: what a request holds may be guessed, and its plain hash would tell who guessed right.
        fingerprint = self.keyring.fingerprint(self.what)
        claim = secrets.token_hex(8)
        known = await self._claim(who.id, self.key, fingerprint, claim)
        if known is not None:
            return known
        try:
            if first is not None:
                await first()
            async with self.store.write() as session:
                body = (await work(session)).model_dump_json().encode()
                sealed = self.keyring.seal(_context(who.id, self.key), body)
                if not await repository.finish(session, who.id, self.key, claim, status, sealed):
                    raise Problem(KEY_IN_FLIGHT, "It was taken over by the same request sent later.")
        except BaseException:
            async with self.store.write() as session:
                await repository.release(session, who.id, self.key, claim)
            raise
        return _response(status, body)

    async def _claim(self, principal: str, key: str, fingerprint: str, claim: str) -> Response | None:
        now_us = self.clock()
        try:
            async with self.store.write() as session:
                found = await repository.find(session, principal, key)
                if found is None or found.claimed_us < now_us - KEPT_US:
                    if found is not None:
                        await session.delete(found)
                        await session.flush()
                    made = IdempotentRequest(
                        principal=principal,
                        key=key,
                        fingerprint=fingerprint,
                        claim=claim,
                        claimed_us=now_us,
                        status=0,
                        body="",
                    )
                    await repository.add(session, made)
                    return None
                if found.fingerprint != fingerprint:
                    raise Problem(KEY_REUSED, "Use a new Idempotency-Key for another request.")
                if found.status:
                    body = self.keyring.unseal(_context(principal, key), found.body)
                    return _response(found.status, body, replayed=True)
                if found.claimed_us > now_us - CLAIM_US:
                    raise Problem(KEY_IN_FLIGHT, "Wait for its answer.", retry_after_s=1)
                found.claim, found.claimed_us = claim, now_us
                return None
        except IntegrityError:
            raise Problem(KEY_IN_FLIGHT, "Wait for its answer.", retry_after_s=1) from None


def _context(principal: str, key: str) -> str:
    # Sealed, because an answer may hold a secret that is kept nowhere else.
    return f"idempotent_requests.body:{principal}:{key}"


def _response(status: int, body: bytes, *, replayed: bool = False) -> Response:
    headers = {REPLAYED: "true"} if replayed else {}
    return Response(body, status, headers=headers, media_type="application/json")


async def _once(
    request: Request,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=128,
            pattern=r"^[\x21-\x7e]+$",
            description="Any text that is new with each new request. Sent again with the same body, the "
            "first answer is given and nothing happens twice.",
        ),
    ] = None,
) -> Once:
    head = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    state = request.app.state
    return Once(state.store, state.keyring, state.clock, key, head + await request.body())


Idempotent = Annotated[Once, Depends(_once)]
