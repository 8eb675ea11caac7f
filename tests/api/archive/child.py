"""A back office that archives, in a process of its own, to be killed: `… URL HOME DATABASE`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from pydantic import SecretStr

from api.archive.duty import Archiving
from api.backoffice.lease import OfficeLease
from api.backoffice.office import Office
from api.deployment import deploy
from api.settings import Settings
from tests.api.archive.office import Clock


class _AtOnce(Archiving):
    """Gathers nothing, so that there is always something to be killed in."""

    async def round(self) -> float:
        await super().round()
        return 0.001


async def work(redis_url: str, home: Path, database_url: str) -> None:
    deployment = deploy(Settings(data_dir=home, database_url=SecretStr(database_url)), redis_url, Clock())
    await deployment.begin()
    # The clock stands still: whoever comes next could wait for ever, so the lease is gone at once.
    lease = OfficeLease(deployment.store, deployment.clock, 0)
    await Office(lease, lambda held: [_AtOnce(deployment, held, batch=50)]).run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
