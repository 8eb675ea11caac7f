"""What keeps a ladder.yml from going live, and what the lock remembers of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from detector.errors import Finding, RuleErrors
from detector.ladder.ladder import LADDER_FILE
from detector.ladder.load import Reading, read
from detector.language.pack import Locked, changed, lock_path, read_lock
from detector.language.syntax import Place

LOCKED_AS = "ladder"
"""Under this name it stands in the lock; no rule can have it, for no file of that name is a rule."""


def ladder_files(path: Path) -> list[Path]:
    """Return the ladder files that a path stands for: itself, or every one in the folder."""
    if not path.is_dir():
        return [path] if path.name == LADDER_FILE else []
    return sorted(each for each in path.rglob(LADDER_FILE) if each.is_file())


def check(paths: Iterable[Path]) -> list[Finding]:
    """Return everything that keeps the ladders at these paths from going live, in file order.

    Besides what keeps one from being read: a change of behaviour without a new version.
    """
    findings: list[Finding] = []
    for path in dict.fromkeys(file for each in paths for file in ladder_files(each)):
        reading = read(path)
        findings += reading.findings
        try:
            findings += _against_lock(reading, read_lock(lock_path(path)))
        except RuleErrors as error:
            findings += error.findings
    return sorted(set(findings))


def to_lock(folder: Path) -> dict[str, Locked]:
    """Return what the lock of a folder has to remember of its own ladder.yml, nothing if it has none.

    Raises
    ------
    RuleErrors
        Where it cannot be read, or behaves otherwise than its locked version.
    """
    path = folder / LADDER_FILE
    if not path.is_file():
        return {}
    reading = read(path)
    findings = [*reading.findings, *_against_lock(reading, read_lock(lock_path(path)))]
    if reading.ladder is None or findings:
        raise RuleErrors(findings)
    return {LOCKED_AS: Locked(reading.ladder.version, reading.ladder.behaviour)}


def _against_lock(reading: Reading, lock: dict[str, Locked]) -> list[Finding]:
    if reading.ladder is None:
        return []
    told = changed(lock.get(LOCKED_AS), reading.ladder.version, reading.ladder.behaviour)
    place = reading.places.get("version", Place(1, 1))
    return [] if told is None else [Finding(reading.path, place.line, place.column, told)]
