"""Places among all that was seen: numpy, which keeps everything, is the oracle."""

from __future__ import annotations

import pickle
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.quantiles import MOST_KNOTS, Knots, Quantiles, middle, place


def learned(values: Sequence[float | None]) -> Quantiles:
    quantiles = Quantiles()
    for value in values:
        quantiles.learn(value)
    return quantiles


def true_place(values: np.ndarray, value: float) -> float:
    """The middle of the ranks that `value` would have."""
    return float((np.mean(values < value) + np.mean(values <= value)) / 2)


def streams() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    money = np.round(rng.lognormal(8, 2.5, 30_000))
    counts = rng.poisson(0.4, 30_000).astype(float)
    mostly_none = np.where(rng.random(30_000) < 0.6, 0.0, rng.lognormal(5, 2, 30_000))
    return {
        "money": money,
        "losses and wins": np.where(rng.random(30_000) < 0.3, -money, money / 2),
        "rare counts": counts,
        "mostly nothing": mostly_none,
        "ascending": np.sort(money),
        "descending": -np.sort(-money),
        "two in turns": np.tile([1.0, 100.0], 15_000),
        "a wave": np.sin(np.arange(30_000) / 50),
    }


@pytest.mark.parametrize("stream", streams())
def test_places_are_right_to_two_hundredths(stream: str) -> None:
    values = streams()[stream]
    quantiles = learned(values.tolist())
    assert len(quantiles.knots.values) <= MOST_KNOTS
    asked = np.unique(np.quantile(values, np.linspace(0, 1, 101), method="nearest"))
    # What was learned since the knots were made, a twentieth, may have moved an ascending stream that far.
    margin = 0.06 if stream in ("ascending", "descending") else 0.02
    for value in asked.tolist():
        assert quantiles.place(value) == pytest.approx(true_place(values, value), abs=margin)


def test_the_outermost_hundredth_of_money_is_told_apart_more_finely() -> None:
    values = streams()["money"]
    quantiles = learned(values.tolist())
    for share in (0.99, 0.995, 0.999):
        assert quantiles.place(float(np.quantile(values, share))) == pytest.approx(share, abs=0.005)


def test_most_players_never_are_declined_and_stand_in_the_middle_of_those() -> None:
    quantiles = learned([0.0] * 600 + [float(number) for number in range(1, 401)])
    assert quantiles.place(0.0) == pytest.approx(0.3, abs=0.01)
    # A hair above nothing is above all of them.
    assert quantiles.place(0.001) == pytest.approx(0.6, abs=0.02)


def test_a_feature_that_never_changes_is_in_the_middle() -> None:
    quantiles = learned([4.5] * 1000)
    assert [quantiles.place(value) for value in (4.5, 4.4, 4.6)] == [0.5, 0.0, 1.0]


def test_what_is_unknown_stays_unknown_and_teaches_nothing() -> None:
    assert Quantiles().place(3.0) is None
    quantiles = learned([None, 1.0, float("nan"), 2.0])
    assert quantiles.count == 2
    assert quantiles.place(None) is None
    assert quantiles.place(float("nan")) is None


def test_memory_is_bounded() -> None:
    quantiles = Quantiles()
    sizes = []
    for number in range(60_000):
        quantiles.learn(float(number * 7919 % 60_013))
        sizes.append(sum(map(len, quantiles._levels)))
    assert max(sizes) < 1500


def test_a_sketch_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        Quantiles(3)


any_value = st.one_of(
    st.floats(allow_nan=False, allow_infinity=True), st.sampled_from([0.0, -0.0, 1.0, 2.0, 1e308, -1e308])
)


@settings(max_examples=60, deadline=None)
@given(st.lists(any_value, min_size=1, max_size=60), st.lists(any_value, min_size=2, max_size=8))
def test_whatever_comes_places_ascend_from_0_to_1_and_come_back_from_a_pickle(
    values: list[float], asked: list[float]
) -> None:
    quantiles = learned(values)
    placed = [quantiles.place(value) for value in sorted(asked)]
    assert all(at is not None and 0 <= at <= 1 for at in placed)
    assert placed == sorted(placed, key=lambda at: -1 if at is None else at)
    again = pickle.loads(pickle.dumps(quantiles))
    assert [again.place(value) for value in sorted(asked)] == placed
    assert quantiles.knots.values == sorted(quantiles.knots.values)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=19))
def test_few_values_are_placed_exactly(values: list[float]) -> None:
    quantiles = learned(values)
    for value in set(values):
        expected = true_place(np.array(values), value)
        # The least and the greatest are the ends, unless many share them.
        if min(values) < value < max(values):
            assert quantiles.place(value) == pytest.approx(expected, abs=1e-12)
        else:
            assert quantiles.place(value) == pytest.approx(expected, abs=0.5 / len(values) + 1e-12)


def test_the_middle_is_the_median() -> None:
    values = streams()["money"]
    found = middle(learned(values.tolist()).knots)
    assert found is not None
    assert true_place(values, found) == pytest.approx(0.5, abs=0.02)
    assert middle(learned([0.0] * 9 + [5.0]).knots) == 0.0
    assert middle(Knots([], [])) is None
    assert place(Knots([], []), 1.0) is None
