"""Probabilities that can be believed."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.calibration import (
    Bin,
    Calibration,
    CalibrationCard,
    calibrated,
    expected_calibration_error,
    reliability,
)
from models.harm import probability


def stream(count: int, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [rng.gauss(-3, 1.5) for _ in range(count)]


def test_to_begin_with_what_is_told_is_believed() -> None:
    for odds in (-15.0, -2.0, 0.0, 3.0, 15.0):
        assert Calibration().calibrated(odds) == pytest.approx(odds)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(lambda truth: 2.5 * truth, id="too sure"),
        pytest.param(lambda truth: 0.4 * truth, id="not sure enough"),
        pytest.param(lambda truth: truth + 2, id="too gloomy"),
        pytest.param(lambda truth: truth - 2, id="too rosy"),
        pytest.param(lambda _: -2.0, id="always the same"),
    ],
)
def test_whatever_way_a_classifier_is_wrong_it_is_put_right(told: Callable[[float], float]) -> None:
    rng = random.Random(2)
    calibration = Calibration()
    before, after = [], []
    for number, truth in enumerate(stream(8000)):
        harmed = rng.random() < probability(truth)
        raw = told(truth)
        if number >= 4000:
            before.append((probability(raw), harmed))
            after.append((probability(calibration.calibrated(raw)), harmed))
        calibration.learn(raw, harmed)
    came = [harmed for _, harmed in after]
    wrong = expected_calibration_error(reliability([said for said, _ in before], came))
    assert expected_calibration_error(reliability([said for said, _ in after], came)) < min(0.015, wrong)


@pytest.mark.parametrize("slope", [0.0, -0.5, -2.0])
def test_of_a_classifier_that_says_nothing_or_the_opposite_the_share_of_all_is_told(slope: float) -> None:
    rng = random.Random(6)
    calibration = Calibration()
    told, came = 0.0, 0
    for number in range(8000):
        said = rng.gauss(0, 1)
        harmed = rng.random() < probability(-3 + slope * said)
        if number >= 4000:
            told += probability(calibration.calibrated(said - 4))
            came += harmed
        calibration.learn(said - 4, harmed)
    assert told == pytest.approx(came, rel=0.15)


def test_a_classifier_that_was_right_is_left_as_it_was() -> None:
    rng = random.Random(3)
    calibration = Calibration()
    for truth in stream(8000):
        calibration.learn(truth, rng.random() < probability(truth))
    for odds in (-6.0, -4.0, -2.0, 0.0):
        assert calibration.calibrated(odds) == pytest.approx(odds, abs=0.4)


def test_when_harm_becomes_three_times_as_common_belief_follows() -> None:
    rng = random.Random(4)
    calibration = Calibration(memory=2000)
    for truth in stream(5000):
        calibration.learn(truth, rng.random() < probability(truth))
    for truth in stream(5000, seed=2):
        calibration.learn(truth, rng.random() < probability(truth + math.log(3)))
    assert calibration.calibrated(-3.0) == pytest.approx(-3 + math.log(3), abs=0.4)


def test_what_was_said_of_a_classifier_that_knew_nothing_yet_is_soon_forgotten() -> None:
    off = []
    for seed in range(4):
        rng = random.Random(100 + seed)
        calibration = Calibration()
        for number, truth in enumerate(stream(5000, seed)):
            calibration.learn(truth - 2 if number < 300 else truth, rng.random() < probability(truth))
        off.append(calibration.calibrated(-3.0) + 3)
    # With a long memory from the beginning it is 0.3.
    assert abs(sum(off)) / 4 < 0.15


def test_a_label_that_stands_for_ten_is_learned_as_ten() -> None:
    # One of ten who were not harmed was looked at, of those who were harmed everybody.
    rng = random.Random(5)
    calibration = Calibration()
    for truth in stream(20_000):
        harmed = rng.random() < probability(truth)
        if harmed or rng.random() < 0.1:
            calibration.learn(truth, harmed, 1.0 if harmed else 10.0)
    assert calibration.calibrated(-3.0) == pytest.approx(-3.0, abs=0.4)


labels = st.lists(
    st.tuples(st.floats(-20, 20), st.booleans(), st.sampled_from([0.0, 0.1, 1.0, 50.0])), max_size=80
)


@settings(max_examples=80, deadline=None)
@given(labels, st.lists(st.floats(-20, 20), min_size=2, max_size=6))
def test_whatever_comes_it_keeps_the_order_and_stays_finite(
    taken: list[tuple[float, bool, float]], asked: list[float]
) -> None:
    calibration = Calibration()
    for odds, harmed, weight in taken:
        calibration.learn(odds, harmed, weight)
    card = calibration.card()
    believed = [calibrated(card, odds) for odds in sorted(asked)]
    assert all(map(math.isfinite, believed))
    for (low, said), (high, then) in pairwise(zip(sorted(asked), believed, strict=True)):
        assert said <= then
        if high - low > 1e-6:
            assert said < then


def test_the_reliability_curve_of_a_few_samples() -> None:
    told = [0.1] * 4 + [0.6] * 4
    harmed = [False, False, False, True, True, True, False, True]
    low, high = reliability(told, harmed, bins=2)
    assert (low.observed, low.count, high.observed, high.count) == (0.25, 4, 0.75, 4)
    assert (low.predicted, high.predicted) == pytest.approx((0.1, 0.6))
    assert expected_calibration_error([low, high]) == pytest.approx(0.15)
    assert reliability([], []) == []
    assert expected_calibration_error([]) == 0


def test_weights_count_in_the_reliability_curve() -> None:
    assert reliability([0.2, 0.2], [True, False], [3.0, 1.0]) == [Bin(0.2, 0.75, 4.0)]


def test_the_bins_of_rare_harm_hold_equally_many() -> None:
    curve = reliability([probability(odds) for odds in stream(1000)], [False] * 1000)
    assert [point.count for point in curve] == [100] * 10


def test_the_form_as_plain_numbers() -> None:
    assert calibrated(CalibrationCard(2.0, 2.0, 0.5), 1.0) == pytest.approx(2.5)


def test_a_memory_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        Calibration(1)
