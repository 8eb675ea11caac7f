"""Somebody who sends to the aid organisation as the protocol says, and a service that hears its answers."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
from aiohttp import web

from api.demo.aid.running import Plan
from api.demo.aid.signing import Ed25519Signer, Signer, check
from api.demo.neighbour import Neighbour, neighbour

TOKEN = "rf_" + "abcdefgh234567" * 2 + "abcd"


def referral(**changes: Any) -> dict[str, Any]:
    """What `referral.created` brings."""
    return {
        "token": TOKEN,
        "purpose": "help",
        "consent": {
            "id": "cn_1",
            "text": "referral@1",
            "expires_at": "2026-07-01T00:00:00.000Z",
            "outcome": True,
        },
        "urgency": "soon",
        "reasons": ["money", "time"],
        "contact_by": {"channel": "phone", "language": "en", "window": "evening"},
        "region": "CA-ON",
        "expires_at": "2026-03-01T00:00:00.000Z",
        "reply_url": "",
    } | changes


class Service:
    """Sends signed messages, and keeps the signed answers that come back; `answers` are their statuses."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.signer = Ed25519Signer()
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.answers: list[int] = []
        self.partner_key = ""

    async def hear(self, request: web.Request) -> web.Response:
        body = await request.read()
        message_id = check([self.partner_key], request.headers, body)
        status = self.answers.pop(0) if self.answers else 200
        self.heard.append((message_id, msgspec.json.decode(body)))
        return web.json_response({}, status=status)

    def reply_url(self, token: str = TOKEN) -> str:
        return f"{self.url}/v1/referrals/{token}/status"


async def send(
    aid: Neighbour,
    signer: Signer,
    data: dict[str, Any],
    type_: str = "referral.created",
    *,
    message_id: str | None = None,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """One delivery."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    body = msgspec.json.encode({"type": type_, "timestamp": at, "data": data})
    told = signer.headers(message_id or f"msg_{secrets.token_hex(8)}", body) | (headers or {})
    async with httpx.AsyncClient() as client:
        return await client.post(aid.where.hook, content=body, headers=told, timeout=5)


@asynccontextmanager
async def in_business(**practice: Any) -> AsyncIterator[tuple[Service, Neighbour]]:
    """A service and an organisation that know each other's keys."""
    app = web.Application()
    runner = web.AppRunner(app)
    service = Service("")
    app.router.add_post("/v1/referrals/{token}/status", service.hear)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    service.url = _url(runner)
    try:
        async with neighbour(Plan(service=service.url)) as aid:
            assert aid.where.signing is not None
            service.partner_key = aid.where.signing
            await aid.practise(**{"keys": [service.signer.public], "contact_after_s": None, **practice})
            yield service, aid
    finally:
        await runner.cleanup()


def _url(runner: web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    return f"http://{host}:{port}"


async def until(found: Callable[[], Awaitable[Any]], seconds: float = 20, shown: object = None) -> Any:
    """What is found once it is something; `shown` is shown if that does not happen."""
    deadline = time.monotonic() + seconds
    while not (seen := await found()):
        assert time.monotonic() < deadline, shown
        await asyncio.sleep(0.02)
    return seen
