"""A receiver as a process of its own: a token bucket in front, one in five requests failing behind it.

    python -m tests.api.webhooks.storm_receiver RATE BURST SEED

Prints its port. `GET /count` tells what it has seen; the same id is processed once, as receivers should.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time

from aiohttp import web

FAILING = 0.2


class Receiver:
    """Counts."""

    def __init__(self, rate: float, burst: int, seed: int) -> None:
        self.rate, self.burst = rate, burst
        self.level, self.at_s = float(burst), time.monotonic()
        self.chance = random.Random(seed)
        self.requests = self.violations = self.failed = self.repeated = 0
        self.ids: set[str] = set()
        self.processed: list[str] = []

    def admits(self) -> bool:
        """Whether this request is within the limit."""
        now_s = time.monotonic()
        self.level = min(self.burst, self.level + (now_s - self.at_s) * self.rate)
        self.at_s = now_s
        if self.level < 1 - 1e-6:
            return False
        self.level -= 1
        return True

    async def hook(self, request: web.Request) -> web.StreamResponse:
        """Take a message, or fail in one of three ways."""
        self.requests += 1
        if not self.admits():
            self.violations += 1
            return web.Response(status=429, headers={"retry-after": "1"})
        await request.read()
        if self.chance.random() < FAILING:
            self.failed += 1
            how = self.chance.randrange(3)
            if how == 0:
                return web.Response(status=500)
            if how == 1:
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            await asyncio.sleep(self.chance.uniform(0.2, 1.5))  # slow, and then it fails all the same
            return web.Response(status=503)
        message_id = request.headers["webhook-id"]
        if message_id in self.ids:
            self.repeated += 1
        else:
            self.ids.add(message_id)
            self.processed.append(message_id)
        return web.Response(status=204)

    async def count(self, _: web.Request) -> web.Response:
        """What was seen."""
        told = {
            "requests": self.requests,
            "violations": self.violations,
            "failed": self.failed,
            "repeated": self.repeated,
            "processed": len(self.processed),
        }
        return web.json_response(told)

    async def list_ids(self, _: web.Request) -> web.Response:
        """Which messages were processed, in order."""
        return web.json_response(self.processed)


async def main() -> None:
    """Serve until killed."""
    receiver = Receiver(float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    app = web.Application()
    app.router.add_post("/hook", receiver.hook)
    app.router.add_get("/count", receiver.count)
    app.router.add_get("/ids", receiver.list_ids)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
