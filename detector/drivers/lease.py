"""One detector at a time on one Redis.

The lease is a key with the holder's token that Redis lets expire. Every write of the detector is a
transaction that WATCHes this key, so one that was stalled and has lost it can read but not write.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError, WatchError

from detector.drivers.streams import DETECTOR, EVENTS
from detector.errors import SettingsError


class LeaseLost(Exception):  # noqa: N818  (a signal between the driver's parts, not an error of the user's)
    """The lease expired or another detector has it: nothing of this transaction was written."""


class Lease:
    """The right to write, held by `token`.

    Parameters
    ----------
    seconds
        How long the lease outlives the last transaction; a successor of a killed detector waits that long.
    """

    def __init__(self, redis: Redis, seconds: float) -> None:
        self._redis = redis
        self._ms = int(seconds * 1000)
        self._token = secrets.token_hex(8).encode()

    def acquire(self, stop: threading.Event) -> bool:
        """Wait for a lease that nobody renews to expire and take it; False when `stop` came first.

        Raises
        ------
        SettingsError
            Another detector holds it and is alive.
        """
        seen: Any = None
        while not stop.is_set():
            beat = self._redis.hget(DETECTOR, "beat")
            if beat is None:
                if self._take():
                    return True
            elif seen is None:
                seen = beat
            elif beat != seen:
                holder: Any = self._redis.hget(DETECTOR, "holder") or b"unknown"
                raise SettingsError(
                    f"another detector ({holder.decode()}) reads {EVENTS} on this Redis; "
                    "stop it, or use another Redis"
                )
            stop.wait(0.05)
        return False

    @contextmanager
    def transaction(self, state: str = "running") -> Iterator[Pipeline]:
        """Queue commands that run together, and only while the lease is held; renews it.

        Raises
        ------
        LeaseLost
        """
        with self._held() as pipe:
            yield pipe
            pipe.hset(DETECTOR, "state", state)
            pipe.hincrby(DETECTOR, "beat", 1)
            pipe.pexpire(DETECTOR, self._ms)

    def release(self) -> None:
        """Give the lease back if it is still held, so that the next detector need not wait."""
        with suppress(LeaseLost, RedisError), self._held() as pipe:
            pipe.delete(DETECTOR)

    @contextmanager
    def _held(self) -> Iterator[Pipeline]:
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.watch(DETECTOR)  # type: ignore[no-untyped-call]
            if pipe.hget(DETECTOR, "token") != self._token:
                raise LeaseLost
            pipe.multi()
            yield pipe
            try:
                pipe.execute()
            except WatchError:
                raise LeaseLost from None

    def _take(self) -> bool:
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.watch(DETECTOR)  # type: ignore[no-untyped-call]
            if pipe.exists(DETECTOR):
                return False
            pipe.multi()
            holder = f"process {os.getpid()} on {socket.gethostname()}"
            pipe.hset(
                DETECTOR, mapping={"token": self._token, "holder": holder, "state": "loading", "beat": 0}
            )
            pipe.pexpire(DETECTOR, self._ms)
            try:
                pipe.execute()
            except WatchError:
                return False
        return True
