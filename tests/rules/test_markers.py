"""The list of markers is whole, and the pack keeps it."""

from __future__ import annotations

import pytest

from detector.language.pack import default_pack, load_rules
from detector.language.rule import Rule
from tests.docs.markers import Marker, clauses, markers, waiting, watched

RULES = load_rules(default_pack())
NAMED = (
    "deposits within a session",
    "account depletion",
    "deposit frequency",
    "deposit escalation",
    "failed deposits",
    "cancelled withdrawals",
    "payment methods",
    "stake variability",
    "stake escalation",
    "erratic play",
    "intensity",
    "frequency",
    "early intensity",
    "net loss",
    "loss per session against own habit",
    "long session",
    "night play",
    "binge",
    "product breadth",
    "speed after a loss",
    "limit use",
    "history of tools",
    "customer contact",
    "self-exclusion request",
    "deposit to withdrawal ratio",
    "chasing (composite)",
    "losses then churn",
)
"""What research and regulators name, as far as events can show it. A marker may be added, none dropped."""


def test_every_marker_that_research_names_is_listed() -> None:
    assert {marker.name for marker in markers()} >= set(NAMED)


@pytest.mark.parametrize("marker", markers(), ids=lambda marker: marker.name)
def test_a_marker_has_a_rule_or_a_reason(marker: Marker) -> None:
    assert marker.rules or marker.open
    assert set(marker.rules) <= {rule.id for rule in RULES}


def test_every_rule_watches_for_one_marker() -> None:
    assert sorted(id_ for marker in markers() for id_ in marker.rules) == sorted(rule.id for rule in RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_rests_on_what_a_regulator_asks_for(rule: Rule) -> None:
    assert any(clause.startswith(("AGCO 2.", "RD ", "Ksa ")) for clause in clauses(rule.sources))


def test_the_page_has_a_row_for_each_rule_and_each_gap() -> None:
    rows = list(watched())
    assert len(rows) == len(RULES)
    assert [row[0] for row in rows if row[0]] == [marker.name for marker in markers() if marker.rules]
    assert [row[0] for row in waiting()] == [marker.name for marker in markers() if marker.open]
