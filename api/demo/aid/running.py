"""The organisation as a process: two listeners, of which the public one can be gone for a while."""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import msgspec
import uvicorn
from starlette.applications import Starlette

from api.demo.aid.calling import Caller
from api.demo.aid.desk import HOOK, control, public
from api.demo.aid.organisation import Organisation, Practice
from api.demo.aid.sealing import Sealing
from api.demo.aid.signing import Ed25519Signer, SecretSigner

HOST = "127.0.0.1"
"""It is there to be tried on one machine, and listens nowhere else unless it is told to."""


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to begin.

    `secret`: answer with signatures by this secret, not by a key pair of our own. `host`: the address that
    page and hook listen on; the control stays on loopback.
    """

    service: str
    host: str = HOST
    port: int = 0
    control_port: int = 0
    secret: str | None = None
    practice: Practice = Practice()


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """Where it is, and what the other side needs to know of it."""

    page: str
    hook: str
    control: str
    token: str
    signing: str | None
    sealing: dict[str, Any]


async def run(plan: Plan, tell: Callable[[Open], None], stop: asyncio.Event) -> None:
    """Be open until `stop` is set. Raises OSError if a port is taken."""
    sealing, own = Sealing(), Ed25519Signer()
    signer = own if plan.secret is None else SecretSigner(plan.secret)
    token = secrets.token_urlsafe(24)
    async with aiohttp.ClientSession(trust_env=False, timeout=aiohttp.ClientTimeout(total=30)) as session:
        organisation = Organisation(plan.practice, sealing, Caller(plan.service, signer, session).call)
        front = _Door(public(organisation), plan.host, plan.port)

        async def settle() -> None:
            await (front.close() if organisation.practice.mood == "down" else front.open())

        back = _Door(control(organisation, token, settle), HOST, plan.control_port)
        try:
            await front.open()
            await back.open()
            tell(
                Open(
                    page=f"http://{plan.host}:{front.port}/",
                    hook=f"http://{plan.host}:{front.port}{HOOK}",
                    control=f"http://{HOST}:{back.port}/control",
                    token=token,
                    signing=own.public if plan.secret is None else None,
                    sealing=sealing.public,
                )
            )
            await stop.wait()
        finally:
            await front.close()
            await back.close()
            await organisation.close()


class _Door:
    """A listener that comes back at the port it had."""

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        self.port = port
        self._app = app
        self._host = host
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        if self._task is not None:
            return
        listening = socket.create_server((self._host, self.port), backlog=1024)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = listening.getsockname()[1]
        self._server = _Server(
            uvicorn.Config(
                self._app,
                access_log=False,
                log_config=None,
                log_level="critical",
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._task = asyncio.create_task(self._server.serve([listening]))
        while not (self._server.started or self._task.done()):
            await asyncio.sleep(0.005)

    async def close(self) -> None:
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        await self._task
        self._server = self._task = None


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def until_signal(plan: Plan, tell: Callable[[Open], None]) -> None:
    """Be open until Ctrl-C or SIGTERM. Raises OSError if a port is taken."""

    async def work() -> None:
        stop = asyncio.Event()
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(each, stop.set)
        await run(plan, tell, stop)

    asyncio.run(work())
