"""Where a referral can go, over every pair of states and over random stories."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.referrals.states import AFTER, FINAL, LEGAL, STATES, State, step

CHAIN: tuple[State, ...] = ("offered", "consented", "delivered", "acknowledged", "contacted", "closed")


def test_the_table_is_the_one_agreed_upon() -> None:
    ends = {"withdrawn", "expired"}
    assert {state: set(after) - ends for state, after in LEGAL.items()} == {
        "offered": {"consented"},
        "consented": {"delivered"},
        "delivered": {"acknowledged"},
        "acknowledged": {"contacted", "unreachable", "declined"},
        "contacted": {"closed"},
        "unreachable": {"contacted", "closed"},
        "declined": {"closed"},
        "closed": set(),
        "withdrawn": set(),
        "expired": set(),
    }
    assert {"closed", "withdrawn", "expired"} == FINAL
    assert all(ends <= LEGAL[state] for state in STATES if state not in FINAL)


def test_no_state_ever_comes_back() -> None:
    assert all(state not in AFTER[state] for state in STATES)


@pytest.mark.parametrize(("now", "said"), list(itertools.product(STATES, STATES)))
def test_every_pair(now: State, said: State) -> None:
    verdict = step(now, said)
    if now in FINAL:
        assert verdict == "behind"  # what has ended stays as it ended
    elif verdict == "moves":
        assert step(said, now) == "behind"  # it can never be moved back again
    elif verdict == "contradicts":
        assert step(said, now) == "contradicts"


def test_further_on_implies_what_lies_between() -> None:
    for earlier, later in itertools.combinations(CHAIN, 2):
        assert step(earlier, later) == "moves"


@given(st.lists(st.sampled_from(STATES), max_size=12))
def test_in_whatever_order_it_is_told_it_only_goes_on(told: list[State]) -> None:
    now: State = "offered"
    was: list[State] = [now]
    for said in told:
        if step(now, said) == "moves":
            now = said
            was.append(now)
    assert len(set(was)) == len(was)
    for earlier, later in itertools.combinations(was, 2):
        assert later in AFTER[earlier]


@given(st.permutations(CHAIN[1:]))
def test_overtaking_messages_end_where_ordered_ones_do(told: list[State]) -> None:
    now: State = "offered"
    for said in told:
        if step(now, said) == "moves":
            now = said
    assert now == "closed"
