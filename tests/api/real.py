"""The service over a real socket, in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from api.access.roles import Role
from api.app import create_app, server
from api.settings import Settings
from detector.drivers.clock import wall_clock_us
from tests.api.serving import GENEROUS, issue_each
from tests.stores import sqlite_store


@dataclass(frozen=True)
class Service:
    """A service that runs: where it is, a key for each role, and its application."""

    url: str
    port: int
    keys: Mapping[Role, str]
    app: FastAPI
    loop: asyncio.AbstractEventLoop
    client: httpx.Client
    """One for all requests: each of its own would read every certificate of the machine first."""

    def headers(self, role: Role) -> dict[str, str]:
        """What a client of this role sends."""
        return {"authorization": f"Bearer {self.keys[role]}"}

    def run(self, work: Any) -> Any:
        """Run a coroutine where the service runs, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)


@contextmanager
def real_service(
    redis_url: str,
    home: Path,
    database_url: str | None = None,
    clock: Callable[[], int] = wall_clock_us,
    **settings: Any,
) -> Iterator[Service]:
    """Serve until the block ends."""
    made = Settings.model_validate(
        {
            "data_dir": home,
            "database_url": database_url or sqlite_store(home),
            "request_limits": GENEROUS,
            "log_level": "warning",
            **settings,
        }
    )
    app = create_app(made, redis_url, clock=clock)
    app.state.deployed = made, redis_url, clock
    listening = socket.create_server(("127.0.0.1", 0))
    # As the service itself does: else the body of each answer waits 40 ms for the receipt of its head.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    running = server(app)
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        await running.serve([listening])

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        _wait(running, thread)
        port = listening.getsockname()[1]
        found = asyncio.run_coroutine_threadsafe(issue_each(app), loops[0]).result(20)
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, timeout=60) as client:
            yield Service(url, port, found, app, loops[0], client)
    finally:
        running.should_exit = True
        thread.join(20)
        listening.close()


def _wait(running: uvicorn.Server, thread: threading.Thread) -> None:
    pause = threading.Event()
    while not running.started:
        assert thread.is_alive(), "the service did not start"
        pause.wait(0.01)


@contextmanager
def back_office_of(service: Service) -> Iterator[None]:
    """Run a back office on a service's store and Redis, in the service's loop."""
    from api.backoffice.running import office
    from api.deployment import deploy

    settings, redis_url, clock = service.app.state.deployed

    async def work(stop: asyncio.Event) -> None:
        deployment = deploy(settings, redis_url, clock)
        try:
            await office(deployment).run(stop)
        finally:
            await deployment.end()

    async def begin() -> tuple[asyncio.Event, asyncio.Task[None]]:
        stop = asyncio.Event()
        return stop, asyncio.create_task(work(stop))

    stop, task = service.run(begin())
    try:
        yield
    finally:
        service.loop.call_soon_threadsafe(stop.set)

        async def end() -> None:
            await task

        service.run(end())
