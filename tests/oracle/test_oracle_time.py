"""Stories of sessions, silences and breaks: what each must give was worked out by hand from the design."""

from __future__ import annotations

import pytest

from tests.oracle.history import instant
from tests.oracle.stories import Story, at, times


def test_an_untagged_event_joins_until_exactly_30_minutes_have_passed() -> None:
    story = Story()
    story.event("10:00", "session_start", session="x")
    story.deposit("10:30")
    story.deposit("11:00:00.000001")
    assert story.values("count(deposit) over session") == [0, 1, None]


def test_a_start_closes_the_sessions_of_its_own_channel() -> None:
    story = Story()
    story.event("10:00", "session_start", session="web", channel="web")
    story.event("10:01", "session_start", session="app", channel="mobile")
    story.deposit("10:02")  # to the later one, app
    story.event("10:03", "session_start", channel="mobile")  # of no name, closes app alone
    story.deposit("10:04")
    story.event("10:05", "session_end")  # ends the one of no name
    story.deposit("10:06")  # web is still open
    story.deposit("10:07", session="app")  # a straggler
    story.deposit("10:08")  # app is not opened again
    assert story.values("count(deposit) over session") == [0, 0, 1, 0, 1, 1, 1, 2, 2]


def test_no_channel_is_a_channel_of_its_own() -> None:
    story = Story()
    story.event("10:00", "session_start", session="a")
    story.event("10:01", "session_start", session="b", channel="web")
    story.event("10:02", "session_start", session="c")
    story.event("10:03", "session_end", session="c")
    story.event("10:04", "session_end", session="b")
    story.deposit("10:05")
    assert story.last("count(deposit) over session") is None


def test_a_named_session_opens_with_whatever_names_it_and_is_forgotten_after_48_hours() -> None:
    story = Story()
    story.deposit("1 10:00", session="x")
    story.deposit("3 9:59:59.999999", session="x")
    story.deposit("5 9:59:59.999999", session="x")
    assert story.values("count(deposit) over session") == [1, 2, 1]


def test_a_void_belongs_to_the_session_it_carries_or_the_latest_open_and_extends_none() -> None:
    story = Story()
    story.event("10:00", "session_start", session="x", channel="web")
    deposit = story.deposit("10:01", session="x")
    story.event("10:02", "session_start", session="y", channel="mobile")
    story.void("10:30", deposit)
    story.deposit("10:40")  # 38 min after y began, and the void has not kept it open
    assert story.values("count(session_start) over session") == [1, 1, 1, 1, None]


def test_a_session_is_judged_each_whole_minute_up_to_its_last_event() -> None:
    story = Story()
    story.event("10:00:10", "session_start", session="x")
    story.bet("10:02:09.999999")
    story.bet("10:03:10")
    story.tick("11:00")
    whole = ["10:01:10", "10:02:10", "10:03:10"]
    assert times(story.alerts("during_session", "session_age >= 1m")) == whole
    # At 10:03:10 the bet of that instant is seen, at 10:02:10 only the first.
    assert times(story.alerts("during_session", "count(bet) over session == 1")) == ["10:02:10"]


def test_minutes_stop_at_a_gap_of_more_than_30_minutes() -> None:
    for last, minutes in (("10:31", 31), ("10:31:00.000001", 1)):
        story = Story()
        story.event("10:00", "session_start", session="x")
        story.bet("10:01", session="x")
        story.event(last, "session_end", session="x")
        story.tick("12:00")
        assert len(story.alerts("during_session", "session_age >= 0s")) == minutes


@pytest.mark.parametrize("straggler_first", [False, True])
@pytest.mark.parametrize(
    ("closing", "straggler", "last_minute"),
    [
        ("session_end", "10:05", "10:03"),  # after the end: it makes the session no longer
        ("session_end", "10:02", "10:03"),
        ("session_start", "10:05", "10:00"),  # after the next start: ended at its last event before
        ("session_start", "10:02", "10:02"),
    ],
)
def test_a_session_ends_at_the_same_minute_whatever_comes_first(
    closing: str, straggler: str, last_minute: str, straggler_first: bool
) -> None:
    story = Story()
    story.event("10:00", "session_start", session="x")
    name = "x" if closing == "session_end" else "y"
    if straggler_first:
        story.bet(straggler, session="x")
    story.event("10:03", closing, session=name)
    if not straggler_first:
        story.bet(straggler, session="x")
    story.tick("12:00")
    minutes = ["10:01", "10:02", "10:03", "10:04", "10:05"]
    wanted = [minute for minute in minutes if minute <= last_minute]
    assert times(story.alerts("during_session", "session_age >= 0s")) == wanted


