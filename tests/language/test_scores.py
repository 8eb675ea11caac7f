"""`score(model)` in rules and in their tests: what it is, where it may stand, where it goes wrong."""

from __future__ import annotations

import pytest

from detector.language.rule import MODELS
from detector.language.syntax import Comparison, Kind, Score, kind_of
from detector.timelines import check_timeline, run_timeline
from tests.language.samples import Read, Reads


@pytest.mark.parametrize("model", MODELS)
def test_a_score_is_a_number_of_each_model(sample: Reads, model: str) -> None:
    when = sample(when=f"score( {model} ) >= 30%").loaded.when
    assert isinstance(when, Comparison)
    assert when.left == Score(model)
    assert kind_of(when.left) is Kind.NUMBER


def test_one_may_reckon_with_it_and_give_it_a_name(sample: Reads) -> None:
    rule = sample(
        let="{chance: 'max(score(harm), 1%)', odds: 'chance / (1 - chance)'}",
        when="odds > 0.5 and score(unusual) > 0.9",
        escalate="{critical: 'score(habit) > 3'}",
    ).loaded
    assert kind_of(rule.lets["odds"]) is Kind.NUMBER


@pytest.mark.parametrize(
    ("when", "where", "message"),
    [
        ("score(ham) > 1", "score(^ham", 'no model is called "ham"; did you mean "harm"?'),
        ("score(ham) > 1", "score(^ham", "there are harm, unusual, habit, review"),
        ("score(spin) > 1", "score(^spin", 'no model is called "spin"; there are harm'),
        ("score > 1", "when: ^score", "a score names its model, such as score(harm)"),
        ("score() > 1", "score(^)", "a name"),
        ("score(harm, habit) > 1", "score(harm^,", '")"'),
        ("scroe(harm) > 1", "^scroe", "score"),
        ("score(harm)", "when: ^score", "a condition is needed, this is a number"),
        ("score(harm) > 3d", "> ^3d", "a duration compared with a number"),
        ("score(harm) > 30 CAD", "> ^30", "money compared with a number"),
        (
            "count(deposit) where score(harm) > 1 over 7d > 1",
            "where ^score",
            "no score stands within `where`",
        ),
        ("usual(score(harm)) > 1", "score^(harm", '")" is expected'),
    ],
)
def test_a_fault_is_told_where_it_stands(sample: Reads, when: str, where: str, message: str) -> None:
    sample(when=when).tells(where, message)


def test_it_is_no_name_for_anything_else(sample: Reads) -> None:
    sample(let="{score: '3'}").tells("{^score", "a word of the language")
    sample(params="{score: {value: 3}}").tells("{^score", "a word of the language")


@pytest.mark.parametrize("trigger", ["deposit", "[deposit]", "session_summary"])
def test_models_are_asked_at_deposits_and_at_the_ends_of_sessions(sample: Reads, trigger: str) -> None:
    assert sample(when="score(harm) > 30%", trigger=trigger).rule is not None


@pytest.mark.parametrize(
    "trigger", ["[deposit, withdrawal]", "bet", "session_end", "{silence: 7d}", "during_session", "contact"]
)
@pytest.mark.parametrize("key", ["when", "let", "escalate"])
def test_no_other_trigger_will_do(sample: Reads, trigger: str, key: str) -> None:
    asking: dict[str, str] = {
        "when": "score(harm) > 30%",
        "let": "{chance: 'score(harm)'}",
        "escalate": "{critical: 'score(harm) > 30%'}",
    }
    read = sample(**{"trigger": trigger, key: asking[key]})
    read.tells("trigger:", "trigger on deposit or on session_summary alone where a rule asks for score(…)")


# Tests of rules.


def with_a_test(sample: Reads, scores: str | None, lines: str = "") -> Read:
    said = "" if scores is None else f"    scores: {scores}\n"
    lines = lines or "      day 1 10:00 deposit 20 CAD\n"
    test = f"\n  - name: a test\n{said}    timeline: |\n{lines}    expect: [{{at: day 1 10:00}}]"
    return sample(
        when="score(harm) >= 30% and not score(unusual) > 0.5",
        tests=test,
    )


def outcome(read: Read) -> list[str]:
    rule = read.loaded
    return check_timeline(rule, rule.tests[0])


@pytest.mark.parametrize(
    "scores", ["{harm: 30%, unusual: 0.5}", "{harm: 0.3, unusual: 0}", "{harm: 1, unusual: -1}"]
)
def test_a_test_says_what_the_models_say(sample: Reads, scores: str) -> None:
    assert outcome(with_a_test(sample, scores)) == []


def test_what_was_there_is_told_where_an_alert_did_not_come(sample: Reads) -> None:
    (told,) = outcome(with_a_test(sample, "{harm: 29%, unusual: 0}"))
    assert told.endswith("there was score(harm) 0.29 number, score(unusual) 0 number")
    session = (
        "      day 1 09:00 bet 5 CAD 0 CAD session=s1\n      day 1 09:30 session_end session=s1\n"
        "      day 1 10:00 deposit 20 CAD\n"
    )  # fmt: skip
    (told,) = outcome(with_a_test(sample, "{harm: 29%, unusual: 0}", lines=session))
    assert "score(harm) 0.29" in told


@pytest.mark.parametrize("scores", [None, "{}", "{harm: 90%}", "{unusual: 0.1}"])
def test_a_model_that_says_nothing_makes_it_unknown(sample: Reads, scores: str | None) -> None:
    rule = with_a_test(sample, scores).loaded
    assert run_timeline(rule, rule.tests[0]).alerts == []


@pytest.mark.parametrize(
    ("scores", "where", "message"),
    [
        ("3", "scores: ^3", "{harm: 40%}"),
        ("[harm]", "scores: ^[", "{harm: 40%}"),
        ("{ham: 40%}", "{^ham", 'did you mean "harm"?'),
        ("{harm: lots}", "harm: ^lots", "a number or a share"),
        ("{harm: 4d}", "harm: ^4d", "a number or a share"),
        ("{harm: 4 CAD}", "harm: ^4", "a number or a share"),
        ("{harm: []}", "harm: ^[", "a number or a share"),
        ("{harm: }", "", "a number or a share"),
        ("{harm: " + "9" * 5_000 + "}", "harm: ^9", "15 digits"),
    ],
)
def test_faulty_scores_are_told_where_they_stand(
    sample: Reads, scores: str, where: str, message: str
) -> None:
    read = with_a_test(sample, scores)
    if where:
        read.tells(where, message)
    else:
        assert message in read.only.message
