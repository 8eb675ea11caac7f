"""Quantiles and places: numpy and counting as oracles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.cohorts.place import edges_of, place_in

numbers = st.floats(-1e9, 1e9).map(lambda value: round(value, 3))
# Few different ones, so that many are alike; and many.
samples = st.lists(st.integers(0, 5).map(float) | numbers, min_size=1, max_size=300)


@given(samples, st.sampled_from([2, 5, 101]))
def test_edges_are_numpys_quantiles(sample: list[float], count: int) -> None:
    expected = np.quantile(sample, np.linspace(0, 1, count))
    assert edges_of(sample, count) == pytest.approx(list(expected), rel=1e-9, abs=1e-9)


@given(samples)
def test_edges_ascend_from_the_least_to_the_greatest(sample: list[float]) -> None:
    edges = edges_of(sample, 101)
    assert edges == sorted(edges)
    assert (edges[0], edges[-1]) == (min(sample), max(sample))


@given(samples, numbers, numbers)
def test_who_is_higher_has_no_lower_place(sample: list[float], one: float, other: float) -> None:
    edges = edges_of(sample, 101)
    low, high = sorted((one, other))
    assert 0 <= place_in(edges, low) <= place_in(edges, high) <= 1


@given(st.lists(st.integers(0, 6), min_size=101, max_size=101))
def test_a_place_is_the_share_that_lies_below(sample: list[int]) -> None:
    """With as many members as edges each member is an edge, and counting tells."""
    edges = edges_of(sample, 101)
    for value in set(sample):
        assert place_in(edges, value) == pytest.approx(sum(each < value for each in sample) / 100)


@given(samples, st.sampled_from([0.5, 0.9, 0.95]))
def test_no_more_of_a_cohort_are_at_the_top_than_the_top_holds(sample: list[float], top: float) -> None:
    edges = edges_of(sample, 101)
    count = sum(place_in(edges, value) >= top - 1e-12 for value in sample)
    # A table is as fine as a hundredth, and one of the sample may stand right at an edge.
    assert count <= (1 - top + 0.01) * len(sample) + 1 + 1e-6


@pytest.mark.parametrize(
    ("value", "place"), [(-1, 0.0), (0, 0.0), (5, 0.125), (10, 0.25), (10.5, 0.75625), (30, 1.0), (31, 1.0)]
)
def test_those_who_are_alike_are_not_below_one_another(value: float, place: float) -> None:
    assert place_in([0.0, 10.0, 10.0, 10.0, 30.0], value) == pytest.approx(place)


def test_the_last_digit_of_a_sum_changes_nothing() -> None:
    edges = [0.0, 0.3, 0.3, 0.3, 0.9]
    assert 0.1 + 0.2 > 0.3
    assert place_in(edges, 0.1 + 0.2) == place_in(edges, 0.3) == 0.25
