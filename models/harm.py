"""How likely is harm within the term? What classifiers have learned, as plain data, and what it says.

Each input is a standard score of `models.scaling`. Where a value is unknown its score is 0, which is what is
usual, and an input of its own says so. `models.harm_learners` makes these cards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import msgspec

from models.scaling import ScalingCard, scores
from models.trees import Tree, leaf_value

Kind = Literal["logistic", "gradient", "forest"]
KINDS: tuple[Kind, ...] = get_args(Kind)

SURE = 20.0
"""Log-odds beyond are told as this: a probability is never 0 or 1, however a float rounds."""


class LogisticCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="logistic"):
    """Log-odds are `bias` + Σ weights · scores, with `missing` in place of the product of a missing feature.

    Parameters
    ----------
    scaling
        By which values become scores.
    bias
        Log-odds of whoever is as usual in everything.
    weights, missing
        One a feature.
    """

    scaling: ScalingCard
    bias: float
    weights: list[float]
    missing: list[float]


class ForestCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="forest"):
    """Log-odds of the mean share of harmed in the leaves, less `log_lift`.

    Parameters
    ----------
    scaling
        By which values become scores.
    log_lift
        What learning has put on for the rarity of harm.
    trees
        Over twice as many inputs as there are features: scores, 0 where missing, then 1 where missing and 0
        where not. A leaf's value is its share of harmed, -1 where it has seen nothing and has no vote.
    """

    scaling: ScalingCard
    log_lift: float
    trees: list[Tree]


HarmCard = LogisticCard | ForestCard


def log_odds(card: HarmCard, values: Sequence[float | None]) -> float:
    """Raw log-odds of harm, between -`SURE` and `SURE`."""
    if isinstance(card, LogisticCard):
        return bounded(card.bias + math.fsum(additions(card, values)))
    inputs = inputs_of(card.scaling, values)
    votes = [vote for tree in card.trees if (vote := leaf_value(tree, inputs)) >= 0]
    return bounded(logit(math.fsum(votes) / len(votes)) - card.log_lift) if votes else 0.0


def additions(card: LogisticCard, values: Sequence[float | None]) -> list[float]:
    """What each feature adds to the log-odds: exactly, and 0 for whoever is as usual."""
    return [
        missing if score is None else weight * score
        for score, weight, missing in zip(
            scores(card.scaling, values), card.weights, card.missing, strict=True
        )
    ]


def probability(odds: float) -> float:
    """Of log-odds.

    >>> probability(0.0)
    0.5
    """
    return 1 / (1 + math.exp(-bounded(odds)))


def inputs_of(scaling: ScalingCard, values: Sequence[float | None]) -> list[float]:
    """Scores with 0 where unknown, followed by 1 where unknown and 0 where not."""
    scored = scores(scaling, values)
    inputs = [0.0 if score is None else score for score in scored]
    inputs.extend([float(score is None) for score in scored])
    return inputs


def bounded(odds: float) -> float:
    """Log-odds no further from 0 than `SURE`."""
    return min(max(odds, -SURE), SURE)


def logit(share: float) -> float:
    """Log-odds of a share from 0 to 1, finite whatever the share."""
    share = min(max(share, 1e-6), 1 - 1e-6)
    return math.log(share / (1 - share))
