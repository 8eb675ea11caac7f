"""Lines of a log, from a file or standard input, plain, gzip or zstd."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from detector.errors import InputError

CHUNK = 1 << 20
MAX_KEPT = 8 << 20
"""Bytes kept of one line. What is longer is no event; its first bytes go to the dead letters."""

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_BOM = b"\xef\xbb\xbf"


class LogReader:
    """Reads a log in chunks of lines; use it as a context.

    Parameters
    ----------
    source
        A path, or "-" for standard input. Compression is told by the first bytes, not by the name.

    Attributes
    ----------
    size
        Bytes of the file as it lies, None when unknown.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.size: int | None = None
        self._stack = ExitStack()

    def __enter__(self) -> LogReader:
        try:
            if self.source == "-":
                raw = sys.stdin.buffer
            else:
                path = Path(self.source)
                raw = cast(io.BufferedReader, self._stack.enter_context(path.open("rb", buffering=CHUNK)))
                self.size = path.stat().st_size if path.is_file() else None
            self._raw = raw
            start = raw.peek(4)[:4] if hasattr(raw, "peek") else b""
        except OSError as error:
            raise InputError(f"{self.source}: {error.strerror or error}") from error
        self._stream: BinaryIO = cast(BinaryIO, raw)
        if start.startswith(_GZIP):
            self._stream = cast(BinaryIO, self._stack.enter_context(gzip.GzipFile(fileobj=raw)))
        elif start.startswith(_ZSTD):
            self._stream = cast(BinaryIO, _Zstd(cast(BinaryIO, raw)))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def position(self) -> int:
        """Bytes of the file read so far, as it lies."""
        return self._raw.tell() if self.size is not None else 0

    def chunks(self) -> Iterator[list[bytes]]:
        """Lists of lines without their ends, in order; blank lines are empty bytes.

        A line longer than MAX_KEPT comes cut to it. InputError when the compression is broken.
        """
        rest = b""
        skipping = False
        first = True
        while data := self._read():
            if first:
                data, first = data.removeprefix(_BOM), False
            lines = (rest + data).split(b"\n")
            rest = lines.pop()
            if skipping and lines:
                # The end of a line of which the beginning is out already.
                lines.pop(0)
                skipping = False
            if skipping:
                rest = b""
            elif len(rest) > MAX_KEPT:
                lines.append(rest[:MAX_KEPT])
                rest, skipping = b"", True
            if lines:
                yield lines
        if rest:
            yield [rest]

    def _read(self) -> bytes:
        try:
            return self._stream.read(CHUNK)
        except (EOFError, OSError, zlib.error, zstandard.ZstdError) as error:
            raise InputError(f"{self.source}: the compressed data is damaged or cut short") from error


class _Zstd:
    """Reads zstd frames one after the other, and tells one that is cut short; the library reads over it."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._rest = b""
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._begun = False

    def read(self, size: int) -> bytes:
        """Some of what is left, not always `size`; empty at the end. EOFError where a frame is cut short."""
        while True:
            data = self._rest or self._raw.read(size)
            self._rest = b""
            if not data:
                if self._begun:
                    raise EOFError
                return b""
            self._begun = True
            out = self._frame.decompress(data)
            if self._frame.eof:
                self._rest = self._frame.unused_data
                self._frame = zstandard.ZstdDecompressor().decompressobj()
                self._begun = False
            if out:
                return out
