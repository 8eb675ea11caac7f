"""What is unusual: River's half-space trees are the oracle of what was exported from them."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.trees import Tree, sound
from models.unusual import UnusualCard, isolation, unusual
from models.unusual_learner import Unusual

WIDTH = 4


def rivers(places: list[float]) -> float:
    return float(LEARNED.model.score_one(dict(enumerate(places))))


def taught(count: int, seed: int = 1) -> Unusual:
    rng = random.Random(seed)
    model = Unusual(WIDTH, seed=seed)
    for _ in range(count):
        model.learn([rng.betavariate(4, 4) for _ in range(WIDTH)])
    return model


LEARNED = taught(1200)
CARD = LEARNED.card()
assert CARD is not None
READ_BACK = msgspec.json.decode(msgspec.json.encode(CARD), type=UnusualCard)


def test_nothing_is_told_during_the_first_window() -> None:
    model = taught(249)
    assert model.unusual([0.5] * WIDTH) is None
    assert model.card() is None
    model.learn([0.5] * WIDTH)
    assert model.ready
    # A score there is, but none before it that it could be compared with.
    assert model.unusual([0.5] * WIDTH) is None
    model.learn([0.5] * WIDTH)
    assert model.unusual([0.5] * WIDTH) is not None


# Thresholds themselves are where going left or right is easily got wrong.
cuts = st.sampled_from(
    [at for tree in READ_BACK.trees for at, of in zip(tree.at, tree.inputs, strict=True) if of >= 0]
)


@given(st.lists(st.one_of(st.floats(0, 1), cuts), min_size=WIDTH, max_size=WIDTH))
def test_the_exported_form_scores_as_river_does(places: list[float]) -> None:
    assert isolation(READ_BACK, places) == pytest.approx(
        LEARNED.model.score_one(dict(enumerate(places))), abs=1e-9
    )
    assert unusual(READ_BACK, places) == LEARNED.unusual(places)


def test_on_the_threshold_river_goes_right_and_so_does_the_exported_form() -> None:
    root = LEARNED.model.trees[0]
    places = [0.5] * WIDTH
    places[root.feature] = root.threshold
    assert isolation(READ_BACK, places) == pytest.approx(
        LEARNED.model.score_one(dict(enumerate(places))), abs=1e-9
    )


def test_who_lies_far_from_all_others_is_more_unusual_than_nearly_all() -> None:
    odd, plain = LEARNED.unusual([0.02, 0.98, 0.97, 0.03]), LEARNED.unusual([0.5, 0.5, 0.5, 0.5])
    assert odd is not None
    assert plain is not None
    assert odd > 0.97
    assert plain < 0.4


def test_a_share_of_samples_is_as_unusual_as_its_share_says() -> None:
    # Windows differ by two in a hundred, hence several.
    rng = random.Random(7)
    told = [
        model.unusual([rng.betavariate(4, 4) for _ in range(WIDTH)])
        for model in (taught(900, seed=seed) for seed in range(6))
        for _ in range(300)
    ]
    assert sum(at is not None and at > 0.9 for at in told) / len(told) == pytest.approx(0.1, abs=0.025)
    assert sum(at is not None and at > 0.5 for at in told) / len(told) == pytest.approx(0.5, abs=0.05)


def test_trees_of_made_up_files_are_seen_through() -> None:
    assert sound(Tree([0, -1, -1], [0.5, 1.0, 2.0], [1, 0, 0]), 1)
    assert not sound(Tree([], [], []), 1)
    assert not sound(Tree([0, -1, -1], [0.5, 1.0], [1, 0, 0]), 1)
    assert not sound(Tree([1, -1, -1], [0.5, 1.0, 2.0], [1, 0, 0]), 1)
    assert not sound(Tree([0, -1, -1], [0.5, 1.0, 2.0], [0, 0, 0]), 1), "it would walk in a circle"
    assert not sound(Tree([0, -1, -1], [0.5, 1.0, 2.0], [2, 0, 0]), 1), "its right child is not there"
    assert not sound(Tree([-2, -1, -1], [0.5, 1.0, 2.0], [1, 0, 0]), 1)
