"""Everything in one place: a Redis of our own, the detector beside it, and the service in front."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess

import uvloop

from api import logs
from api.app import create_app, server
from api.backoffice.running import back_office
from api.deployment import prove
from api.detecting import detector
from api.learning.running import trainer
from api.processes import beside, kept_beside
from api.settings import PREFIX, Settings
from detector.drivers.valkey import Server
from detector.errors import SettingsError, TiltwatchError


@dataclass(frozen=True, slots=True)
class Embedded:
    """What runs: the Redis at `redis_url`, None as `redis` if it is not ours, and the processes beside us."""

    redis_url: str
    redis: Server | None
    detector: SpawnProcess
    back_office: SpawnProcess


@contextmanager
def embedded(settings: Settings, first: Callable[[], None] = lambda: None) -> Iterator[Embedded]:
    """Run Redis (unless the settings name one), detector, back office and trainer; stop them in order.

    Parameters
    ----------
    first
        Called once the data directory is ours, before anything works in it.

    Raises
    ------
    TiltwatchError
        The data directory cannot be used. What the detector itself stumbles over it says on its own, and its
        process then has an `exitcode`.
    """
    with ExitStack() as stack:
        redis = None
        if settings.redis_url is None:
            redis = stack.enter_context(Server(settings.data_dir))
            redis_url = redis.url
        else:
            redis_url = settings.redis_url.get_secret_value()
        first()
        detecting = stack.enter_context(beside(detector, settings, redis_url))
        working = stack.enter_context(beside(back_office, settings, redis_url))
        if settings.learn:
            stack.enter_context(kept_beside(trainer, settings, redis_url))
        yield Embedded(redis_url, redis, detecting, working)


Company = Callable[[str, Embedded], Awaitable[None]]
"""Something to run along, given the service's address and what runs; it is cancelled at the end."""


def run(settings: Settings, company: Company | None = None) -> None:
    """Run everything until Ctrl-C or SIGTERM, then put it all away in order.

    Raises
    ------
    TiltwatchError
        Something cannot start, or Redis or the detector ended by itself: better to end with it than to take
        in events that nobody looks at.
    """
    if settings.kafka is not None:
        raise SettingsError(
            f"{PREFIX}KAFKA is set: start `tiltwatch api`, `tiltwatch backoffice` and `tiltwatch worker`, "
            "which work together on Kafka; `tiltwatch run` does without"
        )
    logs.configure(settings.log_format, settings.log_level)
    # While Redis reads a long log nothing else listens to signals yet.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt), embedded(settings, lambda: asyncio.run(prove(settings))) as running:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_serve(settings, running.redis_url, running, company))
            _blame(running)
    finally:
        signal.signal(signal.SIGTERM, before)


def serve(settings: Settings) -> None:
    """Serve HTTP alone until Ctrl-C or SIGTERM; the Redis is the one that the settings name.

    Raises
    ------
    SettingsError
        They name none, the address cannot be listened on, or the store or the keyring cannot be used.
    """
    if settings.redis_url is None:
        raise SettingsError(f"{PREFIX}REDIS_URL must name the Redis that the detector works on")
    logs.configure(settings.log_format, settings.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(prove(settings))
        runner.run(_serve(settings, settings.redis_url.get_secret_value()))


async def _serve(
    settings: Settings, redis_url: str, running: Embedded | None = None, company: Company | None = None
) -> None:
    """Serve until a signal comes or a part that runs beside it ends."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(each, stop.set)
    async with serving(settings, redis_url) as address:
        tasks: list[asyncio.Task[object]] = [asyncio.create_task(stop.wait())]
        if running is not None:
            tasks.append(asyncio.create_task(_watch(running)))
            if company is not None:
                tasks.append(asyncio.create_task(_go_along(company(address, running), stop)))
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


async def _watch(running: Embedded) -> None:
    """Wait until a part ends by itself."""
    while (
        running.detector.is_alive()
        and running.back_office.is_alive()
        and (running.redis is None or running.redis.pid is not None)
    ):
        await asyncio.sleep(0.2)


def _blame(running: Embedded) -> None:
    """Raise for a part that ended by itself."""
    for part in (running.detector, running.back_office):
        code = part.exitcode
        if code is not None:
            how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
            raise TiltwatchError(f"the {part.name} ended by itself ({how}), and everything else with it")
    if running.redis is not None and running.redis.pid is None:
        raise TiltwatchError(
            f"Redis ended by itself, and everything else with it: {running.redis.last_words}"
        )


async def _go_along(company: Awaitable[None], stop: asyncio.Event) -> bool:
    await company
    return await stop.wait()


@asynccontextmanager
async def serving(settings: Settings, redis_url: str) -> AsyncIterator[str]:
    """Serve HTTP; yields the service's address, and at the end lets the requests at hand finish.

    Raises
    ------
    SettingsError
        The address cannot be listened on, most likely because something does already.
    """
    listening = _listen(settings)
    host, port = listening.getsockname()[:2]
    service = server(create_app(settings, redis_url))
    task = asyncio.create_task(service.serve([listening]))
    while not (service.started or task.done()):
        await asyncio.sleep(0.01)
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}"
    finally:
        service.should_exit = True
        await task


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.host, settings.port
    try:
        listening = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=1024
        )
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host} port {port}: {error.strerror}; choose another with {PREFIX}PORT"
        ) from None
    # Head and body of an answer are two writes: without this the second waits 40 ms for the first's receipt.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
