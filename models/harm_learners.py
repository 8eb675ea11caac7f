"""Classifiers of harm that learn in one pass, from values and late labels.

Three of them, alike from outside, all on the standard scores of `models.scaling`:

- `logistic`, the one to begin with: second-order logistic regression. It learns from few labels, and its
  reasons add up.
- `gradient`: River's logistic regression, by steps along the gradient.
- `forest`: River's adaptive random forest, which finds what only shows in combinations.

They tell log-odds; `models.calibration` makes them a probability. What they have learned is told as plain
data (`models.harm`), so that nobody who scores needs River.

Harm is rare, and the latter two would see hardly anything but zeros. They learn a harmed sample with the
weight of `lift` others, and tell log-odds of the population as it is, with log(lift) taken off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

from river.forest import ARFClassifier
from river.linear_model import LogisticRegression
from river.optim import AdaGrad

from models.harm import KINDS, ForestCard, HarmCard, Kind, LogisticCard, bounded, inputs_of, logit
from models.newton import NewtonLogistic
from models.scaling import Scaling, scores
from models.trees import Tree

MOST_LIFT = 20.0


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
        self.model.learn(inputs_of(self._scaled, values), harmed, weight)

    def log_odds(self, values: Sequence[float | None]) -> float:
        """See `HarmLearner`."""
        return bounded(self.model.log_odds(inputs_of(self._scaled, values)))

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
        inputs = dict(enumerate(inputs_of(self._scaled, values)))
        self.model.intercept += math.log(lift)
        self.model.learn_one(inputs, harmed, w=weight * (lift if harmed else 1.0))
        self.model.intercept -= math.log(lift)

    def log_odds(self, values: Sequence[float | None]) -> float:
        """See `HarmLearner`."""
        return bounded(float(self.model._raw_dot_one(dict(enumerate(inputs_of(self._scaled, values))))))

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
        inputs = inputs_of(self._scaled, values)
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
        return bounded(logit(votes.get(True, 0.0)) - math.log(self._rarity.lift)) if votes else 0.0

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