def test_a_start_that_comes_late_closes_nothing_that_began_after_it() -> None:
    story = Story()
    story.event("10:00", "session_start", session="b")
    story.event("9:50", "session_start", session="a")
    story.deposit("10:05")
    story.deposit("10:06", session="a")
    story.deposit("10:07", session="b")
    assert story.values("count(deposit) over session") == [0, 0, 1, 1, 2]


def test_a_break_that_comes_late_is_over_with_the_activity_after_it() -> None:
    story = Story()
    story.deposit("10:20")
    story.event("10:10", "break_start")
    story.tick("12:00")
    assert times(story.alerts({"silence": "1h"}, "age >= 0s")) == ["11:20"]


def test_minutes_are_due_only_up_to_the_watermark() -> None:
    story = Story()
    story.event("10:00", "session_start", session="x")
    story.bet("10:20")
    assert times(story.alerts("during_session", "session_age >= 4m")) == ["10:04", "10:05"]
    story.tick("10:06")
    assert times(story.alerts("during_session", "session_age >= 4m")) == ["10:04", "10:05", "10:06"]


def test_a_moment_sees_no_later_event_nor_correction() -> None:
    story = Story()
    story.event("10:00", "session_start", session="x")
    deposit = story.deposit("10:01")
    story.void("10:02:30", deposit)
    story.bet("10:04")
    story.tick("11:00")
    seen = story.alerts("during_session", "count(deposit) over 1h == 1")
    assert times(seen) == ["10:01", "10:02"]


@pytest.mark.parametrize(
    ("second", "due"),
    [("11:00", ["12:00"]), ("11:00:00.000001", ["11:00", "12:00:00.000001"])],
)
def test_an_activity_at_the_very_end_cuts_a_silence(second: str, due: list[str]) -> None:
    story = Story()
    story.deposit("10:00")
    story.deposit(second)
    story.tick("13:00")
    assert times(story.alerts({"silence": "1h"}, "age >= 0s")) == due


def test_a_silence_is_due_when_the_watermark_reaches_its_end() -> None:
    for tick, due in (("10:59:59.999999", []), ("11:00", ["11:00"])):
        story = Story()
        story.deposit("10:00")
        story.tick(tick)
        assert times(story.alerts({"silence": "1h"}, "age == 1h")) == due
    late = Story()
    late.deposit("10:00")
    late.event("11:15", "contact", topic="other")  # high mark less 15 min: 11:00; no activity
    assert times(late.alerts({"silence": "1h"}, "count(contact) over 7d == 0")) == ["11:00"]


def test_the_end_of_a_silence_sees_the_events_of_that_instant() -> None:
    story = Story()
    story.deposit("10:00")
    story.event("11:00", "contact", topic="other")
    story.event("11:00:00.000001", "contact", topic="other")
    story.tick("12:00")
    assert times(story.alerts({"silence": "1h"}, "count(contact) over 24h == 1")) == ["11:00"]


def test_silence_knows_no_session() -> None:
    story = Story()
    story.event("10:00", "session_start", session="x")
    story.tick("12:00")
    assert story.alerts({"silence": "30m"}, "count(session_start) over session >= 0") == []


@pytest.mark.parametrize(
    ("start", "until", "due"),
    [
        ("11:00", None, ["13:30"]),  # cut at its very end; the next activity starts a new one
        ("11:00:00.000001", None, ["11:00", "13:30"]),
        ("10:30", "10:31", ["13:30"]),  # cut, however short the break
        ("12:00", "13:30", ["11:00", "13:30"]),  # the end of a break is outside it
        ("12:00", "13:30:00.000001", ["11:00"]),
    ],
)
def test_a_break_cuts_silences_and_covers_their_ends(start: str, until: str | None, due: list[str]) -> None:
    story = Story()
    story.deposit("10:00")
    early = at(start) < at("12:30")
    ending = {} if until is None else {"until": instant(at(until))}
    if early:
        story.event(start, "break_start", **ending)
    story.deposit("12:30")
    story.tick("20:00")
    assert times(story.alerts({"silence": "1h"}, "age >= 0s")) == due


def test_a_self_exclusion_lasts_to_its_end_even_over_activity() -> None:
    story = Story()
    story.event("10:00", "self_exclusion")
    story.event("10:10", "withdrawal", amount=100)
    story.event("11:30", "withdrawal", amount=100)
    story.event("12:30", "self_exclusion_end")  # at the very end of the second silence: no longer excluded
    story.tick("20:00")
    assert times(story.alerts({"silence": "1h"}, "age >= 0s")) == ["12:30"]
