"""Rules and the classifier of harm together: either alone still ranks, and neither is held against one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.combined import BAND, combined
from models.harm import logit

shares = st.floats(0.0, 1.0)
points = st.floats(0.0, 100.0)


@given(shares, shares, points)
def test_among_those_whom_rules_see_alike_the_classifier_ranks(
    one: float, other: float, rules: float
) -> None:
    if one <= other:
        assert combined(one, rules) <= combined(other, rules)


@given(shares | st.none(), points, points)
def test_among_those_whom_the_classifier_sees_alike_rules_rank(
    harm: float | None, one: float, other: float
) -> None:
    if one <= other:
        assert combined(harm, one) <= combined(harm, other)


def test_before_anything_was_learned_rules_rank_by_themselves() -> None:
    assert combined(None, 0.0) == 0.0
    assert combined(None, 75.0) == 75.0 / BAND


@pytest.mark.parametrize("harm", [0.01, 0.2, 0.5, 0.97])
def test_without_an_alert_it_is_what_the_classifier_says(harm: float) -> None:
    assert combined(harm, 0.0) == logit(harm)


def test_the_worst_the_rules_can_say_does_not_outvote_a_classifier_that_is_sure() -> None:
    assert combined(0.001, 100.0) < combined(0.5, 0.0) < combined(0.5, 100.0)
