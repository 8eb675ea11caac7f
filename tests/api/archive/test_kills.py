"""The office killed in the middle of its work, again and again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from api.archive import index
from api.archive.segments import segment_path
from detector.drivers.valkey import Server
from tests.api.archive.office import last_entry, lines, office, put
from tests.api.archive.test_archiving import DAY, many
from tests.drivers.small import wait_for

KILLS = 6


def archived(redis: Redis) -> bytes:
    """How far the archive has come, as the stream knows it."""
    groups = redis.xinfo_groups("tw:events")
    return next((bytes(each["last-delivered-id"]) for each in groups if each["name"] == b"archive"), b"0-0")


def moved(redis: Redis, before: bytes) -> Callable[[], bool]:
    """Whether the archive has come further than that, or as far as it can."""
    return lambda: archived(redis) not in (before, b"0-0") or archived(redis) == last_entry(redis)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_killed_at_any_moment_it_misses_nothing_and_keeps_nothing_twice(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    dice = random.Random(7)
    sent = 0
    for _ in range(KILLS):
        before = archived(redis) if sent else b"0-0"
        put(redis, *many(600, first=sent))
        sent += 600
        command = [sys.executable, "-m", "tests.api.archive.child", valkey.url, str(tmp_path), store_url]
        with subprocess.Popen(command) as child:
            wait_for(moved(redis, before))
            for _ in range(dice.randrange(3)):
                wait_for(moved(redis, archived(redis)))
            child.send_signal(signal.SIGKILL)
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()
        segment = (await each.segments())[DAY]
    path = segment_path(tmp_path / "archive", DAY)
    assert lines(path) == many(sent)
    assert (segment.events, segment.length) == (sent, path.stat().st_size)
    told = index.read(path, segment.length)
    assert sum(frame.events for frame in told) == sent
    index.index_path(path).unlink()
    assert index.read(path, segment.length) == told
