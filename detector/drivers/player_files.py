"""Files of player records; each holds those touched since the one before: saving costs what changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from detector.drivers.files import new_file
from detector.errors import StateError

_LENGTH = 4


def write_players(folder: Path, records: Iterable[tuple[str, bytes]]) -> str:
    """Write records to a new file, safe from a crash; its name."""
    with new_file(folder, ".players") as file:
        for player, record in records:
            name = player.encode()
            file.write(_length(name) + _length(record) + name + record)
    return Path(file.name).name


def read_players(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The latest record of each player, given the files in the order in which they were written.

    Raises
    ------
    StateError
        A file is damaged.
    """
    seen: set[str] = set()
    for name in reversed(names):
        for player, record in _records(folder / name):
            if player not in seen:
                seen.add(player)
                yield player, record


def compact(folder: Path, names: Sequence[str]) -> list[str]:
    """One file for several, once those after the first have outgrown it; the old files stay."""
    sizes = [(folder / name).stat().st_size for name in names]
    if len(sizes) < 2 or sum(sizes[1:]) <= sizes[0]:
        return list(names)
    return [write_players(folder, read_players(folder, names))]


def _length(data: bytes) -> bytes:
    return len(data).to_bytes(_LENGTH, "little")


def _records(path: Path) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as file:
        while head := file.read(2 * _LENGTH):
            named = int.from_bytes(head[:_LENGTH], "little")
            size = int.from_bytes(head[_LENGTH:], "little")
            body = file.read(named + size)
            if len(head) < 2 * _LENGTH or len(body) < named + size:
                raise StateError(f"{path}: a file of players is cut short; start anew in another folder")
            yield body[:named].decode(), body[named:]
