"""Habits: what `usual` and `z` are made of, and what they cannot be asked of."""

from __future__ import annotations

import pytest

from detector.language.literals import DAY_US
from detector.language.syntax import Comparison, Habit, Kind, Quantity, Window, kind_of
from tests.language.samples import Reads

WEEK = 7 * DAY_US


def habit(sample: Reads, quantity: str, function: str = "usual", against: str = "100 CAD") -> Habit:
    when = sample(let=f"{{x: '{quantity}'}}", when=f"{function}(x) >= {against}").loaded.when
    assert isinstance(when, Comparison)
    assert isinstance(when.left, Habit)
    return when.left


class TestShape:
    def test_the_four_windows_lie_one_behind_the_other_before_the_present_one(self, sample: Reads) -> None:
        node = habit(sample, "sum(deposit.amount) over 7d")
        assert [each.window for each in node.before] == [Window("over", WEEK, k * WEEK) for k in (1, 2, 3, 4)]
        assert {(each.aggregate, each.type, each.field) for each in node.before} == {
            ("sum", "deposit", "amount")
        }
        assert node.reach_us == 5 * WEEK

    def test_a_let_that_looks_back_from_an_earlier_day_has_its_habit_before_that(self, sample: Reads) -> None:
        node = habit(sample, "sum(deposit.amount) over 7d before 14d")
        assert [each.window.before_us for each in node.before] == [k * WEEK for k in (3, 4, 5, 6)]
        assert node.reach_us == 7 * WEEK

    def test_a_usual_has_the_kind_of_its_quantity_and_a_usual_count_is_a_number(self, sample: Reads) -> None:
        assert kind_of(habit(sample, "sum(deposit.amount) over 7d")) is Kind.MONEY
        assert kind_of(habit(sample, "count(deposit) over 7d", against="3")) is Kind.NUMBER
        assert kind_of(habit(sample, "max(bet.gap) over 7d", against="3h")) is Kind.DURATION

    def test_a_z_is_a_number_whatever_it_is_of(self, sample: Reads) -> None:
        assert kind_of(habit(sample, "sum(deposit.amount) over 7d", "z", "2.5")) is Kind.NUMBER

    def test_a_let_that_stands_for_another_is_that_other(self, sample: Reads) -> None:
        keys = {"let": "{x: 'count(deposit) over 7d', y: 'x'}", "when": "usual(y) >= 3"}
        when = sample(**keys).loaded.when
        assert isinstance(when, Comparison)
        assert isinstance(when.left, Habit)
        assert isinstance(when.left.quantity, Quantity)

    def test_two_names_for_one_quantity_have_one_habit(self, sample: Reads) -> None:
        keys = {
            "let": "{x: 'count(deposit) over 7d', y: 'count(deposit) over 7d'}",
            "when": "usual(y) >= usual(x)",
        }
        when = sample(**keys).loaded.when
        assert isinstance(when, Comparison)
        assert when.left == when.right


class TestFaults:
    @pytest.mark.parametrize(
        ("quantity", "when", "needle", "message"),
        [
            ("count(deposit) over 7d", "usual(y) > 3", "y) > 3", 'unknown name "y"'),
            (
                "count(deposit) over 7d",
                "usual(count(deposit) over 7d) > 3",
                "(deposit) over 7d) > 3",
                "expected",
            ),
            ("count(deposit) over session", "usual(x) > 3", "x) > 3", "one quantity over a duration"),
            ("count(deposit) over lifetime", "z(x) > 3", "x) > 3", "one quantity over a duration"),
            ("count(deposit) over 7d / 2", "z(x) > 3", "x) > 3", "one quantity over a duration"),
            ("age", "usual(x) > 3d", "x) > 3d", "one quantity over a duration"),
            ("last(deposit.method) over 7d", "z(x) > 3", "x) > 3", "takes numbers, money or durations"),
            ("count(deposit) over 90d", "usual(x) > 3", "x) > 3", "reach back more than 400d"),
            ("count(deposit) over 7d", "usual(x) > 3d", "3d", "a duration compared with a number"),
            ("count(deposit) over 7d", "uzual(x) > 3", "uzual", 'did you mean "usual"?'),
        ],
    )
    def test_is_told_where_it_stands(
        self, sample: Reads, quantity: str, when: str, needle: str, message: str
    ) -> None:
        sample(let=f"{{x: '{quantity}'}}", when=when).tells(needle, message)

    def test_no_habit_stands_within_where(self, sample: Reads) -> None:
        keys = {
            "let": "{x: 'count(deposit) over 7d', y: 'count(deposit) where usual(x) > 3 over 7d'}",
            "when": "y >= 3",
        }
        sample(**keys).tells("usual(x) > 3 over", "no quantity stands within")


class TestSummaries:
    def test_stand_alone_as_a_trigger(self, sample: Reads) -> None:
        read = sample(trigger="[session_summary, deposit]", when="count(deposit) over 7d >= 3")
        read.tells("[session_summary", "stands alone as a trigger")

    def test_have_their_own_fields(self, sample: Reads) -> None:
        read = sample(when="max(session_summary.minute) over 7d > 3")
        read.tells("session_summary.minute", 'did you mean "session_summary.minutes"?')

    def test_money_a_truth_and_durations_are_told_apart(self, sample: Reads) -> None:
        where = "depleted and stake_trend > 0 and gap_after_loss < 5s and minutes >= 30"
        loaded = sample(when=f"count(session_summary) where {where} over 7d >= 3").loaded
        assert isinstance(loaded.when, Comparison)
        read = sample(when="count(session_summary) where minutes >= 30m over 7d >= 3")
        read.tells("30m over", "a duration compared with a number")
