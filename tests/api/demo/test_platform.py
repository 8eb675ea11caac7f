"""The demonstration's platform, over real HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

from redis import Redis

from api.demo.company import _carry_out
from api.embedded import serving
from api.settings import Settings
from detector.drivers.clock import wall_clock_us
from detector.drivers.interventions import Asked, queue
from detector.drivers.valkey import Server
from detector.events.instants import rfc3339_ms
from tests.drivers.small import MINUTE_US, wait_for
from tests.ladder.samples import asked


async def test_its_machines_do_what_they_are_asked_and_what_people_owe_stays_undone(
    valkey: Server, redis: Redis
) -> None:
    now_us = wall_clock_us()
    history = asked("L2", opened_us=now_us - 60 * MINUTE_US, alert_id="a1")
    present = asked("L4", opened_us=now_us + MINUTE_US, alert_id="a2")
    with redis.pipeline(transaction=True) as pipe:
        queue(pipe, Asked([*history.values(), *present.values()]), 1000)
        pipe.execute()
    said: list[str] = []
    async with serving(Settings(port=0), valkey.url) as address:
        platform = asyncio.create_task(
            _carry_out(f"{address}/v1/interventions", rfc3339_ms(now_us), said.append)
        )
        await asyncio.to_thread(wait_for, lambda: said)
        platform.cancel()
    (line,) = said
    assert line[8:] == "  platform  p-1  L4: show_information, deposit_hold, marketing_off done"
    undone: Any = redis.zrange("tw:interventions:undone", 0, -1)
    owed = {action for action, each in present.items() if each.id.encode() in undone}
    assert owed == {"human_contact", "human_review", "offer_referral"}
    assert len(undone) == len(owed)
