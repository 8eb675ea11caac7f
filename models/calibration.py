"""From raw log-odds to a probability that can be believed, learned online.

Beta calibration: the calibrated log-odds are a·ln p − b·ln(1 − p) + c with a and b above 0, so that whoever
was more likely than another stays so. It contains the identity, which it starts from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from models.metrics import Floats

LEAST_SLOPE = 0.05
_LEAST = np.array([LEAST_SLOPE, LEAST_SLOPE, -20.0])
_MOST = np.array([20.0, 20.0, 20.0])


class CalibrationCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Calibrated log-odds are a·ln p − b·ln(1 − p) + c, p the raw probability.

    Parameters
    ----------
    a, b
        Above 0.
    c
        Any finite number.
    """

    a: float = 1.0
    b: float = 1.0
    c: float = 0.0


def _softplus(odds: float) -> float:
    """ln(1 + e^odds), which is −ln(1 − p) of the log-odds of p."""
    return max(odds, 0.0) + math.log1p(math.exp(-abs(odds)))


def calibrated(card: CalibrationCard, odds: float) -> float:
    """The log-odds to believe, of raw ones."""
    return -card.a * _softplus(-odds) + card.b * _softplus(odds) + card.c


class Calibration:
    """Beta calibration of a stream: each label moves the three parameters by a Newton step.

    Parameters
    ----------
    memory
        After how many labels, by weight, what a label said counts 1/e of a new one, at most. It is less in
        the beginning, when a label counts by how many came before it: what was said of a classifier that
        knew little is no longer true of it.

    References
    ----------
    Kull, Silva Filho & Flach 2017, Beta calibration (AISTATS). Newton steps over a stream: Gupta & Ramdas
    2023, Online Platt scaling with calibeating (ICML), who follow Hazan, Agarwal & Kale 2007.
    """

    # The memory to begin with.
    _YOUTH = 100.0
    # How sure it is of the identity, in labels' worth of information: the slopes are to move slowly, the
    # intercept at once.
    _PRIOR = np.diag([5.0, 5.0, 0.5])

    def __init__(self, memory: float = 20_000.0) -> None:
        if memory < 10:
            raise ValueError(f"a memory of {memory} labels is too short, 10 is the least")
        self._memory = memory
        self._taken = self._YOUTH
        self._parameters = np.array([1.0, 1.0, 0.0])
        self._information = self._PRIOR.copy()

    def learn(self, odds: float, harmed: bool, weight: float = 1.0) -> None:
        """Take the label of a sample into account whose raw log-odds were `odds` before it was learned."""
        if weight <= 0:
            return
        inputs = np.array([-_softplus(-odds), _softplus(odds), 1.0])
        believed = 1 / (1 + math.exp(-min(max(float(inputs @ self._parameters), -30.0), 30.0)))
        self._taken += weight
        kept = math.exp(-weight / min(self._memory, self._taken))
        self._information = kept * self._information + (1 - kept) * self._PRIOR
        # A label that was taken as certain still says something, or a surprise would move it anywhere.
        said = max(believed * (1 - believed), 1e-3)
        self._information += weight * said * np.outer(inputs, inputs)
        self._parameters += np.clip(self._step(weight * (harmed - believed) * inputs), -1.0, 1.0)
        self._parameters = np.clip(self._parameters, _LEAST, _MOST)

    def _step(self, gradient: Floats) -> Floats:
        """The Newton step that no bound cuts off.

        A slope that is stopped at its bound has the others step anew: they made up for what it does not do,
        and the intercept would go ever further where raw odds rank the wrong way round.
        """
        step = np.zeros(3)
        free = np.ones(3, dtype=np.bool_)
        while free.any():
            pull = gradient - self._information @ np.where(free, 0.0, step)
            step[free] = np.linalg.solve(self._information[np.ix_(free, free)], pull[free])
            wanted = self._parameters + step
            within = np.clip(wanted, _LEAST, _MOST)
            stopped = free & (within != wanted)
            if not stopped.any():
                break
            step[stopped] = (within - self._parameters)[stopped]
            free &= ~stopped
        return step

    def card(self) -> CalibrationCard:
        """What has been learned, as plain data."""
        a, b, c = self._parameters.tolist()
        return CalibrationCard(a, b, c)

    def calibrated(self, odds: float) -> float:
        """The log-odds to believe, of raw ones."""
        return calibrated(self.card(), odds)


class Bin(msgspec.Struct, frozen=True, gc=False):
    """One point of a reliability curve.

    Parameters
    ----------
    predicted
        The mean of the probabilities that were told.
    observed
        The share of harmed.
    count
        How many samples, by weight.
    """

    predicted: float
    observed: float
    count: float


def reliability(
    predicted: Sequence[float], harmed: Sequence[bool], weights: Sequence[float] | None = None, bins: int = 10
) -> list[Bin]:
    """The reliability curve, in bins that hold equally many samples.

    Bins of equal width would leave all but one of them empty where harm is rare. Equal predictions stay in
    one bin.
    """
    told = np.asarray(predicted, dtype=float)
    came = np.asarray(harmed, dtype=float)
    weight = np.ones_like(told) if weights is None else np.asarray(weights, dtype=float)
    if not len(told):
        return []
    edges = np.unique(np.quantile(told, np.linspace(0, 1, bins + 1)[1:-1]))
    which = np.searchsorted(edges, told, side="left")
    curve = []
    for index in range(len(edges) + 1):
        inside = which == index
        count = float(weight[inside].sum())
        if count > 0:
            curve.append(
                Bin(
                    float((told * weight)[inside].sum() / count),
                    float((came * weight)[inside].sum() / count),
                    count,
                )
            )
    return curve


def expected_calibration_error(curve: Sequence[Bin]) -> float:
    """The mean distance of observed from predicted, by count; 0 for an empty curve."""
    total = sum(point.count for point in curve)
    return (
        sum(point.count * abs(point.observed - point.predicted) for point in curve) / total if total else 0.0
    )
