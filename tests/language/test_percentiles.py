"""Places in cohorts: what `percentile` may be asked of, and when two rules ask for the same."""

from __future__ import annotations

import pytest

from detector.language.cohort import KEY_LENGTH, MAX_TEXT
from detector.language.syntax import Kind, Percentile, Window, kind_of
from tests.language.samples import Reads

PAID = "sum(deposit.amount) over 7d"


def asked(sample: Reads, let: str, when: str = "percentile(x) >= 90%", **more: str) -> Percentile:
    (found,) = sample(let=let, when=when, **more).loaded.percentiles
    return found


def of(sample: Reads, quantity: str, **more: str) -> Percentile:
    return asked(sample, f"{{x: '{quantity}'}}", **more)


class TestKeys:
    def test_names_blanks_and_how_lets_share_the_work_do_not_count(self, sample: Reads) -> None:
        plain = of(sample, f"{PAID} / count(deposit) over 7d")
        shared = asked(
            sample,
            "{all: 'sum(deposit.amount)   over 1w', n: 'count(deposit) over 7d', y: 'all', it: 'y/n'}",
            "90% <= percentile(it)",
        )
        assert plain.key == shared.key
        assert len(plain.key) == KEY_LENGTH
        assert plain.text == shared.text == "sum(deposit.amount) over 1w / count(deposit) over 1w"

    def test_a_param_counts_by_its_value(self, sample: Reads) -> None:
        keys = [
            of(sample, "count(deposit) where amount >= least over span", params=params).key
            for params in (
                "{least: {value: '20 CAD'}, span: {value: '7d'}}",
                "{least: {value: '20 CAD', max: '90 CAD'}, span: {value: '1w'}}",
                "{least: {value: '21 CAD'}, span: {value: '7d'}}",
                "{least: {value: '20 CAD'}, span: {value: '8d'}}",
            )
        ]
        assert keys[0] == keys[1]
        assert len(set(keys)) == 3

    @pytest.mark.parametrize(
        "other",
        [
            "sum(deposit.amount) over 8d",
            "sum(deposit.amount) over 7d before 7d",
            "sum(withdrawal.amount) over 7d",
            "max(deposit.amount) over 7d",
            'sum(deposit.amount) where method == "card" over 7d',
            "sum(deposit.amount) over 7d / 2",
        ],
    )
    def test_something_else_is_asked_of_others(self, sample: Reads, other: str) -> None:
        assert of(sample, PAID).key != of(sample, other).key

    def test_who_is_compared_counts(self, sample: Reads) -> None:
        keys = [
            asked(sample, f"{{x: '{PAID}', n: 'count(deposit) over 7d'}}", f"percentile(x{among}) > 90%").key
            for among in (
                "",
                ", age < 7d",
                ", age < 1w",
                ", age < 8d",
                ", n >= 2",
                ", count(deposit) over 7d >= 2",
            )
        ]
        assert keys[1] == keys[2]
        assert keys[4] == keys[5]
        assert len(set(keys)) == 4

    def test_a_field_of_the_name_of_a_let_stays_a_field(self, sample: Reads) -> None:
        plain = of(sample, 'count(deposit) where method == "card" over 7d')
        other = asked(
            sample,
            "{method: 'count(bet) over 7d', x: 'count(deposit) where method == \"card\" over 7d'}",
            "percentile(x) > 90% and method >= 0",
        )
        assert plain.key == other.key

    def test_the_rules_behaviour_holds_it_once(self, sample: Reads) -> None:
        rule = sample(let=f"{{x: '{PAID}'}}", when="percentile(x) > 90% or percentile(x) > 95%").loaded
        assert len(rule.percentiles) == 1

    def test_lets_that_double_again_and_again_cost_no_more_than_they_are(self, sample: Reads) -> None:
        lets = ["a0: 'count(deposit) over 7d'", *(f"a{n}: 'a{n - 1} + a{n - 1}'" for n in range(1, 60))]
        found = asked(sample, f"{{{', '.join(lets)}}}", "percentile(a59) > 90%")
        assert len(found.key) == KEY_LENGTH
        assert len(found.text) <= MAX_TEXT


