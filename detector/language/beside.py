"""What stands beside the rules in a folder, and is read, checked and locked like them: the score, the ladder,
the catalogue of features."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from detector.errors import Finding, RuleErrors
from detector.language.pack import Locked, changed, lock_path, packs_dir, read_lock
from detector.language.reading import Reading
from detector.language.source import Mapping


class Versioned(Protocol):
    """What such a file holds."""

    @property
    def version(self) -> int:
        """The one that the file gives itself."""
        ...

    @property
    def behaviour(self) -> str:
        """A hash of all that needs another version when it changes."""
        ...


T = TypeVar("T", bound=Versioned)


@dataclass(frozen=True)
class Beside(Generic[T]):
    """One kind of such files.

    Parameters
    ----------
    file
        Its name.
    locked_as
        Under this name it stands in the lock; no rule can have it, for no file of that name is a rule.
    make
        Makes what is meant of a file's mapping; the reading is told what keeps it from doing so.
    what
        What messages call such a file.
    """

    file: str
    locked_as: str
    make: Callable[[Mapping, Reading[T]], T | None]
    what: str = "rule"

    def read(self, path: Path | str) -> Reading[T]:
        """Read one; never raises for what the file holds."""
        reading: Reading[T] = Reading(str(path))
        reading.read(self.what, lambda root: self.make(root, reading))
        return reading

    def load(self, path: Path | str) -> T:
        """Return what one holds; raise RuleErrors with every finding, by line and column."""
        return self.read(path).sound()

    def of(self, folder: Path | str) -> T:
        """Return what holds for a folder of rules: its own, else the packaged one; RuleErrors as `load`."""
        own = Path(folder) / self.file
        return self.load(own) if own.is_file() else self.packaged

    @cached_property
    def packaged(self) -> T:
        """The one that comes with tiltwatch."""
        return self.load(packs_dir() / self.file)

    def files(self, path: Path) -> list[Path]:
        """Return the files that a path stands for: itself, or every one in the folder."""
        if not path.is_dir():
            return [path] if path.name == self.file else []
        return sorted(each for each in path.rglob(self.file) if each.is_file())

    def check(self, paths: Iterable[Path]) -> list[Finding]:
        """Return everything that keeps the files at these paths from going live, in file order.

        Besides what keeps one from being read: a change of behaviour without a new version.
        """
        findings: list[Finding] = []
        for path in dict.fromkeys(file for each in paths for file in self.files(each)):
            reading = self.read(path)
            findings += reading.findings
            try:
                findings += self._against_lock(reading, path)
            except RuleErrors as error:
                findings += error.findings
        return sorted(set(findings))

    def to_lock(self, folder: Path) -> dict[str, Locked]:
        """Return what the lock of a folder has to remember of its own file, nothing if it has none.

        Raises
        ------
        RuleErrors
            Where it cannot be read, or behaves otherwise than its locked version.
        """
        path = folder / self.file
        if not path.is_file():
            return {}
        reading = self.read(path)
        found = reading.sound()
        if findings := self._against_lock(reading, path):
            raise RuleErrors(findings)
        return {self.locked_as: Locked(found.version, found.behaviour)}

    def _against_lock(self, reading: Reading[T], path: Path) -> list[Finding]:
        if reading.found is None:
            return []
        before = read_lock(lock_path(path)).get(self.locked_as)
        told = changed(before, reading.found.version, reading.found.behaviour)
        return [] if told is None else [reading.finding("version", told)]
