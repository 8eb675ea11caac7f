"""All that learns, together: what a trainer feeds, and what it takes a scorecard from."""

from __future__ import annotations

from collections.abc import Sequence

from models.calibration import Calibration
from models.harm import Kind, probability
from models.harm_learners import harm_learner
from models.quantiles import Quantiles
from models.scorecard import Scorecard
from models.unusual_learner import Unusual


class Learners:
    """The distribution of each feature, what is unusual, how likely harm is, and how to believe that.

    Parameters
    ----------
    features
        Names, in the order of all values.
    kind
        The classifier of harm.
    seed
        Of everything that draws.

    Notes
    -----
    The same calls in the same order lead to the same state. It can be pickled; scoring elsewhere takes the
    scorecard instead.
    """

    def __init__(self, features: Sequence[str], kind: Kind = "logistic", seed: int = 0) -> None:
        self.features = list(features)
        self.kind = kind
        self.labels = [0, 0]
        self._quantiles = [Quantiles() for _ in self.features]
        self._unusual = Unusual(len(self.features), seed)
        self._harm = harm_learner(kind, len(self.features), seed)
        self._calibration = Calibration()

    def learn_unlabelled(self, values: Sequence[float | None]) -> None:
        """Learn what is usual, from a sample as it comes: once each, whether or not a label will follow."""
        self._unusual.learn(self._filled(values))
        for quantiles, value in zip(self._quantiles, values, strict=True):
            quantiles.learn(value)

    def learn(self, values: Sequence[float | None], harmed: bool, weight: float = 1.0) -> None:
        """Learn from a sample whose label has come; calibration sees what was believed before."""
        if weight <= 0:
            return
        self._calibration.learn(self._harm.log_odds(values), harmed, weight)
        self._harm.learn(values, harmed, weight)
        self.labels[harmed] += 1

    def raw(self, values: Sequence[float | None]) -> float:
        """How likely harm is by the classifier alone, in (0, 1)."""
        return probability(self._harm.log_odds(values))

    def probability(self, values: Sequence[float | None]) -> float:
        """How likely harm is, calibrated, in (0, 1)."""
        return probability(self._calibration.calibrated(self._harm.log_odds(values)))

    def unusual(self, values: Sequence[float | None]) -> float | None:
        """How unusual, from 0 to 1; None during the first window."""
        return self._unusual.unusual(self._filled(values))

    def _filled(self, values: Sequence[float | None]) -> list[float]:
        places = (quantiles.place(value) for quantiles, value in zip(self._quantiles, values, strict=True))
        return [0.5 if place is None else place for place in places]

    def scorecard(
        self,
        features: Sequence[str],
        catalogue: str,
        habit_features: Sequence[str],
        seed: int,
        review_share: float,
    ) -> Scorecard:
        """What has been learned, frozen as plain data.

        Parameters
        ----------
        features
            The names learned from; another list is a ValueError, so that nothing is scored by the wrong ones.
        catalogue
            The id of the catalogue that they are from.
        habit_features
            Those, at most `models.habit.MOST_FEATURES`, of which each player's own baseline is kept.
        seed
            Of the random review.
        review_share
            The share of players that the random review is to look at each day, from 0 to 1.
        """
        if list(features) != self.features:
            raise ValueError("these are not the features that were learned from")
        return Scorecard(
            catalogue=catalogue,
            features=self.features,
            quantiles=[quantiles.knots for quantiles in self._quantiles],
            unusual=self._unusual.card(),
            # With labels of one kind alone there is nothing to tell apart.
            harm=self._harm.card() if all(self.labels) else None,
            calibration=self._calibration.card(),
            habit=[self.features.index(name) for name in habit_features],
            seed=seed,
            review_share=float(review_share),
        )
