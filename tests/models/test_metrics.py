"""Ranks, probabilities and intervals, against scikit-learn and the slow way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score  # type: ignore[import-untyped]

from models import metrics
from models.metrics import Ranking

ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.sampled_from([0.0, 0.5, 1.0]), st.floats(-1e6, 1e6)),
        st.booleans(),
        st.floats(0.1, 20),
    ),
    min_size=2,
    max_size=60,
)


@given(ROWS)
def test_areas_are_scikit_learns_with_ties_weights_and_unknown_scores(
    rows: list[tuple[float | None, bool, float]],
) -> None:
    scores = np.array([np.nan if score is None else score for score, _, _ in rows])
    harmed = np.array([each for _, each, _ in rows])
    weights = np.array([each for _, _, each in rows])
    yes, no = Ranking.of(scores).mass(harmed, weights)
    if harmed.all() or not harmed.any():
        assert np.isnan(metrics.roc_auc(yes, no))
        assert np.isnan(metrics.pr_auc(yes, no))
        return
    lowest = np.where(np.isnan(scores), -1e9, scores)
    assert metrics.roc_auc(yes, no) == pytest.approx(roc_auc_score(harmed, lowest, sample_weight=weights))
    expected = average_precision_score(harmed, lowest, sample_weight=weights)
    assert metrics.pr_auc(yes, no) == pytest.approx(expected)


def test_an_area_is_the_share_of_pairs_ranked_right() -> None:
    yes, no = Ranking.of(np.array([3.0, 1.0, 2.0, 1.0])).mass(
        np.array([True, True, False, False]), np.ones(4)
    )
    assert metrics.roc_auc(yes, no) == (1 + 1 + 0 + 0.5) / 4


def test_nothing_at_all_has_no_areas() -> None:
    empty = np.zeros(0)
    yes, no = Ranking.of(empty).mass(empty.astype(bool), empty)
    assert np.isnan([metrics.roc_auc(yes, no), metrics.pr_auc(yes, no)]).all()
    assert np.isnan(metrics.brier(empty, empty.astype(bool), empty))
    assert [each.shape for each in metrics.resamples(empty.astype(np.int64), 2, 0)] == [(0,), (0,)]


def test_a_curve_begins_low_and_ends_with_everybody() -> None:
    random = np.random.default_rng(1)
    scores, harmed = random.random(5000), random.random(5000) < 0.1
    false, recall, precision = metrics.curve(*Ranking.of(scores).mass(harmed, np.ones(5000)))
    assert len(false) == 101
    assert (np.diff(false) >= 0).all()
    assert (np.diff(recall) >= 0).all()
    assert (false[-1], recall[-1]) == (pytest.approx(1), pytest.approx(1))
    assert precision[-1] == pytest.approx(harmed.mean())


def test_whole_players_are_drawn() -> None:
    players = np.array([0, 0, 0, 1, 2, 2])
    for times in metrics.resamples(players, 50, seed=3):
        assert times[0] == times[1] == times[2]
        assert times[4] == times[5]
        assert times[0] + times[3] + times[4] == 3


def test_an_interval_by_player_is_wider_than_one_that_takes_rows_for_independent() -> None:
    # Thirty rows a player, all alike: to draw rows would pretend thirty times the knowledge.
    random = np.random.default_rng(5)
    harmed = np.repeat(random.random(100) < 0.3, 30)
    scores = np.repeat(random.normal(size=100), 30) + harmed * 0.8
    ranking = Ranking.of(scores)

    def width(groups: metrics.Ints) -> float:
        drawn = [metrics.roc_auc(*ranking.mass(harmed, each)) for each in metrics.resamples(groups, 200, 1)]
        low, high = metrics.interval(drawn)
        return high - low

    assert width(np.repeat(np.arange(100), 30)) > 3 * width(np.arange(3000))


def test_a_shift_is_nought_of_the_same_and_large_of_another() -> None:
    before = np.array([100.0, 100, 100, 0])
    assert metrics.shift(before, before * 3) == pytest.approx(0, abs=0.01)
    assert metrics.shift(before, np.array([10.0, 100, 190, 0])) > 0.25
    assert np.isfinite(metrics.shift(before, np.array([0.0, 0, 0, 50])))
    assert np.isnan(metrics.shift(before, np.zeros(4)))
    # However few: what never changes has not shifted in a week of which there is only a beginning.
    always = np.array([2000.0, 0, 0, 0])
    assert metrics.shift(always, always / 1000) == pytest.approx(0)
