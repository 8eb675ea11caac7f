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
    ("keys", "needle", "message"),
    [
        ({"id": "Sample"}, "Sample", "small letters"),
        ({"id": "other"}, "other", 'the id is "other" but the file "sample"'),
        ({"id": "s"}, "s\n", "2 to 63"),
        ({"version": "0"}, "0", "whole number"),
        ({"version": "1.5"}, "1.5", "whole number"),
        ({"version": "9" * 5000}, "999", "whole number"),
        ({"status": "lvie"}, "lvie", 'did you mean "live"?'),
        ({"status": "[live]"}, "[live]", "a single value"),
        ({"category": "cash"}, "cash", "spend, deposits, losses"),
        ({"audience": "everyone"}, "everyone", "risk, follow_up"),
        ({"severity": "hihg"}, "hihg", 'did you mean "high"?'),
        ({"respond": "L6"}, "L6", "L0, L1"),
        ({"cooldown": "59s"}, "59s", "between 1m and 400d"),
        ({"cooldown": "500d"}, "500d", "between 1m and 400d"),
        ({"cooldown": "7 days"}, "7 days", "no duration"),
        ({"remind": "1s"}, "1s", "between 1m and 400d"),
        ({"title": None}, "id:", "`title` is missing"),
        ({"title": ""}, "title:", "`title` is empty"),
        ({"when": "~"}, "when:", "`when` is empty"),
        ({"cooldwon": "7d"}, "cooldwon", 'did you mean "cooldown"?'),
        ({"sources": "one"}, "one", "list of texts"),
        ({"tell": "{de: Hallo}"}, "de:", "en and fr"),
        ({"tell": "{en: }"}, "en:", "empty"),
        ({"tell": "[en]"}, "[en]", "mapping"),
        ({"trigger": "depsoit"}, "depsoit", 'did you mean "deposit"?'),
        ({"trigger": "void"}, "void", "no event type"),
        ({"trigger": "tick"}, "tick", "no event type"),
        ({"trigger": "[]"}, "[]", "at least one"),
        ({"trigger": "[bet, bet]"}, "bet]", "stands twice"),
        ({"trigger": "{silent: 3d}"}, "{silent", "{silence: 14d}"),
        ({"trigger": "{silence: soon}"}, "soon", "no duration"),
        ({"trigger": "during_sesion"}, "during_sesion", 'did you mean "during_session"?'),
        ({"escalate": "{hihg: 'age > 1d'}"}, "hihg", "names severities"),
        ({"escalate": "{high: 'age > 1d'}"}, "high:", "not above the rule's own"),
        ({"escalate": "{low: 'age > 1d'}"}, "low", "not above the rule's own"),
        ({"params": "[3]"}, "[3]", "mapping"),
        ({"params": "{many: 3}"}, "3}", "{value: 2.0"),
        ({"params": "{many: {min: 3}}"}, "{min", "needs a `value`"),
        ({"params": "{many: {value: 3, step: 1}}"}, "step", "unknown key"),
        ({"params": "{many: {value: 3, min: 4}}"}, "3, min", "below its min"),
        ({"params": "{many: {value: 3, max: 2.5}}"}, "3, max", "above its max"),
        ({"params": "{many: {value: 3d, max: 9}}"}, "{value", "of one kind"),
        ({"params": "{many: {value: 3 CAD, max: 9 EUR}}"}, "{value", "of one currency"),
        ({"params": "{many: {value: poker, max: bingo}}"}, "{value", "no min and no max"),
        ({"params": "{many: {value: ''}}"}, "''", "no number"),
        ({"params": "{many: {value: 3.001 CAD}}"}, "3.001", "finer than CAD"),
        ({"params": "{age: {value: 3}}"}, "age", "a word of the language"),
        ({"params": "{Many: {value: 3}}"}, "Many", "small letters"),
        ({"params": "{a: {value: 3 CAD}, b: {value: 3 EUR}}"}, "3 EUR", "one currency a rule"),
        ({"let": "{over: '3'}"}, "over:", "a word of the language"),
        ({"let": "{z: '3'}"}, "z:", "a word of the language"),
        ({"let": "{a-b: '3'}"}, "a-b", "small letters"),
        ({"let": "{a: }"}, ", b", "missing"),
        ({"params": "{x: {value: 3}}", "let": "{x: '3'}"}, "x: '3'", "is a param already"),
        ({"explain": "so many {deposit}"}, "deposit}", "no let and no param"),
        ({"explain": "so many {"}, "{", "a lone {"),
        ({"explain": "so many }"}, "}", "a lone }"),
        ({"explain": "so many {a b}"}, "a b", "no let"),
        ({"explain": '"a\\tb"'}, '"a', "on one line"),
        ({"tests": "{}"}, "{}", "a list"),
    ],
)
def test_a_faulty_key_is_told_where_it_stands(
    sample: Reads, keys: dict[str, str | None], needle: str, message: str
) -> None:
    read = sample(**keys)
    if needle == ", b":
        assert message in read.only.message
        return
    key = next(iter(keys))
    last = list(keys)[-1]
    start = read.text.find(f"\n{last}: ") + 1 if keys[last] is not None and last != key else 0
    offset = read.text.index(needle, start or max(read.text.find(f"\n{key}:"), 0))
    if keys[key] is None:
        offset = 0
    line, column = read.text.count("\n", 0, offset) + 1, offset - read.text.rfind("\n", 0, offset)
    assert message in read.only.message
    assert (read.only.line, read.only.column) == (line, column)
