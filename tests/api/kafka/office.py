"""A back office's duties on Kafka, one at a time or all together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from api.backoffice.lease import OfficeLease
from api.deployment import Deployment, deploy
from api.kafka.bridge import Copying
from api.kafka.connecting import connection_of, inputs_of
from api.kafka.copies import Copies, CopiesOfEffects, CopiesOfEvents
from api.settings import Settings
from detector.drivers.clock import wall_clock_us
from detector.events.money import Currencies
from tests.brokers import Broker

LONG_US = 10**12
SHORT_MS = 50


@dataclass
class House:
    """A deployment whose lease is ours."""

    deployment: Deployment
    lease: OfficeLease

    def copying(self, name: str = "effects", *, batch: int = 1000, most_waiting: int = 10**6) -> Copying:
        """The duty that copies `effects` or `events`."""
        settings = self.deployment.settings
        connection = connection_of(settings)
        assert connection is not None
        copies: Copies = CopiesOfEffects(settings)
        if name == "events":
            currencies = Currencies()
            copies = CopiesOfEvents(
                self.deployment.redis, inputs_of(settings, currencies), currencies, most_waiting
            )
        return Copying(self.deployment, self.lease, connection, name, copies, batch=batch, wait_ms=SHORT_MS)

    async def places(self) -> dict[str, int]:
        """How far the bridge has come."""
        found: Any = await self.deployment.redis.hgetall("tw:kafka")
        return {name.decode(): int(offset) for name, offset in found.items()}


def house_settings(kafka: Broker, home: Path, database_url: str, **more: Any) -> Settings:
    return Settings(
        kafka=kafka.servers,
        kafka_check_crcs=kafka.check_crcs,
        data_dir=home,
        database_url=SecretStr(database_url),
        **more,
    )


@asynccontextmanager
async def house(
    settings: Settings, redis_url: str, clock: Callable[[], int] = wall_clock_us
) -> AsyncIterator[House]:
    deployment = deploy(settings, redis_url, clock)
    await deployment.begin()
    lease = OfficeLease(deployment.store, deployment.clock, LONG_US)
    assert await lease.take()
    try:
        yield House(deployment, lease)
        await lease.give_back()
    finally:
        await deployment.end()


@asynccontextmanager
async def at_work(*duties: Copying) -> AsyncIterator[None]:
    """Disconnects duties at the end."""
    try:
        yield
    finally:
        for each in duties:
            await each.end()


async def copy_all(duty: Copying, redis: Any, what: Callable[[], bool]) -> None:
    """Copy until something holds."""
    for _ in range(200):
        if what():
            return
        await duty.round()
    raise AssertionError("it was not copied")
