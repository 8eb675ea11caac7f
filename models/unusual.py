"""How unusual is a player's moment among all players'? No label is needed for that.

Half-space trees cut the unit cube of places at random and count how many of the latest window of samples fell
into each part; a sample in parts that hold few is unusual. Their score is not comparable between windows, so
what is told is its own place among the scores given before: 0.99 is more unusual than 99 % of samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
from river.anomaly import HalfSpaceTrees

from models.quantiles import Knots, Quantiles, place
from models.trees import Tree, leaf_value

TREES = 10
HEIGHT = 8
WINDOW = 250


class UnusualCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Half-space trees, frozen after a window.

    Parameters
    ----------
    trees
        Over one place a feature. A leaf's value is what the tree adds to the mass of the sample.
    most
        The largest mass there could be, above 0.
    history
        How scores were distributed before.
    """

    trees: list[Tree]
    most: float
    history: Knots


def isolation(card: UnusualCard, places: Sequence[float]) -> float:
    """The score of half-space trees themselves, from 0 to 1; `places` are filled, one a feature."""
    mass = 0.0
    for tree in card.trees:
        mass += leaf_value(tree, places)
    return 1 - mass / card.most


def unusual(card: UnusualCard, places: Sequence[float]) -> float | None:
    """How unusual, from 0 to 1, by the place among earlier scores; None while there are none."""
    return place(card.history, isolation(card, places))


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
