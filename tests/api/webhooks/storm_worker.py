"""The back office's delivering as a process of its own, to be killed.

python -m tests.api.webhooks.storm_worker STORE_URL DATA_DIR
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop

from api.backoffice.lease import OfficeLease
from api.backoffice.office import LASTS_S, Office
from api.deployment import lay_ground
from api.settings import Settings
from api.webhooks.delivery import Deliveries
from api.webhooks.retrying import SECOND_US, Options

OPTIONS = Options(
    schedule_us=tuple(each * SECOND_US for each in (1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5)), timeout_s=5
)


async def main() -> None:
    """Deliver until killed."""
    settings = Settings.model_validate(
        {"database_url": sys.argv[1], "data_dir": Path(sys.argv[2]), "webhook_networks": ["127.0.0.0/8"]}
    )
    ground = lay_ground(settings)
    await ground.begin()
    lease = OfficeLease(ground.store, ground.clock, int(LASTS_S * SECOND_US))
    await Office(lease, lambda held: [Deliveries(ground, held, OPTIONS)]).run(asyncio.Event())


if __name__ == "__main__":
    uvloop.run(main())
