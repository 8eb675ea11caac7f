"""A rule file key by key."""

from __future__ import annotations

import pytest

from detector.language.literals import DAY_US
from detector.language.rule import Param, Trigger
from detector.language.syntax import Kind, Literal, Logic, Quantity
from tests.language.samples import EXAMPLE, Reads


def test_the_documented_rule_loads_as_documented(read: Reads) -> None:
    rule = read(EXAMPLE, "deposit-escalation.yml").loaded
    assert rule.name == "deposit-escalation@1"
    assert rule.trigger == Trigger(events=("deposit",))
    assert rule.currency == "CAD"
    assert rule.params["floor"] == Param(
        Literal(20_000, Kind.MONEY, "CAD"),
        Literal(5_000, Kind.MONEY, "CAD"),
        Literal(200_000, Kind.MONEY, "CAD"),
    )
    assert rule.constants["ratio"] == Literal(2.0, Kind.NUMBER)
    assert list(rule.lets) == ["recent", "habit"]
    assert isinstance(rule.when, Logic)
    assert len(rule.when.operands) == 3
    assert list(rule.escalate) == ["critical"]
    assert rule.cooldown_us == 7 * DAY_US
    assert rule.explain == ("", "recent", " deposited in 7 days, against a usual ", "habit", " a week")
    assert rule.tell["fr"].startswith("Vous avez déposé")
    assert [len(test.events) for test in rule.tests] == [6, 2]
    recent = rule.lets["recent"]
    assert isinstance(recent, Quantity)
    assert (recent.currency, recent.converted, recent.text) == ("CAD", True, "sum(deposit.amount) over 7d")


@pytest.mark.parametrize(
    ("keys", "where", "message"),
    [
        ({"id": "Sample"}, "id: ^Sample", "small letters"),
        ({"id": "other"}, "id: ^other", 'the id is "other" but the file "sample"'),
        ({"id": "S"}, "id: ^S", "1 to 63"),
        ({"version": "0"}, "version: ^0", "whole number"),
        ({"version": "1.5"}, "version: ^1.5", "whole number"),
        ({"version": "9" * 5000}, "version: ^9", "whole number"),
        ({"status": "lvie"}, "status: ^lvie", 'did you mean "live"?'),
        ({"status": "[live]"}, "status: ^[", "a single value"),
        ({"category": "cash"}, "category: ^cash", "spend, deposits, losses"),
        ({"audience": "everyone"}, "audience: ^everyone", "risk, follow_up"),
        ({"severity": "hihg"}, "severity: ^hihg", 'did you mean "high"?'),
        ({"respond": "L6"}, "respond: ^L6", "L0, L1"),
        ({"cooldown": "0s"}, "cooldown: ^0s", "between 1s and 400d"),
        ({"cooldown": "500d"}, "cooldown: ^500d", "between 1s and 400d"),
        ({"cooldown": "7 days"}, "cooldown: ^7", "no duration"),
        ({"remind": "0.5s"}, "remind: ^0.5s", "between 1s and 400d"),
        ({"title": None}, "id:", "`title` is missing"),
        ({"title": ""}, "title:", "`title` is empty"),
        ({"when": "~"}, "when:", "`when` is empty"),
        ({"cooldwon": "7d"}, "cooldwon", 'did you mean "cooldown"?'),
        ({"sources": "one"}, "sources: ^one", "list of texts"),
        ({"tell": "{de: Hallo}"}, "de:", "en and fr"),
        ({"tell": "{en: }"}, "{^en:", "empty"),
        ({"tell": "[en]"}, "tell: ^[", "mapping"),
        ({"trigger": "depsoit"}, "depsoit", 'did you mean "deposit"?'),
        ({"trigger": "void"}, "void", "no event type"),
        ({"trigger": "tick"}, "tick", "no event type"),
        ({"trigger": "[]"}, "[]", "at least one"),
        ({"trigger": "[bet, bet]"}, "[bet, ^bet]", "stands twice"),
        ({"trigger": "{silent: 3d}"}, "{silent", "{silence: 14d}"),
        ({"trigger": "{silence: soon}"}, "soon", "no duration"),
        ({"trigger": "during_sesion"}, "during_sesion", 'did you mean "during_session"?'),
        ({"escalate": "{hihg: 'age > 1d'}"}, "hihg", "names severities"),
        ({"escalate": "{high: 'age > 1d'}"}, "{^high:", "not above the rule's own"),
        ({"escalate": "{low: 'age > 1d'}"}, "{^low:", "not above the rule's own"),
        ({"params": "[3]"}, "[3]", "mapping"),
        ({"params": "{many: 3}"}, "many: ^3", "{value: 2.0"),
        ({"params": "{many: {min: 3}}"}, "{min", "needs a `value`"),
        ({"params": "{many: {value: 3, step: 1}}"}, "step", "unknown key"),
        ({"params": "{many: {value: 3, min: 4}}"}, "^3, min", "below its min"),
        ({"params": "{many: {value: 3, max: 2.5}}"}, "^3, max", "above its max"),
        ({"params": "{many: {value: 3d, max: 9}}"}, "{value", "of one kind"),
        ({"params": "{many: {value: 3 CAD, max: 9 EUR}}"}, "{value", "of one currency"),
        ({"params": "{many: {value: poker, max: bingo}}"}, "{value", "no min and no max"),
        ({"params": "{many: {value: ''}}"}, "''", "no number"),
        ({"params": "{many: {value: 3.001 CAD}}"}, "3.001", "finer than CAD"),
        ({"params": "{age: {value: 3}}"}, "age: {", "a word of the language"),
        ({"params": "{Many: {value: 3}}"}, "Many", "small letters"),
        ({"params": "{a: {value: 3 CAD}, b: {value: 3 EUR}}"}, "3 EUR", "one currency a rule"),
        ({"let": "{over: '3'}"}, "over:", "a word of the language"),
        ({"let": "{z: '3'}"}, "z:", "a word of the language"),
        ({"let": "{a-b: '3'}"}, "a-b", "small letters"),
        ({"let": "{a: ''}"}, "''", "missing"),
        ({"params": "{x: {value: 3}}", "let": "{x: '3'}"}, "^x: '3'", "is a param already"),
        ({"explain": "so many {deposit}"}, "{^deposit}", "no let and no param"),
        ({"explain": "so many {"}, "{", "a lone {"),
        ({"explain": "so many }"}, "}", "a lone }"),
        ({"explain": "so many {a b}"}, "a b}", "no let"),
        ({"explain": '"a\\tb"'}, '"a', "on one line"),
        ({"tests": "{}"}, "{}", "a list"),
    ],
)
def test_a_faulty_key_is_told_where_it_stands(
    sample: Reads, keys: dict[str, str | None], where: str, message: str
) -> None:
    sample(**keys).tells(where, message)


