"""Where does a value lie among all that were seen? From 0, the least, to 1, the greatest.

Money has heavy tails and counts are mostly zero, so neither its mean nor its variance says much of a feature;
its rank does. A sketch keeps some hundred of the values that it saw, exactly as they were, so that a value
which most players share keeps its weight and is placed in the middle of it.

What has been learned is frozen as `Knots`: at most 33 points of the distribution function. Models learn from
places by these knots as well, never by the sketch itself: what they score by is what they learned from.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import msgspec

from models.sample import LARGEST

MOST_KNOTS = 33


class Knots(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A distribution function, linear between its points; a value that stands twice is a step.

    Parameters
    ----------
    values
        In ascending order, at most `MOST_KNOTS`; empty where nothing was seen.
    places
        As long as `values`: the share of what was seen that is less, from 0 to 1, never descending.
    """

    values: list[float]
    places: list[float]


def place(knots: Knots, value: float | None) -> float | None:
    """Where `value` lies, from 0 to 1: the middle of its step, if it stands on one.

    None where the value is unknown or not a number, or nothing was seen yet.

    >>> mostly_none = Knots([0.0, 0.0, 1.0, 9.0], [0.0, 0.6, 0.7, 1.0])
    >>> [place(mostly_none, value) for value in (0.0, 5.0, 9.0, 70.0, None)]
    [0.3, 0.85, 1.0, 1.0, None]
    """
    if value is None or value != value:
        return None
    values, places = knots.values, knots.places
    above = bisect_right(values, value)
    if above == 0:
        return 0.0 if values else None
    under = values[above - 1]
    if under == value:
        return (places[bisect_left(values, value, 0, above)] + places[above - 1]) / 2
    if above == len(values):
        return 1.0
    start = places[above - 1]
    return start + (places[above] - start) * (value - under) / (values[above] - under)


def middle(knots: Knots) -> float | None:
    """The median by the knots, None where nothing was seen."""
    values, places = knots.values, knots.places
    if not values:
        return None
    above = bisect_left(places, 0.5)
    if above == 0 or places[above] == 0.5:
        return values[above]
    start, width = places[above - 1], places[above] - places[above - 1]
    share = (0.5 - start) / width
    return values[above - 1] + share * (values[above] - values[above - 1])


class Quantiles:
    """The distribution of one feature, learned value by value in bounded memory.

    A KLL sketch: levels of values, each standing for twice as many as one of the level below. A level that
    is full is sorted and every other value of it goes up. Which half goes alternates, in place of a coin:
    the next error takes the last one back, and the same stream always gives the same sketch.

    Parameters
    ----------
    size
        How many values the highest level holds; lower ones hold two thirds of the one above. About three
        times as many are kept in all. With 400 a place is right to within 0.005, by the knots to
        within 0.02, and more closely in the tails.

    References
    ----------
    Karnin, Lang & Liberty 2016, Optimal quantile approximation in streams (FOCS). Halves that take turns:
    Ivkin, Liberty, Lang, Karnin & Braverman 2019, Streaming quantiles algorithms with small space and update
    time.
    """

    def __init__(self, size: int = 400) -> None:
        if size < 8:
            raise ValueError(f"a sketch of {size} values is too small, 8 is the least")
        self.count = 0
        self._size = size
        self._levels: list[list[float]] = [[]]
        self._odd = [False]
        self._capacity = [size]
        self._least = math.inf
        self._greatest = -math.inf
        self._knots = Knots([], [])
        self._frozen_at = 0

    def learn(self, value: float | None) -> None:
        """Take one value into account; unknown ones are passed over."""
        if value is None or value != value:
            return
        value = min(max(float(value), -LARGEST), LARGEST)
        self.count += 1
        self._least = min(self._least, value)
        self._greatest = max(self._greatest, value)
        self._levels[0].append(value)
        if len(self._levels[0]) >= self._capacity[0]:
            self._compact()
        # Here and not where it is asked for: what was asked in between must not change what is learned.
        if self.count > self._frozen_at + self._frozen_at // 20:
            self._knots = self._frozen()
            self._frozen_at = self.count

    def _compact(self) -> None:
        level = 0
        while level < len(self._levels) and len(self._levels[level]) >= self._capacity[level]:
            if level + 1 == len(self._levels):
                self._levels.append([])
                self._odd.append(False)
                self._capacity = [
                    max(8, math.ceil(self._size * (2 / 3) ** depth))
                    for depth in reversed(range(len(self._levels)))
                ]
            full = sorted(self._levels[level])
            # One of an odd number stays behind, so that weights add up to what was seen.
            rest = [full.pop()] if len(full) % 2 else []
            self._levels[level + 1].extend(full[self._odd[level] :: 2])
            self._odd[level] = not self._odd[level]
            self._levels[level] = rest
            level += 1

    def place(self, value: float | None) -> float | None:
        """Where `value` lies among what was seen, by the knots in use; see `place` of this module."""
        return place(self._knots, value)

    @property
    def knots(self) -> Knots:
        """The distribution as it is used: made anew whenever a twentieth more has been seen."""
        return self._knots

    def _frozen(self) -> Knots:
        weighted = sorted(
            (value, 1 << height) for height, level in enumerate(self._levels) for value in level
        )
        total = sum(weight for _, weight in weighted)
        # (value, share below it, share below it or equal to it)
        steps: list[tuple[float, float, float]] = []
        seen = 0
        for value, weight in weighted:
            upto = (seen + weight) / total
            if steps and steps[-1][0] == value:
                steps[-1] = (value, steps[-1][1], upto)
            else:
                steps.append((value, seen / total, upto))
            seen += weight
        # The extremes may have been passed over in a compaction.
        if steps[0][0] != self._least:
            steps.insert(0, (self._least, 0.0, 0.0))
        if steps[-1][0] != self._greatest:
            steps.append((self._greatest, 1.0, 1.0))
        fewer = MOST_KNOTS
        while True:
            knots = _chosen(steps, fewer)
            if len(knots.values) <= MOST_KNOTS:
                return knots
            fewer -= 1


def _chosen(steps: Sequence[tuple[float, float, float]], points: int) -> Knots:
    """The steps that hold the places asked for: close together in both tails, wide apart in the middle."""
    wide = 1 / MOST_KNOTS
    uptos = [upto for _, _, upto in steps]
    picked = sorted(
        {
            min(bisect_left(uptos, (1 - math.cos(math.pi * i / (points - 1))) / 2), len(steps) - 1)
            for i in range(points)
        }
        | {0, len(steps) - 1}
    )
    values: list[float] = []
    places: list[float] = []
    for index in picked:
        value, below, upto = steps[index]
        if upto - below > wide:
            values += (value, value)
            places += (below, upto)
        else:
            values.append(value)
            places.append((below + upto) / 2)
    return Knots(values, places)
