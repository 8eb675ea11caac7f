"""Everything in one place: a Redis of our own, the detector beside it, and the service in front."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess

from api.app import create_app, server
from api.detecting import beside
from api.settings import Settings
from detector.drivers.valkey import Server
from detector.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Embedded:
    """What runs: the Redis at `redis_url` and the detector's process."""

    redis_url: str
    detector: SpawnProcess


@contextmanager
def embedded(settings: Settings) -> Iterator[Embedded]:
    """Run Redis (unless the settings name one) and the detector; stop them in the right order.

    Raises
    ------
    TiltwatchError
        The data directory cannot be used. What the detector itself stumbles over it says on its own, and its
        process then has an `exitcode`.
    """
    with ExitStack() as stack:
        if settings.redis_url is None:
            redis_url = stack.enter_context(Server(settings.data_dir)).url
        else:
            redis_url = settings.redis_url.get_secret_value()
        yield Embedded(redis_url, stack.enter_context(beside(settings, redis_url)))


async def serve(
    settings: Settings, redis_url: str, stop: asyncio.Event, ready: Callable[[str], None] | None = None
) -> None:
    """Serve HTTP until `stop` is set, then let the requests at hand finish.

    Parameters
    ----------
    ready
        Called with the service's address when it listens.

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
    if ready is not None:
        ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    service.should_exit = True
    await task


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.host, settings.port
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=1024
        )
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host} port {port}: {error.strerror}; choose another with TILTWATCH_PORT"
        ) from None
