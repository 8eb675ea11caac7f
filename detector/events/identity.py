"""Which event is this, and is it the same as before: two hashes of 64 bits that hold across processes."""

from __future__ import annotations

import msgspec
import xxhash

from detector.events.vocabulary import Event

# Writes a time as seconds since the epoch, so that the zone it was sent in drops out.
_pack = msgspec.msgpack.Encoder().encode


def identity(source: str, event_id: str) -> int:
    """64 bits for the source and id that together name one event of a player."""
    return xxhash.xxh3_64_intdigest(f"{len(source)}:{source}{event_id}".encode())


def fingerprint(event: Event) -> int:
    """64 bits of an event's decoded content, however it was spelt (order of keys, zone of a time)."""
    return xxhash.xxh3_64_intdigest(_pack(event))
