"""However requests are delayed on their way, a receiver never counts more than it admits."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from api.webhooks.pacing import Pace

SECOND_US = 1_000_000


class Bucket:
    """How a receiver counts."""

    def __init__(self, rate: int, burst: int) -> None:
        self.rate, self.burst = rate, burst
        self.level, self.at_us = float(burst), 0

    def admits(self, at_us: int) -> bool:
        self.level = min(self.burst, self.level + (at_us - self.at_us) * self.rate / SECOND_US)
        self.at_us = at_us
        self.level -= 1
        return self.level > -1e-6


delays = st.lists(
    st.tuples(st.integers(0, 3 * SECOND_US), st.integers(0, SECOND_US), st.integers(0, SECOND_US)),
    min_size=1,
    max_size=80,
)


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 60),
    st.integers(1, 12),
    delays,
    st.lists(st.integers(0, 79), max_size=3),
)
def test_a_bucket_never_overflows(
    rate: int, burst: int, work: list[tuple[int, int, int]], crashes: list[int]
) -> None:
    """Each request: (idle before, way there, way back); after some, another office takes over."""
    pace, now_us = Pace(rate, burst, 0), 0
    arrivals: list[int] = []
    under_way: list[int] = []  # when each is over
    written_us = 0
    for number, (idle_us, there_us, back_us) in enumerate(work):
        if number in crashes:
            # Its requests end with it; what was over but not yet settled counts as under way.
            arrivals = [each for each in arrivals if each <= now_us]
            pace = Pace(rate, burst, now_us, written_us, unknown=len(under_way))
            under_way = []
        now_us += idle_us // burst
        while True:
            for over_us in sorted(each for each in under_way if each <= now_us):
                under_way.remove(over_us)
                pace.give_back(over_us)
                written_us = pace.freed_us
            if pace.free(now_us):
                break
            coming = (pace.next_us(now_us), *under_way)
            now_us = min(each for each in coming if each is not None and each > now_us)
        pace.take()
        arrivals.append(now_us + there_us)
        under_way.append(now_us + there_us + back_us)
    bucket = Bucket(rate, burst)
    assert all(bucket.admits(each) for each in sorted(arrivals))


def test_a_full_backlog_goes_out_at_the_whole_rate() -> None:
    pace, now_us, sent = Pace(50, 50, 0), 0, 0
    over: list[int] = []
    while now_us < 60 * SECOND_US:
        for each in [each for each in over if each <= now_us]:
            over.remove(each)
            pace.give_back(each)
        for _ in range(pace.free(now_us)):
            pace.take()
            over.append(now_us + 30_000)
            sent += 1
        now_us += 5_000
    assert sent >= 60 * 50


def test_what_an_office_left_behind_holds_slots_until_it_surely_counts_no_more() -> None:
    pace = Pace(10, 5, 0, freed_us=-SECOND_US, unknown=5)
    assert pace.free(0) == 0
    assert pace.next_us(0) == 100_000
    assert [pace.free(each) for each in (100_000, 200_000, 500_000)] == [1, 2, 5]


def test_a_clock_that_was_put_back_holds_up_nobody() -> None:
    assert Pace(10, 5, 0, freed_us=10**15).free(500_000) == 5
