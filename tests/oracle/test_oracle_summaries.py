"""Stories of sessions that close: their summaries were worked out by hand from the design."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.oracle import Rates
from tests.oracle.history import MINUTE, SECOND
from tests.oracle.stories import Story, times

CLOSED = "count(session_summary) over 7d"


def fields(story: Story, *names: str, **known: Any) -> list[Any]:
    """Fields of the summary that closed last, None where unknown, seen by the last event of the story."""
    return [story.last(f"last(session_summary.{name}) over 30d", **known) for name in names]


def later(story: Story, time: str = "5 00:00") -> Story:
    """With an event of no consequence long after everything."""
    story.event(time, "contact", topic="other")
    return story


def test_an_end_closes_a_session_at_once_and_events_of_that_instant_come_first() -> None:
    story = Story()
    story.event("10:00", "session_start", session="x")
    story.bet("10:10", 5, session="x")
    story.event("10:40", "session_end", session="x")
    story.bet("10:40", 2, session="x")  # of the same instant
    assert story.values(CLOSED) == [0, 0, 1, 1]
    assert story.values("last(session_summary.bets) over 7d") == [None, None, 1, 2]
    assert story.values("last(session_summary.minutes) over 7d") == [None, None, 40, 40]


def test_one_without_an_end_closes_30_minutes_after_its_last_event_and_ended_there() -> None:
    story = Story()
    story.event("10:00", "session_start", session="x")
    story.bet("10:10", session="x")
    story.event("10:39:59.999999", "contact", topic="other", session="y")
    story.event("10:40", "contact", topic="other", session="y")
    assert story.values(CLOSED) == [0, 0, 0, 1]
    assert story.last("last(session_summary.minutes) over 7d") == 10
    # An event of its own at that very instant keeps it open: the clock had run ahead.
    story.bet("10:40", session="x")
    assert story.last(CLOSED) == 0


def test_the_next_start_on_the_channel_closes_it_and_no_other() -> None:
    story = Story()
    story.event("10:00", "session_start", session="web", channel="web")
    story.event("10:01", "session_start", session="app", channel="mobile")
    story.event("10:05", "session_start", session="again", channel="web")
    story.event("10:05", "session_start", session="none")
    assert story.values(CLOSED) == [0, 0, 1, 1]
    assert story.last("last(session_summary.minutes) over 7d") == 0
    assert story.last("since(session_summary)") == 0


def test_an_event_at_the_instant_of_the_next_start_is_the_last_of_the_session() -> None:
    story = Story()
    story.event("10:00", "session_start", session="x")
    story.event("10:20", "session_start", session="y")
    assert story.last("last(session_summary.minutes) over 7d") == 0
    story.bet("10:20", session="x")
    assert story.last("last(session_summary.minutes) over 7d") == 20
    story.bet("10:20:00.000001", session="x")
    assert story.last("last(session_summary.minutes) over 7d") == 20
    assert story.last("last(session_summary.bets) over 7d") == 1


def test_what_comes_first_closes_it() -> None:
    for start, closed in (("10:29", "10:29"), ("10:31", "10:30")):
        story = Story()
        story.event("10:00", "session_start", session="x")
        story.event(start, "session_start", session="y")
        story.event("10:32", "contact", topic="other", session="y")
        story.tick("10:59")
        assert times(story.alerts("session_summary", "age >= 0s")) == [closed]


def test_an_end_that_comes_after_the_30_minutes_ends_nothing() -> None:
    story = Story()
    story.event("10:00", "session_start", session="x")
    story.event("10:30:00.000001", "session_end", session="x")
    story.tick("12:00")
    assert times(story.alerts("session_summary", "age >= 0s")) == ["10:30"]


def test_a_summary_counts_at_its_closing_for_as_long_as_the_window_reaches() -> None:
    story = Story()
    story.event("10:00", "session_start", session="x")
    story.event("11:00", "contact", topic="other", session="y")  # closed at 10:30
    story.event("11:29:59.999999", "contact", topic="other", session="y")
    story.event("11:30", "contact", topic="other", session="y")
    quantity = "count(session_summary) over 1h"
    assert story.values(quantity) == [0, 1, 1, 0]
    assert [v and v // SECOND for v in story.values("since(session_summary)")] == [None, 1800, 3599, 3600]
    # 11:30 ends the time before the last half hour at 11:00, where y is still open.
    assert story.values("count(session_summary) over 1h before 30m") == [0, 1, 1, 1]


def test_a_late_event_within_the_session_takes_its_closing_back() -> None:
    story = Story()
    story.event("10:00", "session_start", session="x")
    story.event("10:31", "contact", topic="other", session="y")
    story.bet("10:20", session="x")
    story.event("10:49", "contact", topic="other", session="y")
    story.event("10:50", "contact", topic="other", session="y")
    assert story.values(CLOSED) == [0, 1, 0, 0, 1]


def test_stragglers_count_in_the_session_and_never_in_its_summary() -> None:
    story = Story()
    story.event("10:00", "session_start", session="x")
    story.bet("10:10", 5, session="x")
    story.event("10:20", "session_end", session="x")
    story.bet("10:20:00.000001", 7, session="x")
    story.bet("10:15", 9, session="x")  # late, but before the end
    assert story.values("last(session_summary.staked) over 7d") == [None, None, 500, 500, 1400]
    assert story.values("count(bet) over session") == [0, 1, 1, 2, 3]
    assert story.last("count(session_summary) over session") == 1
    assert story.last("sum(session_summary.minutes) over 7d") == 20


def test_closings_are_judged_in_order_each_on_what_had_closed_before() -> None:
    story = Story()
    story.event("10:00", "session_start", session="x", channel="web")
    story.event("10:01", "session_start", session="y", channel="mobile")
    story.bet("10:02", session="y")
    story.event("10:20", "session_end", session="y")
    story.event("10:40", "session_start", session="z", channel="web")  # x closed at 10:30
    story.event("10:40", "session_end", session="z")
    story.tick("10:30")
    assert times(story.alerts("session_summary", "age >= 0s")) == ["10:20", "10:30"]
    story.tick("10:40")
    assert times(story.alerts("session_summary", f"{CLOSED} == 2")) == ["10:30"]
    assert times(story.alerts("session_summary", "count(bet) over session == 1")) == ["10:20"]
    assert times(story.alerts("session_summary", "session_age == 0s and age > 0s")) == ["10:40"]


def test_silences_and_minutes_of_the_instant_come_before_its_closings() -> None:
    story = Story()
    story.event("10:00", "session_start", session="x")
    story.tick("10:30")
    assert times(story.alerts({"silence": "30m"}, f"{CLOSED} == 0")) == ["10:30"]
    story = Story()
    story.event("10:00", "session_start", session="x")
    story.event("10:05", "session_end", session="x")
    story.tick("10:30")
    assert len(story.alerts("during_session", f"{CLOSED} == 0")) == 5
    assert times(story.alerts({"silence": "30m"}, f"{CLOSED} == 1")) == ["10:30"]


def test_of_sessions_that_close_at_one_instant_the_earlier_comes_first() -> None:
    story = Story()
    story.event("10:01", "contact", topic="other", session="b")
    story.event("10:00", "contact", topic="other", session="a")
    story.event("10:05", "session_start", session="c")  # ends both, being on no channel
    story.tick("10:10")
    assert story.alerts("session_summary", f"{CLOSED} == 1 and session_age == 5m") == ["open low 10:05"]
    assert story.alerts("session_summary", f"{CLOSED} == 2 and session_age == 4m") == ["open low 10:05"]


def test_what_a_session_was() -> None:
    story = Story()
    story.event("10:00", "session_start", session="x")
    story.deposit("10:00", 50, balance_after=5_000)
    story.deposit("10:01", 20)
    story.bet("10:02", 10, payout=0)  # lost, 4 s to the next
    story.bet("10:02:04", 20, payout=5_000, balance_after=9_000)  # won, 60 s
    story.bet("10:03:04", 30, payout=3_000)  # neither, 6 s
    story.bet("10:03:10", 40, payout=0)  # lost, 10 s
    story.bet("10:03:20", 100, payout=0, balance_after=9_999)
    story.event("10:30", "session_end", session="x")
    names = ("minutes", "deposits", "deposited", "bets", "staked", "net_loss", "stake_first", "stake_max")
    assert fields(story, *names) == [30, 2, 7_000, 5, 20_000, 12_000, 1_000, 10_000]
    assert fields(story, "stake_std") == [pytest.approx(3162.2776601683795)]  # of 10 20 30 40 100
    assert fields(story, "depleted", "gap_after_loss", "gap_after_win") == [True, 7 * SECOND, 60 * SECOND]
    assert story.last("count(session_summary) where depleted over 7d") == 1
    assert story.last("count(session_summary) where not depleted over 7d") == 0
    assert story.last("count(session_summary) where gap_after_loss < gap_after_win over 7d") == 1


def test_the_trend_is_the_slope_of_the_stakes_in_an_hour() -> None:
    story = Story()
    for time, dollars in (("10:00", 1), ("10:10", 2), ("10:20", 3)):
        story.bet(time, dollars, session="x")
    assert fields(later(story), "stake_trend") == [pytest.approx(600)]
    story = Story()
    for time, dollars in (("10:00", 3), ("10:10", 3), ("10:20", 1), ("10:20", 1)):
        story.bet(time, dollars, session="x")
    # Times 0 10 20 20 min about 12.5, stakes 3 3 1 1 about 2: -30 over 275, in dollars a minute
    assert fields(later(story), "stake_trend") == [pytest.approx(-6_000 * 30 / 275)]
    story = Story()
    story.bet("10:00", 1, session="x")
    story.bet("10:00", 5, session="x")
    assert fields(later(story), "stake_trend", "stake_std") == [None, 200]


def test_depletion_looks_at_the_latest_balance_and_the_last_bet() -> None:
    def depleted(*told: tuple[str, int | None, int | None]) -> Any:
        """(time, stake in cents or None for a deposit, balance after) in order of arrival."""
        story = Story()
        for time, stake, balance in told:
            known = {} if balance is None else {"balance_after": balance}
            if stake is None:
                story.deposit(time, session="x", **known)
            else:
                story.bet(time, stake / 100, session="x", **known)
        return fields(later(story), "depleted")[0]

    assert depleted(("10:00", 500, 499)) is True
    assert depleted(("10:00", 500, 500)) is False
    assert depleted(("10:00", 500, None)) is None
    assert depleted(("10:00", None, 499)) is None
    assert depleted(("10:00", 500, 499), ("10:01", None, 1_000)) is False  # paid in again
    assert depleted(("10:00", 500, 499), ("10:01", 400, None)) is False  # an older balance, the last stake
    assert depleted(("10:00", None, 300), ("10:01", 400, None)) is True
    assert depleted(("10:00", 500, 499), ("10:00", None, 1_000)) is False  # later arrived
    assert depleted(("10:00", None, 1_000), ("10:00", 500, 499)) is True
    assert depleted(("10:01", 500, 499), ("10:00", 500, 900)) is True  # late


def test_an_even_number_of_gaps_has_the_middle_of_its_middle_two_in_whole_micros() -> None:
    story = Story()
    for time in ("10:00", "10:00:01", "10:00:03.000002", "10:00:06.000003", "10:00:10.000003"):
        story.bet(time, session="x")
    # 1 s, 2.000002 s, 3.000001 s, 4 s: between the middle two 2.5000015 s
    assert fields(later(story), "gap_after_loss", "gap_after_win") == [2_500_001, None]


def test_a_session_without_bets_lost_nothing_and_knows_no_stake() -> None:
    story = Story()
    story.event("10:00", "session_start", session="x")
    story.event("10:12:30", "session_end", session="x")
    names = ("minutes", "deposits", "deposited", "bets", "staked", "net_loss")
    assert fields(story, *names) == [12.5, 0, 0, 0, 0, 0]
    unknown = ("stake_first", "stake_max", "stake_std", "stake_trend", "depleted")
    assert fields(story, *unknown, "gap_after_loss", "gap_after_win") == [None] * 7
    # A field that is not there leaves the summary out of what is asked about it.
    story.bet("11:00", 4, session="y")
    assert fields(later(story), "stake_max") == [400]
    assert story.last("first(session_summary.stake_max) over 30d") == 400
    assert story.last("mean(session_summary.bets) over 30d") == 0.5


def test_a_void_takes_a_bet_out_of_what_can_be_added_up_and_of_nothing_else() -> None:
    story = Story()
    high = story.bet("10:00", 50, session="x", payout=0, balance_after=1)
    story.bet("10:01", 5, session="x")
    story.bet("10:02", 7, session="x")
    story.event("10:10", "session_end", session="x")
    story.void("10:10", high)
    added = ("bets", "staked", "net_loss", "stake_std", "stake_trend")
    assert fields(story, *added) == [2, 1_200, 1_200, 100, pytest.approx(12_000)]
    kept = ("stake_first", "stake_max", "depleted", "gap_after_loss")
    assert fields(story, *kept) == [5_000, 5_000, True, MINUTE]


def test_a_void_after_the_closing_changes_no_summary() -> None:
    story = Story()
    deposit = story.deposit("10:00", session="x")
    story.event("10:10", "session_end", session="x")
    story.void("10:10:00.000001", deposit)
    assert story.values("last(session_summary.deposits) over 7d") == [None, 1, 1]
    story.void("10:10", deposit)  # a second one, told of an earlier time: the first to arrive stands
    assert story.last("last(session_summary.deposits) over 7d") == 1


def test_a_bet_that_came_cancelled_counts_nowhere_but_prolongs() -> None:
    story = Story()
    story.bet("10:00", 5, session="x")
    story.void_ahead("10:10", "e2", "bet", "10:20", session="x", stake=900, payout=0, currency="CAD")
    story.bet("10:20", 9, session="x")
    story.event("10:49", "contact", topic="other", session="y")
    story.event("10:50", "contact", topic="other", session="y")
    assert story.values(CLOSED) == [0, 0, 0, 0, 1]
    names = ("bets", "stake_max", "minutes", "gap_after_loss")
    assert fields(story, *names) == [1, 500, 20, None]


def test_a_replacement_counts_in_its_targets_stead() -> None:
    story = Story()
    bet = story.bet("10:00", 5, session="x")
    story.bet("10:05", 8, session="x", replaces=bet, replaced=story.carried(bet))
    story.event("10:10", "session_end", session="x")
    assert fields(story, "bets", "staked", "stake_first") == [1, 800, 500]


def test_money_is_told_in_the_first_currency_then_in_the_rules() -> None:
    rates = Rates({(date(2026, 1, 1), "USD", "CAD"): 1.25, (date(2026, 1, 2), "USD", "CAD"): 2.0})
    story = Story()
    story.deposit("23:50", 10, session="x", currency="USD")  # the player's
    story.bet("23:51", 5, session="x", currency="CAD", balance_after=399)
    story.bet("23:52", 4, session="x", currency="USD")
    story.event("2 00:05", "session_end", session="x")
    names = ("deposited", "staked", "stake_first", "stake_max")
    assert fields(story, *names, rates=rates) == [1_000, pytest.approx(800), pytest.approx(400), 400]
    assert fields(story, "depleted", rates=rates) == [True]  # 3.192 of 4 USD
    # It closed on the 2nd, and is told at that day's rate.
    assert fields(story, "staked", rates=rates, currency="CAD") == [pytest.approx(1_600)]
    known = {"rates": Rates()}
    assert fields(story, "deposited", "staked", "stake_max", **known) == [1_000, None, None]
    assert fields(story, "stake_first", "depleted", "net_loss", "bets", **known) == [None, None, None, 2]
    # What is not known is not nothing, as with any money that cannot be told.
    assert story.last("sum(session_summary.staked) over 7d", **known) is None
    assert story.last("sum(session_summary.staked) where staked >= 0 over 7d", **known) == 0


def test_converted_stakes_are_whole_where_the_trend_is_drawn() -> None:
    rates = Rates({(date(2026, 1, 1), "USD", "CAD"): 1.333})
    story = Story()
    story.bet("10:00", 1, session="x")
    story.bet("11:00", 1, session="y")
    story.bet("10:20", 1.01, session="x", currency="USD")  # 134.633: 135
    story.event("11:00", "contact", topic="other", session="y")
    trend = "first(session_summary.stake_trend) over 30d"
    assert story.last(trend, rates=rates) == pytest.approx(35 * 3)


def test_a_session_of_a_name_that_was_forgotten_has_a_summary_of_its_own() -> None:
    story = Story()
    story.bet("1 10:00", session="x")
    story.bet("4 10:00", session="x")
    story.event("4 10:30", "contact", topic="other", session="y")
    assert story.values(CLOSED) == [0, 1, 2]
    assert story.last("sum(session_summary.bets) over 7d") == 2


def test_a_named_session_that_goes_on_after_its_closing_has_no_second_summary() -> None:
    story = Story()
    story.bet("10:00", session="x")
    story.bet("11:00", session="x")
    story.event("12:00", "contact", topic="other", session="y")
    story.tick("12:00")
    assert story.values(CLOSED) == [0, 1, 1]
    assert times(story.alerts("session_summary", "count(bet) over session == 1")) == ["10:30"]
    assert story.last("sum(session_summary.bets) over 7d") == 1
    assert story.values("count(bet) over session", currency="CAD")[1] == 2


def test_an_example_from_the_pack_to_be() -> None:
    """Half of three sessions or more that ended with less than one stake left."""
    story = Story()
    for day, balance in ((1, 100), (2, 900), (3, 100), (4, 100)):
        story.event(f"{day} 10:00", "session_start", session=f"s{day}")
        story.bet(f"{day} 10:01", 5, session=f"s{day}", balance_after=balance)
        story.event(f"{day} 10:30", "session_end", session=f"s{day}")
    story.tick("5 10:00")
    alerts = story.alerts(
        "session_summary",
        "sessions >= 3 and emptied >= 50% * sessions",
        let={
            "sessions": "count(session_summary) over 30d",
            "emptied": "count(session_summary) where depleted over 30d",
        },
        cooldown="7d",
        escalate={"high": "emptied >= 3"},
    )
    assert alerts == ["open low 3 10:30", "escalate high 4 10:30"]
