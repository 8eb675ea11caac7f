"""Features on one scale: the logarithm with its sign, then standard scores by what was seen so far.

Twice as much money is the same step for whoever stakes little and whoever stakes much, hence the logarithm;
unlike ranks it keeps how long a tail is, which is where harm shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

OUTERMOST = 4.0
"""Scores beyond are taken as this, so that one monstrous value cannot outvote everything else."""


class ScalingCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Mean and standard deviation of each feature's signed logarithm; the latter above 0."""

    means: list[float]
    deviations: list[float]


def signed_log(value: float) -> float:
    """sign(x)·ln(1 + |x|).

    >>> signed_log(0.0), round(signed_log(-99.0), 3)
    (0.0, -4.605)
    """
    return math.copysign(math.log1p(abs(value)), value)


def exponential(logarithm: float) -> float:
    """The value of a signed logarithm."""
    return math.copysign(math.expm1(abs(logarithm)), logarithm)


def scores(card: ScalingCard, values: Sequence[float | None]) -> list[float | None]:
    """Standard scores within ±`OUTERMOST`, one a feature; None where the value is unknown or no number."""
    log1p, copysign, isfinite = math.log1p, math.copysign, math.isfinite
    scored: list[float | None] = []
    for value, mean, deviation in zip(values, card.means, card.deviations, strict=True):
        if value is None or not isfinite(value):
            scored.append(None)
            continue
        score = (copysign(log1p(abs(value)), value) - mean) / deviation
        scored.append(score if -OUTERMOST < score < OUTERMOST else copysign(OUTERMOST, score))
    return scored


class Scaling:
    """Means and variances of signed logarithms, learned row by row.

    Parameters
    ----------
    width
        How many features there are.

    References
    ----------
    Welford 1962, Note on a method for calculating corrected sums of squares and products (Technometrics 4).
    """

    def __init__(self, width: int) -> None:
        self._counts = [0] * width
        self._means = [0.0] * width
        self._squares = [0.0] * width

    def learn(self, values: Sequence[float | None]) -> None:
        """Take one row into account; what is unknown in it is passed over."""
        for feature, value in enumerate(values):
            if value is None or not math.isfinite(value):
                continue
            logarithm = signed_log(value)
            self._counts[feature] += 1
            off = logarithm - self._means[feature]
            self._means[feature] += off / self._counts[feature]
            self._squares[feature] += off * (logarithm - self._means[feature])

    def card(self) -> ScalingCard:
        """What has been learned. A feature that never changed has a deviation of 1: its score is 0."""
        deviations = []
        for count, mean, squares in zip(self._counts, self._means, self._squares, strict=True):
            deviation = math.sqrt(squares / count) if count else 0.0
            # Below a millionth of the mean, rounding is all there is.
            deviations.append(deviation if deviation > 1e-6 * (1 + abs(mean)) else 1.0)
        return ScalingCard(list(self._means), deviations)
