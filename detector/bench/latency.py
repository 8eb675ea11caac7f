"""How long it takes from sending an event until the alert it causes can be read, with the house busy."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from itertools import islice
from statistics import median
from typing import Any

import msgspec
from redis.asyncio import Redis

from detector.bench.rounds import Plan, Row
from detector.bench.service import Client, Service, running
from detector.drivers.streams import ALERTS
from detector.errors import StateError
from detector.simulator import Config, events

RATE = 500
"""Events a second, sent when their time has come and not when those before are answered."""
TOGETHER = 5
"""Events in a request: what a platform gathers in a hundredth of a second."""
PROBE_EVERY = 20
"""One event in so many causes an alert: words of distress from a player not seen before."""
EVENTS_A_ROUND = 5_000
WARM_UP = 20_000
"""Events that the house has behind it."""
EVENTS_A_PLAYER = 50
CONNECTIONS = 16
BATCH = 500
PATIENCE_S = 10.0
FIRST_MS, THEN_MS = 100.0, 15.0


class _Timed(msgspec.Struct):
    ts: str


class _Alert(msgspec.Struct):
    player: str


_timed = msgspec.json.Decoder(_Timed).decode
_alert = msgspec.json.Decoder(_Alert).decode


def measure(plan: Plan) -> list[Row]:
    """One row: the 99th percentile of each round."""
    count, warm_up = min(plan.events, EVENTS_A_ROUND), min(plan.events, WARM_UP)
    total = warm_up + count * (plan.rounds + 1)
    config = Config(events=total, players=max(10, total // EVENTS_A_PLAYER))
    log = events(config)
    with running() as service:
        rounds = asyncio.run(_rounds(service, log, warm_up, count, plan))
    every = [each for waits in rounds for each in waits]
    return [
        Row(
            name="latency",
            what=f"event in to alert readable, embedded, p99 at {RATE} events/s",
            unit="ms",
            ours=[percentile(waits, 0.99) for waits in rounds],
            first=FIRST_MS,
            then=THEN_MS,
            at_least=False,
            notes=[
                f"{TOGETHER} events a POST, {config.players:,} players, {len(every):,} alerts: "
                f"median {median(every):.1f} ms, p99 of all {percentile(every, 0.99):.1f} ms, "
                f"longest {max(every):.1f} ms; from when a POST is due until the alert stands in tw:alerts, "
                "on disk"
            ],
        )
    ]


async def _rounds(
    service: Service, log: Iterator[bytes], warm_up: int, count: int, plan: Plan
) -> list[list[float]]:
    """Waits in ms, a list a round."""
    rounds: list[list[float]] = []
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(Redis.from_url(service.redis_url, protocol=2))
        clients = [await stack.enter_async_context(Client(service)) for _ in range(CONNECTIONS)]
        plan.tell(f"latency: {warm_up:,} events to begin with")
        for start in range(0, warm_up, BATCH):
            await clients[0].post(list(islice(log, min(BATCH, warm_up - start))))
        for number in range(plan.rounds + 1):
            plan.tell("latency: " + (f"round {number} of {plan.rounds}" if number else "warming up"))
            rounds.append(await _round(clients, redis, _with_probes(islice(log, count), number)))
        await _look_up(clients[0], f"bench-{plan.rounds}-0")
    return rounds[1:]


async def _look_up(client: Client, player: str) -> None:
    """Find a probe's alert where agents find it, which it comes to some moments after the stream."""
    until = time.monotonic() + PATIENCE_S
    while b'"distress-contact@' not in (alerts := await client.get(f"/v1/alerts?player={player}")):
        if time.monotonic() > until:
            raise StateError(f"an alert of the stream is not at /v1/alerts: {alerts[:300]!r}")
        await asyncio.sleep(0.1)


def _with_probes(lines: Iterable[bytes], number: int) -> list[tuple[bytes, str | None]]:
    """Lines, some of them replaced by a probe of the same time, with the player of each probe."""
    mixed: list[tuple[bytes, str | None]] = []
    for place, line in enumerate(lines):
        if place % PROBE_EVERY:
            mixed.append((line, None))
            continue
        player = f"bench-{number}-{place}"
        probe = {
            "type": "contact",
            "id": "words",
            "source": "bench",
            "player": player,
            "ts": _timed(line).ts,
            "topic": "distress",
        }
        mixed.append((msgspec.json.encode(probe), player))
    return mixed


async def _round(
    clients: Sequence[Client], redis: Redis, mixed: Sequence[tuple[bytes, str | None]]
) -> list[float]:
    """Send events at the rate, and return how long each probe's alert took to be readable, in ms."""
    due: dict[str, float] = {}
    waits: list[float] = []
    sending: asyncio.Queue[list[bytes]] = asyncio.Queue()
    probes = sum(1 for _, player in mixed if player is not None)
    newest: Any = await redis.xrevrange(ALERTS, count=1)
    place = newest[0][0] if newest else b"0-0"

    async def send(client: Client) -> None:
        while True:
            await client.post(await sending.get())
            sending.task_done()

    async def watch() -> None:
        nonlocal place
        while len(waits) < probes:
            answer: Any = await redis.xread({ALERTS: place}, block=int(PATIENCE_S * 1000))
            now = time.perf_counter()
            if not answer:
                raise StateError(f"{probes - len(waits)} alerts did not come within {PATIENCE_S:.0f} s")
            for place, fields in answer[0][1]:  # noqa: B007  (the last one is where to go on)
                since = due.get(_alert(fields[b"a"]).player)
                if since is not None:
                    waits.append((now - since) * 1000)

    async def feed() -> None:
        began = time.perf_counter()
        for start in range(0, len(mixed), TOGETHER):
            at = began + start / RATE
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            batch = mixed[start : start + TOGETHER]
            due.update((player, at) for _, player in batch if player is not None)
            sending.put_nowait([line for line, _ in batch])

    try:
        async with asyncio.TaskGroup() as group:
            senders = [group.create_task(send(client)) for client in clients]
            feeding = group.create_task(feed())
            await watch()
            await feeding
            await sending.join()
            for sender in senders:
                sender.cancel()
    except ExceptionGroup as troubles:
        raise troubles.exceptions[0] from None
    return waits


def percentile(waits: Sequence[float], share: float) -> float:
    """The nearest-rank percentile."""
    return sorted(waits)[math.ceil(share * len(waits)) - 1]
