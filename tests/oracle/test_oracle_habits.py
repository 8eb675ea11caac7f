"""Stories of `usual` and `z`, worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.oracle import aggregates, run
from tests.oracle.sample_rules import rule
from tests.oracle.stories import Story, times

WEEK = {"week": "sum(deposit.amount) over 7d"}


def last(story: Story, text: str, **lets: str) -> Any:
    value = aggregates(story.lines, [text], lets=lets)[-1].values[text]
    return None if value is None else value.amount


def weekly(*dollars: float) -> Story:
    """A deposit at 10:00 of every seventh day, the first on day 1."""
    story = Story()
    for number, each in enumerate(dollars):
        story.deposit(f"{1 + 7 * number} 10:00", each)
    return story


def test_the_usual_is_the_mean_of_the_four_windows_before() -> None:
    story = weekly(1_000, 10, 20, 30, 40, 100)
    assert last(story, "usual(week)", **WEEK) == 2_500
    spread = 100 * math.sqrt((15**2 + 5**2 + 5**2 + 15**2) / 4)
    assert last(story, "z(week)", **WEEK) == pytest.approx(7_500 / spread)


def test_it_is_unknown_until_four_whole_windows_have_passed_before_this_one() -> None:
    story = weekly(10, 10, 10, 10, 10)
    story.event("36 09:59:59.999999", "contact", topic="other")
    assert last(story, "usual(week)", **WEEK) is None
    story.event("36 10:00", "contact", topic="other")
    # The first deposit is just out of the window that ends on day 8: (1, 8], … (22, 29].
    assert last(story, "usual(week)", **WEEK) == 1_000


def test_the_four_windows_of_one_that_lies_before_lie_before_that() -> None:
    story = weekly(1, 2, 4, 8, 16, 32, 64)
    lets = {"earlier": "sum(deposit.amount) over 7d before 7d"}
    assert last(story, "earlier", **lets) == 3_200
    assert last(story, "usual(earlier)", **lets) == (200 + 400 + 800 + 1_600) / 4
    shorter = weekly(2, 4, 8, 16, 32, 64)
    assert last(shorter, "usual(earlier)", **lets) is None


def test_no_spread_is_a_division_by_nothing() -> None:
    story = weekly(10, 10, 10, 10, 10, 500)
    assert last(story, "z(week)", **WEEK) is None
    assert last(story, "usual(week)", **WEEK) == 1_000


def test_a_window_that_is_not_known_makes_the_habit_unknown() -> None:
    story = weekly(10, 20, 30, 40, 50)
    story.event("36 10:00", "contact", topic="other")  # nothing in its own week
    mean = {"mean": "mean(deposit.amount) over 7d"}
    assert last(story, "usual(mean)", **mean) == 3_500
    assert last(story, "z(mean)", **mean) is None
    assert last(story, "z(week)", **WEEK) == pytest.approx(-3_500 / 1_118.033988749895)
    story = weekly(10, 20, 30, 40)
    story.event("36 10:00", "contact", topic="other")  # a week ago nothing
    assert last(story, "usual(mean)", **mean) is None
    assert last(story, "usual(week)", **WEEK) == 2_250


def test_a_count_usually_is_no_whole_number() -> None:
    story = weekly(1, 1, 1, 1, 1, 1)
    story.deposit("29 10:00")
    story.deposit("36 10:00")
    lets = {"often": "count(deposit) over 7d"}
    assert last(story, "usual(often)", **lets) == 1.25
    assert times(story.alerts("deposit", "often / usual(often) == 1.6", let=lets)) == ["36 10:00"]


def test_a_where_and_params_hold_in_every_window() -> None:
    story = weekly(99, 100, 101, 100, 500, 200)
    lets = {"big": "count(deposit) where amount >= 100 CAD over 7d"}
    assert last(story, "usual(big)", **lets) == 1
    params = {"floor": {"value": "101 CAD"}, "span": {"value": "7d"}}
    lets = {"big": "count(deposit) where amount >= floor over span"}
    assert times(story.alerts("deposit", "usual(big) == 0.5", let=lets, params=params)) == ["36 10:00"]


def test_bets_lie_in_tiles_whose_edges_are_rounded_on_either_side() -> None:
    """Windows of 48 min have tiles of a minute; each takes in those of both its ends."""
    story = Story()
    story.event("05:00", "contact", topic="other")
    for time, dollars in (("10:00:10", 1), ("10:00:50", 2), ("10:01:00", 4)):
        story.bet(time, dollars)
    story.event("10:48:30", "contact", topic="other")
    lets = {"staked": "sum(bet.stake) over 48m"}
    # At 10:48:30 the window begins in the tile of 10:00, where the one before it ends.
    assert last(story, "staked", **lets) == 700
    assert last(story, "usual(staked)", **lets) == 300 / 4
    story.event("10:49:00", "contact", topic="other")
    assert last(story, "staked", **lets) == 400
    assert last(story, "usual(staked)", **lets) == 700 / 4


def test_closed_sessions_have_habits_too() -> None:
    story = Story()
    for day, minutes in ((1, 10), (2, 10), (3, 10), (4, 30), (5, 30), (6, 59)):
        story.event(f"{day} 10:00", "session_start", session=f"s{day}")
        story.event(f"{day} 10:20", "contact", topic="other", session=f"s{day}")
        story.event(f"{day} 10:40", "contact", topic="other", session=f"s{day}")
        story.event(f"{day} 10:{minutes}", "session_end", session=f"s{day}")
    lets = {"played": "sum(session_summary.minutes) over 1d"}
    assert last(story, "usual(played)", **lets) == 20
    assert last(story, "z(played)", **lets) == pytest.approx(3.9)


def test_a_moment_asks_for_habits_as_of_itself() -> None:
    story = Story()
    for minute in (0, 1, 2, 10, 20, 30):
        story.deposit(f"10:{minute:02}", session="x")
    story.tick("12:00")
    lets = {"few": "count(deposit) over 5m"}
    # At 10:24 it has not been there for five lengths; then four deposits in four windows, then three, two.
    assert times(story.alerts("during_session", "usual(few) >= 1", let=lets)) == ["10:25"]
    assert times(story.alerts("during_session", "usual(few) == 75%", let=lets)) == ["10:26"]


def test_evidence_shows_the_habit_by_its_name() -> None:
    story = weekly(1_000, 10, 20, 30, 40, 100)
    file = rule("steps", "deposit", "z(week) >= 2 and week >= 2 * usual(week)", let=WEEK)
    (alert,) = run([file], story.lines)
    evidence = {text: value.amount for text, value in alert["evidence"].items()}
    assert evidence.keys() == {"z(week)", "usual(week)", "sum(deposit.amount) over 7d"}
    assert evidence["usual(week)"] == 2_500
    assert evidence["sum(deposit.amount) over 7d"] == 10_000
