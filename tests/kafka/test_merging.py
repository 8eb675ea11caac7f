"""Several inputs in one order."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.drivers.kafka import merging
from detector.drivers.kafka.merging import Merger

LANES = "abc"
WAIT_S = 2.0
Item = tuple[int, str, int]  # event time, lane, place within the lane


class Driven:
    """A merger that is given items numbered within their lanes, and all that it let go on."""

    def __init__(self) -> None:
        self.merger: Merger[Item] = Merger(LANES, WAIT_S, 0.0)
        self.now_s = 0.0
        self.counts = dict.fromkeys(LANES, 0)
        self.out: list[Item] = []

    def give(self, lane: str, times: Sequence[int]) -> None:
        """One batch of a lane."""
        for at in times:
            self.merger.add(lane, at, (at, lane, self.counts[lane]))
            self.counts[lane] += 1
        self.merger.heard(lane, self.now_s)

    def take(self) -> list[Item]:
        """What goes on now."""
        found = list(self.merger.take(self.now_s))
        self.out += found
        return found

    def wait(self, seconds: float) -> list[Item]:
        """What goes on after a while."""
        self.now_s += seconds
        return self.take()


lane_names = st.sampled_from(LANES)
sorted_times = st.lists(st.integers(0, 40), max_size=12).map(sorted)


@given(st.data())
def test_inputs_that_all_give_come_out_by_event_time(data: st.DataObject) -> None:
    lanes = {name: data.draw(sorted_times) for name in LANES}
    driven = Driven()
    left = {name: list(times) for name, times in lanes.items() if times}
    while left:
        # The clock may go on, but no lane is silent for longer than it is waited for.
        driven.now_s = min(driven.now_s + data.draw(st.floats(0, 0.1)), 1.9)
        lane = data.draw(st.sampled_from(sorted(left)))
        size = data.draw(st.integers(1, len(left[lane])))
        driven.give(lane, left[lane][:size])
        left[lane] = left[lane][size:]
        if not left[lane]:
            del left[lane]
        driven.take()
    driven.wait(10)
    wanted = heapq.merge(
        *([(at, name, place) for place, at in enumerate(times)] for name, times in lanes.items()),
        key=lambda item: item[0],
    )
    assert driven.out == list(wanted)


Step = float | tuple[str, list[int]]
"""So many seconds pass, or a lane gives these."""
batches = st.tuples(lane_names, st.lists(st.integers(0, 40), max_size=5))
steps: st.SearchStrategy[list[Step]] = st.lists(st.one_of(st.floats(0, 3), batches), max_size=25)


@given(steps)
def test_nothing_is_lost_nothing_comes_twice_and_no_lane_is_reordered(steps: list[Step]) -> None:
    driven = Driven()
    for step in steps:
        if isinstance(step, float):
            driven.wait(step)
        else:
            driven.give(*step)
            if len(driven.out) % 2:
                driven.take()
        given_so_far = sum(driven.counts.values())
        assert len(driven.out) + len(driven.merger) == given_so_far
    driven.wait(WAIT_S + 1)
    assert len(driven.merger) == 0
    for lane, count in driven.counts.items():
        assert [place for _, name, place in driven.out if name == lane] == list(range(count))


@given(steps)
def test_what_goes_on_is_the_oldest_of_all_that_waits(steps: list[Step]) -> None:
    """Against an oracle that knows every lane's queue and looks at all of it each time."""
    driven = Driven()
    queues: dict[str, list[Item]] = {name: [] for name in LANES}
    heard = dict.fromkeys(LANES, 0.0)

    def due() -> list[Item]:
        found: list[Item] = []
        while True:
            heads = [(queue[0][0], LANES.index(name), name) for name, queue in queues.items() if queue]
            silent = [name for name, queue in queues.items() if not queue]
            if not heads or any(driven.now_s - heard[name] < WAIT_S for name in silent):
                return found
            found.append(queues[min(heads)[2]].pop(0))

    for step in steps:
        if isinstance(step, float):
            assert driven.wait(step) == due()
        else:
            lane, times = step
            first = driven.counts[lane]
            queues[lane] += [(at, lane, first + place) for place, at in enumerate(times)]
            heard[lane] = driven.now_s
            driven.give(lane, times)
            assert driven.take() == due()


def test_a_silent_lane_is_waited_for_so_long_and_no_longer() -> None:
    driven = Driven()
    driven.give("a", [1, 2])
    driven.give("b", [3])
    assert driven.wait(WAIT_S - 0.01) == []
    # Each was heard at the beginning; none of them is waited for any more.
    assert driven.wait(0.02) == [(1, "a", 0), (2, "a", 1), (3, "b", 0)]
    driven.give("a", [5])
    assert driven.take() == [(5, "a", 2)]


def test_a_lane_that_is_far_ahead_does_not_wait_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "MOST_WAITING", 10)
    driven = Driven()
    driven.give("a", range(25))
    assert [at for at, _, _ in driven.take()] == list(range(15))
    assert len(driven.merger) == 10


def test_of_lanes_that_give_nothing_more_the_watermark_does_not_hang() -> None:
    driven = Driven()
    merger = driven.merger
    assert merger.least_high(0.0) is None
    driven.give("a", [10, 30])
    driven.give("b", [20])
    assert merger.least_high(0.0) == 10
    driven.now_s = 1.0
    driven.give("c", [25])
    assert [at for at, _, _ in driven.take()] == [10, 20]
    # b gave 20 last and may give more; a and c wait for it with 30 and 25.
    assert merger.least_high(1.0) == 20
    # After a while nothing is to be expected of it.
    assert merger.least_high(2.5) == 25
    assert [at for at, _, _ in driven.wait(3)] == [25, 30]
    assert merger.least_high(driven.now_s) is None
