"""Entries of the stream made ready for the files: in segments, packed, with their place in the index."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from api.archive.events import Face, face, line
from api.archive.index import Frame, frame_of
from api.archive.segments import packed
from api.archive.tables import Segment
from detector.drivers.streams import order_of, read_instant
from detector.events.instants import to_datetime

Entries = Sequence[tuple[bytes, dict[bytes, bytes]]]


@dataclass(slots=True)
class Open:
    """The segment that grows: what is committed of it, and the hash over that, to be gone on with."""

    day: str
    part: int = 1
    length: int = 0
    events: int = 0
    min_us: int = 0
    max_us: int = 0
    hash: hashlib._Hash = field(default_factory=hashlib.sha256)

    @property
    def row(self) -> Segment:
        """The segment as the store has it."""
        return Segment(
            day=self.day,
            part=self.part,
            length=self.length,
            events=self.events,
            sha256=self.hash.hexdigest(),
            min_us=self.min_us,
            max_us=self.max_us,
            sealed_us=None,
        )

    @property
    def name(self) -> str:
        return self.row.name

    def with_frame(self, frame: bytes, about: Frame) -> Open:
        """What it is once a frame has been added."""
        hashed = self.hash.copy()
        hashed.update(frame)
        first = self.events == 0
        return Open(
            self.day,
            self.part,
            self.length + about.length,
            self.events + about.events,
            about.min_us if first else min(self.min_us, about.min_us),
            about.max_us if first else max(self.max_us, about.max_us),
            hashed,
        )


@dataclass(frozen=True, slots=True)
class Parcel:
    """What goes into one segment: its frame, and the times and players in it."""

    day: str
    frame: bytes
    times: list[int]
    faces: list[Face]

    def about(self, offset: int) -> Frame:
        """What the index says of it where it lies at `offset`."""
        return frame_of(offset, len(self.frame), self.times, (each.player for each in self.faces))


def parcels(entries: Entries, today: str) -> list[Parcel]:
    """The events of some entries by the UTC day of their receipt, in the order of the stream.

    Parameters
    ----------
    today
        No day is later: a sender's wrong clock must not open next year's file.
    """
    found: list[tuple[str, list[bytes], list[Face]]] = []
    for entry, fields in entries:
        original = fields.get(b"e", b"")
        seen = face(original)
        if seen is None:
            continue
        day = min(today, day_of(received_us(entry, fields)))
        if not found or found[-1][0] < day:
            found.append((day, [], []))
        found[-1][1].append(line(original))
        found[-1][2].append(seen)
    return [Parcel(day, packed(lines), [each.ts_us for each in faces], faces) for day, lines, faces in found]


def received_us(entry: bytes, fields: dict[bytes, bytes]) -> int:
    """When an entry was received: as it says, else when it was put on the stream."""
    told_us = read_instant(fields.get(b"r"))
    return order_of(entry)[0] * 1000 if told_us is None else told_us


def day_of(us: int) -> str:
    """The UTC day of an instant, as segments are named."""
    return to_datetime(us).date().isoformat()
