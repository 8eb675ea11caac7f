"""A platform's receiver of webhooks: signatures checked by the reference library, each message kept once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web

from api.demo.aid.signing import Unsigned, check

MAX_BODY_BYTES = 1 << 20


class Receiver:
    """What it got; `keys` are those of who may send, `messages` by their ids, `refused` counts the others."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: list[str] = []
        self.messages: dict[str, dict[str, Any]] = {}
        self.refused = 0

    def of(self, type_: str) -> list[dict[str, Any]]:
        """The `data` of every message of a type, oldest first."""
        return [each["data"] for each in self.messages.values() if each["type"] == type_]

    async def take(self, request: web.Request) -> web.Response:
        """Take one delivery."""
        body = await request.read()
        try:
            message_id = check(self.keys, request.headers, body)
        except Unsigned:
            self.refused += 1
            return web.Response(status=401)
        self.messages.setdefault(message_id, msgspec.json.decode(body))
        return web.Response(status=204)


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that listens on this machine, in this event loop."""
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    found = Receiver()
    app.router.add_post("/hook", found.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        found.url = f"http://{host}:{port}/hook"
        yield found
    finally:
        await runner.cleanup()
