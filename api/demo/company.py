"""What `tiltwatch run --demo` adds: simulated players, alerts on the terminal, a platform that acts."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any, cast

import msgspec
from redis.asyncio import Redis

from api.embedded import Company, Embedded
from api.settings import Settings
from detector.drivers.streams import ALERTS
from detector.engine.alerts import Alert
from detector.errors import TiltwatchError
from detector.events.instants import micros, rfc3339_ms
from detector.ladder.actions import HUMAN
from detector.simulator.demo import demo

BATCH = 2_000
REAL_TIME_S = 0.2
"""How often the present's events are sent."""
PLATFORM_S = 2.0
"""How often the platform asks what it has to do."""

Stamped = tuple[int, bytes]


def _say(text: str) -> None:
    # Flushed, for whoever reads through a pipe.
    print(text, flush=True)


def greet(settings: Settings) -> Company:
    """Say where everything is, once it is there."""

    async def said(address: str, _: Embedded) -> None:
        kept = "the Redis of TILTWATCH_REDIS_URL" if settings.redis_url else settings.data_dir.absolute()
        _say(
            f"tiltwatch is running.\n\n"
            f"  events   POST {address}/v1/events\n"
            f"  alerts   {address}/v1/alerts\n"
            f"  to do    {address}/v1/interventions\n"
            f"  data     {kept}\n"
            f"  rules    {settings.rules_dir or 'those that come with tiltwatch'}\n"
        )

    return said


async def company(address: str, running: Embedded, say: Callable[[str], None] = _say) -> None:
    """Feed simulated players to the service at `address`, and tell their alerts."""
    start = datetime.now(UTC)
    say(
        f"tiltwatch is running; its players are simulated.\n\n"
        f"  alerts   {address}/v1/alerts\n"
        f"  to do    {address}/v1/interventions\n"
        f"  API      {address}/docs\n"
        f"  ready?   {address}/readyz\n\n"
        f"Ctrl-C stops it; nothing of the demonstration is kept. Sending 45 days of history first …\n"
    )
    since = rfc3339_ms(micros(start))
    beside = [
        asyncio.create_task(_tell(running.redis_url, since, say)),
        asyncio.create_task(_carry_out(f"{address}/v1/interventions", since, say)),
    ]
    try:
        await _feed(f"{address}/v1/events", demo(start), micros(start), say)
    finally:
        for each in beside:
            each.cancel()


async def _feed(url: str, events: Iterator[Stamped], start_us: int, say: Callable[[str], None]) -> None:
    sent = 0
    waiting: Stamped | None = None
    batch: list[bytes] = []
    for arrival_us, line in events:
        if arrival_us > start_us:
            waiting = (arrival_us, line)
            break
        batch.append(line)
        if len(batch) == BATCH:
            sent += await _post(url, batch)
            batch = []
    sent += await _post(url, batch)
    say(f"{sent:,} events of history are in; from here on it is the present.")
    while waiting is not None:
        now_us = micros(datetime.now(UTC))
        batch = []
        while waiting is not None and waiting[0] <= now_us:
            batch.append(waiting[1])
            waiting = next(iter(islice(events, 1)), None)
        await _post(url, batch)
        await asyncio.sleep(REAL_TIME_S)


async def _post(url: str, lines: list[bytes]) -> int:
    """Send a batch; waits out a service that says it is busy."""
    if not lines:
        return 0
    request = urllib.request.Request(  # noqa: S310  (the address is our own service's)
        url, b"\n".join(lines), {"Content-Type": "application/x-ndjson"}
    )
    while True:
        try:
            await asyncio.to_thread(_send, request)
            return len(lines)
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503):
                raise TiltwatchError(f"the service answered the demonstration with {error.code}") from error
        except urllib.error.URLError as error:
            raise TiltwatchError("the service does not answer the demonstration") from error
        await asyncio.sleep(0.5)


def _send(request: urllib.request.Request) -> None:
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        answer.read()


async def _carry_out(url: str, start: str, say: Callable[[str], None]) -> None:
    """Be a platform whose machines do what they are asked, and whose people are still at lunch."""
    while True:
        await asyncio.sleep(PLATFORM_S)
        carried_out: dict[tuple[str, str], list[str]] = {}
        cursor: str | None = ""
        while cursor is not None:
            page = await asyncio.to_thread(_ask, f"{url}?limit=500{cursor and f'&cursor={cursor}'}")
            for each in page["items"]:
                if each["action"] not in HUMAN:
                    said = {"outcome": "done", "at": rfc3339_ms(micros(datetime.now(UTC)))}
                    await asyncio.to_thread(_ask, f"{url}/{each['id']}/acknowledge", said)
                    if each["opened_at"] >= start:
                        carried_out.setdefault((each["player"], each["level"]), []).append(each["action"])
            cursor = page["next_cursor"]
        for (player, level), actions in carried_out.items():
            say(f"{datetime.now(UTC):%H:%M:%S}  platform  {player}  {level}: {', '.join(actions)} done")


def _ask(url: str, said: dict[str, str] | None = None) -> dict[str, Any]:
    """A request to our own service and its answer; nothing to do where it has no time."""
    body = None if said is None else msgspec.json.encode(said)
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            told: dict[str, Any] = msgspec.json.decode(answer.read())
            return told
    except OSError:
        return {"items": [], "next_cursor": None}


async def _tell(redis_url: str, start: str, say: Callable[[str], None]) -> None:
    """Print alerts as they come: those of the history by their number, those of the present one by one."""
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
