"""How unusual is a player's moment among all players'? No label is needed for that.

Half-space trees cut the unit cube of places at random and count how many of the latest window of samples fell
into each part; a sample in parts that hold few is unusual. Their score is not comparable between windows, so
what is told is its own place among the scores given before: 0.99 is more unusual than 99 % of samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from models.quantiles import Knots, place
from models.trees import Tree, leaf_value


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
