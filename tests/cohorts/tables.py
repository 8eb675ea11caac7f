"""Small tables and rules for stories."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from detector.cohorts.tables import Cohort, Cohorts, Measured, Table
from detector.language.pack import load_rule
from detector.language.rule import Rule

RULE = """\
id: {id}
version: 1
status: live
title: Told by hand
category: play
audience: risk
severity: medium
why: Told by hand.
sources: ["none"]
trigger: {trigger}
let:
{lets}
when: {when}
cooldown: 1s
explain: "{explain}"
tell: {{en: "Hello.", fr: "Bonjour."}}
respond: L0
tests:
  - name: silent
    timeline: |
      day 1 10:00 {event}
    expect: []
  - name: firing
    cohorts: {{{cohorts}}}
    timeline: |
      day 1 10:00 {event}
    expect: [{{at: day 1 10:00}}]
"""


def write_rule(
    folder: Path,
    id_: str = "much",
    lets: Sequence[str] = ("paid: sum(deposit.amount) over 7d",),
    when: str = "percentile(paid) >= 90%",
    trigger: str = "deposit",
    explain: str = "",
    event: str = "deposit 5 CAD",
    cohorts: str = "paid: [1 CAD, 2 CAD]",
) -> Path:
    path = folder / f"{id_}.yml"
    path.write_text(
        RULE.format(
            id=id_,
            lets="".join(f"  {let}\n" for let in lets).rstrip("\n"),
            when=when,
            trigger=trigger,
            explain=explain or "told",
            event=event,
            cohorts=cohorts,
        )
    )
    return path


def written(folder: Path, *args: object, **keys: object) -> Rule:
    return load_rule(write_rule(folder, *args, **keys))  # type: ignore[arg-type]  # keys by name


def cohort(
    edges: Sequence[float], currency: str | None = None, product: str | None = None, players: int = 100
) -> Cohort:
    return Cohort(currency=currency, product=product, players=players, edges=list(edges))


def table(since: str, quantities: dict[str, Sequence[Cohort]]) -> Table:
    return Table(
        effective_from=datetime.fromisoformat(since),
        quantities={key: Measured(text="told", cohorts=list(each)) for key, each in quantities.items()},
    )


def tables(rule: Rule, *cohorts: Cohort, since: str = "1970-01-01T00:00:00Z") -> Cohorts:
    """One table that answers everything a rule asks with the same cohorts."""
    return Cohorts([table(since, {each.key: cohorts for each in rule.percentiles})])
