"""What stands beside the rules in a folder and is checked and locked like them: the score, the ladder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from detector.errors import Finding, RuleErrors
from detector.language.pack import Locked, changed, lock_path, read_lock


class Reading(Protocol):
    """What came of reading one such file."""

    @property
    def findings(self) -> list[Finding]: ...

    @property
    def locked(self) -> Locked | None:
        """What the lock remembers of it; None where `findings` say why it cannot be used."""
        ...

    def finding(self, key: str, message: str) -> Finding:
        """Return a finding at a key of the file, or at its start if it lacks the key."""
        ...


@dataclass(frozen=True, slots=True)
class Beside:
    """One kind of such files.

    Parameters
    ----------
    file
        Its name.
    locked_as
        Under this name it stands in the lock; no rule can have it, for no file of that name is a rule.
    read
        Reads one; never raises for what the file holds.
    """

    file: str
    locked_as: str
    read: Callable[[Path], Reading]

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
        findings = [*reading.findings, *self._against_lock(reading, path)]
        if reading.locked is None or findings:
            raise RuleErrors(findings)
        return {self.locked_as: reading.locked}

    def _against_lock(self, reading: Reading, path: Path) -> list[Finding]:
        if reading.locked is None:
            return []
        before = read_lock(lock_path(path)).get(self.locked_as)
        told = changed(before, reading.locked.version, reading.locked.behaviour)
        return [] if told is None else [reading.finding("version", told)]
