"""The bridge killed, and paused past its turn, in the middle of its work."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from detector.drivers.kafka import topics
from detector.drivers.valkey import Server
from tests.api.kafka.office import at_work, copy_all, house, house_settings
from tests.brokers import Broker
from tests.drivers.small import event, read, wait_for

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

KILLS = 6
PLAYERS = 7


def put(kafka: Broker, first: int, count: int) -> None:
    """Alerts and events, numbered for each player in the order sent."""
    numbers = range(first, first + count)
    kafka.put(topics.ALERTS, *((f"p{n % PLAYERS}", b'{"id":"%d"}' % n) for n in numbers))
    kafka.put(
        topics.EVENTS,
        *((f"p{n % PLAYERS}", event(str(n), player=f"p{n % PLAYERS}")) for n in numbers),
    )


def copied(redis: Redis) -> int:
    return int(redis.xlen("tw:alerts")) + int(redis.xlen("tw:events"))


def moved(redis: Redis, before: int, all_: int) -> Callable[[], bool]:
    return lambda: copied(redis) > before or copied(redis) == all_


def child(kafka: Broker, valkey: Server, home: Path, store_url: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.api.kafka.child", valkey.url, str(home), store_url]
    return subprocess.Popen(command, env=os.environ | kafka.environment)


def each_once_and_in_order(redis: Redis, count: int) -> None:
    for stream, field in (("tw:alerts", b"a"), ("tw:events", b"e")):
        found = [int(json.loads(fields[field])["id"]) for fields in read(redis, stream)]
        assert sorted(found) == list(range(count))
        for player in range(PLAYERS):
            theirs = [n for n in found if n % PLAYERS == player]
            assert theirs == sorted(theirs)


async def test_killed_at_any_moment_it_copies_everything_once(
    valkey: Server, redis: Redis, kafka: Broker, tmp_path: Path, store_url: str
) -> None:
    dice = random.Random(5)
    sent = 0
    for _ in range(KILLS):
        put(kafka, sent, 300)
        sent += 300
        with child(kafka, valkey, tmp_path, store_url) as process:
            wait_for(moved(redis, copied(redis), 2 * sent))
            for _ in range(dice.randrange(4)):
                wait_for(moved(redis, copied(redis), 2 * sent))
            process.send_signal(signal.SIGKILL)
    await finish(valkey, redis, kafka, tmp_path, store_url, 2 * sent)
    each_once_and_in_order(redis, sent)


async def test_one_who_was_paused_and_replaced_writes_nothing_when_it_wakes(
    valkey: Server, redis: Redis, kafka: Broker, tmp_path: Path, store_url: str
) -> None:
    put(kafka, 0, 300)
    with child(kafka, valkey, tmp_path, store_url) as process:
        wait_for(moved(redis, 0, 600))
        process.send_signal(signal.SIGSTOP)
        put(kafka, 300, 300)
        await finish(valkey, redis, kafka, tmp_path, store_url, 1200)
        process.send_signal(signal.SIGCONT)
        # Its lease has run out, so it takes over by its turn and goes on from where the other stopped.
        put(kafka, 600, 300)
        wait_for(moved(redis, 1799, 1800))
        process.send_signal(signal.SIGKILL)
    each_once_and_in_order(redis, 900)


async def finish(valkey: Server, redis: Redis, kafka: Broker, home: Path, store_url: str, count: int) -> None:
    async with house(house_settings(kafka, home, store_url), valkey.url) as each:
        effects, events = each.copying("effects"), each.copying("events")
        async with at_work(effects, events):
            await copy_all(effects, redis, lambda: redis.xlen("tw:alerts") >= count // 2)
            await copy_all(events, redis, lambda: redis.xlen("tw:events") >= count // 2)
            for duty in (effects, events):
                await duty.round()
