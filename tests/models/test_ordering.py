"""Order of time: whatever way streams are woven together, those who learn hear the same."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.ordering import HALVED_US, SETTLED_US, Heard, InOrder
from models.sample import Flag, Label, Sample

DAY_US = 86_400_000_000
MINUTE_US = 60_000_000


def sample(at: int, player: str = "p", moment: str = "deposit") -> Sample:
    return Sample(player=player, at=at, moment=moment, catalogue="c", values=(1.0,))


def label(at: int, player: str = "p", source: str = "rg_event") -> Label:
    return Label(player=player, at=at, source=source, harmed=True, about=at)


def flag(at: int, score: float = 40.0, player: str = "p") -> Flag:
    return Flag(player=player, at=at, score=score)


def ordered(heard: Sequence[Heard]) -> list[Sample | Label]:
    order = InOrder()
    found: list[Sample | Label] = []
    for each in heard:
        order.hear(each)
        found += order.settled()
    return [*found, *order.until(2**62)]


heard_of_one = st.builds(
    lambda at, kind: (
        flag(at * MINUTE_US, 10.0 + at) if kind == 0 else label(at * MINUTE_US) if kind == 1 else
        sample(at * MINUTE_US, moment="deposit" if kind == 2 else "session_end")
    ),
    st.integers(0, 300),
    st.integers(0, 3),
)  # fmt: skip


def named(each: Heard) -> tuple[int, type, str]:
    return each.at, type(each), each.moment if isinstance(each, Sample) else ""


@settings(max_examples=150, deadline=None)
@given(
    heard=st.lists(heard_of_one, max_size=40, unique_by=named),
    rng=st.randoms(use_true_random=False),
)
def test_whatever_comes_no_later_than_is_waited_for_comes_in_the_same_order(
    heard: list[Heard], rng: Random
) -> None:
    plain = sorted(heard, key=lambda each: each.at)
    late = sorted(heard, key=lambda each: each.at + rng.randrange(SETTLED_US))
    assert ordered(late) == ordered(plain)
    times = [each.at for each in ordered(late)]
    assert times == sorted(times)
    assert len(times) == sum(not isinstance(each, Flag) for each in heard)


def test_nothing_is_given_before_its_turn() -> None:
    order = InOrder()
    order.hear(sample(0))
    order.hear(sample(SETTLED_US - 1, "q"))
    assert list(order.settled()) == []
    order.hear(flag(SETTLED_US))
    assert [each.player for each in order.settled()] == ["p"]
    assert list(order.settled()) == []


def test_of_one_instant_flags_come_before_samples_and_these_before_labels() -> None:
    first, second = ordered([label(5), sample(5), flag(5, 30.0)])
    assert isinstance(first, Sample)
    assert first.rules == 30.0
    assert isinstance(second, Label)


def test_a_flag_halves_in_a_fortnight_and_a_new_one_takes_its_place() -> None:
    found = ordered(
        [
            sample(0),
            flag(DAY_US, 80.0),
            *(sample(DAY_US + n * HALVED_US) for n in range(3)),
            flag(100 * DAY_US, 10.0),
            sample(100 * DAY_US),
            sample(100 * DAY_US, "q"),
        ]
    )
    assert [each.rules for each in found if isinstance(each, Sample)] == pytest.approx([0, 80, 40, 20, 10, 0])


def test_verdicts_move_no_clock_and_count_once_while_they_wait() -> None:
    order = InOrder()
    order.hear(sample(0))
    late = label(400 * DAY_US, source="verdict")
    order.hear(late)
    order.hear(late)
    assert list(order.settled()) == []
    assert [type(each) for each in order.until(2**62)] == [Sample, Label]


def test_what_waits_can_be_said_again() -> None:
    order = InOrder()
    verdict = label(3 * DAY_US, source="verdict")
    for each in (sample(0), flag(DAY_US), sample(DAY_US), verdict):
        order.hear(each)
    assert len(list(order.settled())) == 1
    order.let_go()
    assert order.settled_us == DAY_US - SETTLED_US
    for each in (flag(DAY_US), sample(DAY_US), verdict):
        order.hear(each)
    told = list(order.until(2**62))
    assert [(type(each), each.at) for each in told] == [(Sample, DAY_US), (Label, 3 * DAY_US)]
    assert isinstance(told[0], Sample)
    assert told[0].rules == 40.0