def test_all_findings_of_a_file_come_at_once(sample: Reads) -> None:
    read = sample(status="lvie", version="x", when="agee > 1d", explain="'{nothing}'")
    assert [(f.line, f.message.split()[0]) for f in read.findings] == [
        (2, "a"),
        (3, "`status`"),
        (9, "unknown"),
        (11, '"nothing"'),
    ]


def test_triggers(sample: Reads) -> None:
    assert sample(trigger="[bet, deposit]").loaded.trigger == Trigger(events=("bet", "deposit"))
    assert sample(trigger="during_session").loaded.trigger == Trigger(during_session=True)
    assert sample(trigger="{silence: 2w}").loaded.trigger == Trigger(silence_us=14 * DAY_US)


def test_durations_of_a_rule_may_be_params(sample: Reads) -> None:
    params = "{quiet: {value: 14d}, pause: {value: 24h}}"
    rule = sample(params=params, trigger="{silence: quiet}", cooldown="quiet", remind="pause").loaded
    assert (rule.trigger.silence_us, rule.cooldown_us, rule.remind_us) == (14 * DAY_US, 14 * DAY_US, DAY_US)


def test_escalation_ascends_whatever_the_order(sample: Reads) -> None:
    rule = sample(severity="low", escalate="{critical: 'age > 3d', medium: 'age > 1d'}").loaded
    assert list(rule.escalate) == ["medium", "critical"]


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        ("2", Literal(2, Kind.COUNT)),
        ("2.5", Literal(2.5, Kind.NUMBER)),
        ("-1.5", Literal(-1.5, Kind.NUMBER)),
        ("30%", Literal(0.3, Kind.NUMBER)),
        ("90m", Literal(5_400_000_000, Kind.DURATION)),
        ("'0.50 EUR'", Literal(50, Kind.MONEY, "EUR")),
        ("5 JPY", Literal(5, Kind.MONEY, "JPY")),
        ("casino_slot", Literal("casino_slot", Kind.TEXT)),
        ("'\"7d\"'", Literal("7d", Kind.TEXT)),
    ],
)
def test_what_a_param_is(sample: Reads, value: str, literal: Literal) -> None:
    assert sample(params=f"{{x: {{value: {value}}}}}").loaded.constants == {"x": literal}


def test_whole_and_broken_numbers_mix_in_a_param(sample: Reads) -> None:
    param = sample(params="{x: {value: 2, min: 1.5, max: 30}}").loaded.params["x"]
    assert param == Param(*(Literal(value, Kind.NUMBER) for value in (2.0, 1.5, 30.0)))


def test_braces_in_an_explanation(sample: Reads) -> None:
    rule = sample(let="{n: '3'}", explain="'{{{n}}} of { n } {{x}}'").loaded
    assert rule.explain == ("{", "n", "} of ", "n", " {x}")
    assert sample(explain="|\n  two\n  lines\n").loaded.explain == ("two\nlines",)


def test_unicode_stays(sample: Reads) -> None:
    assert sample(title="Dépôts élevés 🎲").loaded.title == "Dépôts élevés 🎲"


