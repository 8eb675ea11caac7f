"""A worker of a replay in a process of its own, and the line to it: framed messages over its two pipes.

multiprocessing would do, but that has each worker import the whole command line first, three times as much
as it needs.
"""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from types import MappingProxyType
from typing import Any, BinaryIO, TypeVar

import msgspec

from detector.drivers.collector import without_collector
from detector.drivers.detection import Detection
from detector.drivers.faults import where
from detector.drivers.hand import Hand, Report, Saved, Stored
from detector.drivers.shares import Share
from detector.errors import StateError, TiltwatchError

TAKE, SAVE, FINISH = b"t", b"s", b"f"
"""What a message is about, in its first byte."""

_DONE, _FAILED = b".", b"!"
_LENGTH = 8
_PATIENCE_S = 5
# Ctrl-C reaches every process of the terminal; the one that began this closes the pipes then.
_START = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "from detector.drivers.worker import main; main()"
)
_GONE = "a worker of the replay ended before its time, killed or out of memory; try fewer --jobs"

_encode = msgspec.msgpack.Encoder().encode
_read_share = msgspec.msgpack.Decoder(Share).decode
_Answer = TypeVar("_Answer", Report, Saved)


class Remote:
    """A worker, seen from the process that began it; the parameters are those of `Hand`."""

    def __init__(
        self,
        detection: Detection,
        folder: Path,
        number: int,
        jobs: int,
        *,
        keep_records: bool,
        all_alerts: bool,
        stored: Stored | None,
    ) -> None:
        settings = {"keep_records": keep_records, "all_alerts": all_alerts, "stored": stored}
        self._process = subprocess.Popen(  # noqa: S603  (this Python)
            # -P: not what happens to lie in the working directory, but what runs here.
            [sys.executable, "-P", "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(each or str(Path.cwd()) for each in sys.path)},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to: BinaryIO = self._process.stdin  # type: ignore[assignment]  # a buffered writer
        self._from: BinaryIO = self._process.stdout  # type: ignore[assignment]
        self.send(_pickled(((detection, folder, number, jobs), settings)))

    def send(self, message: bytes) -> None:
        """Send a message; StateError if nobody is there any more."""
        try:
            _write(self._to, message)
        except OSError:
            raise StateError(_GONE) from None

    def hear(self, decoder: msgspec.msgpack.Decoder[_Answer]) -> _Answer:
        """The next answer; StateError if there is none, or it tells of an error."""
        data = _read(self._from)
        if data is None:
            raise StateError(_GONE)
        if data[:1] == _FAILED:
            raise StateError(data[1:].decode())
        return decoder.decode(memoryview(data)[1:])

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def close(self) -> None:
        """Let the process end, by force if it must be."""
        with suppress(OSError):  # it may be gone already
            self._to.close()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._from.close()


class _Pickler(pickle.Pickler):
    def reducer_override(self, thing: Any) -> Any:
        """Read-only tables as plain ones, which stand in for them: their type has no name to travel by."""
        return (dict, (dict(thing),)) if isinstance(thing, MappingProxyType) else NotImplemented


def _pickled(thing: object) -> bytes:
    out = io.BytesIO()
    _Pickler(out).dump(thing)
    return out.getvalue()


def _write(out: BinaryIO, message: bytes) -> None:
    out.write(len(message).to_bytes(_LENGTH, "little"))
    out.write(message)
    out.flush()


def _read(source: BinaryIO) -> bytes | None:
    """A whole message; None when the other side is gone."""
    head = source.read(_LENGTH)
    size = int.from_bytes(head, "little")
    message = source.read(size)
    return message if len(head) == _LENGTH and len(message) == size else None


def main() -> None:
    """Do what comes in on standard input until it closes."""
    source, out = sys.stdin.buffer, sys.stdout.buffer
    # Whatever anything prints must not get between the answers.
    sys.stdout = sys.stderr
    begin = _read(source)
    if begin is None:
        return
    messages: SimpleQueue[bytes] = SimpleQueue()
    # Whoever sends must never wait for a worker that itself waits to be heard; so there is always a reader.
    threading.Thread(target=_listen, args=(source, messages), daemon=True).start()
    try:
        who, settings = pickle.loads(begin)  # noqa: S301  (from the process that began this one)
        hand = Hand(*who, **settings)
        with without_collector():
            while True:
                answer = _encode(_answer(hand, messages.get()))
                with suppress(OSError):  # nobody may be left who wants to hear; whoever listens ends it all
                    _write(out, _DONE + answer)
    except TiltwatchError as error:
        told = str(error)
    except Exception as error:
        # Its own words may repeat a player's data.
        told = f"a worker of the replay failed in {where(error)[-1]} ({type(error).__name__}): a bug"
    with suppress(OSError):
        _write(out, _FAILED + told.encode())
    # What is still sent must not meet a closed pipe before the answer is heard; whoever listens ends it all.
    while True:
        messages.get()


def _answer(hand: Hand, message: bytes) -> Report | Saved:
    what, body = message[:1], memoryview(message)[1:]
    if what == TAKE:
        return hand.take(_read_share(body))
    if what == SAVE:
        return hand.save()
    high_us, risks = msgspec.msgpack.decode(body, type=tuple[int, bool])
    return hand.finish(high_us, risks=risks)


def _listen(source: BinaryIO, messages: SimpleQueue[bytes]) -> None:
    while (message := _read(source)) is not None:
        messages.put(message)
    # Nobody is left who wants the rest.
    os._exit(0)