class TestCohorts:
    def test_money_is_compared_within_a_currency_and_nothing_else_is(self, sample: Reads) -> None:
        plain = of(sample, PAID)
        assert (plain.is_money, plain.currency) == (True, None)
        own = of(sample, PAID, when="percentile(x) > 90% and x > 5 CAD")
        assert (own.is_money, own.currency) == (True, "CAD")
        for quantity in (
            "count(deposit) over 7d",
            f"{PAID} / max(deposit.amount) over 7d",
            "max(bet.gap) over 7d",
        ):
            assert not of(sample, quantity).is_money

    def test_a_place_is_a_number(self, sample: Reads) -> None:
        assert kind_of(of(sample, PAID)) is Kind.NUMBER

    def test_who_asks_for_no_bets_has_no_product(self, sample: Reads) -> None:
        assert of(sample, PAID).product is None
        assert of(sample, "count(session_summary) where bets >= 1 over 7d").product is None

    @pytest.mark.parametrize(
        ("quantity", "window"),
        [
            ("count(bet) over 7d", Window("over", 7 * 86_400_000_000)),
            ("count(bet) over 7d / count(bet) over 2d before 9d", Window("over", 11 * 86_400_000_000)),
            ("count(bet) over session", Window("session")),
            ("count(bet) over session / count(bet) over 1d", Window("over", 86_400_000_000)),
            ("count(bet) over 1d / count(bet) over lifetime", Window("lifetime")),
        ],
    )
    def test_the_product_is_that_of_the_latest_bet_in_the_longest_window(
        self, sample: Reads, quantity: str, window: Window
    ) -> None:
        product = of(sample, quantity).product
        assert product is not None
        assert (product.aggregate, product.field, product.window, product.where) == (
            *("last", "product", window),
            None,
        )

    def test_a_habit_reaches_as_far_back_as_its_four_windows(self, sample: Reads) -> None:
        found = asked(sample, "{n: 'count(bet) over 7d', x: 'n / usual(n)'}")
        assert found.product is not None
        assert found.product.window.length_us == 5 * 7 * 86_400_000_000

    @pytest.mark.parametrize(
        ("where", "pinned"),
        [
            ('product == "poker"', "poker"),
            ('"poker" == product and stake > 0', "poker"),
            ('product == "poker" or stake > 0', None),
            ('product != "poker"', None),
            ('product in ("poker", "bingo")', None),
            ("stake > 0", None),
        ],
    )
    def test_a_product_is_pinned_where_no_other_gets_through(
        self, sample: Reads, where: str, pinned: str | None
    ) -> None:
        found = of(sample, f"count(bet) where {where} over 7d")
        assert found.pinned == pinned
        assert found.product is not None
        assert (found.product.where is None) == (pinned is None)

    def test_two_products_pin_none(self, sample: Reads) -> None:
        one, other = (f'count(bet) where product == "{each}" over 7d' for each in ("poker", "bingo"))
        assert of(sample, f"{one} + {other}").pinned is None
        assert of(sample, f"{one} + count(bet) over 7d").pinned is None
        assert of(sample, f"{one} + {one}").pinned == "poker"


class TestFaults:
    @pytest.mark.parametrize(
        ("when", "needle", "message"),
        [
            ("percentile(y) > 90%", "y) > 90%", 'unknown name "y"'),
            ("percentile(age) > 90%", "age) > 90%", "takes a let"),
            ("percentile(p) > 90%", "p) > 90%", "takes a let"),
            ("percentile(how) > 90%", "how) > 90%", "takes numbers, money or durations"),
            ("percentile(place) > 90%", "place) > 90%", "neither of places in cohorts nor of scores"),
            ("percentile(x, place > 2%) > 90%", "place > 2%", "neither of places in cohorts nor of scores"),
            ("percentile(x, x) > 90%", "x) > 90%", "a condition is needed"),
            ("percentile(x) > 3d", "3d", "a duration compared with a number"),
            ("percentile(x)", "percentile(x)\n", "a condition is needed"),
            ("percentil(x) > 90%", "percentil(", 'did you mean "percentile"?'),
            ("percentile > 90%", "percentile > 90%", "names its let"),
            (
                "count(bet) where percentile(x) > 90% over 7d > 2",
                "percentile(x) > 90% over",
                "within `where`",
            ),
        ],
    )
    def test_is_told_where_it_stands(self, sample: Reads, when: str, needle: str, message: str) -> None:
        sample(
            params="{p: {value: 3}}",
            let="{x: 'count(deposit) over 7d', how: 'last(deposit.method) over 7d', place: 'percentile(x)'}",
            when=when,
        ).tells(needle, message)

    @pytest.mark.parametrize(
        ("cohorts", "needle", "message"),
        [
            ("[1]", "[1]", "gives lets their quantiles"),
            ("{y: [1 CAD, 2 CAD]}", "y: [1", 'not asked of "y"'),
            ("{x: 3 CAD}", "3 CAD", "2 to 201 quantiles"),
            ("{x: [3 CAD]}", "[3 CAD]", "2 to 201 quantiles"),
            ("{x: [3 CAD, 2 CAD]}", "2 CAD]}", "ascend"),
            ("{x: [3, 4]}", "3, 4", "is money"),
            ("{x: [3 CAD, 4 USD]}", "[3 CAD, 4 USD]", "one currency"),
            ("{x: [3 XYZ, 4 CAD]}", "3 XYZ", "currency"),
        ],
    )
    def test_the_cohorts_of_a_test_fit_their_let(
        self, sample: Reads, cohorts: str, needle: str, message: str
    ) -> None:
        timeline = "    timeline: |\n      10:00 deposit 5 CAD\n    expect: []"
        test = f"\n  - name: a\n    cohorts: {cohorts}\n{timeline}"
        sample(let=f"{{x: '{PAID}'}}", when="percentile(x) > 90%", tests=test).tells(needle, message)