class TestBehaviour:
    def test_blanks_comments_quotes_and_order_do_not_alter_it(self, read: Reads) -> None:
        plain = read(EXAMPLE, "deposit-escalation.yml").loaded
        other = EXAMPLE.replace(": sum(deposit.amount) over 7d", ': "sum( deposit.amount )  over 7d"  # x')
        other = other.replace("when: age", "when: |\n  age").replace("cooldown: 7d\n", "")
        other = "cooldown: 1w\n" + other.replace("2.0", "2.00").replace("200 CAD", "200.00 CAD")
        assert read(other, "deposit-escalation.yml").loaded.behaviour == plain.behaviour

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("status: live ", "status: draft"),
            ("version: 1", "version: 2"),
            ("title: Deposits", "title: More deposits"),
            ("why: A sharp", "why: One sharp"),
            ("AGCO 2.10", "AGCO 2.11"),
            ("a usual {habit}", "the usual {habit}"),
            ("more than usual", "rather more than usual"),
            ("expect: []", "expect: [{at: day 8 10:00}]"),
        ],
    )
    def test_texts_and_tests_do_not_alter_it(self, read: Reads, old: str, new: str) -> None:
        plain = read(EXAMPLE, "deposit-escalation.yml").loaded
        assert old in EXAMPLE
        other = read(EXAMPLE.replace(old, new), "deposit-escalation.yml").loaded
        assert other.behaviour == plain.behaviour

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("value: 2.0", "value: 2.1"),
            ("max: 5.0", "max: 6.0"),
            ("over 7d", "over 8d"),
            ("before 7d", "before 8d"),
            (">= floor", "> floor"),
            ("age >= 35d and", ""),
            ("critical: recent >= 4", "critical: recent >= 5"),
            ("cooldown: 7d", "cooldown: 6d"),
            ("cooldown: 7d", "cooldown: 7d\nremind: 7d"),
            ("severity: high\n", "severity: medium\n"),
            ("category: deposits", "category: spend"),
            ("audience: risk", "audience: compliance"),
            ("respond: L2", "respond: L3"),
            ("trigger: deposit", "trigger: [deposit, bet]"),
        ],
    )
    def test_whatever_changes_an_alert_does(self, read: Reads, old: str, new: str) -> None:
        plain = read(EXAMPLE, "deposit-escalation.yml").loaded
        assert old in EXAMPLE
        other = read(EXAMPLE.replace(old, new), "deposit-escalation.yml").loaded
        assert other.behaviour != plain.behaviour


class TestRespond:
    ESCALATE = "{critical: 'count(deposit) over 7d >= 9'}"

    def test_one_level_is_that_of_every_severity_reached(self, sample: Reads) -> None:
        assert sample(escalate=self.ESCALATE).loaded.respond == {"high": "L2", "critical": "L2"}
        assert sample().loaded.respond == {"high": "L2"}

    def test_a_level_for_each_severity(self, sample: Reads) -> None:
        rule = sample(escalate=self.ESCALATE, respond="{critical: L4, high: L2}").loaded
        assert list(rule.respond.items()) == [("high", "L2"), ("critical", "L4")]

    @pytest.mark.parametrize(
        ("respond", "message"),
        [
            ("^{high: L2}", "says nothing for critical, which the rule reaches"),
            ("^{}", "says nothing for high and critical"),
            ("{high: L2, critical: ^l3}", 'not "l3"; did you mean "L3"?'),
            ("{^hihg: L2, critical: L3}", 'did you mean "high"?'),
            ("{^low: L1, high: L2, critical: L3}", "the rule never reaches low, only high and critical"),
            ("{high: L3, critical: ^L2}", "L2 for critical is less than L3 for high"),
            ("{critical: ^L2, high: L3}", "does not fall as the severity rises"),
            ("{high: ^[L2], critical: L3}", "a single value"),
            ("^[L2, L3]", "a single value"),
        ],
    )
    def test_a_fault_is_told_at_its_place(self, sample: Reads, respond: str, message: str) -> None:
        sample(escalate=self.ESCALATE, respond=respond.replace("^", "")).tells(f"respond: {respond}", message)

    def test_a_faulty_severity_or_condition_is_told_alone(self, sample: Reads) -> None:
        assert "hihg" in sample(severity="hihg", respond="{high: L2}").only.message
        read = sample(escalate="{critical: 'nonsense'}", respond="{high: L2, critical: L3}")
        assert "nonsense" in read.only.message

    def test_one_level_is_one_however_it_is_written(self, sample: Reads) -> None:
        def behaviour(respond: str) -> str:
            return sample(escalate=self.ESCALATE, respond=respond).loaded.behaviour

        assert behaviour("{critical: L2, high: L2}") == behaviour("L2")
        assert (
            len({behaviour(each) for each in ("L2", "{high: L2, critical: L3}", "{high: L1, critical: L3}")})
            == 3
        )
