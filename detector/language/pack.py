"""Rules by the folder: loading them, checking them, and the lock that remembers what each version does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import msgspec

from detector.errors import Finding, RuleErrors
from detector.events.money import Currencies
from detector.language.load import LANGUAGES, RuleReading, read_rule
from detector.language.rule import Rule
from detector.language.source import MAX_BYTES

LOCK = "lock.json"
NO_RULES = ("TEMPLATE", "score", "ladder", "markers", "features")  # files beside the rules that are none
NO_RULE_FOLDERS = ("mappings",)  # folders within a pack whose YAML is something else


class Locked(msgspec.Struct, frozen=True):
    """What the lock remembers of a rule, or of what stands beside them."""

    version: int
    behaviour: str


@dataclass(frozen=True, slots=True)
class Pack:
    """The rules under a folder that can run, sorted by id, and why others cannot."""

    rules: list[Rule]
    findings: list[Finding] = field(default_factory=list)


def packs_dir() -> Path:
    """Return the folder of the packs that come with tiltwatch."""
    return Path(str(files("rules")))


def default_pack() -> Path:
    """Return the folder of the pack used where none is named."""
    return packs_dir() / "ontario"


def load_rule(path: Path | str, currencies: Currencies | None = None) -> Rule:
    """Return the rule of a file, its tests included; raise RuleErrors with every finding."""
    return read_rule(Path(path), currencies or Currencies()).sound()


def load_rules(folder: Path | str, currencies: Currencies | None = None) -> list[Rule]:
    """Return every rule under a folder, sorted by id, tests included; raise RuleErrors with every finding."""
    readings = _read_all(rule_files(Path(folder)), currencies, tests=True)
    findings = [finding for reading in readings for finding in reading.findings]
    if findings:
        raise RuleErrors(findings)
    return _rules(readings)


def load_pack(folder: Path | str, currencies: Currencies | None = None) -> Pack:
    """Return every rule under a folder that parses and types, whatever its tests; findings on the others."""
    readings = _read_all(rule_files(Path(folder)), currencies, tests=False)
    return Pack(_rules(readings), [finding for reading in readings for finding in reading.findings])


def rule_files(path: Path) -> list[Path]:
    """Return the rule files that a path stands for: itself, or every one in the folder."""
    if not path.is_dir():
        return [] if path.stem in NO_RULES else [path]
    found = (each for suffix in ("yml", "yaml") for each in path.rglob(f"*.{suffix}"))
    return sorted(
        each
        for each in found
        if each.stem not in NO_RULES
        and not set(NO_RULE_FOLDERS) & set(each.relative_to(path).parts[:-1])
        and each.name[0] != "."
        and each.is_file()
    )


def check(paths: Iterable[Path], currencies: Currencies | None = None) -> list[Finding]:
    """Return everything that keeps the rules at these paths from going live, in file order.

    A live rule needs a firing and a silent test, `why`, `sources`, `tell` in every language, and a new
    version where it behaves otherwise than its locked one. A retired rule only has to load.
    """
    wanted = list(dict.fromkeys(file for path in paths for file in rule_files(path)))
    findings: list[Finding] = []
    for reading in _read_all(wanted, currencies, tests=True):
        findings += reading.findings
        rule = reading.found
        if rule is None or rule.status == "retired":
            continue
        findings += [
            reading.finding(key, f'"{key.partition(".")[2]}" is never used') for key in reading.unused
        ]
        if rule.status == "live":
            findings += _demands(reading, rule)
            try:
                findings += _against_lock(reading, rule, read_lock(lock_path(Path(reading.path))))
            except RuleErrors as error:
                findings += error.findings
    return sorted(set(findings))


def write_lock(
    folder: Path, currencies: Currencies | None = None, beside: Mapping[str, Locked] | None = None
) -> Path:
    """Write the lock of every rule under a folder, and of what else is given, and return its path.

    Raises
    ------
    RuleErrors
        Where a rule does not load, or a live one behaves otherwise than its locked version: locking must not
        be a way round a new version.
    """
    path = folder / LOCK
    readings = _read_all(rule_files(folder), currencies, tests=True)
    findings = [finding for reading in readings for finding in reading.findings]
    old = read_lock(path)
    for reading in readings:
        if reading.found is not None and reading.found.status == "live":
            findings += _against_lock(reading, reading.found, old)
    if findings:
        raise RuleErrors(findings)
    locked = {rule.id: Locked(rule.version, rule.behaviour) for rule in _rules(readings)} | dict(beside or {})
    lock = {name: {"version": each.version, "behaviour": each.behaviour} for name, each in locked.items()}
    path.write_text(json.dumps(lock, indent=2, sort_keys=True) + "\n", "utf-8")
    return path


def lock_path(rule: Path) -> Path:
    """Return the lock that a rule file stands under, if there is one: beside it or a folder up.

    Rules elsewhere that bear the id of a packaged one are other rules, and the packaged lock is not theirs.
    """
    above = rule.absolute().parent.parent / LOCK
    return above if above.is_file() and not (rule.parent / LOCK).is_file() else rule.parent / LOCK


def read_lock(path: Path) -> dict[str, Locked]:
    """Return what a lock remembers by rule id, nothing if there is none; RuleErrors if it is broken."""
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(64 * MAX_BYTES), type=dict[str, Locked])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError, RecursionError):
        raise RuleErrors(
            [Finding(str(path), 1, 1, "no lock; write it with `tiltwatch rules lock`")]
        ) from None


def _read_all(paths: Iterable[Path], currencies: Currencies | None, *, tests: bool) -> list[RuleReading]:
    known = currencies or Currencies()
    readings = [read_rule(path, known, tests=tests) for path in paths]
    first: dict[str, str] = {}
    for reading in readings:
        if reading.found is None:
            continue
        rule_id = reading.found.id
        if rule_id in first:
            reading.findings.append(reading.finding("id", f'the id "{rule_id}" is taken by {first[rule_id]}'))
            reading.found = None
        else:
            first[rule_id] = reading.path
    return readings


def _rules(readings: list[RuleReading]) -> list[Rule]:
    return sorted((reading.found for reading in readings if reading.found), key=lambda rule: rule.id)


def _demands(reading: RuleReading, rule: Rule) -> list[Finding]:
    missing = []
    if not any(test.expect for test in rule.tests):
        missing.append(("tests", "a live rule needs a test that fires"))
    if all(test.expect for test in rule.tests):
        missing.append(("tests", "a live rule needs a test that stays silent (expect: [])"))
    if not rule.why:
        missing.append(("why", "a live rule says `why`"))
    if not rule.sources:
        missing.append(("sources", "a live rule names its `sources`"))
    missing += [
        ("tell", f"a live rule needs a `tell` in {language}")
        for language in LANGUAGES
        if language not in rule.tell
    ]
    return [reading.finding(key, message) for key, message in missing]


def _against_lock(reading: RuleReading, rule: Rule, lock: dict[str, Locked]) -> list[Finding]:
    told = changed(lock.get(rule.id), rule.version, rule.behaviour)
    return [] if told is None else [reading.finding("version", told)]


def changed(locked: Locked | None, version: int, behaviour: str) -> str | None:
    """Return what is wrong with behaving otherwise than the locked version, None if nothing is."""
    if locked is None or behaviour == locked.behaviour or version > locked.version:
        return None
    return f"behaves otherwise than locked version {locked.version}: give it version {locked.version + 1}"
