"""The oracle's own tests: what each story must give was worked out by hand from the design."""

from __future__ import annotations

from datetime import date

import pytest

from tests.oracle import Rates, Zones, run
from tests.oracle.sample_rules import rule
from tests.oracle.stories import Story, times


def test_an_event_exactly_as_old_as_the_window_is_out() -> None:
    story = Story()
    story.deposit("10:00")
    story.deposit("10:59:59.999999")
    story.deposit("11:00")
    assert story.values("count(deposit) over 1h") == [1, 2, 2]


def test_before_moves_both_ends_of_the_window() -> None:
    story = Story()
    for time in ("10:00", "10:00:00.000001", "11:00", "11:00:00.000001"):
        story.event(time, "contact", topic="other")
    story.event("11:30", "contact", topic="other")
    # (10:00, 11:00]: the second and the third.
    assert story.last("count(contact) over 1h before 30m") == 2


def test_a_bet_window_starts_at_the_edge_of_its_tile() -> None:
    story = Story()  # tiles of 1 h are 75 s wide, and midnight is an edge
    story.bet("9:59:59.999999")
    story.bet("10:00")
    story.bet("11:01:14.999999")  # back to 10:01:14.999999, hence to the tile from 10:00
    story.bet("11:01:15")  # back to 10:01:15, an edge
    assert story.values("count(bet) over 1h") == [1, 2, 2, 2]


def test_a_bet_window_reaches_no_further_back_when_it_starts_on_an_edge() -> None:
    story = Story()
    story.bet("10:01:14.999999")
    story.bet("10:01:15")
    story.bet("11:01:15")
    assert story.last("count(bet) over 1h") == 2


def test_before_in_a_bet_window_takes_the_tile_at_its_end_whole() -> None:
    story = Story()
    story.bet("10:00")  # t - B - D = 10:00:30, rounded to 10:00
    story.bet("11:01:14.999999")  # t - B = 11:00:30, in the tile up to 11:01:15
    story.bet("11:01:15")
    story.bet("12:00:30")
    assert story.last("count(bet) over 1h before 1h") == 2


def test_a_late_event_lands_in_its_own_place_and_is_judged_at_the_clock() -> None:
    story = Story()
    story.deposit("12:00", 1)
    story.deposit("11:30", 2)
    story.deposit("11:00", 4)  # too old for the window already
    assert story.values("sum(deposit.amount) over 1h") == [100, 300, 300]
    assert story.values("last(deposit.amount) over 1h") == [100, 100, 100]
    assert story.alerts("deposit", "sum(deposit.amount) over 1h >= 3 CAD") == ["open low 12:00"]


def test_equal_times_go_by_arrival() -> None:
    story = Story()
    for dollars in (1, 2, 3):
        story.deposit("10:00", dollars)
    assert story.last("first(deposit.amount) over lifetime") == 100
    assert story.last("last(deposit.amount) over lifetime") == 300


def test_nothing_is_zero_for_some_and_unknown_for_others() -> None:
    story = Story()
    story.event("10:00", "contact", topic="other")
    for aggregate in ("sum", "distinct"):
        assert story.last(f"{aggregate}(deposit.amount) over 1h") == 0
    for aggregate in ("mean", "max", "min", "std", "last", "first"):
        assert story.last(f"{aggregate}(deposit.amount) over 1h") is None
    assert story.last("count(deposit) over 1h") == 0
    assert story.last("count(deposit) over session") is None


def test_spread_needs_two_and_divides_by_all() -> None:
    story = Story()
    for time, dollars in (("10:00", 1), ("10:01", 3)):
        story.deposit(time, dollars)
    assert story.values("std(deposit.amount) over 1h") == [None, 100.0]
    assert story.values("mean(deposit.amount) over 1h") == [100.0, 200.0]


def test_an_id_seen_before_changes_nothing_whatever_its_content() -> None:
    story = Story()
    story.deposit("10:00", 1, id="a")
    story.deposit("10:00", 1, id="a", unheard_of="ignored")
    story.deposit("10:05", 9, id="a")  # refused: it does not even move the clock
    story.deposit("10:00", 2, id="a", source="another")
    assert story.values("sum(deposit.amount) over 1h") == [100, 300]
    assert times(story.alerts("deposit", "count(deposit) over 1h >= 1")) == ["10:00"]


def test_an_id_is_known_until_it_is_48_hours_old() -> None:
    story = Story()
    first = story.deposit("1 10:00")
    story.event("3 9:59:59.999999", "contact", topic="other")
    story.deposit("1 10:00", id=first)
    story.event("3 10:00", "contact", topic="other")
    story.deposit("1 10:00", id=first)
    assert story.values("count(deposit) over lifetime") == [1, 1, 1, 2]


