"""The archive's days as one log: segments behind one another, in the order in which they were received."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from detector.errors import InputError

_SEGMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:\.([0-9]{1,4}))?\.jsonl\.zst")


def segments(folder: Path) -> list[Path]:
    """The segments of an archive, all but those of its latest day, which may still be written to.

    Raises
    ------
    InputError
        There is no whole day in the folder.
    """
    found = []
    for path in folder.iterdir():
        match = _SEGMENT.fullmatch(path.name)
        if match is not None:
            found.append((match[1], int(match[2] or 1), path))
    latest = max((day for day, _, _ in found), default="")
    whole = [path for day, _, path in sorted(found) if day < latest]
    if not whole:
        raise InputError(f"{folder}: no day of an archive (2026-01-01.jsonl.zst) that is over lies there")
    return whole


def archived(folder: Path) -> io.BufferedReader:
    """The bytes of an archive's segments, one behind the other, opened as they are reached."""
    return io.BufferedReader(_Chain(segments(folder)))


class _Chain(io.RawIOBase):
    """Files read as if they were one."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._waiting: Iterator[Path] = iter(paths)
        self._file: io.FileIO | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._file is None:
                path = next(self._waiting, None)
                if path is None:
                    return 0
                self._file = io.FileIO(path)
            size = self._file.readinto(buffer)
            if size:
                return size
            self._file.close()
            self._file = None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        super().close()
