"""A back office that does nothing but copy, in a process of its own, to be killed: `… URL HOME DATABASE`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from pydantic import SecretStr

from api.backoffice.lease import OfficeLease
from api.backoffice.office import Office
from api.deployment import deploy
from api.settings import Settings
from tests.api.kafka.office import House


async def work(redis_url: str, home: Path, database_url: str) -> None:
    # The brokers are named in the environment.
    settings = Settings(data_dir=home, database_url=SecretStr(database_url))
    deployment = deploy(settings, redis_url)
    await deployment.begin()
    # Whoever comes after one that was killed need not wait, and one that was paused finds itself replaced.
    lease = OfficeLease(deployment.store, deployment.clock, 0)
    made = House(deployment, lease)
    office = Office(lease, lambda _: [made.copying("effects", batch=20), made.copying("events", batch=20)])
    await office.run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
