"""The detector, and now and then its Redis, killed again and again while events pour in."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from redis import Redis

from detector.drivers.lines import LogReader
from detector.drivers.replay import in_order, replay
from detector.drivers.valkey import Server
from detector.engine.alerts import Alert
from detector.language.pack import default_pack, load_rules
from detector.simulator import Config, events
from tests.drivers.small import place, read, wait_for

import msgspec

EVENTS, KILLS = 50_000, 20
CONFIG = Config(
    players=400, seed=2, events=EVENTS, repeats=0.02, late=0.05, corrupt=0.01, corrections=0.01, troubled=0.3
)


def start(url: str, batch: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.drivers.child", url, default_pack(), str(batch)])


def feed(url: str, log: list[bytes], stop: threading.Event) -> None:
    """Send the log at an uneven pace, a piece again whenever Redis went away while it was sent."""
    dice = random.Random(3)
    at = 0
    while at < len(log) and not stop.is_set():
        piece = log[at : at + dice.randrange(1, 1500)]
        try:
            with Redis.from_url(url, protocol=2) as redis, redis.pipeline(transaction=True) as pipe:
                # What was sent moves with what was sent, so that no piece is sent twice.
                at = int(redis.get("test:sent") or 0)
                piece = log[at : at + len(piece)]
                for each in piece:
                    pipe.xadd("tw:events", {"e": each})
                pipe.set("test:sent", at + len(piece))
                pipe.execute()
            at += len(piece)
        except Exception:
            stop.wait(0.05)
        stop.wait(dice.random() * 0.2)
