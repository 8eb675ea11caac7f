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

import msgspec
import xxhash
import zstandard

from detector.drivers.segments import archived
from detector.errors import InputError

CHUNK = 1 << 18
"""Bytes of text that make a chunk. Time passes once a chunk in a replay, so it is the same for everybody."""
MAX_KEPT = 8 << 20
"""Bytes kept of one line. What is longer is no event; its first bytes go to the dead letters."""

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_BOM = b"\xef\xbb\xbf"
_RAW = 1 << 16  # a zstd frame can hold some thousand times its size: taken in small bites


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a reader stands after a chunk.

    `offset` counts bytes of text (after decompression), `digest` is their hash, `rest` the beginning of a
    line that is not complete yet, and `skipping` says whether that line is too long to be kept.
    """

    offset: int
    digest: bytes
    rest: bytes
    skipping: bool


class LogReader:
    """Reads a log in chunks of lines; use it as a context.

    Where a chunk ends depends on nothing but the text before it.

    Parameters
    ----------
    source
        A path, or "-" for standard input. Compression is told by the first bytes, not by the name. Of a
        folder, the archive's days in it are read one after the other.

    Attributes
    ----------
    size
        Bytes of the file as it lies, None when unknown.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.size: int | None = None
        self._stack = ExitStack()
        self._offset = 0
        self._digest = xxhash.xxh3_128()
        self._rest = b""
        self._skipping = False

    def __enter__(self) -> LogReader:
        try:
            if self.source == "-":
                raw = sys.stdin.buffer
            elif (path := Path(self.source)).is_dir():
                raw = self._stack.enter_context(archived(path))
            else:
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

    @property
    def digest(self) -> str:
        """The xxh3-128 of the text read so far, in hex."""
        return self._digest.hexdigest()

    @property
    def place(self) -> Place | None:
        """After the chunk that was read last; None where a log that grows would go on in that chunk."""
        if self._offset % CHUNK:
            return None
        return Place(self._offset, self._digest.digest(), self._rest, self._skipping)

    def skip_to(self, place: Place) -> None:
        """Go where an earlier reader of the same log stood, before any chunk is read.

        Raises
        ------
        InputError
            The text up to there is not the same any more.
        """
        while self._offset < place.offset and self._read(min(CHUNK, place.offset - self._offset)):
            pass
        if (self._offset, self._digest.digest()) != (place.offset, place.digest):
            raise InputError(
                f"{self.source}: what was read before is not the same any more; a log may grow, not change"
            )
        self._rest, self._skipping = place.rest, place.skipping

    def chunks(self) -> Iterator[list[bytes]]:
        """Lists of lines without their ends, in order; blank lines are empty bytes.

        A line longer than MAX_KEPT comes cut to it. InputError when the compression is broken.
        """
        first = self._offset == 0
        while data := self._read(CHUNK):
            if first:
                data, first = data.removeprefix(_BOM), False
            lines = (self._rest + data).split(b"\n")
            self._rest = lines.pop()
            if self._skipping and lines:
                # The end of a line of which the beginning is out already.
                lines.pop(0)
                self._skipping = False
            if self._skipping:
                self._rest = b""
            elif len(self._rest) > MAX_KEPT:
                lines.append(self._rest[:MAX_KEPT])
                self._rest, self._skipping = b"", True
            if lines:
                yield lines
        if self._rest:
            yield [self._rest]

    def _read(self, size: int) -> bytes:
        """That many bytes of text, fewer only at the end."""
        parts: list[bytes] = []
        missing = size
        try:
            while missing and (part := self._stream.read(missing)):
                parts.append(part)
                missing -= len(part)
        except (EOFError, OSError, zlib.error, zstandard.ZstdError) as error:
            raise InputError(f"{self.source}: the compressed data is damaged or cut short") from error
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        self._digest.update(data)
        self._offset += len(data)
        return data


class _Zstd:
    """Reads zstd frames one after the other, and tells one that is cut short; the library reads over it."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._rest = b""
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._begun = False
        self._out = io.BytesIO()

    def read(self, size: int) -> bytes:
        """Some of what is left, not always `size`; empty at the end. EOFError where a frame is cut short."""
        while not (out := self._out.read(size)):
            data = self._rest or self._raw.read(_RAW)
            self._rest = b""
            if not data:
                if self._begun:
                    raise EOFError
                return b""
            self._begun = True
            self._out = io.BytesIO(self._frame.decompress(data))
            if self._frame.eof:
                self._rest = self._frame.unused_data
                self._frame = zstandard.ZstdDecompressor().decompressobj()
                self._begun = False
        return out