def test_a_void_takes_back_what_can_be_taken_back() -> None:
    story = Story()
    story.event("10:00", "session_start", session="x")
    story.deposit("10:01", 1, session="x")
    high = story.deposit("10:02", 5, session="x")
    story.void("10:03", high)
    for window in ("1h", "session", "lifetime"):
        assert story.last(f"count(deposit) over {window}") == 1
        assert story.last(f"sum(deposit.amount) over {window}") == 100
        assert story.last(f"mean(deposit.amount) over {window}") == 100
        assert story.last(f"std(deposit.amount) over {window}") is None
    for aggregate in ("max", "last"):
        assert story.last(f"{aggregate}(deposit.amount) over 1h") == 100
        for window in ("session", "lifetime"):
            assert story.last(f"{aggregate}(deposit.amount) over {window}") == 500


def test_tiles_keep_the_greatest_of_a_voided_bet_but_not_its_sum() -> None:
    story = Story()
    story.bet("10:00", 1)
    story.void("10:02", story.bet("10:01", 5))
    assert story.last("sum(bet.stake) over 1h") == 100
    assert story.last("max(bet.stake) over 1h") == 500
    assert story.last("distinct(bet.stake) over 1h") == 2


def test_a_void_is_judged_as_what_it_voids_and_again_only_by_the_clock() -> None:
    story = Story()
    deposit = story.deposit("10:00")
    story.void("11:00", deposit)
    story.void("12:00", deposit)  # undone once already, judged all the same
    assert times(story.alerts("deposit", "count(deposit) over lifetime >= 0")) == ["10:00", "11:00", "12:00"]
    assert times(story.alerts("deposit", "count(deposit) over lifetime >= 1")) == ["10:00"]
    assert story.last("count(deposit) over lifetime") == 0


def test_what_is_voided_ahead_counts_nowhere_but_has_been() -> None:
    story = Story()
    story.event("9:00", "contact", topic="other")
    story.void_ahead("10:01", "later", "deposit", "10:00", amount=100, currency="CAD")
    story.deposit("10:00", 1, id="later", session="x")
    story.deposit("10:02", 2, session="x")
    assert story.values("max(deposit.amount) over lifetime") == [None, None, None, 200]
    assert story.values("count(deposit) over session") == [None, None, 0, 1]
    assert story.values("count(deposit) over 1h") == [0, 0, 0, 1]
    # The void was judged at 10:01; the deposit it cancelled was not (the clock would have said 10:01 too).
    assert times(story.alerts("deposit", "since(deposit) >= 0s")) == ["10:02"]
    assert times(story.alerts("deposit", "session_age == 2m")) == ["10:02"]


def test_a_void_waits_for_a_target_younger_than_48_hours_only() -> None:
    for target_time, counted in (("1 10:00", 1), ("1 10:00:00.000001", 0)):
        story = Story()
        story.event("3 9:00", "contact", topic="other")
        story.void_ahead("3 10:00", "later", "deposit", target_time, amount=100, currency="CAD")
        story.deposit(target_time, 1, id="later")
        assert story.last("count(deposit) over lifetime") == counted


def test_a_target_out_of_memory_is_taken_to_have_arrived() -> None:
    story = Story()
    old = story.deposit("1 10:00", 5)
    story.deposit("1 10:00", 1)
    story.void("8 9:59", old)
    assert story.last("sum(deposit.amount) over 7d") == 100
    assert story.last("sum(deposit.amount) over lifetime") == 100


def test_a_replacement_is_judged_for_both_types_and_each_rule_once() -> None:
    story = Story()
    old = story.deposit("10:00", 5)
    story.event("11:00", "refund", amount=100, replaces=old, replaced=story.carried(old))
    assert story.last("count(deposit) over lifetime") == 0
    assert story.last("sum(refund.amount) over lifetime") == 100
    for trigger in ("deposit", "refund", ["deposit", "refund"]):
        assert times(story.alerts(trigger, "count(refund) over lifetime == 1")) == ["11:00"]


def test_a_cancelled_replacement_still_undoes_what_it_replaced() -> None:
    story = Story()
    old = story.deposit("10:00", 5)
    story.void_ahead("10:02", "new", "deposit", "10:01", amount=300, currency="CAD")
    story.deposit("10:01", 3, id="new", replaces=old, replaced=story.carried(old))
    assert story.values("sum(deposit.amount) over lifetime") == [500, 500, 0]


