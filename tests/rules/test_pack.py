"""The packaged rules keep what their own timelines promise, and read as one catalogue."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from detector.language.pack import check, default_pack, load_rule, load_rules, packs_dir
from detector.language.rule import Rule, Timeline
from detector.timelines import check_timeline

RULES = load_rules(default_pack())
LADDER = {"low": ("L0", "L1"), "medium": ("L1", "L2"), "high": ("L2", "L3"), "critical": ("L3", "L4", "L5")}
HELP = ("1-866-531-2600", "9-8-8")
DIAGNOSES = ("addict", "problem gambl", "disorder", "compulsi", "dépendan", "problématique", "trouble du jeu")

each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)


@pytest.mark.parametrize(
    ("rule", "timeline"),
    [pytest.param(rule, test, id=f"{rule.id}: {test.name}") for rule in RULES for test in rule.tests],
)
def test_a_timeline_gets_exactly_the_alerts_it_expects(rule: Rule, timeline: Timeline) -> None:
    assert check_timeline(rule, timeline) == []


def test_the_pack_is_ready_to_go_live() -> None:
    assert check([default_pack()]) == []


def test_the_ten_first_rules_are_there() -> None:
    assert {rule.id for rule in RULES} >= {
        "cancelled-withdrawals",
        "deposit-escalation",
        "deposit-frequency",
        "deposits-within-session",
        "distress-contact",
        "failed-deposits",
        "long-session",
        "losses-then-churn",
        "night-play",
        "self-exclusion-request",
    }


def test_titles_tell_rules_apart() -> None:
    titles = [rule.title for rule in RULES]
    assert len(set(titles)) == len(titles)


@each_rule
def test_two_timelines_fire_and_two_stay_silent(rule: Rule) -> None:
    firing = sum(bool(test.expect) for test in rule.tests)
    assert firing >= 2
    assert len(rule.tests) - firing >= 2
    assert len({test.name for test in rule.tests}) == len(rule.tests)


@each_rule
def test_every_level_of_severity_is_reached_by_a_timeline(rule: Rule) -> None:
    reached = {alert.severity for test in rule.tests for alert in test.expect}
    assert reached == {rule.severity, *rule.escalate}


@each_rule
def test_the_reader_is_told_why_from_where_and_in_both_languages(rule: Rule) -> None:
    assert rule.why
    assert rule.sources
    assert rule.tell["en"]
    assert rule.tell["fr"]
    assert rule.tell["en"] != rule.tell["fr"]


@each_rule
def test_a_player_reads_no_number_and_no_diagnosis_and_the_same_help_in_both_languages(rule: Rule) -> None:
    for text in rule.tell.values():
        bare = text
        for number in HELP:
            bare = bare.replace(number, "")
        assert not any(sign.isdigit() for sign in bare)
        assert not any(word in text.lower() for word in DIAGNOSES)
    english, french = rule.tell["en"], rule.tell["fr"]
    assert [number in english for number in HELP] == [number in french for number in HELP]


@each_rule
def test_the_response_fits_each_severity(rule: Rule) -> None:
    assert rule.respond.keys() == {rule.severity, *rule.escalate}
    assert all(level in LADDER[severity] for severity, level in rule.respond.items())


@each_rule
def test_what_may_be_tuned_has_room_on_both_sides(rule: Rule) -> None:
    for name, param in rule.params.items():
        assert param.low is not None, name
        assert param.high is not None, name
        assert param.low.value <= param.value.value < param.high.value, name  # type: ignore[operator]


@each_rule
def test_an_agent_reads_the_numbers(rule: Rule) -> None:
    assert len(rule.explain) > 1


def test_the_template_is_a_rule_that_works(tmp_path: Path) -> None:
    copy = tmp_path / "template.yml"
    shutil.copy(packs_dir() / "TEMPLATE.yml", copy)
    assert check([copy]) == []
    rule = load_rule(copy)
    assert rule.tests
    assert [problem for test in rule.tests for problem in check_timeline(rule, test)] == []
