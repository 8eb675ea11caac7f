"""What keeps a score.yml from going live, and what the lock remembers of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from detector.errors import Finding
from detector.events.money import Currencies
from detector.language.load import read_rule
from detector.language.pack import packs_dir, rule_files
from detector.language.parse import suggestion
from detector.language.reading import Reading
from detector.language.rule import SEVERITIES
from detector.score.load import SCORES
from detector.score.scoring import Scoring


def check(paths: Iterable[Path]) -> list[Finding]:
    """Return everything that keeps the score files at these paths from going live, in file order.

    Besides what keeps other files from it: a rule that is nowhere (neither in its folder nor in the packs) or
    does not count, and a severity that its rule never reaches.
    """
    wanted = list(paths)
    files = dict.fromkeys(file for each in wanted for file in SCORES.files(each))
    about = [finding for file in files for finding in _about_rules(SCORES.read(file))]
    return sorted({*SCORES.check(wanted), *about})


def _about_rules(reading: Reading[Scoring]) -> list[Finding]:
    """Findings on the rules it names."""
    scoring = reading.found
    if scoring is None:
        return []
    own = {file.stem: file for file in rule_files(Path(reading.path).parent)}
    known = {file.stem: file for file in rule_files(packs_dir())} | own
    findings = []
    for rule_id in sorted({*scoring.rules, *scoring.asks_for_help}):
        if rule_id not in known:
            told = f'there is no rule "{rule_id}"{suggestion(rule_id, sorted(known))}'
            findings.append(reading.finding(f"rules.{rule_id}", told))
            continue
        rule = read_rule(known[rule_id], Currencies(), tests=False).found
        if rule is not None and rule.audience != "risk":
            told = f'"{rule_id}" never counts: its audience is {rule.audience}, not risk'
            findings.append(reading.finding(f"rules.{rule_id}", told))
        elif rule is not None and rule_id in scoring.rules:
            reached = [name for name in SEVERITIES if name == rule.severity or name in rule.escalate]
            for name, weight in zip(SEVERITIES, scoring.rules[rule_id].weights, strict=True):
                if weight is not None and name not in reached:
                    told = f'"{rule_id}" never reaches {name}, only {", ".join(reached)}'
                    findings.append(reading.finding(f"rules.{rule_id}", told))
    return findings
