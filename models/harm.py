"""How likely is harm within the term? Classifiers that learn in one pass, from values and late labels.

Three of them, alike from outside, all on the standard scores of `models.scaling`:

- `logistic`, the one to begin with: second-order logistic regression. It learns from few labels, and its
  reasons add up.
- `gradient`: River's logistic regression, by steps along the gradient.
- `forest`: River's adaptive random forest, which finds what only shows in combinations.

They tell log-odds; `models.calibration` makes them a probability. Where a value is unknown its score is 0,
which is what is usual, and an input of its own says so.

Harm is rare, and the latter two would see hardly anything but zeros. They learn a harmed sample with the
weight of `lift` others, and tell log-odds of the population as it is, with log(lift) taken off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, Protocol, get_args

import msgspec
from river.forest import ARFClassifier
from river.linear_model import LogisticRegression
from river.optim import AdaGrad

from models.newton import NewtonLogistic
from models.scaling import Scaling, ScalingCard, scores
from models.trees import Tree, leaf_value

Kind = Literal["logistic", "gradient", "forest"]
KINDS: tuple[Kind, ...] = get_args(Kind)

MOST_LIFT = 20.0
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
        return _bounded(card.bias + math.fsum(additions(card, values)))
    inputs = _inputs(card.scaling, values)
    votes = [vote for tree in card.trees if (vote := leaf_value(tree, inputs)) >= 0]
    return _bounded(_logit(math.fsum(votes) / len(votes)) - card.log_lift) if votes else 0.0


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
    return 1 / (1 + math.exp(-_bounded(odds)))


def _inputs(scaling: ScalingCard, values: Sequence[float | None]) -> list[float]:
    """Scores with 0 where unknown, followed by 1 where unknown and 0 where not."""
    scored = scores(scaling, values)
    inputs = [0.0 if score is None else score for score in scored]
    inputs.extend([float(score is None) for score in scored])
    return inputs


def _bounded(odds: float) -> float:
    return min(max(odds, -SURE), SURE)


def _logit(share: float) -> float:
    share = min(max(share, 1e-6), 1 - 1e-6)
    return math.log(share / (1 - share))


class HarmLearner(Protocol):
    """What all classifiers of harm can do. Values are one a feature, None where unknown."""

    def learn(self, values: Sequence[float | None], harmed: bool, weight: float = 1.0) -> None:
        """Learn from one sample whose label has come; with a `weight` of 0 it is none."""

    def log_odds(self, values: Sequence[float | None]) -> float:
        """Raw log-odds, by the learning model itself; asking changes nothing."""

    def card(self) -> HarmCard:
        """What has been learned, as plain data that tells the same."""


def harm_learner(kind: Kind, width: int, seed: int) -> HarmLearner:
    """A classifier that has learned nothing yet, of `width` features.

    Raises ValueError for an unknown kind.
    """
    match kind:
        case "logistic":
            return LogisticHarm(width)
        case "gradient":
            return GradientHarm(width)
        case "forest":
            return ForestHarm(width, seed)
        case _:
            raise ValueError(f"no kind of classifier is called {kind!r}; there are {', '.join(KINDS)}")


class _Rarity:
    """How rare harm is among what was learned, and with it how much a harmed sample weighs."""

    def __init__(self) -> None:
        # As if one in twenty had been harmed so far: the first label of either kind must not decide.
        self._harmed, self._all = 1.0, 20.0

    def take(self, harmed: bool, weight: float) -> None:
        self._all += weight
        self._harmed += weight * harmed

    @property
    def lift(self) -> float:
        return min(max(self._all / self._harmed - 1, 1.0), MOST_LIFT)


class LogisticHarm:
    """Second-order logistic regression on standard scores.

    Parameters
    ----------
    width
        How many features there are.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.model = NewtonLogistic(2 * width)
        self._scaling = Scaling(width)
        self._scaled = self._scaling.card()

    def learn(self, values: Sequence[float | None], harmed: bool, weight: float = 1.0) -> None:
        """See `HarmLearner`."""
        if weight <= 0:
            return
        self._scaling.learn(values)
        self._scaled = self._scaling.card()
        self.model.learn(_inputs(self._scaled, values), harmed, weight)

    def log_odds(self, values: Sequence[float | None]) -> float:
        """See `HarmLearner`."""
        return _bounded(self.model.log_odds(_inputs(self._scaled, values)))

    def card(self) -> LogisticCard:
        """See `HarmLearner`."""
        weights = self.model.weights
        return LogisticCard(self._scaled, self.model.bias, weights[: self.width], weights[self.width :])


