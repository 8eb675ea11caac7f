"""Conditions: what they mean, of what kind they are, and where they go wrong."""

from __future__ import annotations

import pytest

from detector.language.literals import DAY_US
from detector.language.syntax import (
    Age,
    Arithmetic,
    Call,
    Comparison,
    Expression,
    Kind,
    Literal,
    Logic,
    Membership,
    Name,
    Negation,
    Not,
    Quantity,
    SessionAge,
    Since,
    Window,
    kind_of,
)
from tests.language.samples import Reads


def let(sample: Reads, text: str) -> Expression:
    return sample(let=f"{{x: '{text}'}}").loaded.lets["x"]


def when(sample: Reads, text: str, **keys: str) -> Expression:
    return sample(when=text, **keys).loaded.when


def count(value: int) -> Literal:
    return Literal(value, Kind.COUNT)


BETS = Quantity("count", "bet", None, None, Window("over", DAY_US), Kind.COUNT)


class TestShape:
    def test_a_window_binds_tighter_than_arithmetic(self, sample: Reads) -> None:
        node = let(sample, "sum(deposit.amount) over 28d before 7d / 4")
        weeks = Window("over", 28 * DAY_US, 7 * DAY_US)
        total = Quantity("sum", "deposit", "amount", None, weeks, Kind.MONEY, converted=True)
        assert node == Arithmetic("/", total, count(4), Kind.MONEY)

    def test_products_bind_tighter_than_sums_and_both_lean_left(self, sample: Reads) -> None:
        node = let(sample, "1 - 2 * 3 - -4 / 2")
        inner = Arithmetic("-", count(1), Arithmetic("*", count(2), count(3), Kind.COUNT), Kind.COUNT)
        half = Arithmetic("/", count(-4), count(2), Kind.NUMBER)
        assert node == Arithmetic("-", inner, half, Kind.NUMBER)

    def test_not_binds_tighter_than_and_and_that_than_or(self, sample: Reads) -> None:
        node = when(sample, "age > 1d or not age > 2d and age > 3d")
        over = [Comparison(">", Age(), Literal(n * DAY_US, Kind.DURATION)) for n in (1, 2, 3)]
        assert node == Logic("or", (over[0], Logic("and", (Not(over[1]), over[2]))))

    def test_where_ends_at_over(self, sample: Reads) -> None:
        node = let(sample, 'count(bet) where stake > abs(payout) or product in ("poker", "bingo",) over 24h')
        stake = Comparison(
            ">",
            Name("stake", Kind.MONEY),
            Call("abs", (Name("payout", Kind.MONEY),), Kind.MONEY),
            exact=False,
        )
        product = Membership(
            Name("product", Kind.TEXT), (Literal("poker", Kind.TEXT), Literal("bingo", Kind.TEXT))
        )
        assert isinstance(node, Quantity)
        assert node.where == Logic("or", (stake, product))
        assert node.text == 'count(bet) where stake > abs(payout) or product in ("poker", "bingo",) over 24h'

    @pytest.mark.parametrize("scope", ["session", "lifetime"])
    def test_windows_without_a_length(self, sample: Reads, scope: str) -> None:
        node = let(sample, f"max(bet.stake) over {scope}")
        assert node == Quantity("max", "bet", "stake", None, Window(scope), Kind.MONEY, converted=True)

    def test_a_param_gives_a_window_its_length_and_keeps_its_name(self, sample: Reads) -> None:
        params = "{span: {value: 24h, min: 1h, max: 7d}, many: {value: 3}}"
        node = when(sample, "count(bet) over span > many", params=params)
        assert node == Comparison(">", BETS, count(3))
        assert isinstance(node, Comparison)
        assert isinstance(node.right, Literal)
        assert node.right.param == "many"

    def test_session_is_a_window_and_a_field(self, sample: Reads) -> None:
        node = let(sample, 'count(bet) where session == "s1" over session')
        assert isinstance(node, Quantity)
        assert node.where == Comparison("==", Name("session", Kind.TEXT), Literal("s1", Kind.TEXT))

    def test_since_age_and_session_age(self, sample: Reads) -> None:
        node = when(sample, "since(deposit_failed) < 1h and session_age > 1.5h")
        assert node == Logic(
            "and",
            (
                Comparison("<", Since("deposit_failed"), Literal(DAY_US // 24, Kind.DURATION)),
                Comparison(">", SessionAge(), Literal(DAY_US // 16, Kind.DURATION)),
            ),
        )

    def test_not_in(self, sample: Reads) -> None:
        node = when(sample, "count(bet) over 24h not in (1, 2.5)")
        assert node == Membership(BETS, (count(1), Literal(2.5, Kind.NUMBER)), negated=True, exact=False)

    def test_nodes_know_their_places(self, sample: Reads) -> None:
        read = sample(when="|\n  age > 1d and\n  -  count(bet) over 24h < 3")
        both = read.loaded.when
        assert isinstance(both, Logic)
        right = both.operands[1]
        assert isinstance(right, Comparison)
        assert (right.place.line, right.place.column) == read.place("-  count")
        assert isinstance(right.left, Negation)
        assert (right.left.operand.place.line, right.left.operand.place.column) == read.place("count(bet)")


class TestKinds:
    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("7d", Kind.DURATION),
            ("30%", Kind.NUMBER),
            ("3", Kind.COUNT),
            ("3.0", Kind.NUMBER),
            ("200 CAD", Kind.MONEY),
            ("0.5 CAD * 3", Kind.MONEY),
            ("3 * 7d", Kind.DURATION),
            ("3 * 2.5", Kind.NUMBER),
            ("3 * 2", Kind.COUNT),
            ("3 / 2", Kind.NUMBER),
            ("7d / 1h", Kind.NUMBER),
            ("7d / 2", Kind.DURATION),
            ("200 CAD / 3 CAD", Kind.NUMBER),
            ("200 CAD / 3", Kind.MONEY),
            ("age - 1d", Kind.DURATION),
            ("-age", Kind.DURATION),
            ("abs(-3)", Kind.COUNT),
            ("max(1, 2.5)", Kind.NUMBER),
            ("max(0, 1 CAD, 0)", Kind.MONEY),
            ("count(bet) over 7d", Kind.COUNT),
            ("distinct(bet.product) over 7d", Kind.COUNT),
            ("sum(bet.net_loss) over 7d", Kind.MONEY),
            ("mean(bet.gap) over 7d", Kind.DURATION),
            ("max(bet.local_hour) over 7d", Kind.COUNT),
            ("mean(bet.local_hour) over 7d", Kind.NUMBER),
            ("last(limit_reached.share) over 7d", Kind.NUMBER),
            ("first(contact.topic) over 7d", Kind.TEXT),
            ("last(identity_check.over_age) over 7d", Kind.BOOL),
            ('last(limit_change.new) where limit == "deposit" over 7d', Kind.MONEY),
            ('last(limit_change.new) where period == "24h" and "time" == limit over 7d', Kind.DURATION),
            ('last(limit_change.old) where limit == "deposit_count" over 7d', Kind.COUNT),
            ('count(limit_change) where limit == "loss" and new > old over 7d', Kind.COUNT),
            ("count(identity_check) where not over_age over 7d", Kind.COUNT),
            ("count(bet) over 7d > 3", Kind.BOOL),
        ],
    )
    def test_of_an_expression(self, sample: Reads, text: str, kind: Kind) -> None:
        assert kind_of(let(sample, text)) is kind

    @pytest.mark.parametrize(
        ("text", "exact"),
        [
            ("count(bet) over 7d > 3", True),
            ("count(bet) over 7d > 3.0", False),
            ("3 / 2 > 1", False),
            ("age > 1d", True),
            ('last(bet.product) over 7d == "poker"', True),
            ("sum(bet.stake) over 7d > 0", False),
            ("sum(bet.stake) over 7d > 1 CAD", False),
        ],
    )
    def test_money_and_numbers_compare_nearly_the_rest_exactly(
        self, sample: Reads, text: str, exact: bool
    ) -> None:
        node = when(sample, text)
        assert isinstance(node, Comparison)
        assert node.exact is exact

    def test_a_bare_zero_beside_money_is_money(self, sample: Reads) -> None:
        node = when(sample, "sum(bet.net_loss) over 7d > 0")
        assert isinstance(node, Comparison)
        assert node.right == Literal(0, Kind.MONEY)

    def test_the_currency_is_that_of_the_literals_wherever_they_stand(self, sample: Reads) -> None:
        for keys in (
            {"let": "{x: 'sum(bet.stake) over 7d'}", "when": "x > 0", "escalate": "{critical: 'x > 5 EUR'}"},
            {"when": "sum(bet.stake) where payout > 1 EUR over 7d > 0"},
            {"params": "{floor: {value: 5 EUR}}", "when": "sum(bet.stake) over 7d > floor"},
        ):
            assert sample(**keys).loaded.currency == "EUR"

    def test_without_money_the_player_decides(self, sample: Reads) -> None:
        assert sample(when="sum(bet.stake) over 7d > 0").loaded.currency is None


class TestFaults:
    @pytest.mark.parametrize(
        ("text", "needle", "message"),
        [
            # shape
            ("age >", "age >", "ends too soon: a value"),
            ("age > 1d and", "age > 1d and", "ends too soon: a value"),
            ("1 < age < 3d", "< 3d", "do not chain"),
            ("age = 3d", "= 3d", 'write "=="'),
            ("age > 3d && age > 4d", "&& age", 'write "and"'),
            ("age > 3 days", "days", "no unit"),
            ("age > 3days", "days", "no unit"),
            ("age > 200CAD", "CAD", "money stands as 200 CAD"),
            ("age > 7d over 3d", "over 3d", "`over` follows an aggregate"),
            ("count(bet) over 7 > 3", "7 > 3", "a duration such as 7d"),
            ("count(bet) > 3", "> 3", "needs a window"),
            ("count(bet)", "count(bet)", "ends too soon: a window"),
            ("(age > 3d", None, '")"'),
            ("age > 3d)", ")", "unexpected"),
            ("over > 3", "over >", "`over` follows"),
            ("last(contact.topic) over 7d == 'distress'", "'distress'", "double quotes"),
            # names
            ("ages > 3d", "ages", 'did you mean "age"?'),
            ("true", "true", "no true"),
            ("coutn(bet) over 7d > 3", "coutn", 'did you mean "count"?'),
            ("avg(bet.stake) over 7d > 3", "avg", "there are count"),
            ("count(bets) over 7d > 3", "bets", 'did you mean "bet"?'),
            ("count(tick) over 7d > 3", "tick", "no event type"),
            ("since(void) > 3d", "void", "no event type"),
            ("sum(deposit.amuont) over 7d > 3 CAD", "deposit.amuont", 'did you mean "deposit.amount"?'),
            ("count(deposit) where amuont > 3 CAD over 7d > 3", "amuont", 'did you mean "amount"?'),
            ("count(deposit) where deposit.amount > 3 CAD over 7d > 3", "deposit.amount", "stands alone"),
            ("deposit.amount > 3 CAD", "deposit.amount", "needs an aggregate"),
            ("count(bet) over 7days > 3", "7days", "unexpected"),
            ("count(bet) over sesion > 3", "sesion", 'did you mean "session"?'),
            ("score > 3", "score", "names its model"),
            # kinds
            ("age > 3", "3", "a count compared with a duration; a duration is written with its unit"),
            ("count(bet) over 7d > 3d", "3d", "a duration compared with a count"),
            ("sum(bet.stake) over 7d > 3", "3", "money is written with its currency"),
            ("sum(bet.stake) over 7d > 3d", "3d", "a duration compared with money"),
            ("sum(bet.stake) over 7d > 3 CAD + 2 EUR", "2 EUR", "EUR in a rule of CAD"),
            ("sum(bet.stake) over 7d > 3 CDA", "3 CDA", "no known currency"),
            ("sum(bet.stake) over 7d > 3.001 CAD", "3.001 CAD", "finer than CAD"),
            ("3 CAD * 3 CAD > 1 CAD", "* 3 CAD", "money * money makes no sense"),
            ("3 / 7d > 1", "/ 7d", "a count / a duration makes no sense"),
            ("age + 3 > 1d", "+ 3", "a duration + a count makes no sense"),
            ("max(age, 3) > 1d", "3)", "a count beside a duration"),
            ("max(3, 2, age) > 1", "age", "a duration beside a count"),
            ("abs(1, 2) > 1", "abs", "abs takes one"),
            ("max(last(bet.game) over 7d, 2) > 1", "last", "not a text"),
            ('last(bet.game) over 7d > "x"', '> "x"', "by == and != only"),
            ("age", "age", "a condition is needed, this is a duration"),
            ("age > 1d and count(bet) over 7d", "count", "a condition is needed, this is a count"),
            ("not age", "age", "a condition is needed"),
            ("age in (1d, 3)", "3)", "a count listed for a duration"),
            ("age in (1d, age)", "age)", "constants and params only"),
            # quantities
            ("sum(bet) over 7d > 3", "bet)", "sum needs a field, such as bet.stake"),
            ("count(bet.stake) over 7d > 3", "bet.stake", "count takes no field"),
            ("max(bet.game) over 7d > 3", "max", "game is a text"),
            ("sum(identity_check.over_age) over 7d > 3", "sum", "over_age is a condition"),
            ("last(bet.placed_at) over 7d > 3", "bet.placed_at", "placed_at is a time"),
            ("last(limit_change.new) over 7d > 3", "limit_change.new", "say where limit =="),
            (
                'last(limit_change.new) where limit == "loss" or period == "7d" over 7d > 3',
                "limit_change.new",
                "say where limit ==",
            ),
            (
                'last(limit_change.new) where limit == "los" over 7d > 3',
                "limit_change.new",
                "say where limit",
            ),
            ('count(contact) where topic == "distres" over 7d > 3', '"distres"', 'did you mean "distress"?'),
            ('count(contact) where topic in ("help",) over 7d > 3', '"help"', "one of distress"),
            ('last(contact.topic) over 7d == "help"', '"help"', "it is never"),
            ("count(bet) where age > 3d over 7d > 3", "age", "`where` sees the fields of bet"),
            (
                "count(bet) where stake > sum(bet.stake) over 7d over 7d > 3",
                "sum",
                "no quantity stands within",
            ),
            ("count(bet) where since(bet) > 1d over 7d > 3", "since", "no quantity stands within"),
            ("count(bet) where stake over 7d > 3", "stake", "a condition is needed"),
            ("count(bet) over session before 1d > 3", "1d", "needs a window of a length"),
            ("count(bet) over 0.5s > 3", "0.5s", "at least 1s"),
            ("count(bet) over 401d > 3", "401d", "at most 400d"),
            ("count(bet) over 300d before 101d > 3", "300d", "at most 400d"),
            ("count(bet) over 7d before 0s > 3", "0s", "above 0"),
            ("age > 0.0000001s", "0.0000001s", "whole microseconds"),
            ("age > 36501d", "36501d", "at most 36500d"),
            ("count(bet) over 7d > 1234567890123456", "1234567890123456", "15 digits"),
        ],
    )
    def test_is_told_where_it_stands(
        self, sample: Reads, text: str, needle: str | None, message: str
    ) -> None:
        read = sample(when=text)
        if needle is None:
            assert message in read.only.message
        elif message.startswith("ends too soon"):
            assert message in read.only.message
            line, column = read.place(needle)
            assert (read.only.line, read.only.column) == (line, column + len(needle))
        else:
            line, start = read.place(f"when: {text}")
            assert message in read.only.message
            assert (read.only.line, read.only.column) == (line, start + 6 + text.rindex(needle))

    def test_every_faulty_text_is_told_once(self, sample: Reads) -> None:
        read = sample(
            let="\n  a: cuont(bet) over 7d\n  b: a * 2\n  c: sum(bet.stake) over wek",
            when="a > b and c > later",
            escalate="\n  critical: a > 3 and dd > 2",
        )
        assert read.messages == [
            'unknown function "cuont"; did you mean "count"?',
            'a window is 7d or so, a param, session or lifetime, not "wek"',
        ]

    def test_a_let_sees_only_those_above(self, sample: Reads) -> None:
        read = sample(let="\n  a: b + 1\n  b: 1", when="b > 0")
        read.tells("b + 1", "is not known yet")
        read = sample(let="\n  a: a + 1", when="age > 0s")
        read.tells("a + 1", "is not known yet")

    @pytest.mark.parametrize(
        ("written", "needle", "message"),
        [
            ("|\n  age > 3d and\n    agee > 4d\n", "agee", 'did you mean "age"?'),
            ("'agee > 3d'", "agee", 'did you mean "age"?'),
            ('"agee > 3d"', "agee", 'did you mean "age"?'),
            (">\n  age > 3d\n", ">\n", "`|` block"),
            ("age > 3d\n  and age > 4d", "age", "on one line"),
            ('"last(bet.game) over 7d == \\"x\\""', '"last', "no escapes"),
            ("'last(bet.game) over 7d == ''x'''", "'last", "no escapes"),
            ("[age > 3d]", "[age", "a single value"),
        ],
    )
    def test_columns_are_true_or_the_text_is_refused(
        self, sample: Reads, written: str, needle: str, message: str
    ) -> None:
        sample(when=written).tells(needle, message)

    def test_a_bare_condition_in_braces_is_refused(self, sample: Reads) -> None:
        sample(escalate="{critical: age > 3d}").tells("age > 3d", "must be quoted")


class TestBounds:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("(" * 10_000 + "age > 1d" + ")" * 10_000, "at most 2000 characters"),
            ("(" * 40 + "age > 1d" + ")" * 40, "brackets nested more than 32"),
            ("not " * 40 + "age > 1d", "nested more than 32"),
            ("1 > " + "- " * 40 + "1", "nested more than 32"),
            (" + ".join("1" * 40) + " > 2", "nested more than 32"),
            (" and ".join(f"count(bet) over {n}m > 1" for n in range(1, 40)), "32 distinct quantities"),
        ],
    )
    def test_of_a_condition(self, sample: Reads, text: str, message: str) -> None:
        assert message in sample(when=text).only.message

    def test_long_chains_of_and_are_no_depth(self, sample: Reads) -> None:
        assert sample(when=" and ".join(["age > 1d"] * 100)).rule

    @pytest.mark.parametrize(
        "text",
        [
            '__import__("os").system("id")',
            "().__class__.__bases__[0].__subclasses__()",
            "age.__class__ == 3",
            'eval("1") > 0',
            "exec",
            'globals()["x"]',
            "[x for x in (1, 2)]",
            "lambda: 0",
            "age > 3d if age else 1",
            'f"{age}" == ""',
            "age > 3d # and more",
            "age > 3d; import os",
            "0x10 > 1",
            "1e5 > 1",
            "１ > 0",
            "\u0061\u0301ge > 1d",
            "age \\",
            "@age",
            "age ** 2 > 1d",
            "age // 2 > 1d",
            "age % 2 > 1d",
            "age <> 2d",
            "None",
            "`age`",
            "$age",
        ],
    )
    def test_nothing_reaches_python(self, sample: Reads, text: str) -> None:
        read = sample(when="|\n  " + text)
        assert read.rule is None
        assert read.findings
