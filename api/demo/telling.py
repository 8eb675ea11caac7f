"""Alerts on the terminal, as they come."""

from __future__ import annotations

from collections import Counter
from typing import cast

import msgspec
from redis.asyncio import Redis

from api.demo.feeding import Say
from detector.drivers.streams import ALERTS
from detector.engine.alerts import Alert


async def tell(redis_url: str, start: str, say: Say) -> None:
    """Print alerts: those opened before `start` by their number, those of the present one by one."""
    history: Counter[str] = Counter()
    redis = Redis.from_url(redis_url, protocol=2)
    last, summed_up = b"0", False
    try:
        while True:
            answer = await redis.xread({ALERTS: last}, count=500, block=300)
            entries = cast(list[tuple[bytes, dict[bytes, bytes]]], answer[0][1] if answer else [])  # type: ignore[index]
            for entry, fields in entries:
                last = entry
                alert = msgspec.json.decode(fields[b"a"], type=Alert)
                if alert.opened_at < start and not summed_up:
                    history[alert.rule] += 1
                    continue
                say(
                    f"{alert.opened_at[11:19]}  {alert.severity.upper():8}  {alert.player}  "
                    f"{alert.rule} ({alert.kind}): {alert.explanation}"
                )
            # The history's are counted until the stream is quiet for a moment.
            if history and not entries and not summed_up:
                say(_told_history(history))
                summed_up = True
    finally:
        await redis.aclose()


def _told_history(history: Counter[str]) -> str:
    lines = [f"{sum(history.values())} alerts from the history:"]
    lines += [f"  {count:4}  {rule}" for rule, count in history.most_common()]
    return "\n".join(lines)
