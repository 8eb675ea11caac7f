"""What an analyst is told of a timeline that does not come out as expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.language.pack import load_rule
from detector.timelines import check_timeline

RULE = """\
id: sample
version: 1
status: draft
title: A sample
category: deposits
audience: risk
severity: high
trigger: {trigger}
let:
  week: sum(deposit.amount) over 7d
when: {when}
cooldown: 1d
explain: a sample
respond: L1
tests:
  - name: story
    timeline: |
{lines}
    expect: [{{at: {at}}}]
"""


def told(folder: Path, trigger: str, when: str, at: str, *lines: str) -> list[str]:
    path = folder / "sample.yml"
    indented = "\n".join(f"      {line}" for line in lines)
    path.write_text(RULE.format(trigger=trigger, when=when, at=at, lines=indented), "utf-8")
    rule = load_rule(path)
    return [message for test in rule.tests for message in check_timeline(rule, test)]


def test_an_alert_that_does_not_come_is_told_with_what_there_was(tmp_path: Path) -> None:
    messages = told(
        tmp_path,
        "deposit",
        "week >= 100 CAD and usual(week) > 0",
        "day 2 10:00",
        "day 1 10:00 deposit 20 CAD",
        "day 2 10:00 deposit 30 CAD",
    )
    assert messages == [
        "story: expected alert high at 2026-01-02T10:00:00.000Z, which did not come; there was week 5000 CAD,"
        " usual(week) unknown"
    ]


def test_nothing_judged_the_rule_then(tmp_path: Path) -> None:
    messages = told(tmp_path, "bet", "week >= 10 CAD", "day 1 10:00", "day 1 10:00 deposit 20 CAD")
    assert messages == [
        "story: expected alert high at 2026-01-01T10:00:00.000Z, which did not come;"
        " no event judged the rule then"
    ]


@pytest.mark.parametrize(("tick", "comes"), [("day 1 10:59", False), ("day 1 11:00", True)])
def test_time_has_to_pass_for_a_closing(tmp_path: Path, tick: str, comes: bool) -> None:
    messages = told(
        tmp_path,
        "session_summary",
        "count(session_summary) where deposits >= 1 over session == 1",
        "day 1 11:00",
        "day 1 10:45 deposit 20 CAD session=s",
        "day 1 11:00 session_end session=s",
        f"{tick} tick",
    )
    late = "time passes only to 2026-01-01T10:59:00.000Z here: end with a later `tick`"
    expected = f"story: expected alert high at 2026-01-01T11:00:00.000Z, which did not come; {late}"
    assert messages == ([] if comes else [expected])