class GradientHarm:
    """River's logistic regression on standard scores.

    Parameters
    ----------
    width
        How many features there are.

    Notes
    -----
    While a sample is learned, log(lift) is put on the intercept and taken off again: taking more of the cases
    moves the intercept by just that and leaves the weights alone (Prentice & Pyke 1979), so what is kept are
    always the log-odds of the population, even while the lift moves. Steps are AdaGrad's (Duchi, Hazan &
    Singer 2011).
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.model = LogisticRegression(AdaGrad(0.1), l2=1e-4, intercept_lr=0.02, intercept_init=-3.0)
        self._scaling = Scaling(width)
        self._scaled = self._scaling.card()
        self._rarity = _Rarity()

    def learn(self, values: Sequence[float | None], harmed: bool, weight: float = 1.0) -> None:
        """See `HarmLearner`."""
        if weight <= 0:
            return
        self._scaling.learn(values)
        self._scaled = self._scaling.card()
        self._rarity.take(harmed, weight)
        lift = self._rarity.lift
        inputs = dict(enumerate(_inputs(self._scaled, values)))
        self.model.intercept += math.log(lift)
        self.model.learn_one(inputs, harmed, w=weight * (lift if harmed else 1.0))
        self.model.intercept -= math.log(lift)

    def log_odds(self, values: Sequence[float | None]) -> float:
        """See `HarmLearner`."""
        return _bounded(float(self.model._raw_dot_one(dict(enumerate(_inputs(self._scaled, values))))))

    def card(self) -> LogisticCard:
        """See `HarmLearner`."""
        learned = self.model.weights
        weights = [float(learned.get(index, 0.0)) for index in range(2 * self.width)]
        return LogisticCard(
            self._scaled, float(self.model.intercept), weights[: self.width], weights[self.width :]
        )


class ForestHarm:
    """River's adaptive random forest on standard scores; its leaves tell the share of harmed that they saw.

    Parameters
    ----------
    width
        How many features there are.
    seed
        Of its draws.
    trees
        How many.

    Notes
    -----
    Online bagging shows a sample to a tree as often as a Poisson variable says; a weight multiplies that
    variable's mean. Trees look at a few inputs each, so that a feature is missing is one of them only once it
    is missing in one sample of twenty.

    References
    ----------
    Gomes et al. 2017, Adaptive random forests for evolving data stream classification (Machine Learning 106).
    """

    def __init__(self, width: int, seed: int, *, trees: int = 10) -> None:
        self.width = width
        # Typed for whole rates, which Poisson variables need not have.
        self.model: Any = ARFClassifier(
            n_models=trees,
            seed=seed,
            leaf_prediction="mc",
            max_depth=8,
            grace_period=20,
            delta=0.05,
            disable_weighted_vote=True,
        )
        self._scaling = Scaling(width)
        self._scaled = self._scaling.card()
        self._rarity = _Rarity()
        self._seen = 0
        self._missing = [0] * width
        self._looked_at = list(range(width))

    def _inputs(self, values: Sequence[float | None]) -> dict[int, float]:
        inputs = _inputs(self._scaled, values)
        return {index: inputs[index] for index in self._looked_at}

    def learn(self, values: Sequence[float | None], harmed: bool, weight: float = 1.0) -> None:
        """See `HarmLearner`."""
        if weight <= 0:
            return
        self._scaling.learn(values)
        self._scaled = self._scaling.card()
        self._watch(values)
        self._rarity.take(harmed, weight)
        # River draws by multiplying down to exp(-rate), which has to stay well above the least float.
        self.model.lambda_value = min(6.0 * weight * (self._rarity.lift if harmed else 1.0), 200.0)
        self.model.learn_one(self._inputs(values), harmed)

    def _watch(self, values: Sequence[float | None]) -> None:
        self._seen += 1
        for feature, score in enumerate(scores(self._scaled, values)):
            if score is None:
                self._missing[feature] += 1
                often = self._missing[feature] >= max(self._seen / 20, 5)
                if often and self.width + feature not in self._looked_at:
                    self._looked_at.append(self.width + feature)

    def log_odds(self, values: Sequence[float | None]) -> float:
        """See `HarmLearner`."""
        # River would set up its trees, with draws of its own, if it were asked before it has learned.
        if not len(self.model):
            return 0.0
        votes = self.model.predict_proba_one(self._inputs(values))
        return _bounded(_logit(votes.get(True, 0.0)) - math.log(self._rarity.lift)) if votes else 0.0

    def card(self) -> ForestCard:
        """See `HarmLearner`."""
        trees = [_exported(tree._root) for tree in self.model]
        return ForestCard(self._scaled, math.log(self._rarity.lift), trees)


def _exported(root: Any) -> Tree:
    which: list[int] = [-1]
    at: list[float] = [-1.0]
    left: list[int] = [0]
    waiting: list[tuple[int, Any]] = [(0, root)] if root is not None else []
    for index, node in waiting:
        children = getattr(node, "children", None)
        if children is None:
            seen = sum(node.stats.values())
            at[index] = node.stats.get(True, 0.0) / seen if seen > 0 else -1.0
            continue
        which[index], at[index], left[index] = node.feature, float(node.threshold), len(which)
        for child in children:
            waiting.append((len(which), child))
            which.append(-1)
            at.append(-1.0)
            left.append(0)
    return Tree(which, at, left)
