"""Which events of a player were seen lately, so that repeats and conflicting repeats are told apart.

Three numbers an event: the 64-bit hash of its source and id, the 64-bit fingerprint of its content, and its
time. They lie in arrays sorted by the first, since a dict of integers would take five times the room.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left

MEMORY_US = 48 * 3600 * 1_000_000
"""How long an id is remembered, in event time behind the player's clock."""


class Seen:
    """The ids of one player."""

    __slots__ = ("contents", "ids", "oldest_us", "times")

    def __init__(self) -> None:
        self.ids = array("Q")
        self.contents = array("Q")
        self.times = array("q")
        # At or before every kept time; when it falls a whole memory behind, the arrays are swept.
        self.oldest_us = 2**62

    def admit(self, identity: int, content: int, clock_us: int) -> int | None:
        """Remember an id, unless it is known: then the content it is known with comes back.

        `clock_us` is the player's clock with this event applied. The memory runs from there, and not from the
        event's own time, or one that comes days late could be sent twice and be counted twice.
        """
        ids = self.ids
        limit = clock_us - MEMORY_US
        place = bisect_left(ids, identity)
        if place < len(ids) and ids[place] == identity:
            if self.times[place] > limit:
                return self.contents[place]
            self.contents[place] = content
            self.times[place] = clock_us
            return None
        ids.insert(place, identity)
        self.contents.insert(place, content)
        self.times.insert(place, clock_us)
        if self.oldest_us <= limit - MEMORY_US:
            # Not before a whole further memory has passed: a sweep reads every id.
            self.sweep(clock_us)
        elif self.oldest_us > clock_us:
            self.oldest_us = clock_us
        return None

    def knows(self, identity: int, clock_us: int) -> bool:
        """Whether an id is among those of the last 48 h."""
        place = bisect_left(self.ids, identity)
        known = place < len(self.ids) and self.ids[place] == identity
        return known and self.times[place] > clock_us - MEMORY_US

    def sweep(self, clock_us: int) -> None:
        """Drop what is beyond the memory."""
        limit = clock_us - MEMORY_US
        kept = [place for place, at_us in enumerate(self.times) if at_us > limit]
        self.ids = array("Q", [self.ids[place] for place in kept])
        self.contents = array("Q", [self.contents[place] for place in kept])
        self.times = array("q", [self.times[place] for place in kept])
        self.oldest_us = min(self.times, default=2**62)
