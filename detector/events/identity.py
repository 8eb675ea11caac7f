"""Which event is this, and is it the same as before: two hashes of 64 bits that hold across processes."""

from __future__ import annotations

from functools import lru_cache

import msgspec
import xxhash

from detector.events.vocabulary import Event

digest = xxhash.xxh3_64_intdigest

# Writes a time as seconds since the epoch, so that the zone it was sent in drops out.
pack = msgspec.msgpack.Encoder().encode


@lru_cache(maxsize=4096)
def _seed(source: str) -> int:
    return digest(source.encode())


def identity(source: str, event_id: str) -> int:
    """64 bits for the source and id that together name one event of a player."""
    return digest(event_id.encode(), _seed(source))


def fingerprint(event: Event) -> int:
    """64 bits of an event's decoded content, however it was spelt (order of keys, zone of a time)."""
    return digest(pack(event))
