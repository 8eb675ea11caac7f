"""What keeps a score.yml from going live, and what the lock remembers of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from detector.errors import Finding, RuleErrors
from detector.events.money import Currencies
from detector.language.load import read_rule
from detector.language.pack import Locked, changed, lock_path, packs_dir, read_lock, rule_files
from detector.language.parse import suggestion
from detector.language.rule import SEVERITIES
from detector.score.load import Written, read
from detector.score.scoring import SCORE_FILE

LOCKED_AS = "score"
"""Under this name it stands in the lock; no rule can have it, for no file of that name is a rule."""


def score_files(path: Path) -> list[Path]:
    """Return the score files that a path stands for: itself, or every one in the folder."""
    if not path.is_dir():
        return [path] if path.name == SCORE_FILE else []
    return sorted(each for each in path.rglob(SCORE_FILE) if each.is_file())


def check(paths: Iterable[Path]) -> list[Finding]:
    """Return everything that keeps the score files at these paths from going live, in file order.

    Besides what keeps one from being read: a rule that is nowhere (neither in its folder nor in the packs) or
    does not count, a severity that its rule never reaches, and a change of behaviour without a new version.
    """
    findings: list[Finding] = []
    for path in dict.fromkeys(file for each in paths for file in score_files(each)):
        written = read(path)
        findings += [*written.findings, *_about_rules(written)]
        try:
            findings += _against_lock(written, read_lock(lock_path(path)))
        except RuleErrors as error:
            findings += error.findings
    return sorted(set(findings))


def to_lock(folder: Path) -> dict[str, Locked]:
    """Return what the lock of a folder has to remember of its own score.yml, nothing if it has none.

    Raises
    ------
    RuleErrors
        Where it cannot be read, or behaves otherwise than its locked version.
    """
    path = folder / SCORE_FILE
    if not path.is_file():
        return {}
    written = read(path)
    findings = [*written.findings, *_against_lock(written, read_lock(lock_path(path)))]
    if written.scoring is None or findings:
        raise RuleErrors(findings)
    return {LOCKED_AS: Locked(written.scoring.version, written.scoring.behaviour)}


def _about_rules(written: Written) -> list[Finding]:
    """Findings on the rules it names."""
    if written.scoring is None:
        return []
    own = {file.stem: file for file in rule_files(Path(written.path).parent)}
    known = {file.stem: file for file in rule_files(packs_dir())} | own
    findings = []
    for rule_id in sorted({*written.scoring.rules, *written.scoring.asks_for_help}):
        if rule_id not in known:
            told = f'there is no rule "{rule_id}"{suggestion(rule_id, sorted(known))}'
            findings.append(written.finding(f"rules.{rule_id}", told))
            continue
        rule = read_rule(known[rule_id], Currencies(), tests=False).rule
        if rule is not None and rule.audience != "risk":
            told = f'"{rule_id}" never counts: its audience is {rule.audience}, not risk'
            findings.append(written.finding(f"rules.{rule_id}", told))
        elif rule is not None and rule_id in written.scoring.rules:
            reached = [name for name in SEVERITIES if name == rule.severity or name in rule.escalate]
            for name, weight in zip(SEVERITIES, written.scoring.rules[rule_id].weights, strict=True):
                if weight is not None and name not in reached:
                    told = f'"{rule_id}" never reaches {name}, only {", ".join(reached)}'
                    findings.append(written.finding(f"rules.{rule_id}", told))
    return findings


def _against_lock(written: Written, lock: dict[str, Locked]) -> list[Finding]:
    if written.scoring is None:
        return []
    told = changed(lock.get(LOCKED_AS), written.scoring.version, written.scoring.behaviour)
    return [] if told is None else [written.finding("version", told)]