def test_an_episode_lives_on_while_the_condition_keeps_holding() -> None:
    story = Story()
    for time in ("10:00", "10:50", "11:40", "12:40", "13:39:59.999999"):
        story.deposit(time)
    # 11:40 is 50 min after 10:50; 12:40 exactly an hour after 11:40 opens anew; the last is still inside.
    assert times(story.alerts("deposit", "count(deposit) over 1h >= 0", cooldown="1h")) == ["10:00", "12:40"]


def test_an_episode_rises_reminds_and_never_falls() -> None:
    story = Story()
    for time, dollars in (("10:00", 1), ("10:10", 3), ("10:20", 2), ("10:39", 2), ("10:40", 2), ("10:50", 9)):
        story.deposit(time, dollars)
    alerts = story.alerts(
        "deposit",
        "last(deposit.amount) over lifetime >= 1 CAD",
        escalate={
            "critical": "last(deposit.amount) over lifetime >= 9 CAD",
            "medium": "last(deposit.amount) over lifetime >= 2 CAD",
            "high": "last(deposit.amount) over lifetime >= 3 CAD",
        },
        cooldown="24h",
        remind="30m",
    )
    assert alerts == ["open low 10:00", "escalate high 10:10", "remind high 10:40", "escalate critical 10:50"]


def test_an_opening_bears_the_highest_level_and_an_unheld_rule_does_not_rise() -> None:
    story = Story()
    story.deposit("10:00", 5)
    story.deposit("10:01", 1)
    assert story.alerts(
        "deposit",
        "last(deposit.amount) over lifetime == 1 CAD",
        escalate={"medium": "max(deposit.amount) over 1h >= 2 CAD", "high": "count(deposit) over 1h >= 9"},
    ) == ["open medium 10:01"]


def test_unknown_does_not_fire_and_known_truth_wins_over_it() -> None:
    story = Story()
    story.bet("10:00")
    unknown = "mean(deposit.amount) over 1h > 1 CAD"
    assert story.alerts("bet", unknown) == []
    assert story.alerts("bet", f"not ({unknown})") == []
    assert story.alerts("bet", f"{unknown} and count(bet) over 1h >= 1") == []
    assert times(story.alerts("bet", f"{unknown} or count(bet) over 1h >= 1")) == ["10:00"]
    assert times(story.alerts("bet", f"not ({unknown} and count(bet) over 1h > 1)")) == ["10:00"]
    assert story.alerts("bet", "1 / count(deposit) over 1h > 0 or since(deposit) > 0s") == []


def test_money_and_numbers_compare_within_a_billionth_and_counts_do_not() -> None:
    story = Story()
    story.deposit("10:00", 220)
    story.deposit("10:02", 220)
    assert times(story.alerts("deposit", "last(deposit.amount) over 1h == 1.1 * 200 CAD")) == [
        "10:00",
        "10:02",
    ]
    assert story.alerts("deposit", "last(deposit.amount) over 1h > 1.1 * 200 CAD") == []
    assert times(story.alerts("deposit", "count(deposit) over 1h / 3 * 3 == 2")) == ["10:02"]
    # A ten-billionth more is no more for money, but is for a duration.
    assert story.alerts("deposit", "last(deposit.amount) over 1h * 1.0000000001 > 220 CAD") == []
    assert times(story.alerts("deposit", "age * 1.0000000001 > 2m")) == ["10:02"]


def test_money_is_told_in_the_players_first_currency_or_the_rules() -> None:
    rates = Rates({(date(2026, 1, 1), "USD", "CAD"): 1.25})
    story = Story()
    story.deposit("10:00", 10, currency="USD")
    story.deposit("10:01", 25)
    assert story.last("sum(deposit.amount) over 1h", rates=rates) == pytest.approx(3000)
    assert story.last("sum(deposit.amount) over 1h", rates=rates, currency="CAD") == pytest.approx(3750)
    story.deposit("2 0:00", 5)  # no rate on the 2nd: in US dollars it is unknown
    quantity = "sum(deposit.amount) over 24h"
    assert story.last(quantity, rates=rates) is None
    assert story.last("count(deposit) where amount >= 0 over 24h", rates=rates) == 2
    assert story.last("sum(deposit.amount) where amount >= 0 over 24h", rates=rates) == pytest.approx(3000)
    assert story.last(quantity, rates=rates, currency="CAD") == pytest.approx(4250)


