"""What holds of every classifier of harm, whatever it is fed: one suite, run on all of them."""

from __future__ import annotations

import math
import pickle
import random
from collections.abc import Iterable, Sequence
from typing import cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]  # it has no types

from models.harm import KINDS, HarmCard, Kind, log_odds, probability
from models.harm_learners import HarmLearner, harm_learner
from models.learners import Learners
from tests.models.rows import FEATURES, Row, rows

every_kind = pytest.mark.parametrize("kind", KINDS)

# Anything that a feature may be, and what it may not.
any_value = st.one_of(
    st.none(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, -0.0, 1.0, 1e308, -1e308, 5e-324]),
)
any_rows = st.lists(st.tuples(st.lists(any_value, min_size=3, max_size=3), st.booleans()), max_size=40)


def taught(learner: HarmLearner, samples: Iterable[Row]) -> HarmLearner:
    for values, harmed in samples:
        learner.learn(values, harmed)
    return learner


def told_apart(learner: HarmLearner, samples: Sequence[Row]) -> float:
    """ROC AUC."""
    return float(
        roc_auc_score([harmed for _, harmed in samples], [learner.log_odds(values) for values, _ in samples])
    )


def read_back(card: HarmCard) -> HarmCard:
    return cast(HarmCard, msgspec.json.decode(msgspec.json.encode(card), type=HarmCard))


def sane(learner: HarmLearner, values: Sequence[float | None]) -> None:
    """Finite, in (0, 1), the same when asked again, and the same by what was exported."""
    odds = learner.log_odds(values)
    assert 0 < probability(odds) < 1
    assert learner.log_odds(values) == odds
    assert log_odds(read_back(learner.card()), values) == pytest.approx(odds, abs=1e-9)


@every_kind
def test_before_anything_was_learned_there_is_an_answer_all_the_same(kind: Kind) -> None:
    learner = harm_learner(kind, 3, seed=1)
    sane(learner, [1.0, None, -5.0])
    assert learner.log_odds([1.0, 2.0, 3.0]) == learner.log_odds([None, None, None])


@every_kind
def test_it_finds_who_is_at_risk_and_the_exported_form_says_the_same(kind: Kind) -> None:
    learner = taught(harm_learner(kind, len(FEATURES), seed=1), rows(800))
    unseen = list(rows(500, seed=2))
    assert told_apart(learner, unseen) > 0.7
    for values, _ in unseen[:300]:
        sane(learner, values)
    for gap in range(len(FEATURES)):
        sane(learner, [None if index == gap else value for index, value in enumerate(unseen[0][0])])


@every_kind
def test_asking_teaches_nothing(kind: Kind) -> None:
    quiet, asked = harm_learner(kind, len(FEATURES), seed=1), harm_learner(kind, len(FEATURES), seed=1)
    for values, harmed in rows(300):
        asked.log_odds(values)
        asked.card()
        quiet.learn(values, harmed)
        asked.learn(values, harmed)
    assert quiet.card() == asked.card()


@every_kind
def test_the_same_stream_makes_the_same_model_even_across_a_restart(kind: Kind) -> None:
    whole = taught(harm_learner(kind, len(FEATURES), seed=4), rows(300))
    restarted = harm_learner(kind, len(FEATURES), seed=4)
    for number, (values, harmed) in enumerate(rows(300)):
        if number == 150:
            restarted = pickle.loads(pickle.dumps(restarted))
        restarted.learn(values, harmed)
    assert whole.card() == restarted.card()


@every_kind
@settings(max_examples=25, deadline=None)
@given(samples=any_rows, asked=st.lists(any_value, min_size=3, max_size=3))
def test_nothing_that_may_come_makes_it_lose_its_mind(
    kind: Kind, samples: list[Row], asked: list[float | None]
) -> None:
    sane(taught(harm_learner(kind, 3, seed=1), samples), asked)


@every_kind
@pytest.mark.parametrize("harmed", [False, True])
def test_labels_of_one_kind_only(kind: Kind, harmed: bool) -> None:
    learner = taught(harm_learner(kind, len(FEATURES), seed=1), ((v, harmed) for v, _ in rows(300)))
    values = next(rows(1, seed=9))[0]
    sane(learner, values)
    assert (probability(learner.log_odds(values)) > 0.5) == harmed


@every_kind
def test_features_that_never_change_or_are_never_known_say_nothing(kind: Kind) -> None:
    learner = harm_learner(kind, 3, seed=1)
    for number in range(400):
        learner.learn([7.0, None, None], number % 10 == 0)
    sane(learner, [7.0, None, None])
    assert probability(learner.log_odds([7.0, None, None])) == pytest.approx(0.1, abs=0.08)


@every_kind
def test_that_a_feature_is_missing_can_be_what_tells(kind: Kind) -> None:
    rng = random.Random(3)
    learner = harm_learner(kind, 2, seed=1)
    for _ in range(1200):
        missing = rng.random() < 0.3
        learner.learn([None if missing else rng.random(), rng.random()], rng.random() < 0.02 + 0.4 * missing)
    assert learner.log_odds([None, 0.5]) > learner.log_odds([0.5, 0.5]) + 1


@every_kind
def test_three_of_ten_labels_turned_round_leave_it_working(kind: Kind) -> None:
    rng = random.Random(5)
    poisoned = ((values, harmed != (rng.random() < 0.3)) for values, harmed in rows(2500, risk=-1.0))
    learner = taught(harm_learner(kind, len(FEATURES), seed=1), poisoned)
    unseen = list(rows(500, seed=6, risk=-1.0))
    sane(learner, unseen[0][0])
    assert told_apart(learner, unseen) > 0.65


@every_kind
def test_when_the_world_turns_round_it_turns_too(kind: Kind) -> None:
    learner = taught(harm_learner(kind, len(FEATURES), seed=1), rows(400, risk=-1.0))
    turned = list(rows(600, seed=8, risk=-1.0, turned=True))
    before = told_apart(learner, turned)
    taught(learner, rows(1400, seed=7, risk=-1.0, turned=True))
    sane(learner, turned[0][0])
    assert before < 0.4
    assert told_apart(learner, turned) > 0.6


@every_kind
def test_what_weighs_nothing_teaches_nothing_and_more_weight_teaches_more(kind: Kind) -> None:
    first = list(rows(300))
    none = taught(harm_learner(kind, len(FEATURES), seed=1), first)
    for values, harmed in rows(50, seed=2):
        none.learn(values, not harmed, 0.0)
    assert none.card() == taught(harm_learner(kind, len(FEATURES), seed=1), first).card()

    mean = {}
    for weight in (0.2, 5.0):
        learner = taught(harm_learner(kind, len(FEATURES), seed=1), first)
        for values, _ in rows(100, seed=2):
            learner.learn(values, True, weight)
        mean[weight] = math.fsum(learner.log_odds(values) for values, _ in first)
    assert mean[5.0] > mean[0.2]


@every_kind
def test_probabilities_of_the_bundle_can_be_believed(kind: Kind) -> None:
    learners = Learners(FEATURES, kind, seed=1)
    told, came = 0.0, 0
    for number, (values, harmed) in enumerate(rows(2000)):
        if number >= 500:
            told += learners.probability(values)
            came += harmed
        learners.learn_unlabelled(values)
        learners.learn(values, harmed)
    assert told == pytest.approx(came, rel=0.15)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="there are logistic, gradient, forest"):
        harm_learner("oracle", 3, seed=1)  # type: ignore[arg-type]  # what a caller without types may say
