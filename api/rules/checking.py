"""Whether the rules in a folder may come into force: all that `rules check` and `rules test` look for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from detector.drivers.rulesets import read_rule_set
from detector.errors import Finding, RuleErrors, TiltwatchError
from detector.events.money import Currencies
from detector.ladder.check import LADDERS
from detector.language.load import read_rule
from detector.language.pack import check, rule_files
from detector.score import check as score
from detector.timelines import check_timeline


@dataclass(frozen=True, slots=True)
class Verdict:
    """The set that was checked, None where it cannot be read at all, and what was found."""

    set: str | None
    findings: list[dict[str, str | int]]


def look_through(folder: Path, own: Mapping[str, int]) -> Verdict:
    """Check a folder of rules and run their tests."""
    currencies = Currencies(own)
    found = [*check([folder], currencies), *score.check([folder]), *LADDERS.check([folder])]
    if not found:
        found = _tested(folder, currencies)
    name = None
    try:
        name = read_rule_set(folder, currencies).id
    except RuleErrors as error:
        found = found or error.findings
    except TiltwatchError:
        found = found or [Finding(str(folder / "."), 1, 1, "no rule here is live or in shadow")]
    return Verdict(name, [_shown(each, folder) for each in sorted(set(found))])


def look_through_beside(folder: Path, own: Mapping[str, int]) -> Verdict:
    """The same in a process of its own: it takes seconds, during which this one has others to serve."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(look_through, (folder, dict(own)))


def _tested(folder: Path, currencies: Currencies) -> list[Finding]:
    found = []
    for path in rule_files(folder):
        reading = read_rule(path, currencies)
        if reading.rule is None:
            found += reading.findings
            continue
        for timeline in reading.rule.tests:
            found += [
                Finding(reading.path, timeline.line, 1, message)
                for message in check_timeline(reading.rule, timeline, currencies)
            ]
    return found


def _shown(finding: Finding, folder: Path) -> dict[str, str | int]:
    """A finding without the way to the folder, which is nobody's business."""
    path = Path(finding.path)
    name = str(path.relative_to(folder)) if path.is_relative_to(folder) else path.name
    message = finding.message.replace(str(folder), "")
    return {"file": name, "line": finding.line, "column": finding.column, "message": message}
