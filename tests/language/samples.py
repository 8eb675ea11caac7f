"""A rule to write otherwise, and a way to say where in a file a finding is expected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from detector.errors import Finding
from detector.language.rule import Rule

BASE: dict[str, str | None] = {
    "id": "sample",
    "version": "1",
    "status": "draft",
    "title": "A sample",
    "category": "deposits",
    "audience": "risk",
    "severity": "high",
    "trigger": "deposit",
    "params": None,
    "let": None,
    "when": "count(deposit) over 7d >= 3",
    "escalate": None,
    "cooldown": "7d",
    "explain": "so many deposits",
    "respond": "L2",
}

EXAMPLE = """\
id: deposit-escalation
version: 1
status: live                 # draft | shadow | live | retired
title: Deposits well above the player's own habit
category: deposits
audience: risk
severity: high
why: A sharp rise against one's own habit is among the earliest public markers.
sources: ["Braverman & Shaffer 2012", "AGCO 2.10"]
trigger: deposit
params:
  ratio: {value: 2.0, min: 1.2, max: 5.0}
  floor: {value: "200 CAD", min: "50 CAD", max: "2000 CAD"}
let:
  recent: sum(deposit.amount) over 7d
  habit: sum(deposit.amount) over 28d before 7d / 4
when: age >= 35d and recent >= floor and recent >= ratio * max(habit, 50 CAD)
escalate:                    # optional
  critical: recent >= 4 * max(habit, 50 CAD)
cooldown: 7d
explain: "{recent} deposited in 7 days, against a usual {habit} a week"
tell: {en: "You have deposited more than usual.", fr: "Vous avez déposé plus que d'habitude."}
respond: L2
tests:
  - name: a hundred a week, then five hundred
    timeline: |
      day 1  10:00 deposit 100 CAD
      day 12 10:00 deposit 100 CAD
      day 19 10:00 deposit 100 CAD
      day 26 10:00 deposit 100 CAD
      day 40 10:00 deposit 250 CAD
      day 41 10:00 deposit 250 CAD
    expect: [{at: day 40 10:00, severity: high}, {at: day 41 10:00, severity: critical}]
  - name: steady deposits stay silent
    timeline: |
      day 1 10:00 deposit 100 CAD
      day 8 10:00 deposit 100 CAD
    expect: []
"""


@dataclass(frozen=True)
class Read:
    """What reading one rule file gave."""

    text: str
    rule: Rule | None
    findings: list[Finding]

    @property
    def messages(self) -> list[str]:
        return [finding.message for finding in self.findings]

    def place(self, needle: str) -> tuple[int, int]:
        """Return line and column of a text's first occurrence, of what follows a `^` in it."""
        offset = self.text.index(needle.replace("^", "", 1)) + max(needle.find("^"), 0)
        return self.text.count("\n", 0, offset) + 1, offset - self.text.rfind("\n", 0, offset)

    @property
    def loaded(self) -> Rule:
        """The rule, which has to be there."""
        assert self.rule is not None, self.messages
        return self.rule

    @property
    def only(self) -> Finding:
        assert len(self.findings) == 1, self.messages
        return self.findings[0]

    def tells(self, needle: str, message: str) -> None:
        """Assert that the only finding stands at the needle and holds this message."""
        assert message in self.only.message
        assert (self.only.line, self.only.column) == self.place(needle)


Reads = Callable[..., Read]  # a text, or keys of the sample written otherwise
