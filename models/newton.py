"""Logistic regression that learns as much from a stream in one pass as others do from all of it at once.

Weights are a normal distribution, not a point: each label moves the mean by the curvature that all labels
before it left behind, so that there is no learning rate to choose, correlated inputs share what they explain,
and an input that was hardly ever seen stays near 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


class NewtonLogistic:
    """Bayesian logistic regression with a full covariance, one Newton step a row.

    Parameters
    ----------
    width
        How many inputs there are, the constant not counted.
    spread
        Variance of a weight before anything was learned, for inputs on the scale of standard scores. From
        0.03 to 0.3 it makes no difference that could be measured on real players.
    memory
        After how many rows, by weight, what a row said counts 1/e of a new one. The covariance never grows
        beyond what it was at the beginning.

    Notes
    -----
    Rare labels need no weights of their own here: what they are for, steps that are large enough, the
    curvature sees to, and the intercept is the population's from the beginning.

    References
    ----------
    Spiegelhalter & Lauritzen 1990, Sequential updating of conditional probabilities on directed graphical
    structures (Networks 20); as an extended Kalman filter: West, Harrison & Migon 1985, Dynamic generalized
    linear models and Bayesian forecasting (JASA 80).
    """

    def __init__(self, width: int, *, spread: float = 0.05, memory: float = 50_000.0) -> None:
        self._first = np.full(width + 1, spread)
        # Nobody knows beforehand how rare harm is.
        self._first[0] = 10.0
        self._memory = memory
        self._weights = np.zeros(width + 1)
        self._covariance = np.diag(self._first)

    def learn(self, inputs: Sequence[float], harmed: bool, weight: float = 1.0) -> None:
        """Learn from one row of `width` inputs; it counts as `weight` rows."""
        row = np.array([1.0, *inputs])
        believed = 1 / (1 + math.exp(-min(max(float(row @ self._weights), -30.0), 30.0)))
        moved = self._covariance @ row
        curvature = weight * believed * (1 - believed)
        denominator = 1 + curvature * float(row @ moved)
        self._covariance -= np.outer(moved, moved) * (curvature / denominator)
        self._weights += moved * (weight * (harmed - believed) / denominator)
        self._covariance *= math.exp(min(weight / self._memory, 1.0))
        spread = self._covariance.diagonal()
        if (spread > self._first).any():
            shrunk = np.sqrt(np.minimum(1.0, self._first / spread))
            self._covariance *= np.outer(shrunk, shrunk)

    def log_odds(self, inputs: Sequence[float]) -> float:
        """Of a row."""
        return float(self._weights @ np.array([1.0, *inputs]))

    @property
    def bias(self) -> float:
        """The log-odds of a row of zeros."""
        return float(self._weights[0])

    @property
    def weights(self) -> list[float]:
        """One an input."""
        return [float(weight) for weight in self._weights[1:]]
