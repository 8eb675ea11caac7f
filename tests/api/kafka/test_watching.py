"""When scoring counts as stopped."""

from __future__ import annotations

from api.kafka.watching import Watch
from detector.drivers.kafka.status import PartitionStatus, State, Status
from tests.api.serving import NOW_US

SECOND_US = 1_000_000
LONG_US = 60 * SECOND_US


def worker(at_us: int, lag: int, place: int, state: State = "running") -> Status:
    part = PartitionStatus("rs_1", at_us, at_us, lag, {"rg.events": place})
    return Status("w1", at_us, state, "rs_1", {"0": part}, 1)


def test_a_partition_that_stands_while_more_comes_has_stopped() -> None:
    watch = Watch(NOW_US)
    now_us = NOW_US
    for step in range(200):
        now_us = NOW_US + step * SECOND_US
        assert watch.look([worker(now_us, 5 + step, step)], now_us) is None, "it moves, if slowly"
    began_us = now_us
    for lag in (204, 204, 205):
        now_us += 29 * SECOND_US
        assert watch.look([worker(now_us, lag, 199)], now_us) == (
            "no_progress" if now_us - began_us >= LONG_US and lag > 204 else None
        )
    now_us += SECOND_US
    assert watch.look([worker(now_us, 0, 404)], now_us) is None
    for _ in range(200):
        now_us += SECOND_US
        assert watch.look([worker(now_us, 0, 404)], now_us) is None, "there is nothing to do"


def test_workers_that_end_say_nothing_any_more() -> None:
    watch = Watch(NOW_US)
    now_us = NOW_US + LONG_US
    assert watch.look([worker(now_us, 0, 1, state="stopping")], now_us) == "no_worker"
    assert watch.look([worker(now_us, 0, 1, state="recovering")], now_us) is None
