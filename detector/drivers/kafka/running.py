"""Running a worker as a process: Faust's application, what it answers over HTTP, and signals."""

from __future__ import annotations

import asyncio
import gc
import io
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import faust
import structlog
from aiohttp import web
from mode import Service
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from detector.drivers.clock import wall_clock_us
from detector.drivers.kafka.application import Plan, make_application
from detector.drivers.kafka.meters import Meters
from detector.drivers.kafka.options import Options
from detector.drivers.kafka.worker import Worker
from detector.drivers.rates import WatchedRates
from detector.engine.places import Places
from detector.events.money import Currencies

log = structlog.get_logger()


class _Probe(Service):
    """Answers /healthz (alive), /readyz (every assigned partition is ready) and /metrics."""

    def __init__(self, worker: Worker, host: str, port: int, **kwargs: Any) -> None:
        self._worker = worker
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None
        super().__init__(**kwargs)

    async def on_start(self) -> None:
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._alive),
                web.get("/readyz", self._ready),
                web.get("/metrics", self._metrics),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        port = self._runner.addresses[0][1]
        log.info("the worker answers", port=port)

    async def on_stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _alive(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def _ready(self, _: web.Request) -> web.Response:
        told = self._worker.status()
        is_ready = told.state == "running"
        return web.json_response(
            {"status": told.state, "partitions": len(told.partitions)}, status=200 if is_ready else 503
        )

    async def _metrics(self, _: web.Request) -> web.Response:
        data = generate_latest(self._worker.meters.registry)
        return web.Response(body=data, headers={"Content-Type": CONTENT_TYPE_LATEST})


class _Beside(Service):
    """Starts and stops with the application what is ours of it."""

    def __init__(self, worker: Worker, **kwargs: Any) -> None:
        self._worker = worker
        super().__init__(**kwargs)

    async def on_start(self) -> None:
        # Faust has its own idea of how much is to be told.
        logging.getLogger().setLevel(logging.WARNING)

    async def on_stop(self) -> None:
        await self._worker.stop()


def run(
    plan: Plan,
    options: Options,
    *,
    currencies: Currencies,
    places: Places,
    rates: WatchedRates | None,
    host: str,
    port: int,
    clock: Callable[[], int] = wall_clock_us,
) -> int:
    """Run a worker until a signal ends it; returns the exit code.

    Raises
    ------
    TiltwatchError
        It cannot begin.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    app = make_application(plan)
    worker = Worker(app, plan.connection, options, currencies, places, rates, Meters(), clock)
    topics = app.topic(*plan.inputs, key_type=None, value_type=None, value_serializer="raw")

    @app.agent(topics, name="detector")
    async def judge(stream: Any) -> None:
        async for event in stream.noack().events():
            message = event.message
            await worker.take(message.tp, message.generation_id, event.value)

    loop.run_until_complete(worker.start())
    # Players hold no cycles, and there are many of them: looking for some costs more than it finds.
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    supervisor = faust.Worker(
        app,
        _Beside(worker),
        _Probe(worker, host, port),
        loop=loop,
        quiet=True,
        loglevel="ERROR",
        override_logging=False,
        redirect_stdouts=False,
        # It would tell a terminal to show its cursor, in the midst of log lines.
        stdout=io.StringIO(),
    )
    with suppress(SystemExit):
        supervisor.execute_from_commandline()
    return 1 if app.crashed else 0
