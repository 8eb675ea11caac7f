"""Scores worked out by hand, from the numbers of a small score.yml and from stories."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracle import Books, run
from tests.oracle.history import DAY
from tests.oracle.sample_rules import RuleFile, rule
from tests.oracle.scores import CATEGORIES, Standing, scored
from tests.oracle.stories import Story, shown

BOOK: dict[str, Any] = {
    "bands": {"medium": 25, "high": 50, "critical": 75},
    "weights": {"low": 6, "medium": 16, "high": 32, "critical": 60},
    "half_life": {"default": "7d", "time": "3d"},
    "caps": dict.fromkeys(CATEGORIES, 60) | {"spend": 40},
    "money": {"categories": ["spend", "deposits", "losses"], "cap": 70},
    "relief": 12,
    "rules": {"calm": {"low": -9}, "own": {"high": 50, "half_life": "1d"}},
}
LADDER = {"default": {"least": {"high": "L2", "critical": "L3"}}, "GB": {"least": {"medium": "L1"}}, "NL": {}}


def standing(category: str, severity: str = "high", age: int = 0, name: str = "any") -> Standing:
    return Standing(name, category, severity, -age, 30 * DAY)


def told(*standings: Standing, at: int = 0) -> tuple[int, str, dict[str, int]]:
    score = scored(standings, at, BOOK)
    return score.score, score.band, dict(score.contributions)


def test_points_halve_from_when_the_rule_last_held() -> None:
    assert told() == (0, "low", {})
    assert told(standing("play")) == (32, "medium", {"play": 32})
    assert told(standing("play", age=7 * DAY)) == (16, "low", {"play": 16})
    assert told(standing("time", age=3 * DAY)) == (16, "low", {"time": 16})
    assert told(standing("play", age=42 * DAY)) == (0, "low", {})
    assert told(standing("play", name="own", age=DAY)) == (25, "medium", {"play": 25})
    assert told(standing("play", age=30 * DAY - 1))[0] == 2
    assert told(standing("play", age=30 * DAY))[0] == 0  # its cooldown is over


def test_half_a_point_is_one() -> None:
    assert told(standing("play", "critical", age=21 * DAY))[0] == 8  # 7.5
    assert told(standing("play", "low", age=14 * DAY))[0] == 2  # 1.5


def test_categories_and_money_have_their_caps() -> None:
    assert told(standing("play"), standing("play"))[2] == {"play": 60}
    assert told(*(standing("spend") for _ in range(3)))[2] == {"spend": 40}
    # 40 and 60 share 70: 28 and 42.
    money = [standing(each, "critical") for each in ("spend", "deposits")]
    assert told(*money) == (70, "high", {"spend": 28, "deposits": 42})


def test_remainders_are_dealt_to_the_largest() -> None:
    # 16 · 2^(-1/7) = 14.49, 6 · 2^(-1/7) = 5.43: 19.93 together
    ones = [standing("play", "medium", DAY), standing("tools", "low", DAY)]
    assert told(*ones) == (20, "low", {"play": 15, "tools": 5})


def test_a_hundred_is_shared_in_proportion_and_the_first_of_equals_gets_what_is_left() -> None:
    all_of_it = [standing(each, "critical") for each in ("contact", "play", "tools")]
    assert told(*all_of_it) == (100, "critical", {"play": 34, "tools": 33, "contact": 33})


def test_protection_takes_off_and_never_more_than_there_is() -> None:
    calm = standing("contact", "low", name="calm")
    assert told(standing("play"), calm) == (23, "low", {"play": 32, "contact": -9})
    assert told(standing("play"), calm, calm)[2] == {"play": 32, "contact": -12}
    assert told(standing("play", "low"), calm) == (0, "low", {"play": 6, "contact": -6})
    assert told(calm) == (0, "low", {})


def risk(name: str, trigger: Any, when: str, category: str, **more: Any) -> RuleFile:
    return rule(
        name,
        trigger,
        when,
        **({"status": "live", "audience": "risk", "category": category, "cooldown": "2d"} | more),
    )


def scores(story: Story, *files: RuleFile) -> list[tuple[str, str, dict[str, int], str]]:
    """(rule, when, contributions, response) of each alert."""
    alerts = run(files, story.lines, books=Books(BOOK, LADDER))
    return [
        (a["rule"][:-2], shown(a["opened_at"]), dict(a["score"].contributions), a["response"]) for a in alerts
    ]


PAID = risk("paid", "deposit", "age >= 0s", "deposits", severity="medium")
SAID = risk("said", "contact", "age >= 0s", "contact", severity="high")


def test_an_alert_bears_all_that_its_event_brought() -> None:
    story = Story()
    story.deposit("10:00")
    both = risk("both", ["deposit", "bet"], "age >= 0s", "play")
    silent = rule("silent", "deposit", "age >= 0s", audience="risk", severity="critical", status="shadow")
    assert scores(story, both, PAID, silent) == [
        ("both", "10:00", {"play": 6, "deposits": 16}, "L1"),
        ("paid", "10:00", {"play": 6, "deposits": 16}, "L1"),
        ("silent", "10:00", {"play": 6, "deposits": 16}, "L1"),
    ]


@pytest.mark.parametrize("ticked", [False, True])
def test_at_an_event_what_would_be_due_by_then_counts(ticked: bool) -> None:
    quiet = risk("quiet", {"silence": "1h"}, "age >= 0s", "time")
    story = Story()
    story.deposit("10:00")
    story.event("11:00", "contact", topic="other")
    if ticked:
        story.tick("11:00")
    assert scores(story, quiet, SAID)[-1] == ("said", "11:00", {"time": 6, "contact": 32}, "L1")
    story = Story()
    story.deposit("10:00")
    story.event("11:00", "contact", topic="other")
    story.bet("10:50")  # late: there was no silence; what was said before that stays said
    story.event("11:02", "contact", topic="other")
    again = risk("again", "contact", "count(contact) over 1h == 2", "contact")
    assert scores(story, quiet, SAID, again)[-1] == ("again", "11:02", {"contact": 38}, "L1")


def test_at_a_moment_rules_on_events_stand_as_they_stood_then() -> None:
    quiet = risk("quiet", {"silence": "1h"}, "age >= 0s", "time")
    story = Story()
    story.deposit("10:00")
    story.event("11:00:00.000001", "contact", topic="other")
    story.tick("11:00")
    assert scores(story, quiet, PAID, SAID) == [
        ("paid", "10:00", {"deposits": 16}, "L1"),
        ("quiet", "11:00", {"deposits": 16, "time": 6}, "L1"),
        ("said", "11:00:00.000001", {"deposits": 16, "time": 6, "contact": 32}, "L2"),
    ]


def test_when_a_rule_last_held_is_known_to_the_hour() -> None:
    own = risk("own", "deposit", "age >= 0s", "play", severity="high", cooldown="2d")
    story = Story()
    story.deposit("10:00")
    story.deposit("2 9:10")
    story.deposit("2 9:50")
    story.event("2 10:00", "contact", topic="other")
    ((_, _, first, _), (_, _, then, _)) = scores(story, own, SAID)
    assert first == {"play": 50}
    assert then == {"play": round(50 * 2 ** (-50 / 60 / 24)), "contact": 32}


def test_the_response_is_that_of_the_severity_and_no_less_than_the_band_asks_for() -> None:
    story = Story()
    for minute in range(3):
        story.deposit(f"10:0{minute}")
    steps = risk(
        "steps",
        "deposit",
        "age >= 0s",
        "deposits",
        escalate={"high": "count(deposit) over 1h >= 2", "critical": "count(deposit) over 1h >= 3"},
        respond={"low": "L0", "high": "L1", "critical": "L4"},
    )
    assert [each[3] for each in scores(story, steps)] == ["L0", "L1", "L4"]
    distressed = risk("distressed", "contact", "age >= 0s", "contact", severity="critical")
    other = rule("other", "contact", "age >= 0s", audience="operations")
    story.event("10:05", "contact", topic="distress")
    # 60 for what was said: 100 with the deposits, and no less than L3; for others nothing is raised.
    assert [each[3] for each in scores(story, steps, distressed, other)[3:]] == ["L3", "L1"]


@pytest.mark.parametrize(("place", "response"), [("GB", "L1"), ("GB-SCT", "L1"), ("NL", "L0"), ("FR", "L0")])
def test_a_jurisdiction_may_ask_for_more(place: str, response: str) -> None:
    story = Story()
    story.event("10:00", "contact", topic="other", jurisdiction=place)
    said = risk("said", "contact", "age >= 0s", "contact", severity="high", respond="L0")
    assert [each[3] for each in scores(story, said)] == [response]
