"""What is usual among all players' moments, learned as they come; no label is needed for that.

What has been learned is told as plain data (`models.unusual`), so that nobody who scores needs River.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from river.anomaly import HalfSpaceTrees

from models.quantiles import Quantiles
from models.trees import Tree
from models.unusual import UnusualCard

TREES = 10
HEIGHT = 8
WINDOW = 250


class Unusual:
    """River's half-space trees, and the history of their scores.

    Parameters
    ----------
    width
        How many places a sample has.
    seed
        Of the cuts.
    trees, height, window
        How many trees, how deep, and how many samples make a window. Nothing is told during the first one.

    References
    ----------
    Tan, Ting & Liu 2011, Fast anomaly detection for streaming data (IJCAI).
    """

    def __init__(
        self, width: int, seed: int, *, trees: int = TREES, height: int = HEIGHT, window: int = WINDOW
    ) -> None:
        self.width = width
        # River's trees are not typed.
        self.model: Any = HalfSpaceTrees(n_trees=trees, height=height, window_size=window, seed=seed)
        self.history = Quantiles()
        self._left_of_window = window

    def learn(self, places: Sequence[float]) -> None:
        """Learn from one sample of `width` places in [0, 1], with nothing unknown."""
        inputs = dict(enumerate(places))
        if self.ready:
            self.history.learn(self.model.score_one(inputs))
        else:
            self._left_of_window -= 1
        self.model.learn_one(inputs)

    @property
    def ready(self) -> bool:
        """Whether a first window is over."""
        return self._left_of_window == 0

    def isolation(self, places: Sequence[float]) -> float | None:
        """River's own score, None during the first window."""
        return float(self.model.score_one(dict(enumerate(places)))) if self.ready else None

    def unusual(self, places: Sequence[float]) -> float | None:
        """How unusual, from 0 to 1; None while nothing can be told."""
        score = self.isolation(places)
        return None if score is None else self.history.place(score)

    def card(self) -> UnusualCard | None:
        """What has been learned, as plain data; None while nothing can be told."""
        if not self.ready or not self.history.count:
            return None
        model = self.model
        most = float(model.n_trees * model.window_size * (2 ** (model.height + 1) - 1))
        trees = [_exported(tree, model.size_limit) for tree in model.trees]
        return UnusualCard(trees, most, self.history.knots)


def _exported(root: Any, enough: float) -> Tree:
    """One of River's trees, cut where a walk ends: at the bottom, or where fewer than `enough` samples fell.

    What a walk gathers on its way depends on where it ends alone, so only leaves keep a value.
    """
    which: list[int] = [0]
    at: list[float] = [0.0]
    left: list[int] = [0]
    waiting: list[tuple[int, Any, float, int]] = [(0, root, 0.0, 1)]
    for index, node, gathered, weight in waiting:
        gathered += node.r_mass * weight
        children = getattr(node, "children", ())
        if not children or node.r_mass < enough:
            which[index], at[index] = -1, gathered
            continue
        # River goes left below the threshold, `Tree` up to it: the next lower number says the same.
        which[index], at[index] = node.feature, math.nextafter(node.threshold, -math.inf)
        left[index] = len(which)
        for child in children:
            waiting.append((len(which), child, gathered, weight * 2))
            which.append(0)
            at.append(0.0)
            left.append(0)
    return Tree(which, at, left)
