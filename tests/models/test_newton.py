"""Second-order logistic regression: a batch fit, which sees all rows at once, is the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.newton import NewtonLogistic


def drawn(count: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(count, 4))
    # Correlated, as what players lose and what they stake.
    inputs[:, 1] = 0.9 * inputs[:, 0] + 0.4 * inputs[:, 1]
    odds = -2 + inputs @ np.array([1.0, -0.5, 0.0, 0.3])
    return inputs, rng.random(count) < 1 / (1 + np.exp(-odds))


def batch(inputs: np.ndarray, harmed: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Bias and weights that are most likely given all rows and the same prior."""
    rows = np.column_stack([np.ones(len(inputs)), inputs])
    tightness = np.array([1 / 10.0] + [1 / 0.05] * inputs.shape[1])

    theta = np.zeros(rows.shape[1])
    for _ in range(20):
        believed = 1 / (1 + np.exp(-rows @ theta))
        slope = rows.T @ (weights * (harmed - believed)) - tightness * theta
        curvature = (rows * (weights * believed * (1 - believed))[:, None]).T @ rows + np.diag(tightness)
        theta = theta + np.linalg.solve(curvature, slope)
    assert np.abs(slope).max() < 1e-6, "it has come to rest"
    return theta


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_pass_gets_where_a_batch_fit_gets(seed: int) -> None:
    inputs, harmed = drawn(3000, seed)
    weights = np.where(np.arange(3000) % 3 == 0, 2.0, 1.0)
    model = NewtonLogistic(4, memory=1e12)
    for row, label, weight in zip(inputs.tolist(), harmed.tolist(), weights.tolist(), strict=True):
        model.learn(row, label, weight)
    assert [model.bias, *model.weights] == pytest.approx(batch(inputs, harmed, weights).tolist(), abs=0.12)


def test_an_input_that_says_nothing_keeps_no_weight() -> None:
    inputs, harmed = drawn(3000)
    model = NewtonLogistic(5)
    for row, label in zip(inputs.tolist(), harmed.tolist(), strict=True):
        model.learn([*row, 0.0], label)
    assert model.weights[4] == 0
    assert abs(model.weights[2]) < 0.15


def test_what_it_is_sure_of_never_grows_beyond_the_beginning() -> None:
    model = NewtonLogistic(2, memory=50)
    for number in range(2000):
        model.learn([1.0, 0.0], number % 7 == 0)
    spread = np.diagonal(model._covariance)
    assert (spread <= model._first * (1 + 1e-9)).all()
    assert (np.linalg.eigvalsh(model._covariance) > 0).all()


row = st.lists(st.floats(-4, 4), min_size=3, max_size=3)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(row, st.booleans(), st.sampled_from([1e-3, 1.0, 100.0])), max_size=60), row)
def test_whatever_comes_the_covariance_stays_one(
    taken: list[tuple[list[float], bool, float]], asked: list[float]
) -> None:
    model = NewtonLogistic(3, memory=100)
    for inputs, harmed, weight in taken:
        model.learn(inputs, harmed, weight)
    assert np.isfinite(model.log_odds(asked))
    assert (model._covariance == model._covariance.T).all()
    assert (np.linalg.eigvalsh(model._covariance) > -1e-12).all()
