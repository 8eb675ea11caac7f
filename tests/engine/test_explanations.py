"""What an alert's explanation says where a value is unknown: the word that docs/rules.md promises."""

from __future__ import annotations

from pathlib import Path

from detector.engine.alerts import Facts
from detector.events.money import Currencies
from detector.language.pack import load_rule

RULE = """
id: a-deposit
version: 1
status: live
title: A deposit
category: deposits
audience: risk
severity: low
why: A sample.
sources: [none]
trigger: deposit
let:
  number: count(deposit) over 1d
  losses: mean(bet.stake) over 1d
  pause: since(break_start)
  share: losses / losses
when: number >= 1
cooldown: 1h
explain: "{losses} lost, {pause} since a break, {share}"
respond: L0
tests:
  - name: one
    timeline: |
      day 1 10:00 deposit 20 CAD
    expect: [{at: day 1 10:00}]
"""


def test_what_is_unknown_says_so_in_one_word(tmp_path: Path) -> None:
    path = tmp_path / "a-deposit.yml"
    path.write_text(RULE)
    facts = Facts(load_rule(path), Currencies())
    values = [None] * len(facts.expressions)
    assert facts.explanation(values, "CAD") == "unknown lost, unknown since a break, unknown"
