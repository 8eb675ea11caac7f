"""A player's events in the archive, the newest first, opening as few frames as it takes."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from api.archive import index
from api.archive.events import face
from api.archive.index import Frame, player_hash
from api.archive.segments import Damaged, read_frame, segment_path

MOST_LOOKED_AT = 300_000
"""Frames whose index is looked at for one answer."""
MOST_OPENED = 1_000
"""Frames that are unpacked for one answer."""
NO_SEGMENT = 2**62
"""Stands behind the number of every segment: at one time, all events are before it."""


@dataclass(frozen=True, slots=True)
class Extent:
    """A segment as it stands in the store."""

    day: str
    part: int
    name: str
    length: int
    min_us: int
    max_us: int

    @property
    def number(self) -> int:
        """Segments in the order in which they were received."""
        return int(self.day.replace("-", "")) * 10_000 + self.part


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """A place in the order: by the event's time, at one time by receipt."""

    at_us: int
    segment: int
    offset: int
    line: int


@dataclass(frozen=True, slots=True)
class Found:
    """An event as it came."""

    spot: Spot
    type: str
    original: bytes


@dataclass(frozen=True, slots=True)
class Window:
    """Which events are asked for: before `before` and not before `from_us`, of `types` (None: any)."""

    before: Spot
    from_us: int
    types: Collection[str] | None = None

    def holds(self, spot: Spot, type_: str) -> bool:
        return (
            self.from_us <= spot.at_us and spot < self.before and (self.types is None or type_ in self.types)
        )


@dataclass(frozen=True, slots=True)
class Stretch:
    """Events found, the newest first; `rest` is where to go on, None where there are no older ones.

    `damaged` are segments that could not be read, or not wholly.
    """

    events: list[Found]
    rest: Spot | None
    damaged: frozenset[str]


class Reader:
    """Looks through segments for one player.

    The heap holds what may come next by the newest event that can be in it: a segment, a frame, an event; at
    one time segments come before frames and these before events, so that an event is only given out when
    nothing that is still closed can hold a newer one.
    """

    def __init__(self, folder: Path, segments: Sequence[Extent], player: str, window: Window) -> None:
        self._folder = folder
        self._player = player
        self._hash = player_hash(player)
        self._window = window
        self._heap: list[tuple[int, int, int, int, int, Extent, Frame | Found | None]] = []
        self._looked_at = self._opened = 0
        self._damaged: set[str] = set()
        for each in segments:
            if each.max_us >= window.from_us and each.min_us <= window.before.at_us:
                self._push(min(each.max_us, window.before.at_us), 0, each, None)

    def read(self, limit: int) -> Stretch:
        """At most `limit` events; fewer, and still a `rest`, where very much had to be looked through."""
        found: list[Found] = []
        while self._heap:
            at_us = -self._heap[0][0]
            is_tired = self._looked_at > MOST_LOOKED_AT or self._opened > MOST_OPENED
            if is_tired and at_us < self._window.before.at_us:
                # Nothing at this time was given out yet: what is there comes first next time.
                return Stretch(found, Spot(at_us, NO_SEGMENT, 0, 0), frozenset(self._damaged))
            *_, extent, what = heapq.heappop(self._heap)
            if isinstance(what, Found):
                if len(found) == limit:
                    return Stretch(found, found[-1].spot, frozenset(self._damaged))
                found.append(what)
                continue
            try:
                if what is None:
                    self._look_at(extent)
                else:
                    self._open(extent, what)
            except (Damaged, OSError):
                self._damaged.add(extent.name)
        return Stretch(found, None, frozenset(self._damaged))

    def _look_at(self, extent: Extent) -> None:
        window = self._window
        frames = index.read(segment_path(self._folder, extent.name), extent.length)
        self._looked_at += len(frames)
        for frame in frames:
            is_within = frame.max_us >= window.from_us and frame.min_us <= window.before.at_us
            if is_within and frame.has(self._hash):
                self._push(min(frame.max_us, window.before.at_us), 1, extent, frame)

    def _open(self, extent: Extent, frame: Frame) -> None:
        self._opened += 1
        with segment_path(self._folder, extent.name).open("rb") as file:
            lines = read_frame(file, frame.offset, frame.length)
        for number, original in enumerate(lines):
            seen = face(original)
            if seen is None or seen.player != self._player:
                continue
            spot = Spot(seen.ts_us, extent.number, frame.offset, number)
            if self._window.holds(spot, seen.type):
                self._push(spot.at_us, 2, extent, Found(spot, seen.type, original))

    def _push(self, at_us: int, rank: int, extent: Extent, what: Frame | Found | None) -> None:
        offset = what.spot.offset if isinstance(what, Found) else 0 if what is None else what.offset
        line = what.spot.line if isinstance(what, Found) else 0
        heapq.heappush(self._heap, (-at_us, rank, -extent.number, -offset, -line, extent, what))
