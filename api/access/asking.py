"""What a route says of who may ask it: `Depends(allowed("alerts:read"))`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBasic, HTTPBearer

from api.access.limits import RequestLimits
from api.access.roles import Scope
from api.access.service import AccessService, Principal
from api.problems import FORBIDDEN, RATE_LIMITED, UNAUTHENTICATED, Problem

_bearer = HTTPBearer(
    auto_error=False, scheme_name="key", description="An API key, as `Authorization: Bearer KEY`."
)


class _Told(HTTPBasic):
    """Is there for the document alone: the library's own reading answers, uncounted, to what is malformed."""

    # The library's own also returns what it read.
    async def __call__(self, request: Request) -> None:  # type: ignore[override]
        return None


_basic = _Told(
    auto_error=False,
    scheme_name="key in a browser",
    description="An API key as the password, under any name; for GET alone, lest pages elsewhere act.",
)

PROBLEMS = (UNAUTHENTICATED, FORBIDDEN, RATE_LIMITED)
"""What every route that asks who it is may answer."""


def _told(request: Request) -> str | None:
    """The key that a request bears."""
    scheme, _, told = request.headers.get("authorization", "").partition(" ")
    told = told.strip()
    if scheme.lower() == "bearer":
        return told or None
    if scheme.lower() == "basic" and request.method in ("GET", "HEAD"):
        try:
            return base64.b64decode(told, validate=True).decode("ascii").partition(":")[2] or None
        except (binascii.Error, ValueError):
            return None
    return None


def allowed(*any_of: Scope) -> Callable[..., Awaitable[Principal]]:
    """Let in who has one of these scopes.

    Raises
    ------
    Problem
        Whoever asks has no key that is known, has none of the scopes, or asks too often.
    """

    async def principal(
        request: Request,
        _: Annotated[Any, Security(_bearer)],
        __: Annotated[Any, Security(_basic)],
    ) -> Principal:
        access: AccessService = request.app.state.access
        limits: RequestLimits = request.app.state.limits
        told = _told(request)
        who = None if told is None else await access.who(told)
        if who is None:
            await limits.count_stranger(request.client.host if request.client else "-")
            raise Problem(UNAUTHENTICATED, "Send an API key that is in force.")
        await limits.count(who)
        if not who.scopes.intersection(any_of):
            raise Problem(FORBIDDEN, f"It takes {' or '.join(any_of)}.")
        return who

    return principal


async def anyone(request: Request) -> None:
    """For routes that ask nobody who they are, but not without end."""
    limits: RequestLimits = request.app.state.limits
    await limits.count_stranger(request.client.host if request.client else "-")


Anyone = Annotated[None, Depends(anyone)]
