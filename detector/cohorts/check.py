"""What keeps a cohorts.json from going live with the rules beside it: `tiltwatch rules check`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from detector.cohorts.load import COHORTS_FILE, read_cohorts
from detector.errors import Finding, RuleErrors
from detector.events.money import Currencies
from detector.language.load import read_rule
from detector.language.pack import rule_files


def files(path: Path) -> list[Path]:
    """Return the cohorts.json that a path stands for: itself, or the one in the folder."""
    own = path / COHORTS_FILE if path.is_dir() else path
    return [own] if own.name == COHORTS_FILE and own.is_file() else []


def check(paths: Iterable[Path], currencies: Currencies | None = None) -> list[Finding]:
    """Return what is wrong with the tables at these paths, and which live rules they say nothing to.

    A rule whose quantity was edited asks for other cohorts than before. The old ones do not answer it: its
    places are unknown until tables are built anew, and that should not go unnoticed. Where there are no
    tables at all, nobody expects an answer.
    """
    findings: list[Finding] = []
    for file in dict.fromkeys(file for path in paths for file in files(path)):
        try:
            latest = read_cohorts(file).tables[-1]
        except RuleErrors as error:
            findings += error.findings
            continue
        for path in rule_files(file.parent):
            reading = read_rule(path, currencies or Currencies(), tests=False)
            if reading.found is None or reading.found.status != "live":
                continue
            findings += [
                reading.finding_at(
                    asked.place,
                    f"the latest table of {file} has no cohorts of this: "
                    "build it anew with `tiltwatch cohorts build`",
                )
                for asked in reading.found.percentiles
                if asked.key not in latest.quantities
            ]
    return sorted(set(findings))
