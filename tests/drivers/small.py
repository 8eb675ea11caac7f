"""Small rules and events whose alerts can be told by hand, and ways to watch a detector at work."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis

from detector.drivers.embedded import EmbeddedDetector, Options
from detector.engine.engine import Engine
from detector.events.instants import rfc3339_ms
from detector.events.money import Currencies
from detector.language.pack import load_rules

NOON_US = 1_767_268_800_000_000  # 2026-01-01T12:00:00Z
MINUTE_US = 60_000_000
DAY_US = 24 * 60 * MINUTE_US

THIRD_DEPOSIT = """\
id: third-deposit
version: 1
status: {status}
title: Three deposits in an hour
category: deposits
audience: risk
severity: high
why: Told by hand.
sources: ["none"]
trigger: deposit
let:
  deposits: count(deposit) over 1h
when: deposits >= 3
cooldown: 1h
explain: "{{deposits}} deposits in an hour"
respond: L1
"""
QUIET_HOUR = """\
id: quiet-hour
version: 1
status: live
title: An hour without play
category: losses
audience: follow_up
severity: low
why: Told by hand.
sources: ["none"]
trigger: {silence: 1h}
when: age >= 1h
cooldown: 1d
explain: "An hour without play"
respond: L0
"""


def write_rules(folder: Path) -> Path:
    """Write the rules into `folder`: one live, the same in shadow under another id, one on silence."""
    (folder / "third-deposit.yml").write_text(THIRD_DEPOSIT.format(status="live"))
    beside = THIRD_DEPOSIT.format(status="shadow").replace("id: third-deposit", "id: third-in-shadow")
    (folder / "third-in-shadow.yml").write_text(beside)
    (folder / "quiet-hour.yml").write_text(QUIET_HOUR)
    return folder


def event(id_: str, at_us: int = NOON_US, player: str = "p1", type_: str = "deposit", **more: Any) -> bytes:
    """An event as JSON; a deposit of 10 CAD unless said otherwise."""
    fields: dict[str, Any] = {
        "type": type_,
        "id": id_,
        "source": "test",
        "player": player,
        "ts": rfc3339_ms(at_us),
    }
    if type_ == "deposit":
        fields |= {"amount": 1000, "currency": "CAD"}
    return json.dumps(fields | more).encode()


def detector(url: str, rules: Path, **options: Any) -> EmbeddedDetector:
    """A detector of the rules under `rules`, quick to notice that another one is gone."""
    clock = options.pop("clock", None)
    loaded = load_rules(rules)
    more = {} if clock is None else {"clock": clock}
    settled = Options(**{"lease_s": 1.0, **options})
    return EmbeddedDetector(url, lambda: Engine(loaded), Currencies(), settled, **more)


@contextmanager
def running(each: EmbeddedDetector) -> Iterator[threading.Event]:
    """Run a detector in a thread; what it raises comes out at the end."""
    stop = threading.Event()
    raised: list[BaseException] = []

    def work() -> None:
        try:
            each.run(stop)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()
    if raised:
        raise raised[0]


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something holds, and fail if it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def send(redis: Redis, *events: bytes) -> bytes:
    """Append events to the stream; returns the last entry's id."""
    last: Any = None
    with redis.pipeline(transaction=False) as pipe:
        for each in events:
            pipe.xadd("tw:events", {"e": each})
        last = pipe.execute()[-1]
    return bytes(last)


def place(redis: Redis) -> bytes:
    """How far the detector has come."""
    if not redis.exists("tw:events"):
        return b"0-0"
    places = {each["name"]: each["last-delivered-id"] for each in redis.xinfo_groups("tw:events")}
    return bytes(places.get(b"detector", b"0-0"))


def catch_up(redis: Redis, last: bytes) -> None:
    """Wait until the detector has dealt with the stream up to an entry."""
    wait_for(lambda: place(redis) == last)


def read(redis: Redis, stream: str) -> list[dict[bytes, bytes]]:
    """The fields of a stream's entries, oldest first."""
    entries: Any = redis.xrange(stream)
    return [fields for _, fields in entries]


def alerts(redis: Redis, stream: str = "tw:alerts") -> list[dict[str, Any]]:
    """The alerts of a stream, oldest first."""
    return [json.loads(fields[b"a"]) for fields in read(redis, stream)]


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody waits for stays as a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False
