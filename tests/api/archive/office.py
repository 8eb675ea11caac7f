"""A back office that does nothing but archive, and what it has left."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard
from pydantic import SecretStr
from redis import Redis
from sqlalchemy import select

from api.archive.duty import Archiving
from api.archive.tables import Segment
from api.audit.tables import AuditRow
from api.backoffice.lease import OfficeLease
from api.deployment import Deployment, deploy
from api.players.facts import Facts, facts_of
from api.settings import Settings
from tests.drivers.small import NOON_US

LONG_US = 10**12


@dataclass
class Clock:
    """Stands where it is put."""

    us: int = NOON_US

    def __call__(self) -> int:
        return self.us


@dataclass
class Office:
    """A deployment with the archive's duty alone."""

    deployment: Deployment
    lease: OfficeLease
    duty: Archiving
    folder: Path

    async def work(self) -> None:
        """Do all there is to do."""
        while await self.duty.round() == 0:
            pass

    async def segments(self) -> dict[str, Segment]:
        """The segments by name."""
        async with self.deployment.store.read() as session:
            return {each.name: each for each in (await session.execute(select(Segment))).scalars()}

    async def facts(self, player: str) -> Facts:
        async with self.deployment.store.read() as session:
            return await facts_of(session, player)

    async def told(self, action: str) -> list[tuple[str, str]]:
        """Subject and details of the audit's entries of an action."""
        async with self.deployment.store.read() as session:
            rows = await session.execute(select(AuditRow).where(AuditRow.action == action))
            return [(row.subject, row.details) for row in rows.scalars()]


@asynccontextmanager
async def office(
    redis_url: str,
    home: Path,
    database_url: str,
    clock: Callable[[], int] | None = None,
    batch: int = 10,
    **settings: Any,
) -> AsyncIterator[Office]:
    """An office that has the lease."""
    made = Settings(data_dir=home, database_url=SecretStr(database_url), **settings)
    deployment = deploy(made, redis_url, clock or Clock())
    await deployment.begin()
    lease = OfficeLease(deployment.store, deployment.clock, LONG_US)
    assert await lease.take()
    try:
        yield Office(deployment, lease, Archiving(deployment, lease, batch), home / "archive")
        await lease.give_back()
    finally:
        await deployment.end()


def last_entry(redis: Redis) -> bytes:
    """The id of the stream's newest entry."""
    found: Any = redis.xrevrange("tw:events", count=1)
    return bytes(found[0][0])


def put(redis: Redis, *originals: bytes, received_us: int | None = NOON_US) -> None:
    """Have events accepted."""
    with redis.pipeline(transaction=False) as pipe:
        for each in originals:
            fields: dict[Any, Any] = {"e": each}
            if received_us is not None:
                fields["r"] = received_us
            pipe.xadd("tw:events", fields)
        pipe.execute()


def lines(path: Path) -> list[bytes]:
    """The lines of a segment, read by the library alone."""
    with (
        path.open("rb") as raw,
        zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) as text,
    ):
        return io.BufferedReader(text).read().splitlines()
