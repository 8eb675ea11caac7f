"""What would lower a score, against trying it out instant by instant."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.score.outlook import STEP_US, outlook
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
    any_standings,
    standing,
)


def test_nothing_open_leaves_nothing_to_lower() -> None:
    over = standing("play", "critical", held_ago=7 * DAY_US)
    found = outlook([over], NOW_US, PACKAGED)
    assert (found.without, found.course, found.lower) == ([], [], [])


def test_a_grave_sign_and_a_small_one() -> None:
    grave = standing("play", "high", rule="grave", cooldown=10 * DAY_US)
    small = standing("time", "low", rule="small", cooldown=DAY_US)
    found = outlook([grave, small], NOW_US, PACKAGED)
    assert [(each.rule, each.delta, each.score, each.band) for each in found.without] == [
        ("grave@3", -32, 6, "low"),
        ("small@3", -6, 32, "medium"),
    ]
    assert [(each.at_us - NOW_US, each.score, each.ended) for each in found.course] == [
        (DAY_US, 29, ["small@3"]),
        (10 * DAY_US, 0, ["grave@3"]),
    ]
    # 32 points have become 24.5 after log2(32 / 24.5) half-lives, 2.697 days.
    (low,) = found.lower
    assert (low.band, low.score) == ("low", 24)
    assert abs(low.at_us - NOW_US - 2.697 * DAY_US) < HOUR_US


def test_in_a_full_category_no_single_sign_would_lower_it() -> None:
    many = [standing("time", "high", rule=name) for name in "abc"]
    assert {each.delta for each in outlook(many, NOW_US, PACKAGED).without} == {0}


def test_bands_that_a_drop_skips_are_left_out() -> None:
    distress = standing("contact", "critical", rule="distress-contact", cooldown=2 * DAY_US)
    (low,) = outlook([distress], NOW_US, PACKAGED).lower
    assert (low.band, low.at_us - NOW_US, low.score) == ("low", 2 * DAY_US, 0)


def test_a_drop_over_one_band_goes_on_from_where_it_landed() -> None:
    """From critical to medium when the words of distress are over, and to low as the rest fades."""
    distress = standing("contact", "critical", rule="distress-contact", cooldown=2 * DAY_US)
    grave = standing("play", "high", rule="grave", cooldown=20 * DAY_US)
    lower = outlook([distress, grave], NOW_US, PACKAGED).lower
    assert [(each.band, each.score) for each in lower] == [("medium", 26), ("low", 24)]
    assert lower[0].at_us - NOW_US == 2 * DAY_US


def test_without_a_protective_rule_it_would_be_higher() -> None:
    grave = standing("play", "critical", rule="grave")
    relief = standing("tools", "low", rule="r1", cooldown=3 * DAY_US)
    without = outlook([grave, relief], NOW_US, PROTECTED).without
    assert [(each.rule, each.delta) for each in without] == [("grave@3", -48), ("r1@3", 12)]


def test_a_dip_from_which_the_score_rises_again_is_not_stepped_over() -> None:
    """A fast sign fades at once, the protective episode only over days: for some hours it is low."""
    own = replace(
        PACKAGED,
        rules={
            "slow": Override((30,) * 4, 400 * DAY_US),
            "fast": Override((10,) * 4, HOUR_US),
            "relief": Override((-10,) * 4, DAY_US),
        },
    )
    standings = [
        standing("play", rule="slow", cooldown=20 * DAY_US),
        standing("time", rule="fast", cooldown=20 * DAY_US),
        standing("tools", rule="relief", cooldown=20 * DAY_US),
    ]
    points = [score(standings, NOW_US + hours * HOUR_US, own).score for hours in (0, 2, 36)]
    assert points == [30, 23, 26]
    (low,) = outlook(standings, NOW_US, own).lower
    assert score(standings, low.at_us - STEP_US, own).score == 25
    assert (low.at_us - NOW_US) // HOUR_US == 1


@settings(max_examples=60, deadline=None)
@given(standings=any_standings(6, longest=3 * HOUR_US), scoring=any_scoring)
def test_it_agrees_with_trying_every_step(standings: list[Standing], scoring: Scoring) -> None:
    found = outlook(standings, NOW_US, scoring)
    ends = {each.ends_us for each in standings if each.is_open(NOW_US)}
    last_us = max(ends, default=NOW_US)
    # Every whole second counted from now and from each end, as `outlook` does.
    instants = sorted(
        {instant for start in (NOW_US, *ends) for instant in range(start, last_us + 1, 60 * STEP_US)}
    )
    tried = [(instant, score(standings, instant, scoring)) for instant in instants]
    assert [each.at_us for each in found.course] == sorted(ends)
    assert [each.score for each in found.course] == [dict(tried)[each.at_us].score for each in found.course]
    lowest = tried[0][1].band
    for each in found.lower:
        then = score(standings, each.at_us, scoring)
        assert (each.score, each.band) == (then.score, then.band) == (each.score, scoring.band(each.score))
        assert BANDS.index(each.band) < BANDS.index(lowest)
        # Until then it has not been below the lowest band so far.
        edge = scoring.edges[BANDS.index(lowest)]
        assert all(earlier.score >= edge for instant, earlier in tried if instant < each.at_us)
        if each.at_us not in ends:
            assert score(standings, each.at_us - STEP_US, scoring).score >= edge
        lowest = each.band
    assert lowest == min((then.band for _, then in tried), key=BANDS.index)
    instants_told = [each.at_us for each in found.lower]
    assert instants_told == sorted(set(instants_told))


@settings(deadline=None)
@given(standings=any_standings(), scoring=any_scoring)
def test_each_delta_is_the_score_of_the_others(standings: list[Standing], scoring: Scoring) -> None:
    now = score(standings, NOW_US, scoring).score
    for each in outlook(standings, NOW_US, scoring).without:
        others = [other for other in standings if other.rule != each.rule]
        assert (each.score, each.delta) == (score(others, NOW_US, scoring).score, each.score - now)


@settings(max_examples=30, deadline=None)
@given(standings=any_standings(), scoring=any_scoring, later=st.integers(0, 20 * DAY_US))
def test_the_course_comes_true(standings: list[Standing], scoring: Scoring, later: int) -> None:
    """Asked again later, with nothing having held meanwhile, the rest of the course is the same."""
    first = outlook(standings, NOW_US, scoring)
    again = outlook(standings, NOW_US + later, scoring)
    assert again.course == [each for each in first.course if each.at_us > NOW_US + later]
