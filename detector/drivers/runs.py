"""Alerts by the hundred thousand in their promised order: sorted runs in files, merged at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from heapq import merge
from pathlib import Path
from typing import BinaryIO

import msgspec

from detector.drivers.files import new_file
from detector.engine.alerts import Alert
from detector.errors import StateError

MOST_HELD = 20_000
"""Alerts kept in memory before they become a run; some 2.5 KB each."""
MOST_RUNS = 100
"""Runs that are open at once."""

_LENGTH = 4


class Entry(msgspec.Struct, array_like=True, order=True):
    """An alert's place in the order, then its JSON."""

    opened_at: str
    player: str
    rule: str
    id: str
    text: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode


def entry(alert: Alert) -> Entry:
    """An alert as it is sorted and written."""
    return Entry(alert.opened_at, alert.player, alert.rule, alert.id, alert.to_json())


class Runs:
    """Alerts of one worker, in runs once they are many.

    Parameters
    ----------
    folder
        Where runs are written.

    Attributes
    ----------
    written
        Names of the runs.
    """

    def __init__(self, folder: Path) -> None:
        self.written: list[str] = []
        self._folder = folder
        self._held: list[Entry] = []

    def add(self, alerts: Iterable[Alert]) -> None:
        """Keep some more."""
        self._held.extend(map(entry, alerts))
        if len(self._held) > MOST_HELD:
            self.write()

    def write(self) -> None:
        """Write what is held in memory into a run of its own."""
        if self._held:
            self._held.sort()
            self.written.append(write_run(self._folder, self._held))
            self._held = []


def write_run(folder: Path, entries: Iterable[Entry]) -> str:
    """Write sorted entries to a new file, safe from a crash; its name."""
    with new_file(folder, ".run") as file:
        for each in entries:
            data = _encode(each)
            file.write(len(data).to_bytes(_LENGTH, "little") + data)
    return Path(file.name).name


def merged(folder: Path, names: Sequence[str]) -> Iterator[bytes]:
    """The JSON of all alerts of some runs, in order."""
    with ExitStack() as stack:
        files = [stack.enter_context((folder / name).open("rb")) for name in names]
        for each in merge(*map(_entries, files)):
            yield each.text


def compact(folder: Path, names: Sequence[str]) -> list[str]:
    """Fewer runs with the same alerts, where there are too many to be open at once; the old files stay."""
    if len(names) < MOST_RUNS:
        return list(names)
    with ExitStack() as stack:
        files = [stack.enter_context((folder / name).open("rb")) for name in names]
        return [write_run(folder, merge(*map(_entries, files)))]


def _entries(file: BinaryIO) -> Iterator[Entry]:
    while head := file.read(_LENGTH):
        data = file.read(int.from_bytes(head, "little"))
        try:
            yield _decode(data)
        except msgspec.DecodeError as error:
            raise StateError(
                f"{file.name}: a run of alerts is damaged; start anew in another folder"
            ) from error
