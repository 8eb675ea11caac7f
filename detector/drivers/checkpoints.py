"""The folder from which a replay goes on: what it has found, and whether it is still the same replay."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from detector.drivers.files import PRIVATE, replaced, sync_folder
from detector.drivers.hand import Stored, Tally
from detector.drivers.lines import Place
from detector.errors import InputError, StateError

VERSION = 1
_MANIFEST = "replay.state"
_DEAD = "dead.jsonl"
_LOCK = "lock"
_OURS = ("replay-*.run", "replay-*.players", "replay-*.part")


class Checkpoint(msgspec.Struct):
    """Where a replay stood after a chunk.

    `highs_us` are the high marks after the latest chunks; `records` and `runs` name files. The folder adds
    `terms`, hashes of what the outcome depends on beside the log, and how many bytes of `dead` belong to it.
    """

    version: int
    place: Place
    lines: int
    highs_us: list[int]
    tally: Tally
    marks: bytes
    records: list[str]
    runs: list[str]
    terms: dict[str, str] = {}
    dead: int = 0

    @property
    def stored(self) -> Stored:
        """What the workers take up."""
        return Stored(self.marks, self.records, self.highs_us[-1])


class Folder:
    """A folder that belongs to one replay; use `open_folder`.

    Attributes
    ----------
    path
        Where workers may put files.
    latest
        The last checkpoint, None where there is none yet.
    dead
        The dead letters, to be written to.
    """

    def __init__(
        self, path: Path, terms: Mapping[str, str], latest: Checkpoint | None, dead: BinaryIO
    ) -> None:
        self.path = path
        self._terms = dict(terms)
        self.latest = latest
        self.dead = dead

    def save(self, checkpoint: Checkpoint) -> None:
        """Make this the checkpoint to go on from, and forget what only the one before needed."""
        with self._telling():
            self.dead.flush()
            os.fsync(self.dead.fileno())
        checkpoint.terms, checkpoint.dead = self._terms, self.dead.tell()
        with replaced(self.path / _MANIFEST, private=True) as file:
            file.write(msgspec.msgpack.encode(checkpoint))
        self.latest = checkpoint
        self.tidy()

    def bury(self, letter: bytes) -> None:
        """Add a dead letter."""
        with self._telling():
            self.dead.write(letter + b"\n")

    def buried(self) -> Iterator[bytes]:
        """All dead letters, in the order of the log."""
        self.dead.flush()
        with Path(self.dead.name).open("rb") as file:
            for line in file:
                yield line[:-1]

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(f"{self.path}: cannot be written to: {error.strerror or error}") from error

    def tidy(self) -> None:
        """Remove files that the latest checkpoint does not name."""
        needed = set(self.latest.records + self.latest.runs) if self.latest is not None else set()
        for pattern in _OURS:
            for path in self.path.glob(pattern):
                if path.name not in needed:
                    path.unlink(missing_ok=True)


@contextmanager
def open_folder(path: Path, terms: Mapping[str, str]) -> Iterator[Folder]:
    """Take a folder for a replay on these terms, nobody else having it meanwhile.

    Raises
    ------
    InputError
        It cannot be used: it holds other things, is in use, or something in the terms has changed.
    StateError
        What it holds is damaged.
    """
    with ExitStack() as stack:
        try:
            path.mkdir(parents=True, exist_ok=True)
            names = {each.name for each in path.iterdir()}
            if names and _LOCK not in names:
                raise InputError(f"{path}: holds other things; name a folder of its own, or a new one")
            _hold(stack.enter_context((path / _LOCK).open("wb")), path)
            latest = _read(path, terms)
            (path / _DEAD).touch(PRIVATE)
            (path / _DEAD).chmod(PRIVATE)  # an earlier version left it open to all
            dead = stack.enter_context((path / _DEAD).open("ab"))
            dead.truncate(0 if latest is None else latest.dead)
            sync_folder(path)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}") from error
        folder = Folder(path, terms, latest, dead)
        folder.tidy()
        yield folder


def _hold(lock: BinaryIO, path: Path) -> None:
    try:
        import fcntl
    except ImportError:
        # Windows has none; there nobody looks whether two replays share a folder.
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise InputError(f"{path}: another replay is at work there") from None


def _read(path: Path, terms: Mapping[str, str]) -> Checkpoint | None:
    try:
        data = (path / _MANIFEST).read_bytes()
    except FileNotFoundError:
        return None
    try:
        latest = msgspec.msgpack.decode(data, type=Checkpoint)
    except msgspec.DecodeError:
        raise StateError(f"{path}: its state is damaged; start anew in another folder") from None
    if latest.version != VERSION:
        raise StateError(
            f"{path}: its state is of another version of tiltwatch; start anew in another folder"
        )
    changed = sorted(name for name in {*terms, *latest.terms} if terms.get(name) != latest.terms.get(name))
    if changed:
        raise InputError(
            f"{path}: not the same replay any more: {', '.join(changed)} changed since; "
            "put that back, or start anew in another folder"
        )
    return latest
