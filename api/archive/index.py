"""Beside each segment, where in it a player's events are. It can always be made anew from the segment.

A file of little-endian records, one a frame: its offset and length in bytes, its number of events, the
earliest and the latest event's time in µs, then the number of its players and the xxh3 of each, sorted; last
the xxh3 of the record itself.
"""

from __future__ import annotations

import os
import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import xxhash

from api.archive.events import face
from api.archive.segments import Damaged, frames
from detector.drivers.files import PRIVATE, replaced

SUFFIX = ".idx"
_HEAD = struct.Struct("<QIIqqI")
_PLAYER_BYTES = 8
_SUM_BYTES = 8


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands in a frame; `players` are hashes, sorted."""

    offset: int
    length: int
    events: int
    min_us: int
    max_us: int
    players: Sequence[int]

    def has(self, player: int) -> bool:
        """Whether a player of that hash may have an event in it."""
        found = bisect_left(self.players, player)
        return found < len(self.players) and self.players[found] == player


def player_hash(player: str) -> int:
    """The number that stands for a player."""
    return xxhash.xxh3_64_intdigest(player.encode())


def index_path(segment: Path) -> Path:
    """Where the index of a segment lies."""
    return segment.with_suffix(SUFFIX)


def frame_of(offset: int, length: int, times: Iterable[int], players: Iterable[str]) -> Frame:
    """What there is to say of a frame."""
    all_us = list(times)
    hashes = array("Q", sorted({player_hash(player) for player in players if player}))
    return Frame(offset, length, len(all_us), min(all_us), max(all_us), hashes)


def record(frame: Frame) -> bytes:
    """A frame's record."""
    head = _HEAD.pack(
        frame.offset, frame.length, frame.events, frame.min_us, frame.max_us, len(frame.players)
    )
    body = head + _little(array("Q", frame.players)).tobytes()
    return body + xxhash.xxh3_64_intdigest(body).to_bytes(_SUM_BYTES, "little")


def append(segment: Path, found: Frame) -> None:
    """Add a frame's record; it need not reach the disk, for it can be made anew."""
    descriptor = os.open(index_path(segment), os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE)
    with os.fdopen(descriptor, "ab") as file:
        file.write(record(found))


def read(segment: Path, length: int) -> list[Frame]:
    """The frames of the first `length` bytes of a segment; what the index lacks is read from the segment.

    Raises
    ------
    Damaged
        The segment itself cannot be read.
    """
    known = _known(index_path(segment), length)
    end = known[-1].offset + known[-1].length if known else 0
    return known + [_looked_at(*each) for each in frames(segment, end, length)] if end < length else known


def mend(segment: Path, length: int) -> None:
    """Have the index say what is in the first `length` bytes and nothing else."""
    try:
        found = b"".join(map(record, read(segment, length)))
    except Damaged:
        return
    path = index_path(segment)
    if not path.exists() or path.read_bytes() != found:
        with replaced(path, private=True) as file:
            file.write(found)


def _known(path: Path, length: int) -> list[Frame]:
    """The frames of an index file as far as they can be believed."""
    try:
        data = path.read_bytes()
    except OSError:
        return []
    found: list[Frame] = []
    at = end = 0
    while end < length and at + _HEAD.size <= len(data):
        offset, size, events, min_us, max_us, count = _HEAD.unpack_from(data, at)
        stop = at + _HEAD.size + count * _PLAYER_BYTES
        if offset != end or end + size > length or stop + _SUM_BYTES > len(data):
            break
        if xxhash.xxh3_64_intdigest(data[at:stop]).to_bytes(_SUM_BYTES, "little") != data[stop : stop + 8]:
            break
        players = array("Q", data[at + _HEAD.size : stop])
        found.append(Frame(offset, size, events, min_us, max_us, _little(players)))
        at, end = stop + _SUM_BYTES, end + size
    return found


def _looked_at(offset: int, length: int, lines: list[bytes]) -> Frame:
    faces = [each for each in map(face, lines) if each is not None]
    if not faces:
        raise Damaged
    return frame_of(offset, length, (each.ts_us for each in faces), (each.player for each in faces))


def _little(numbers: array[int]) -> array[int]:
    if struct.pack("=H", 1) != struct.pack("<H", 1):
        numbers = array("Q", numbers)
        numbers.byteswap()
    return numbers
