"""How far a trainer has come, as it tells the service: numbers alone, and none of a single player."""

from __future__ import annotations

import msgspec
import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from detector.drivers.streams import PROGRESS

log = structlog.get_logger()

EVERY_S = 5.0
"""How often a trainer tells, at most: while it registers challengers or keeps a large state it is silent."""
FORGOTTEN_S = 7 * 86_400
"""After so many seconds of silence nobody expects a trainer any more."""
_WAIT_S = 1.0


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """A trainer, just after it has read; times are µs since the epoch, by its wall clock.

    Parameters
    ----------
    at
        When it told.
    behind
        Entries between what it has heard and the end; on Kafka marks of transactions count too.
    samples, labels, lost
        How many it has taken in, and how many entries were gone before it heard them, since it began to
        learn on the features it learns on now; a trainer that was killed tells what it had kept.
    unkept_since
        When it heard the first of what a crash would have it hear again; None: all is kept.
    registered
        When challengers were registered last; None before the first.
    """

    at: int
    behind: int
    samples: int
    labels: int
    lost: int
    unkept_since: int | None
    registered: int | None


_decode = msgspec.json.Decoder(Progress).decode


def read_progress(data: bytes | None) -> Progress | None:
    """What a trainer told; None where none did, or one of another version."""
    try:
        return _decode(data or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


class Telling:
    """Tells by Redis. Learning does not wait for it: what could not be told is told the next time."""

    def __init__(self, redis_url: str) -> None:
        self._redis = Redis.from_url(
            redis_url,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=_WAIT_S,
            socket_connect_timeout=_WAIT_S,
            protocol=2,
        )
        self._is_away = False

    def __call__(self, progress: Progress) -> None:
        try:
            self._redis.set(PROGRESS, msgspec.json.encode(progress), ex=FORGOTTEN_S)
        except RedisError as error:
            if not self._is_away:
                log.warning("nobody can be told how far learning has come", error=type(error).__name__)
            self._is_away = True
        else:
            self._is_away = False

    def close(self) -> None:
        """Give the connection back."""
        self._redis.close()