def test_a_limit_taken_away_is_picked_as_unknown_and_left_out_of_the_rest() -> None:
    story = Story()
    common = {"limit": "deposit", "period": "24h", "currency": "CAD"}
    story.event("10:00", "limit_change", **common, new=5_000)
    story.event("10:01", "limit_change", **common)  # absent: left out everywhere
    story.event("10:02", "limit_change", **common, new=None)
    suffix = 'where limit == "deposit" over lifetime'
    assert story.values(f"last(limit_change.new) {suffix}") == [5_000, 5_000, None]
    assert story.values(f"mean(limit_change.new) {suffix}") == [5_000, 5_000, 5_000]
    assert story.values(f"distinct(limit_change.new) {suffix}") == [1, 1, 1]
    assert story.values(f"first(limit_change.new) {suffix}") == [5_000, 5_000, 5_000]
    assert story.last("count(limit_change) where new > 1 CAD over lifetime") == 1


def test_a_limit_is_loosened_when_raised_or_taken_away() -> None:
    story = Story()
    common = {"limit": "deposit", "period": "24h", "currency": "CAD"}
    for old, new in ((None, 100), (100, 101), (101, 101), (101, 100), (100, None)):
        story.event("10:00", "limit_change", **common, old=old, new=new)
    story.event("10:00", "limit_change", **common, old=5)
    story.event("10:00", "limit_change", **common, new=5)
    count = "count(limit_change) where loosened over 1h"
    assert story.values(count) == [0, 1, 1, 1, 2, 2, 2]
    assert story.last(count.replace("where", "where not")) == 3


def test_local_hours_follow_the_clocks_there_the_profile_and_the_placing() -> None:
    zones = Zones({"harbour": "America/Vancouver"}, {"CA-ON": "America/Toronto"})
    spring, autumn = 67, 305  # 2026-03-08 and 2026-11-01
    story = Story()
    for day, time in (
        (spring, "6:59"),
        (spring, "7:00"),
        (autumn, "5:30"),
        (autumn, "6:30"),
        (autumn, "7:00"),
    ):
        story.event(f"{day} {time}", "contact", topic="other", jurisdiction="CA-ON")
    hours = [
        int(story.values(f"count(contact) where local_hour == {hour} over lifetime", zones=zones)[-1])
        for hour in range(5)
    ]
    assert hours == [0, 3, 1, 1, 0]  # 01:59, 03:00, 01:30, 01:30 again, 02:00
    story = Story()
    story.bet("12:00", brand="harbour", jurisdiction="CA-ON")  # 04:00 in Vancouver
    story.event("13:00", "player_profile", timezone="Asia/Kolkata")
    story.bet("14:00", brand="harbour")  # 19:30
    story.bet("12:30", brand="harbour")  # before the profile: 04:30
    story.bet("15:00", placed_at="2026-01-01T13:00:00Z")  # placed at 18:30
    story.bet("16:00", brand="unknown")  # 21:30
    hours = [
        int(story.last(f"count(bet) where local_hour == {hour} over lifetime", zones=zones))
        for hour in (4, 18, 19, 21)
    ]
    assert hours == [2, 1, 1, 1]


def test_the_gap_is_to_the_event_of_the_type_seen_before() -> None:
    story = Story()
    story.deposit("10:00")
    story.deposit("10:10")
    story.deposit("10:05")  # late: the one seen before is later than it
    story.deposit("10:30")
    assert story.values("sum(deposit.gap) over lifetime") == [0, 600e6, 600e6, 1800e6]
    assert story.values("distinct(deposit.gap) over lifetime") == [0, 1, 1, 2]


def test_an_alert_is_named_by_a_hash_of_what_it_is() -> None:
    story = Story()
    story.deposit("10:00")
    (alert,) = run([rule("steps", "deposit", "age >= 0s", severity="high")], story.lines)
    # sha256sum of ["p","steps",1,1767261600000000,"open","high"]
    assert alert["id"] == "1ed6c8beba162613647ae06ba010f663"
    assert alert["rule"] == "steps@1"


def test_the_example_of_the_design() -> None:
    story = Story()
    for day in (1, 12, 19, 26):
        story.deposit(f"{day} 10:00", 100)
    story.deposit("40 10:00", 250)
    story.deposit("41 10:00", 250)
    alerts = story.alerts(
        "deposit",
        "age >= 35d and recent >= floor and recent >= ratio * max(habit, 50 CAD)",
        severity="high",
        params={"ratio": {"value": 2.0}, "floor": {"value": "200 CAD"}},
        let={"recent": "sum(deposit.amount) over 7d", "habit": "sum(deposit.amount) over 28d before 7d / 4"},
        escalate={"critical": "recent >= 4 * max(habit, 50 CAD)"},
        cooldown="7d",
    )
    assert alerts == ["open high 40 10:00", "escalate critical 41 10:00"]
