"""Whether the rules in a folder may come into force: all that `rules check` and `rules test` look for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from detector.cohorts import check as cohorts
from detector.drivers.rulesets import rule_set_id
from detector.errors import Finding, InputError
from detector.events.money import Currencies
from detector.ladder.load import LADDERS
from detector.language.features import FEATURES
from detector.language.load import read_rule
from detector.language.pack import check, rule_files
from detector.score import check as score
from detector.timelines import check_timeline


@dataclass(frozen=True, slots=True)
class Verdict:
    """The set that was checked, None where it changes or cannot be read, and what was found."""

    set: str | None
    findings: list[dict[str, str | int]]


def look_through(folder: Path, own: Mapping[str, int]) -> Verdict:
    """Check a folder of rules and run their tests."""
    currencies = Currencies(own)
    try:
        before = rule_set_id(folder)
        found = [*check([folder], currencies), *score.check([folder]), *cohorts.check([folder], currencies)]
        found += [finding for each in (LADDERS, FEATURES) for finding in each.check([folder])]
        found = found or _tested(folder, currencies)
        is_same = rule_set_id(folder) == before
    except InputError:
        return Verdict(None, [])
    return Verdict(before if is_same else None, [_shown(each, folder) for each in sorted(set(found))])


def look_through_beside(folder: Path, own: Mapping[str, int]) -> Verdict:
    """The same in a process of its own: it takes seconds, during which this one has others to serve."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(look_through, (folder, dict(own)))


def _tested(folder: Path, currencies: Currencies) -> list[Finding]:
    found: list[Finding] = []
    can_run = False
    for path in rule_files(folder):
        reading = read_rule(path, currencies)
        found += reading.findings
        if reading.found is None:
            continue
        can_run = can_run or reading.found.status in ("live", "shadow")
        for timeline in reading.found.tests:
            found += [
                Finding(reading.path, timeline.line, 1, message)
                for message in check_timeline(reading.found, timeline, currencies)
            ]
    return found if found or can_run else [Finding(str(folder / "."), 1, 1, "no rule is live or in shadow")]


def _shown(finding: Finding, folder: Path) -> dict[str, str | int]:
    """A finding without the way to the folder, which is nobody's business."""
    path = Path(finding.path)
    name = str(path.relative_to(folder)) if path.is_relative_to(folder) else path.name
    message = finding.message.replace(str(folder), "")
    return {"file": name, "line": finding.line, "column": finding.column, "message": message}
