"""What moved, and what did not."""

from __future__ import annotations

import numpy as np

from models.drift import WEEK_US, DailyChanges, Drift
from models.labels import DAY_US, compact


def test_a_mean_that_rises_is_seen_soon_after_and_once_its_days_are_finished() -> None:
    random = np.random.default_rng(1)
    daily = DailyChanges(("labels",))
    for day in range(200):
        for each in random.random(40) < (0.05 if day < 100 else 0.35):
            daily.see("labels", day, float(each))
    daily.finish(90)
    assert daily.report() == {"labels": []}
    daily.finish(200)
    first = daily.report()["labels"][0] / DAY_US
    assert 100 <= first < 130


def test_a_burst_of_answers_on_one_day_is_one_day() -> None:
    daily = DailyChanges(("labels",))
    random = np.random.default_rng(2)
    for day in range(200):
        share = random.uniform(0.05, 0.15)
        for place in range(500 if day == 100 else 20):
            daily.see("labels", day, float(place % 100 < 100 * share))
    daily.finish(200)
    assert daily.report() == {"labels": []}


def test_each_week_is_compared_with_the_first_four() -> None:
    random = np.random.default_rng(3)
    drift = Drift(("money", "flag", "gone"), seed=1)
    for row in range(12_000):
        at = row * 12 * WEEK_US // 12_000
        turned = at >= 8 * WEEK_US
        drift.see(at, compact([random.lognormal(8 + turned, 1), 0.0, None if turned else 1.0]))
    money, flag, gone = drift.report()
    assert [week // 7 for week, _ in money.weeks] == list(range(4, 12))
    assert max(index for week, index in money.weeks if week < 56) < 0.1
    assert min(index for week, index in money.weeks if week >= 56) > 0.25
    assert max(index for _, index in flag.weeks) < 0.01
    assert min(index for week, index in gone.weeks if week >= 56) > 1
    assert 8 <= money.changes[0] / WEEK_US < 8.5
    assert 0.3 < gone.unknown < 0.36


def test_before_the_first_weeks_are_over_there_is_nothing_to_compare() -> None:
    drift = Drift(("money",), seed=1)
    assert drift.report()[0].weeks == []
    drift.see(5, compact([1.0]))
    assert drift.report()[0].weeks == []
