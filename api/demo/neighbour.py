"""The demonstration's aid organisation as a process beside ours, as its own people would see it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from api.demo.aid.running import Open, Plan
from detector.errors import StateError

STOP_S = 10.0


class Neighbour:
    """A running organisation."""

    def __init__(self, where: Open, session: aiohttp.ClientSession) -> None:
        self.where = where
        self._session = session

    async def practise(self, **changes: Any) -> None:
        """Have it behave differently from now on; the names are those of `Practice`."""
        async with self._session.post(self.where.control, json=changes, headers=self._headers) as answer:
            if answer.status != 200:
                raise StateError(f"the demonstration's aid organisation refused with {answer.status}")

    async def look(self) -> dict[str, Any]:
        """Its `counts`, its `messages` as they came, its `referrals` by token: `told`, `state`, `contact`."""
        async with self._session.get(self.where.control, headers=self._headers) as answer:
            found: dict[str, Any] = await answer.json()
            return found

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.where.token}"}


@asynccontextmanager
async def neighbour(plan: Plan) -> AsyncIterator[Neighbour]:
    """Run the organisation in a process of its own; it ends with ours, however that comes.

    Raises
    ------
    StateError
        It does not start; it says itself why.
    """
    # It has no business with our settings, and gets none of them.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TILTWATCH_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "api.demo.aid",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
        start_new_session=True,  # Ctrl-C reaches us, and we tell it
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(msgspec.json.encode(plan) + b"\n")
        line = await process.stdout.readline()
        if not line:
            raise StateError("the demonstration's aid organisation did not start")
        timeout = aiohttp.ClientTimeout(total=30)
        async with aiohttp.ClientSession(trust_env=False, timeout=timeout) as session:
            yield Neighbour(msgspec.json.decode(line, type=Open), session)
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()
