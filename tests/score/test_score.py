"""The score: what it says of people one can picture, and what holds whatever is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.language.pack import default_pack, load_pack, load_rule
from detector.language.rule import CATEGORIES, SEVERITIES
from detector.score.score import score
from detector.score.scoring import BANDS, Override, Scoring
from detector.score.standing import Standing
from tests.score.samples import (
    DAY_US,
    HOUR_US,
    NOW_US,
    PACKAGED,
    PROTECTED,
    any_scoring,
    any_standing,
    any_standings,
    standing,
)

OTHERS = [category for category in CATEGORIES if category not in ("contact", *PACKAGED.money)]


def band(*standings: Standing, later: int = 0) -> str:
    return score(standings, NOW_US + later, PACKAGED).band


# Stories, by the packaged numbers


def test_nobody_starts_with_a_score() -> None:
    nothing = score([], NOW_US, PACKAGED)
    assert (nothing.score, nothing.band, nothing.contributions, nothing.parts) == (0, "low", {}, [])


@pytest.mark.parametrize("category", CATEGORIES)
def test_one_small_sign_is_no_reason_to_worry(category: str) -> None:
    assert band(standing(category, "low")) == "low"
    assert band(standing(category, "medium")) == "low"


@pytest.mark.parametrize("category", CATEGORIES)
def test_one_grave_sign_is_worth_a_look(category: str) -> None:
    assert band(standing(category, "high")) == "medium"


def test_words_of_distress_are_critical_at_once_and_do_not_fade_overnight() -> None:
    distress = standing("contact", "critical", rule="distress-contact", cooldown=2 * DAY_US)
    assert band(distress) == "critical"
    assert band(distress, later=DAY_US) == "critical"
    assert band(distress, later=2 * DAY_US - 1) == "critical"
    assert band(distress, later=2 * DAY_US) == "low"


def test_any_other_critical_word_to_support_is_high() -> None:
    assert band(standing("contact", "critical")) == "high"


def test_three_medium_signs_of_different_kinds_make_a_medium_case_and_four_a_high_one() -> None:
    signs = [standing(category) for category in ("deposits", "time", "play", "withdrawals")]
    assert [band(*signs[:n]) for n in (1, 2, 3, 4)] == ["low", "medium", "medium", "high"]


def test_two_grave_signs_are_high_and_a_third_of_another_kind_critical() -> None:
    session = standing("deposits", "high", rule="deposits-within-session")
    declined = standing("deposits", "high", rule="failed-deposits")
    taken_back = standing("withdrawals", "high")
    assert band(session, declined) == "high"
    assert band(session, declined, taken_back) == "critical"


def test_money_alone_is_never_critical_however_much_of_it() -> None:
    everything = [
        standing(category, "critical", rule=f"{category}-{number}")
        for category in sorted(PACKAGED.money)
        for number in range(20)
    ]
    found = score(everything, NOW_US, PACKAGED)
    assert (found.score, found.band) == (PACKAGED.money_cap, "high")
    assert band(*everything, standing("play", "low")) == "critical"


def test_behaviour_can_be_critical_without_any_money() -> None:
    assert band(*(standing(category, "high") for category in ("tools", "play", "withdrawals"))) == "critical"


def test_an_episode_fades_and_then_ends() -> None:
    grave = standing("play", "high", cooldown=10 * DAY_US)
    points = [score([grave], NOW_US + days * DAY_US, PACKAGED).score for days in (0, 7, 9, 10, 11)]
    assert points == [32, 16, 13, 0, 0]


def test_a_protective_rule_takes_off_no_more_than_its_share() -> None:
    grave = standing("contact", "critical", rule="distress-contact")
    relief = standing("tools", "low", rule="r1")
    assert score([grave], NOW_US, PROTECTED).score == 85
    eased = score([grave, relief], NOW_US, PROTECTED)
    assert (eased.score, eased.contributions) == (73, {"tools": -12, "contact": 85})
    assert score([relief], NOW_US, PROTECTED).contributions == {}
    assert score([relief, standing("time", "low")], NOW_US, PROTECTED).contributions == {
        "time": 6,
        "tools": -6,
    }


def test_what_goes_over_a_hundred_is_taken_from_all_in_proportion() -> None:
    grave = [standing(category, "critical") for category in ("play", "withdrawals", "contact")]
    found = score(grave, NOW_US, PACKAGED)
    assert found.score == 100
    # 60 each; the point that is left over goes to the first in the order of categories.
    assert found.contributions == {"play": 34, "withdrawals": 33, "contact": 33}


def test_the_parts_of_a_full_category_share_its_cap() -> None:
    rules = [standing("deposits", "high", rule=name) for name in ("b", "a", "c")]
    found = score(rules, NOW_US, PACKAGED)
    assert found.contributions == {"deposits": 60}
    assert [(part.rule, part.points) for part in found.parts] == [("a@3", 20), ("b@3", 20), ("c@3", 20)]
    uneven = score([*rules, standing("deposits", "low", rule="d")], NOW_US, PACKAGED)
    # 32 of 102 is 18.8 of 60, and 6 is 3.5: the points left over go to the larger remainders.
    assert [part.points for part in uneven.parts] == [19, 19, 19, 3]


def test_a_rule_weighs_and_fades_as_its_own_entry_says() -> None:
    own = replace(PACKAGED, rules={"late": Override((None, None, 50, None), DAY_US)})
    late = standing("play", "high", rule="late")
    assert [score([late], NOW_US + days * DAY_US, own).score for days in (0, 1, 2)] == [50, 25, 13]
    assert score([standing("play", "low", rule="late")], NOW_US, own).score == PACKAGED.weights[0]


# Whatever is open


@settings(deadline=None)
@given(standings=any_standings(), scoring=any_scoring, later=st.integers(0, 30 * DAY_US))
def test_it_is_made_of_its_contributions_and_these_of_their_parts(
    standings: list[Standing], scoring: Scoring, later: int
) -> None:
    found = score(standings, NOW_US + later, scoring)
    assert 0 <= found.score <= 100
    assert found.band == [b for b, edge in zip(BANDS, scoring.edges, strict=True) if found.score >= edge][-1]
    assert sum(found.contributions.values()) == found.score
    assert 0 not in found.contributions.values()
    by_category = dict.fromkeys(found.contributions, 0)
    for part in found.parts:
        by_category[part.category] = by_category.get(part.category, 0) + part.points
    assert {category: points for category, points in by_category.items() if points} == found.contributions
    assert {part.rule for part in found.parts} == {
        each.rule for each in standings if each.is_open(NOW_US + later)
    }


@settings(deadline=None)
@given(standings=any_standings(20), scoring=any_scoring)
def test_no_category_and_no_money_goes_over_its_cap(standings: list[Standing], scoring: Scoring) -> None:
    contributions = score(standings, NOW_US, scoring).contributions
    assert all(points <= scoring.caps[category] for category, points in contributions.items())
    assert sum(contributions.get(category, 0) for category in scoring.money) <= scoring.money_cap + 1
    assert sum(min(points, 0) for points in contributions.values()) >= -scoring.relief - len(contributions)


@settings(deadline=None)
@given(standings=any_standings(), scoring=any_scoring, data=st.data())
def test_the_order_does_not_matter(standings: list[Standing], scoring: Scoring, data: st.DataObject) -> None:
    shuffled: Sequence[Standing] = data.draw(st.permutations(standings))
    first, second = score(standings, NOW_US, scoring), score(shuffled, NOW_US, scoring)
    assert msgspec.json.encode(first) == msgspec.json.encode(second)


@settings(deadline=None)
@given(standings=any_standings(), scoring=any_scoring, data=st.data())
def test_one_more_sign_never_lowers_it(
    standings: list[Standing], scoring: Scoring, data: st.DataObject
) -> None:
    more = data.draw(any_standing(99))
    assert score([*standings, more], NOW_US, scoring).score >= score(standings, NOW_US, scoring).score


@settings(deadline=None)
@given(standings=any_standings(), later=st.integers(0, 10 * DAY_US), still_later=st.integers(0, 10 * DAY_US))
def test_time_never_raises_it_where_nothing_protects(
    standings: list[Standing], later: int, still_later: int
) -> None:
    first = score(standings, NOW_US + later, PACKAGED).score
    assert score(standings, NOW_US + later + still_later, PACKAGED).score <= first


@settings(deadline=None)
@given(standings=any_standings(6), severity=st.integers(0, 2), data=st.data())
def test_a_graver_sign_never_counts_less(
    standings: list[Standing], severity: int, data: st.DataObject
) -> None:
    milder = standing(data.draw(st.sampled_from(CATEGORIES)), SEVERITIES[severity], rule="r77")
    graver = msgspec.structs.replace(milder, severity=severity + 1)
    assert (
        score([*standings, graver], NOW_US, PACKAGED).score
        >= score([*standings, milder], NOW_US, PACKAGED).score
    )


def test_it_is_the_same_to_the_byte_on_every_machine() -> None:
    standings = [
        standing(
            CATEGORIES[n], SEVERITIES[n % 3], rule=f"r{n}", held_ago=n * 11 * HOUR_US + n, cooldown=9 * DAY_US
        )
        for n in range(8)
    ]
    found = score(standings, NOW_US, PROTECTED)
    assert msgspec.json.encode(found.contributions) == (
        b'{"spend":6,"deposits":-11,"losses":-1,"play":13,"withdrawals":26,"tools":5,"contact":14}'
    )
    assert [(part.rule, part.points) for part in found.parts] == [
        ("r5@3", 26),
        ("r7@3", 14),
        ("r4@3", 13),
        ("r0@3", 6),
        ("r6@3", 5),
        ("r3@3", 0),
        ("r2@3", -1),
        ("r1@3", -11),
    ]


# Rules by their names


@pytest.mark.parametrize(
    ("rule_id", "severity", "expected"),
    [
        ("distress-contact", "critical", "critical"),
        ("self-exclusion-request", "critical", "critical"),
        ("chasing", "high", "medium"),
        ("net-loss", "high", "medium"),
        ("net-deposit", "high", "medium"),
        ("failed-deposits", "critical", "high"),
        ("long-session", "low", "low"),
        ("night-play", "medium", "low"),
        ("return-after-break", "high", "medium"),
    ],
)
def test_what_one_rule_comes_to_by_itself(rule_id: str, severity: str, expected: str) -> None:
    rule = load_rule(default_pack() / f"{rule_id}.yml")
    assert band(standing(rule.category, severity, rule=rule_id)) == expected


def test_every_rule_by_itself_is_below_critical_but_a_call_for_help() -> None:
    for rule in load_pack(default_pack()).rules:
        graver = [rule.severity, *rule.escalate]
        alone = {band(standing(rule.category, severity, rule=rule.id)) for severity in graver}
        assert ("critical" in alone) is (rule.id in PACKAGED.asks_for_help)
