"""What every part of the service works with, put together once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from api.audit.service import Audit
from api.kafka.connecting import connection_of
from api.kafka.line import Line
from api.keyring import Keyring, read_keyring
from api.settings import Settings
from api.store.database import Store, sqlite_url
from api.store.migrating import migrate
from detector.drivers.clock import wall_clock_us
from detector.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Ground:
    """What stands without Redis: store, secrets, audit chain; `clock` tells the wall clock in µs."""

    settings: Settings
    store: Store
    keyring: Keyring
    audit: Audit
    clock: Callable[[], int]

    async def begin(self) -> None:
        """Bring the store up to date."""
        await migrate(self.store)
        await self.audit.begin()


@dataclass(frozen=True, slots=True)
class Deployment(Ground):
    """What every part of the service works with; `line` is None where Redis carries the events."""

    redis_url: str
    redis: Redis
    line: Line | None = None

    async def end(self) -> None:
        """Give connections back."""
        if self.line is not None:
            await self.line.close()
        await self.redis.aclose()
        await self.store.close()


def lay_ground(settings: Settings, clock: Callable[[], int] = wall_clock_us) -> Ground:
    """Put together what stands without Redis.

    Raises
    ------
    SettingsError
        The database's URL or the keyring cannot be used.
    """
    store = Store(store_url(settings))
    keyring = read_keyring(settings.keyring_file or settings.data_dir / "keyring.json")
    return Ground(settings, store, keyring, Audit(store, keyring, clock), clock)


def deploy(settings: Settings, redis_url: str, clock: Callable[[], int] = wall_clock_us) -> Deployment:
    """Put a deployment together; nothing is connected yet. Raises as `lay_ground` and `connection_of`."""
    ground = lay_ground(settings, clock)
    # A retried command may have been done the first time: whoever calls knows whether that is safe, not we.
    redis = Redis.from_url(redis_url, retry=Retry(NoBackoff(), 0), socket_timeout=10, protocol=2)
    connection = connection_of(settings)
    line = None if connection is None else Line(connection)
    return Deployment(settings, ground.store, ground.keyring, ground.audit, clock, redis_url, redis, line)


def store_url(settings: Settings) -> str:
    """The URL of the database; the data directory is made for one that lies there.

    Raises
    ------
    SettingsError
        It cannot be made.
    """
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"the data directory cannot be made: {error.strerror}") from None
    return sqlite_url(settings.data_dir / "tiltwatch.db")


def checkpoints_path(settings: Settings) -> Path:
    """Where the audit's checkpoints are written outside of the store."""
    return settings.checkpoints_file or settings.data_dir / "audit-checkpoints.jsonl"


def archive_dir(settings: Settings) -> Path:
    """Where accepted events are archived."""
    return settings.archive_dir or settings.data_dir / "archive"


@asynccontextmanager
async def deployed(settings: Settings, redis_url: str) -> AsyncIterator[Deployment]:
    """A deployment, begun and ended."""
    deployment = deploy(settings, redis_url)
    try:
        await deployment.begin()
        yield deployment
    finally:
        await deployment.end()


async def prove(settings: Settings) -> None:
    """Find out whether store and keyring can be used, before anything is started that needs them.

    Raises
    ------
    SettingsError
        They cannot.
    """
    async with stored(settings):
        pass


@asynccontextmanager
async def stored(settings: Settings, *, begun: bool = True) -> AsyncIterator[Ground]:
    """The store alone, begun and ended, for commands that need nothing else.

    Not begun, it is brought up to date and nothing is written into its chain.
    """
    ground = lay_ground(settings)
    try:
        if begun:
            await ground.begin()
        else:
            await migrate(ground.store)
        yield ground
    finally:
        await ground.store.close()
