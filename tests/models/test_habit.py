"""A player's own baseline: stories, laws, and River's ADWIN as the oracle of when something changed."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.drift import ADWIN

from models import adwin
from models.habit import (
    FEWEST_UPDATES,
    MOST_FEATURES,
    MOST_NUMBERS,
    changes,
    contributions,
    deviation,
    habitual,
    updated,
)


def after(moments: Sequence[Sequence[float | None]]) -> list[float]:
    state: list[float] = []
    for values in moments:
        state = updated(state, values)
    return state


def sessions(
    count: int, seed: int = 1, *, stake: float = 1000.0, minutes: float = 40.0
) -> list[list[float | None]]:
    rng = random.Random(seed)
    return [
        [stake * math.exp(rng.gauss(0, 0.3)), minutes * math.exp(rng.gauss(0, 0.3))] for _ in range(count)
    ]


def off(state: Sequence[float], values: Sequence[float | None]) -> float:
    told = deviation(state, values)
    assert told is not None
    return told


def test_nothing_is_told_of_someone_who_is_hardly_known() -> None:
    moments = sessions(FEWEST_UPDATES)
    assert deviation([], [1000.0, 40.0]) is None
    assert deviation(after(moments[:-1]), [1000.0, 40.0]) is None
    assert deviation(after(moments), [1000.0, 40.0]) is not None


def test_as_ever_is_about_1_and_ten_times_the_stake_is_far_off() -> None:
    state = after(sessions(40))
    assert 0.5 < sum(off(state, values) for values in sessions(200, seed=2)) / 200 < 1.5
    assert off(state, [10_000.0, 40.0]) > 4
    stake, minutes = contributions(state, [10_000.0, 40.0])
    assert stake is not None
    assert stake > 5
    assert minutes is not None
    assert abs(minutes) < 1.5


def test_the_same_stake_is_usual_for_one_and_not_for_another() -> None:
    small, large = after(sessions(40, stake=500)), after(sessions(40, stake=50_000))
    assert off(small, [50_000.0, 40.0]) > 3
    assert off(large, [50_000.0, 40.0]) < 1.5


def test_what_is_usual_is_told_in_the_feature_s_own_unit() -> None:
    state = after(sessions(60, stake=2000))
    assert habitual(state, 0) == pytest.approx(2000, rel=0.3)
    assert habitual(state, 1) == pytest.approx(40, rel=0.3)
    assert habitual([], 0) is None
    assert habitual(after([[None, 3.0]]), 0) is None


def test_a_player_who_always_does_the_same_may_do_a_little_more() -> None:
    state = after([[1000.0]] * 30)
    assert off(state, [1000.0]) == 0
    assert off(state, [1050.0]) < 1
    assert off(state, [3000.0]) > 3


def test_one_absurd_session_does_not_become_the_habit() -> None:
    state = after(sessions(40))
    blinded = updated(state, [1e12, 1e6])
    assert habitual(blinded, 0) == pytest.approx(habitual(state, 0) or 0, rel=0.15)
    assert off(blinded, [10_000.0, 40.0]) > 3


def test_a_change_that_stays_is_noticed_and_becomes_what_is_usual() -> None:
    state = after(sessions(50))
    told = []
    for values in sessions(40, seed=3, stake=4000, minutes=150):
        told.append(off(state, values))
        state = updated(state, values)
    assert told[0] > 3
    assert changes(state) >= 1
    assert sum(told[-10:]) / 10 < 1.5
    assert habitual(state, 0) == pytest.approx(4000, rel=0.3)


def test_whose_habits_do_not_change_is_seldom_told_that_they_did() -> None:
    # 100 players of 60 sessions each.
    assert sum(changes(after(sessions(60, seed=seed))) for seed in range(100)) <= 5


def test_what_is_unknown_is_left_out() -> None:
    state = after([[1000.0, None]] * 20)
    assert contributions(state, [1000.0, 5.0]) == [0.0, None]
    assert deviation(state, [None, 5.0]) is None
    assert off(state, [1000.0, None]) == 0


any_value = st.one_of(st.none(), st.floats(), st.sampled_from([0.0, 1.0, 1e308, -1e308]))


some_moments = st.integers(1, MOST_FEATURES).flatmap(
    lambda width: st.lists(st.lists(any_value, min_size=width, max_size=width), min_size=1, max_size=60)
)


@settings(max_examples=60, deadline=None)
@given(some_moments)
def test_whatever_comes_the_state_is_small_finite_and_survives_storage(
    moments: list[list[float | None]],
) -> None:
    state: list[float] = []
    for values in moments:
        before = list(state)
        told = deviation(state, values)
        assert told is None or math.isfinite(told)
        next_state = updated(state, values)
        assert state == before, "a pure function"
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(next_state), type=list[float])
        assert state == next_state
        assert len(state) <= MOST_NUMBERS
        assert all(map(math.isfinite, state))


def test_a_state_of_other_features_is_refused() -> None:
    with pytest.raises(ValueError, match="not the habit of 1 features"):
        updated(after(sessions(10)), [1.0])
    with pytest.raises(ValueError, match="at most 5"):
        updated([], [1.0] * 6)


# The window


def first_change(values: Sequence[float]) -> int | None:
    window = adwin.fresh()
    for at, value in enumerate(values):
        window, changed = adwin.with_value(window, value)
        if changed:
            return at
    return None


def first_of_river(values: Sequence[float]) -> int | None:
    oracle: Any = ADWIN(  # type: ignore[no-untyped-call]  # River's is not typed
        delta=adwin.CONFIDENCE,
        clock=1,
        max_buckets=adwin.BUCKETS,
        min_window_length=adwin.FEWEST,
        grace_period=adwin.FIRST,
    )
    for at, value in enumerate(values):
        oracle.update(value)
        if oracle.drift_detected:
            return at
    return None


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(10, 40), st.floats(-4, 4), st.sampled_from([0.05, 0.5, 1.0]))
def test_a_change_is_seen_when_river_sees_it(seed: int, when: int, step: float, noise: float) -> None:
    rng = random.Random(seed)
    # As long as the window keeps everything, there is nothing in which the two could differ.
    values = [rng.gauss(step * (at >= when), noise) for at in range(75)]
    assert first_change(values) == first_of_river(values)


def test_a_change_is_told_with_its_direction_and_what_is_old_is_let_go() -> None:
    window = adwin.fresh()
    told = []
    for at in range(400):
        window, changed = adwin.with_value(window, 5.0 if at >= 200 else 0.0)
        assert len(window) <= adwin.LENGTH
        if changed:
            told.append((at, changed))
    assert 200 < told[0][0] < 210
    assert all(changed > 0 for _, changed in told)
    assert set(window[adwin.LEVELS + 1 :: 2]) == {0.0}, "no bucket holds values of both kinds"
