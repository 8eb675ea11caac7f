"""A segment's file: frames of zstd, one behind the other, each holding the lines of a batch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard

from detector.drivers.files import PRIVATE, sync_folder
from detector.errors import StateError

SUFFIX = ".jsonl.zst"
LEVEL = 3
_BITE = 1 << 20


class Damaged(Exception):  # noqa: N818  (it is told as a finding, not to a user)
    """A file does not hold what was committed to it."""


def segment_path(folder: Path, name: str) -> Path:
    """Where a segment lies."""
    return folder / f"{name}{SUFFIX}"


def packed(lines: list[bytes]) -> bytes:
    """Lines as one frame; its content's size stands in it."""
    text = b"\n".join(lines) + b"\n"
    return zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress(text)


def unpacked(frame: bytes) -> list[bytes]:
    """The lines of a frame; Damaged where it is none."""
    try:
        return zstandard.ZstdDecompressor().decompress(frame).split(b"\n")[:-1]
    except zstandard.ZstdError:
        raise Damaged from None


def digest(path: Path, length: int) -> hashlib._Hash:
    """The SHA-256 over the first `length` bytes, to be gone on with; Damaged where there are fewer."""
    found = hashlib.sha256()
    for bite in _bites(path, length):
        found.update(bite)
    return found


def digest_of_all(path: Path) -> str:
    """The SHA-256 of a whole file, in hex; Damaged where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        raise Damaged from None


def append(path: Path, length: int, frame: bytes) -> None:
    """Put a frame behind the first `length` bytes, whatever else stood there, and onto the disk."""
    is_new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE)
    try:
        if os.fstat(descriptor).st_size < length:
            raise StateError(f"{path} is shorter than what was committed to it")
        os.ftruncate(descriptor, length)
        written = 0
        while written < len(frame):
            written += os.pwrite(descriptor, memoryview(frame)[written:], length + written)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        sync_folder(path.parent)


def cut(path: Path, length: int) -> None:
    """Drop what was written beyond the committed bytes."""
    if length == 0 and not path.exists():
        return
    with path.open("r+b") as file:
        if file.seek(0, os.SEEK_END) > length:
            file.truncate(length)
            os.fsync(file.fileno())


def frames(path: Path, start: int, length: int) -> Iterator[tuple[int, int, list[bytes]]]:
    """Each frame from byte `start` on within the first `length`: offset, length and lines.

    Raises
    ------
    Damaged
        The bytes are not whole frames.
    """
    rest = b""
    offset = start
    unpacking = zstandard.ZstdDecompressor().decompressobj()
    text, taken = bytearray(), 0
    try:
        for bite in _bites(path, length, start):
            rest = bite
            while rest:
                text += unpacking.decompress(rest)
                if not unpacking.eof:
                    taken += len(rest)
                    break
                after = unpacking.unused_data
                taken += len(rest) - len(after)
                yield offset, taken, bytes(text).split(b"\n")[:-1]
                offset, taken, rest = offset + taken, 0, after
                text.clear()
                unpacking = zstandard.ZstdDecompressor().decompressobj()
    except zstandard.ZstdError:
        raise Damaged from None
    if taken:
        raise Damaged


def read_frame(file: BinaryIO, offset: int, length: int) -> list[bytes]:
    """The lines of the frame at a place."""
    file.seek(offset)
    frame = file.read(length)
    if len(frame) < length:
        raise Damaged
    return unpacked(frame)


def _bites(path: Path, length: int, start: int = 0) -> Iterator[bytes]:
    left = length - start
    if left <= 0:
        return
    try:
        with path.open("rb") as file:
            file.seek(start)
            while left and (bite := file.read(min(left, _BITE))):
                left -= len(bite)
                yield bite
    except OSError:
        raise Damaged from None
    if left:
        raise Damaged
