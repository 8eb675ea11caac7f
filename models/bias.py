"""What verdicts on alerts alone would make believe, beside what a look at random players finds.

Agents look where alerts are. If the share harmed among those is taken for the share among all, or a model is
taught by their verdicts alone, the model agrees with its alerts ever more. The random review is the way out:
players drawn by lot, whatever the rules say. Here both are counted, and a small model is kept that learns
from verdicts on alerts and from nothing else, only to say how wrong it would be about the reviewed.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from math import copysign, isnan, log1p, sqrt

import msgspec
from river.compose import Pipeline
from river.linear_model import LogisticRegression
from river.preprocessing import StandardScaler

from models.labels import Counts, LabelTerms, Waiting
from models.sample import Label


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A share of verdicts that said yes, with its 95 % interval (Wilson 1927); None of nothing."""

    verdicts: int
    share: float | None
    low: float | None
    high: float | None


class BiasReport(msgspec.Struct, frozen=True, kw_only=True):
    """Verdicts by how players came to be looked at.

    Parameters
    ----------
    on_alerts, reviewed
        The share harmed among those whom an alert pointed out, and in the random review. Where reviews were
        drawn with different probabilities, each weighs 1/q in `share`, and the interval is that of the count.
    believed
        What a model that learned from verdicts on alerts alone said of the reviewed, on average, before each
        of their verdicts was known. None before it has seen ten verdicts.
    believed_truth
        The share harmed among the very reviewed that `believed` is about.
    believed_from
        How many those are.
    looked_at
        The estimated share of samples under an alert that a verdict speaks of.
    cap, capped
        The most that one verdict may stand for, and how many would have stood for more.
    """

    on_alerts: Share
    reviewed: Share
    believed: float | None
    believed_truth: float | None
    believed_from: int
    looked_at: float
    cap: float
    capped: int


class Bias:
    """Keeps count of verdicts, for `BiasReport`."""

    def __init__(self, features: Sequence[str]) -> None:
        self.features = tuple(features)
        self._on_alerts = [0, 0]  # all, and those that said yes
        self._reviewed = [0, 0]
        self._mass = [0.0, 0.0]
        self._learned = 0
        self._believed: list[float] = [0.0, 0.0]  # sums of what was believed and what was true
        self._asked = 0
        self._model = Pipeline(StandardScaler(), LogisticRegression())

    def see(self, verdict: Label, waiting: Sequence[Waiting]) -> None:
        """Count one verdict on a player of whom some samples wait."""
        known = [each for each in waiting if each.at <= verdict.about]
        if not known:
            return
        values = self._values(known[-1].values)
        if verdict.drawn > 0:
            self._reviewed[0] += 1
            self._reviewed[1] += verdict.harmed
            self._mass[0] += 1 / verdict.drawn
            self._mass[1] += verdict.harmed / verdict.drawn
            if self._learned >= 10:
                self._asked += 1
                self._believed[0] += self._model.predict_proba_one(values).get(True, 0.5)
                self._believed[1] += verdict.harmed
            return
        self._on_alerts[0] += 1
        self._on_alerts[1] += verdict.harmed
        self._learned += 1
        self._model.learn_one(values, verdict.harmed)

    def report(self, terms: LabelTerms, counts: Counts) -> BiasReport:
        """Return what was counted."""
        reviewed = self._mass[1] / self._mass[0] if self._mass[0] else None
        return BiasReport(
            on_alerts=_share(*self._on_alerts),
            reviewed=msgspec.structs.replace(_share(*self._reviewed), share=reviewed),
            believed=self._believed[0] / self._asked if self._asked else None,
            believed_truth=self._believed[1] / self._asked if self._asked else None,
            believed_from=self._asked,
            looked_at=counts.looked_at_share,
            cap=terms.cap,
            capped=counts.capped,
        )

    def _values(self, values: array[float]) -> dict[str, float]:
        # Money has long tails; a feature that is unknown is left out, which is the mean to the scaler.
        return {
            name: copysign(log1p(abs(value)), value)
            for name, value in zip(self.features, values, strict=True)
            if not isnan(value)
        }


def _share(verdicts: int, harmed: int) -> Share:
    if not verdicts:
        return Share(verdicts=0, share=None, low=None, high=None)
    z, share = 1.96, harmed / verdicts
    middle = share + z * z / (2 * verdicts)
    reach = z * sqrt(share * (1 - share) / verdicts + z * z / (4 * verdicts * verdicts))
    whole = 1 + z * z / verdicts
    return Share(
        verdicts=verdicts,
        share=share,
        low=max(0.0, (middle - reach) / whole),
        high=min(1.0, (middle + reach) / whole),
    )
