"""Samples, labels and flags as they stand in Redis, for whoever learns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from redis import Redis
from redis.exceptions import RedisError

from detector.drivers.streams import SAMPLES, TRAINER, make_group, order_of
from detector.drivers.trainer import Entry, Reading, SourceAway
from models.ordering import Heard
from models.sample import Flag, Label, Sample

TIME, NUMBER, COUNT = f"{SAMPLES} time", f"{SAMPLES} number", f"{SAMPLES} count"
"""What a place is made of: the two numbers of the last entry's id, and the how manieth it was."""
BATCH = 500

_Entries = list[tuple[bytes, dict[bytes, bytes]]]
_decode = msgspec.json.Decoder(Sample | Label | Flag).decode


def read_heard(data: bytes | None) -> Heard | None:
    """A sample, label or flag out of JSON; None for what is none, whoever wrote it."""
    try:
        heard: Heard = _decode(data or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return heard


class RedisSamples:
    """Reads the stream and has it trimmed behind what is kept.

    The stream is bounded, so that it may have lost what nobody read; it counts its entries, which tells how
    many.
    """

    def __init__(self, redis_url: str) -> None:
        self._redis = Redis.from_url(redis_url, socket_timeout=30, protocol=2)
        self._is_ready = False

    def has_any(self) -> bool:
        """Whether there is, or ever was, anything to hear; SourceAway."""
        try:
            return self._redis.exists(SAMPLES) > 0 and self._redis.xinfo_stream(SAMPLES)["entries-added"] > 0
        except RedisError as error:
            raise SourceAway(type(error).__name__) from None

    def read(self, place: Mapping[str, int]) -> Reading:
        """What comes after a place; SourceAway."""
        try:
            if not self._is_ready:
                make_group(self._redis, SAMPLES, TRAINER)
                self._is_ready = True
            reached = place.get(TIME, 0), place.get(NUMBER, 0)
            found, stream = self._look(reached)
            count = place.get(COUNT, 0)
            if order_of(stream["last-generated-id"]) < reached or stream["entries-added"] < count:
                # It is another stream than the place speaks of: Redis began anew.
                count = 0
                found, stream = self._look((0, 0))
        except RedisError as error:
            self._is_ready = False
            raise SourceAway(type(error).__name__) from None
        gone = stream["entries-added"] - stream["length"]
        lost = max(0, gone - count)
        entries = []
        for nth, (id_, fields) in enumerate(found, count + lost + 1):
            time, number = order_of(id_)
            entries.append(Entry(read_heard(fields.get(b"s")), {TIME: time, NUMBER: number, COUNT: nth}))
        if not entries:
            # There is no place after the gap, and it would be told again.
            return Reading()
        return Reading(entries, lost, behind=stream["entries-added"] - entries[-1].place[COUNT])

    def _look(self, reached: tuple[int, int]) -> tuple[_Entries, dict[str, Any]]:
        """Entries after an id, and what the stream counts at the same moment."""
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.xread({SAMPLES: "{}-{}".format(*reached)}, count=BATCH)
            pipe.xinfo_stream(SAMPLES)
            answer, stream = pipe.execute()
        return (answer[0][1] if answer else []), stream

    def keep(self, place: Mapping[str, int]) -> None:
        """Give up what is learned; SourceAway."""
        if TIME not in place:
            return
        try:
            self._redis.xgroup_setid(
                SAMPLES, TRAINER, f"{place[TIME]}-{place[NUMBER]}", entries_read=place[COUNT]
            )
        except RedisError as error:
            raise SourceAway(type(error).__name__) from None

    def close(self) -> None:
        """Give the connection back."""
        self._redis.close()
