"""How well scores rank and how true probabilities are: pure functions over numpy arrays, weighted.

All take `scores` (n,), where NaN is a score that was not given and ranks below all others, `harmed` (n,) of
bools, and `weights` (n,) of how many each row stands for. Where a number cannot be said (one class only,
nothing at all) it is NaN.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Scores in order, ties together, so that weights may change without sorting again.

    Attributes
    ----------
    place
        (n,) the place of each row among the `count` distinct scores, the lowest 0.
    """

    place: Ints
    count: int

    @classmethod
    def of(cls, scores: Floats) -> Ranking:
        """Rank scores; NaN is the lowest."""
        lowest = np.where(np.isnan(scores), -np.inf, scores)
        distinct, place = np.unique(lowest, return_inverse=True)
        return cls(place.astype(np.int64), len(distinct))

    def mass(self, harmed: Bools, weights: Floats) -> tuple[Floats, Floats]:
        """Return the weight of the harmed and of the others at each distinct score, lowest first."""
        where = np.flatnonzero(harmed)
        yes = np.bincount(self.place[where], weights[where], self.count).astype(np.float64)
        others = np.where(harmed, 0.0, weights)
        return yes, np.bincount(self.place, others, self.count).astype(np.float64)


def roc_auc(yes: Floats, no: Floats) -> float:
    """Return the share of pairs of a harmed and another row that are ranked right, ties counting half.

    This is the Mann-Whitney statistic (Hanley & McNeil 1982), by ranks. `yes` and `no` are as from
    `Ranking.mass`.
    """
    pairs = yes.sum() * no.sum()
    if not pairs > 0:
        return float("nan")
    below = np.cumsum(no) - no
    return float((yes * (below + no / 2)).sum() / pairs)


def pr_auc(yes: Floats, no: Floats) -> float:
    """Return average precision: precision at each distinct score, weighted by the recall it adds.

    No straight lines are drawn between points, which would flatter (Davis & Goadrich 2006).
    """
    if not yes.sum() > 0 or not no.sum() > 0:
        return float("nan")
    down = yes[::-1]
    true = np.cumsum(down)
    flagged = np.cumsum(down + no[::-1])
    precision = np.divide(true, flagged, out=np.zeros_like(true), where=flagged > 0)
    return float((precision * down).sum() / yes.sum())


def curve(yes: Floats, no: Floats, points: int = 101) -> tuple[Floats, Floats, Floats]:
    """Return false-positive rate, recall and precision from the highest score down, at most `points` each."""
    true, false = np.cumsum(yes[::-1]), np.cumsum(no[::-1])
    total_yes, total_no = max(float(yes.sum()), 1e-300), max(float(no.sum()), 1e-300)
    precision = np.divide(true, true + false, out=np.ones_like(true), where=true + false > 0)
    kept = np.unique(np.linspace(0, len(true) - 1, min(points, len(true))).astype(np.int64))
    return false[kept] / total_no, true[kept] / total_yes, precision[kept]


def brier(probabilities: Floats, harmed: Bools, weights: Floats) -> float:
    """Return the mean squared distance of a probability from what happened (Brier 1950)."""
    known = ~np.isnan(probabilities)
    mass = weights[known].sum()
    if not mass > 0:
        return float("nan")
    return float((weights[known] * (probabilities[known] - harmed[known]) ** 2).sum() / mass)


def resamples(groups: Ints, count: int, seed: int) -> Iterator[Floats]:
    """Yield for each of `count` bootstrap draws how often each row is in it: whole groups are drawn.

    Rows of one player are alike, so players are drawn, not rows (the cluster bootstrap: Field & Welsh 2007).

    Parameters
    ----------
    groups
        (n,) the player of each row, from 0 without gaps.
    """
    random = np.random.default_rng(seed)
    players = int(groups.max()) + 1 if len(groups) else 0
    for _ in range(count):
        drawn = np.bincount(random.integers(0, players, players), minlength=players) if players else groups
        yield drawn[groups].astype(np.float64)


def interval(draws: list[float], level: float = 0.95) -> tuple[float, float]:
    """Return the middle `level` of bootstrap draws; those that could not be said are left out."""
    said = np.asarray(draws, dtype=np.float64)
    said = said[~np.isnan(said)]
    if not len(said):
        return float("nan"), float("nan")
    low, high = np.quantile(said, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def shift(before: Floats, now: Floats) -> float:
    """Return the population stability index of two histograms over the same bins.

    The symmetrised Kullback-Leibler divergence of their shares (Jeffreys 1946; Siddiqi 2006, who calls below
    0.1 stable and above 0.25 shifted). To each of the two is added half a row a bin that either fills,
    spread as both together are: so an empty bin is not infinite, and few rows of the same are no shift.
    """
    if not before.sum() > 0 or not now.sum() > 0:
        return float("nan")
    pooled = before / before.sum() + now / now.sum()
    filled = pooled > 0
    added = 0.5 * filled.sum() * pooled[filled] / pooled.sum()
    old = (before[filled] + added) / (before.sum() + added.sum())
    new = (now[filled] + added) / (now.sum() + added.sum())
    return float(((new - old) * np.log(new / old)).sum())
