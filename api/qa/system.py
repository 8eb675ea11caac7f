"""A deployment to try things on: everything embedded, in a directory that goes when it ends."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from api.access.roles import Role
from api.demo.keys import issue_keys
from api.embedded import Embedded, embedded, serving
from api.settings import Settings
from detector.drivers.streams import DEAD

HOST = "127.0.0.1"
LOOPBACK = ["127.0.0.0/8"]
"""Where the demonstration's organisation and the platform's receiver listen; nothing else is let through."""


@dataclass(frozen=True, slots=True)
class System:
    """A running deployment: its address, a key for each role, and its parts."""

    url: str
    keys: Mapping[Role, str]
    settings: Settings
    parts: Embedded


def tried_out(home: Path, **own: Any) -> Settings:
    """Settings of a deployment that is tried out in a directory, on a free port.

    Nothing is taken from the environment: it may name the store and the Redis of a real one.
    """
    port = free_port()
    usual = {name: field.get_default() for name, field in Settings.model_fields.items()}
    chosen: dict[str, Any] = {
        "data_dir": home,
        "host": HOST,
        "port": port,
        "public_url": f"http://{HOST}:{port}",
        "webhook_networks": LOOPBACK,
        "log_level": "error",
    }
    return Settings(**{**usual, **chosen, **own})


def free_port() -> int:
    """A port that nothing listens on at this moment."""
    with socket.create_server((HOST, 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def parts(**own: Any) -> Iterator[tuple[Settings, Embedded]]:
    """Everything but the service, with settings of one's own in the place of the usual ones.

    Raises
    ------
    TiltwatchError
        A part cannot start.
    """
    with tempfile.TemporaryDirectory(prefix="tiltwatch-qa-") as folder:
        settings = tried_out(Path(folder), **own)
        with embedded(settings) as running:
            yield settings, running


@asynccontextmanager
async def system(settings: Settings, running: Embedded) -> AsyncIterator[System]:
    """The service in front of the parts."""
    keys = await issue_keys(settings)
    async with serving(settings, running.redis_url) as url:
        yield System(url, keys, settings, running)


async def dead_letters(redis_url: str) -> list[Mapping[str, str]]:
    """What was refused: `original` as it came, and the `reason`."""
    redis = Redis.from_url(redis_url, protocol=2)
    try:
        entries: Any = await redis.xrange(DEAD)
    finally:
        await redis.aclose()
    return [
        {name.decode(): value.decode("utf-8", "replace") for name, value in fields.items()}
        for _, fields in entries
    ]
