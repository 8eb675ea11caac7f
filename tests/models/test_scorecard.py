"""Scorecards: what they score, why, and what is refused as one."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ScorecardError
from models.habit import deviation
from models.harm import KINDS, Kind, LogisticCard, log_odds
from models.learners import Learners
from models.scorecard import NAMES, Scorecard, draw
from tests.models.rows import FEATURES, rows

HABIT = ["lost", "sessions"]
DAY_US = 86_400_000_000


@cache
def learners(kind: Kind = "logistic", count: int = 700) -> Learners:
    taught = Learners(FEATURES, kind, seed=2)
    for values, harmed in rows(count):
        taught.learn_unlabelled(values)
        taught.learn(values, harmed)
    return taught


def frozen(taught: Learners) -> Scorecard:
    return taught.scorecard(FEATURES, "c0ffee", HABIT, seed=5, review_share=0.01)


def with_habit(card: Scorecard) -> list[float]:
    habit: list[float] | None = None
    for values, _ in rows(30, seed=3):
        habit = card.judge("p", 0, values, habit, ends_session=True).habit
    assert habit is not None
    return habit


every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
def test_a_scorecard_that_was_written_and_read_says_what_the_learners_say(kind: Kind) -> None:
    taught = learners(kind)
    card = Scorecard.read(frozen(taught).to_json())
    for values, _ in rows(150, seed=4):
        scores = card.judge("p", 0, values, None, ends_session=False).scores
        assert tuple(scores) == NAMES == card.names
        assert scores["harm"] == pytest.approx(taught.probability(values), abs=1e-9)
        assert scores["unusual"] == pytest.approx(taught.unusual(values), abs=1e-9)


@every_kind
def test_reading_and_writing_changes_no_byte_and_no_id(kind: Kind) -> None:
    card = frozen(learners(kind))
    again = Scorecard.read(card.to_json())
    assert again == card
    assert again.to_json() == card.to_json()
    assert again.id == card.id
    assert len(card.id) == 16


def test_learners_taken_out_of_a_pickle_make_the_same_scorecard() -> None:
    assert frozen(pickle.loads(pickle.dumps(learners()))).id == frozen(learners()).id


def test_judging_twice_says_the_same_and_only_the_end_of_a_session_moves_a_habit() -> None:
    card = frozen(learners())
    habit = with_habit(card)
    values, kept = next(rows(1, seed=8))[0], list(habit)
    deposit = card.judge("p", 7, values, habit, ends_session=False)
    assert card.judge("p", 7, values, habit, ends_session=False) == deposit
    assert deposit.habit == habit == kept
    ended = card.judge("p", 7, values, habit, ends_session=True)
    assert ended.scores == deposit.scores
    assert ended.habit != habit == kept
    assert deposit.scores["habit"] == deviation(habit, [values[0], values[3]])


def test_who_is_new_has_no_habit_and_gets_one_when_a_session_ends() -> None:
    card = frozen(learners())
    values = next(rows(1))[0]
    judged = card.judge("p", 0, values, None, ends_session=False)
    assert (judged.scores["habit"], judged.habit) == (None, None)
    assert card.judge("p", 0, values, None, ends_session=True).habit


def test_too_little_learned_says_nothing_rather_than_something() -> None:
    scores = frozen(Learners(FEATURES)).judge("p", 0, [None] * 6, None, ends_session=True).scores
    assert scores["harm"] is scores["unusual"] is scores["habit"] is None
    assert scores["review"] is not None


@given(st.lists(st.one_of(st.none(), st.floats()), min_size=6, max_size=6))
def test_whatever_the_values_scores_are_in_their_range(values: list[float | None]) -> None:
    for kind in KINDS:
        card = frozen(learners(kind))
        scores = card.judge("p", 0, values, None, ends_session=True).scores
        harm, unusual = scores["harm"], scores["unusual"]
        assert harm is not None
        assert 0 < harm < 1
        assert unusual is not None
        assert 0 <= unusual <= 1
        for name in NAMES:
            assert all(math.isfinite(reason.adds) for reason in card.reasons(name, values, None))


def test_the_review_draws_everybody_alike_one_draw_a_day() -> None:
    assert draw(1, "p", 0) == draw(1, "p", DAY_US - 1)
    assert len({draw(1, "p", 0), draw(1, "p", DAY_US), draw(2, "p", 0), draw(1, "q", 0)}) == 4
    drawn = [draw(1, f"player {number}", 0) for number in range(20_000)]
    assert all(0 <= at < 1 for at in drawn)
    for share in (0.01, 0.1, 0.5):
        assert sum(at < share for at in drawn) / 20_000 == pytest.approx(share, abs=0.01)


# Reasons


@pytest.mark.parametrize("kind", ["logistic", "gradient"])
def test_reasons_of_logistic_harm_add_up_to_its_log_odds(kind: Kind) -> None:
    card = frozen(learners(kind))
    assert isinstance(card.harm, LogisticCard)
    for values, _ in rows(50, seed=6):
        reasons = card.reasons("harm", values, None)
        total = card.harm.bias + sum(reason.adds for reason in reasons)
        assert total == pytest.approx(log_odds(card.harm, values), abs=1e-12)
        assert [abs(reason.adds) for reason in reasons] == sorted(
            (abs(reason.adds) for reason in reasons), reverse=True
        )
        assert all(reason.value == values[FEATURES.index(reason.feature)] for reason in reasons)


@every_kind
def test_five_declined_deposits_are_a_reason_and_what_never_changes_is_none(kind: Kind) -> None:
    card = frozen(learners(kind))
    values: list[float | None] = [0.0, 1000.0, 5.0, 3.0, 0.2, 3.0]
    reasons = {reason.feature: reason.adds for reason in card.reasons("harm", values, None)}
    assert reasons["declined"] > 0
    assert "constant" not in reasons


def test_a_forest_says_what_would_lower_its_score_compared_with_the_player_s_own_habit() -> None:
    card = frozen(learners("forest"))
    harm = card.harm
    assert harm is not None
    habit = with_habit(card)
    values: list[float | None] = [60_000.0, 1000.0, 0.0, 3.0, 0.2, 3.0]
    lost = next(reason for reason in card.reasons("harm", values, None) if reason.feature == "lost")
    assert lost.adds > 0
    # Whoever always loses that much has a habit, and hardly a reason in it.
    for _ in range(60):
        habit = card.judge("p", 0, values, habit, ends_session=True).habit or []
    own = {reason.feature: reason.adds for reason in card.reasons("harm", values, habit)}
    assert abs(own.get("lost", 0.0)) < lost.adds / 4


def test_reasons_of_unusual_are_what_makes_it_less_when_put_back() -> None:
    card = frozen(learners())
    values: list[float | None] = [500_000.0, 1000.0, 5.0, 7.0, 0.99, 3.0]
    reasons = card.reasons("unusual", values, None)
    assert max(reason.adds for reason in reasons) > 0
    whole = card.judge("p", 0, values, None, ends_session=False).scores["unusual"]
    top = reasons[0]
    changed = list(values)
    changed[FEATURES.index(top.feature)] = card._usual(None)[FEATURES.index(top.feature)]
    without = card.judge("p", 0, changed, None, ends_session=False).scores["unusual"]
    assert whole is not None
    assert without is not None
    assert top.adds == pytest.approx(whole - without)


def test_reasons_of_habit_add_up_to_the_deviation() -> None:
    card = frozen(learners())
    habit = with_habit(card)
    values: list[float | None] = [90_000.0, 1000.0, 0.0, 7.0, None, 3.0]
    reasons = card.reasons("habit", values, habit)
    assert {reason.feature for reason in reasons} == set(HABIT)
    told = card.judge("p", 0, values, habit, ends_session=False).scores["habit"]
    assert sum(reason.adds for reason in reasons) == pytest.approx(told)
    assert card.reasons("habit", values, None) == []


def test_a_draw_has_no_reasons_and_an_unknown_name_no_score() -> None:
    card = frozen(learners())
    assert card.reasons("review", [None] * 6, None) == []
    with pytest.raises(KeyError):
        card.reasons("luck", [None] * 6, None)


# What is refused


def broken(kind: Kind, change: Callable[[dict[str, Any]], object]) -> bytes:
    document = json.loads(frozen(learners(kind)).to_json())
    change(document)
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("kind", "change", "where"),
    [
        ("logistic", lambda d: d.pop("features"), "features"),
        ("logistic", lambda d: d.update(extra=1), "extra"),
        ("logistic", lambda d: d.update(version=2), "$.version"),
        ("logistic", lambda d: d["features"].__setitem__(0, "night"), "$.features"),
        ("logistic", lambda d: d["quantiles"].pop(), "$.quantiles"),
        ("logistic", lambda d: d["quantiles"][1]["values"].reverse(), "$.quantiles[1]"),
        ("logistic", lambda d: d["quantiles"][2]["places"].append(1.0), "$.quantiles[2]"),
        ("logistic", lambda d: d["quantiles"][0]["places"].__setitem__(-1, 1.5), "$.quantiles[0]"),
        ("logistic", lambda d: d["harm"]["weights"].pop(), "$.harm"),
        ("logistic", lambda d: d["harm"]["weights"].__setitem__(0, "much"), "$.harm.weights[0]"),
        ("logistic", lambda d: d["harm"]["scaling"]["means"].pop(), "$.harm.scaling"),
        ("logistic", lambda d: d["harm"]["scaling"]["deviations"].__setitem__(0, 0.0), "$.harm.scaling.dev"),
        ("logistic", lambda d: d["harm"].update(type="oracle"), "$.harm.type"),
        ("logistic", lambda d: d["calibration"].update(a=-1.0), "$.calibration"),
        ("logistic", lambda d: d["unusual"].update(most=0.0), "$.unusual.most"),
        ("logistic", lambda d: d["unusual"]["trees"][3]["left"].__setitem__(0, 0), "$.unusual.trees[3]"),
        ("forest", lambda d: d["harm"]["trees"][0]["inputs"].__setitem__(0, 12), "$.harm.trees[0]"),
        ("logistic", lambda d: d.update(habit=[6]), "$.habit"),
        ("logistic", lambda d: d.update(habit=[1, 1]), "$.habit"),
        ("logistic", lambda d: d.update(review_share=1.5), "$.review_share"),
    ],
)
def test_a_document_that_is_no_scorecard_is_refused_with_the_place(
    kind: Kind, change: Callable[[dict[str, Any]], object], where: str
) -> None:
    with pytest.raises(ScorecardError) as refused:
        Scorecard.read(broken(kind, change))
    assert where in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("document", [b"", b"{", b"[]", b"\xff", b'{"version": NaN}', b"[" * 100_000])
def test_what_is_no_document_at_all_is_refused(document: bytes) -> None:
    with pytest.raises(ScorecardError):
        Scorecard.read(document)


def test_a_document_of_absurd_length_is_not_even_parsed() -> None:
    with pytest.raises(ScorecardError, match="more than"):
        Scorecard.read(b" " * (17 * 1024 * 1024))


def test_learners_do_not_freeze_under_other_names() -> None:
    with pytest.raises(ValueError, match="not the features"):
        learners().scorecard(FEATURES[::-1], "c0ffee", HABIT, seed=5, review_share=0.01)
