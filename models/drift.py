"""Whether what comes in still looks like what came in at first: a histogram a feature and week.

The first weeks set ten bins a feature, with about equally many values in each, and one bin more for what is
unknown. Each later week is compared with them by the population stability index (`metrics.shift`). Beside it
runs ADWIN (Bifet & Gavaldà 2007) on the bins' places, which tells at which sample something moved.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from math import isnan
from random import Random
from statistics import fmean, pstdev
from typing import Any

import msgspec
import numpy as np
from river.drift import ADWIN

from models.labels import DAY_US
from models.metrics import Floats, shift

WEEK_US = 7 * DAY_US
_BINS = 10
_SAMPLE = 2_000
_WEEKS_KEPT = 104
_CHANGES_KEPT = 200
_FIRST_DAYS = 28

_window: Callable[..., Any] = ADWIN  # River has no types


class FeatureDrift(msgspec.Struct, frozen=True, kw_only=True):
    """How one feature moved.

    Parameters
    ----------
    unknown
        The share of all samples in which it was unknown.
    weeks
        `(week, index)` with the week's first day in days since the epoch; 0.25 and above is a shift.
    changes
        When ADWIN saw its mean move, µs since the epoch; the latest 200.
    """

    feature: str
    unknown: float
    weeks: list[tuple[int, float]]
    changes: list[int]


class Drift:
    """Histograms of each feature by week.

    Parameters
    ----------
    features
        Their names.
    seed
        Draws the reservoir from which bins are set (Vitter 1985), at most 2,000 samples.
    first_us
        How long the weeks that others are compared with are.
    """

    def __init__(self, features: Sequence[str], seed: int, first_us: int = 4 * WEEK_US) -> None:
        self.features = tuple(features)
        self.first_us = first_us
        self.began: int | None = None
        self._random = Random(seed)  # noqa: S311  (no secret hangs on it)
        self._first: list[array[float]] = []
        self._seen = 0
        self._edges: list[list[float]] = []
        self._reference: list[Floats] = []
        self._weeks: dict[int, list[array[int]]] = {}
        self._windows = [_window() for _ in self.features]
        self._changes: list[list[int]] = [[] for _ in self.features]
        self._unknown = [0] * len(self.features)

    def see(self, at_us: int, values: array[float]) -> None:
        """Count one sample, NaN where a feature is unknown."""
        if self.began is None:
            self.began = at_us
        self._seen += 1
        for place, value in enumerate(values):
            self._unknown[place] += isnan(value)
        if not self._edges:
            if at_us < self.began + self.first_us:
                self._keep(values)
                return
            self._set_bins()
        week = at_us // WEEK_US
        counts = self._weeks.get(week)
        if counts is None:
            counts = self._weeks[week] = [array("q", [0] * (_BINS + 1)) for _ in self.features]
            while len(self._weeks) > _WEEKS_KEPT:
                del self._weeks[min(self._weeks)]
        for place, value in enumerate(values):
            where = _bin(self._edges[place], value)
            counts[place][where] += 1
            window = self._windows[place]
            window.update(where / _BINS)
            if window.drift_detected:
                self._changes[place].append(at_us)
                del self._changes[place][:-_CHANGES_KEPT]

    def report(self) -> list[FeatureDrift]:
        """Return what moved, a feature each."""
        made = []
        for place, feature in enumerate(self.features):
            weeks = [
                (week * 7, shift(self._reference[place], np.array(counts[place], dtype=np.float64)))
                for week, counts in sorted(self._weeks.items())
            ]
            made.append(
                FeatureDrift(
                    feature=feature,
                    unknown=self._unknown[place] / self._seen if self._seen else 0.0,
                    weeks=weeks,
                    changes=list(self._changes[place]),
                )
            )
        return made

    def _keep(self, values: array[float]) -> None:
        if len(self._first) < _SAMPLE:
            self._first.append(values)
            return
        place = self._random.randrange(self._seen)
        if place < _SAMPLE:
            self._first[place] = values

    def _set_bins(self) -> None:
        for place in range(len(self.features)):
            column = [row[place] for row in self._first]
            known = sorted(value for value in column if not isnan(value))
            inner = [known[len(known) * each // _BINS] for each in range(1, _BINS)] if known else []
            edges = sorted(set(inner))
            self._edges.append(edges)
            counts = [0.0] * (_BINS + 1)
            for value in column:
                counts[_bin(edges, value)] += 1
            self._reference.append(np.array(counts, dtype=np.float64))
        self._first.clear()


def _bin(edges: list[float], value: float) -> int:
    return _BINS if isnan(value) else bisect_left(edges, value)


class DailyChanges:
    """ADWIN on the means of days, for what is known late and comes in bursts.

    One self-exclusion answers a month of a player's samples at once. Taken one by one these would look like
    a change each time; and harm is known before its absence is. So each day counts once, and only when all
    that can be known of it is.

    ADWIN's bound is made for values that fill the range from 0 to 1, which means of days do not. They are
    stretched over it: the mean of the first 28 days to the middle, four of their standard deviations to
    either end. With a delta of 0.02, a share of 40 a day that rises from 5 % to 35 % was told after 22 days
    (the median of 60 made-up runs; 27 at most), and none of 60 runs of 200 days in which nothing moved was
    said to have changed. Small changes take longer.

    Parameters
    ----------
    names
        What is watched, each between 0 and 1.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._windows = {name: _window(delta=0.02, clock=1) for name in names}
        self._sums: dict[int, dict[str, list[float]]] = {}
        self._first: dict[str, list[float]] = {name: [] for name in names}
        self._changes: dict[str, list[int]] = {name: [] for name in names}

    def see(self, name: str, day: int, value: float) -> None:
        """Count one value of a day, in days since the epoch."""
        sums = self._sums.setdefault(day, {}).setdefault(name, [0.0, 0.0])
        sums[0] += value
        sums[1] += 1

    def finish(self, before_day: int) -> None:
        """Close all days before one."""
        for day in sorted(each for each in self._sums if each < before_day):
            for name, (total, count) in self._sums.pop(day).items():
                window = self._windows[name]
                first = self._first[name]
                if len(first) < _FIRST_DAYS:
                    first.append(total / count)
                    continue
                window.update(_stretched(total / count, first))
                if window.drift_detected:
                    self._changes[name].append(day * DAY_US)
                    del self._changes[name][:-_CHANGES_KEPT]

    def report(self) -> dict[str, list[int]]:
        """Return when each changed, µs since the epoch; the latest 200."""
        return {name: list(changes) for name, changes in self._changes.items()}


def _stretched(value: float, first: list[float]) -> float:
    reach = 8 * pstdev(first) or 1.0
    return min(max(0.5 + (value - fmean(first)) / reach, 0.0), 1.0)
