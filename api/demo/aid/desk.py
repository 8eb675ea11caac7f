"""The organisation's two doors: the public one, and one that says how it is to behave."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from html import escape
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from api.demo.aid.organisation import NotTheProtocol, Organisation, Practice, Referral
from api.demo.aid.signing import Unsigned, check

MAX_BODY_BYTES = 64 * 1024
HOOK = "/referrals"
ELSEWHERE = "/elsewhere"

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<title>A demonstration's aid organisation</title>
<h1>Referrals</h1>
<p>Everything that this organisation was told. There is no more: no name, no account, no amount.</p>
<table border="1" cellpadding="6"><tr>{heads}</tr>
{rows}
</table></html>
"""
_HEADS = ("token", "purpose", "urgency", "reasons", "by", "region", "contact", "expires", "state")


def public(organisation: Organisation) -> Starlette:
    """What anybody can reach: the hook for webhooks, and a page with the referrals."""

    async def hook(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                return Response(status_code=413)
        try:
            message_id = check(organisation.practice.keys, request.headers, body)
        except Unsigned:
            organisation.counts["refused"] += 1
            return Response(status_code=401)
        match organisation.practice.mood:
            case "429":
                after = {"Retry-After": str(organisation.practice.retry_after_s)}
                return _turned_away(organisation, Response(status_code=429, headers=after))
            case "410" | "500" as status:
                return _turned_away(organisation, Response(status_code=int(status)))
            case "redirect":
                return _turned_away(organisation, RedirectResponse(ELSEWHERE, 307))
        try:
            answer = organisation.take(message_id, body)
        except NotTheProtocol:
            return Response(status_code=400)
        match organisation.practice.mood:
            case "garbage":
                answer = b'\xff\xfe{"status": ' + b"[" * 100_000
            case "slow":
                await asyncio.sleep(organisation.practice.slow_s)
        return Response(answer, media_type="application/json")

    async def elsewhere(_: Request) -> Response:
        organisation.counts["elsewhere"] += 1
        return Response(b"{}", media_type="application/json")

    async def page(_: Request) -> Response:
        heads = "".join(f"<th>{each}</th>" for each in _HEADS)
        rows = "\n".join(_row(each) for each in reversed(organisation.referrals.values()))
        policy = {"Content-Security-Policy": "default-src 'none'"}
        return HTMLResponse(_PAGE.format(heads=heads, rows=rows), headers=policy)

    return Starlette(
        routes=[
            Route("/", page),
            Route(HOOK, hook, methods=["POST"]),
            Route(ELSEWHERE, elsewhere, methods=["GET", "POST"]),
        ]
    )


def control(organisation: Organisation, token: str, settle: Callable[[], Awaitable[None]]) -> Starlette:
    """What whoever runs it can reach with a token: its practice, and what it has counted.

    Parameters
    ----------
    settle
        Has a changed practice take effect on the doors.
    """

    async def manage(request: Request) -> Response:
        told = request.headers.get("authorization", "")
        if not hmac.compare_digest(told.encode(), f"Bearer {token}".encode()):
            return Response(status_code=401)
        if request.method == "POST":
            try:
                wanted = {**msgspec.to_builtins(organisation.practice), **await request.json()}
                organisation.practice = msgspec.convert(wanted, Practice)
            except (ValueError, TypeError):  # msgspec's errors are ValueErrors
                return Response(status_code=400)
            await settle()
        return JSONResponse(
            {
                "mood": organisation.practice.mood,
                "counts": dict(organisation.counts),
                "messages": list(organisation.messages),
                "referrals": {token: _told(each) for token, each in organisation.referrals.items()},
            }
        )

    return Starlette(routes=[Route("/control", manage, methods=["GET", "POST"])])


def _turned_away(organisation: Organisation, answer: Response) -> Response:
    organisation.counts["turned away"] += 1
    return answer


def _told(referral: Referral) -> dict[str, Any]:
    """A referral as whoever tries things out wants to see it."""
    told: dict[str, Any] = msgspec.to_builtins(referral.told)
    return {"told": told, "state": referral.state, "contact": referral.contact}


def _row(referral: Referral) -> str:
    told = referral.told
    by = told.contact_by
    cells = (
        told.token,
        told.purpose,
        told.urgency or "",
        ", ".join(told.reasons),
        "" if by is None else f"{by.channel}, {by.language}, {by.window}",
        told.region or "",
        "sealed to us" if referral.contact else "",
        told.expires_at,
        referral.state,
    )
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
