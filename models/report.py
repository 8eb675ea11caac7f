"""What a report says, as plain data: every score measured alike, the data it was measured on, drift and bias.

`evaluation.py` fills it in, `card.py` and `plots.py` show it; `msgspec.json.encode` writes it.
"""

from __future__ import annotations

import msgspec

from models.bias import BiasReport
from models.calibration import Bin
from models.drift import FeatureDrift


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A number with its 95 % interval; None where it cannot be said."""

    value: float | None
    low: float | None
    high: float | None


class Curves(msgspec.Struct, frozen=True, kw_only=True):
    """False-positive rate, recall and precision from the highest score down, at most 101 points each."""

    false_positive_rate: list[float]
    recall: list[float]
    precision: list[float]


class Week(msgspec.Struct, frozen=True, kw_only=True):
    """One week of answered player-days.

    Parameters
    ----------
    first_day
        Days since the epoch.
    alert_rate
        The share of player-days at or above the score that flagged the capacity's share in the first four
        weeks. It moves when scores do; for the rules it is the share that they flag.
    """

    first_day: int
    rows: int
    harmed: int
    roc_auc: float | None
    alert_rate: float | None


class LeadTime(msgspec.Struct, frozen=True, kw_only=True):
    """Days from the first flag at capacity to a label of harm, verdicts left out; see `capacity.Lead`."""

    cases: int
    reached: float | None
    lower_quartile: float | None
    median: float | None
    upper_quartile: float | None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """One group of players, as one score treats it.

    Parameters
    ----------
    alert_rate
        The share of its player-days that is flagged at capacity.
    false_alert_rate
        The same among those not followed by harm.
    reached
        The same among those followed by harm.
    said, happened
        The mean of what was said (probabilities only) and the share harmed.
    """

    group: str
    rows: int
    players: int
    harmed: int
    roc_auc: float | None
    alert_rate: float | None
    false_alert_rate: float | None
    reached: float | None
    said: float | None
    happened: float | None


class Gaps(msgspec.Struct, frozen=True, kw_only=True):
    """Groups, and the largest difference of any two that could be measured; `unknown` is not one of them."""

    by: str
    groups: list[Group]
    roc_auc: float | None
    false_alert_rate: float | None
    reached: float | None


class ScoreReport(msgspec.Struct, frozen=True, kw_only=True):
    """How well one score did.

    Parameters
    ----------
    role
        `model`, `in_force`, or `baseline`.
    probability
        Whether it claims to be one; only then are `brier`, `calibration_error` and `reliability` there.
    unknown
        The share of player-days of which it had nothing to say; they rank lowest.
    roc_auc, pr_auc
        Average precision is that of `metrics.pr_auc`; by chance it is the share harmed.
    roc_auc_without_verdicts, pr_auc_without_verdicts
        On the rows whose answer owes nothing to a verdict.
    precision
        The share harmed among those flagged at capacity.
    alerts_per_1000
        Player-days flagged of 1,000: the capacity, or less where a score has nothing more to say.
    """

    name: str
    role: str
    probability: bool
    unknown: float
    roc_auc: Interval
    pr_auc: Interval
    roc_auc_without_verdicts: float | None
    pr_auc_without_verdicts: float | None
    brier: Interval | None
    calibration_error: float | None
    reliability: list[Bin]
    precision: Interval
    alerts_per_1000: float | None
    lead: LeadTime
    weeks: list[Week]
    gaps: list[Gaps]
    curves: Curves


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured on.

    Parameters
    ----------
    samples
        All that were taken in; `answered` by source and answer, `dropped` by reason.
    player_days
        The rows of this report; `kept_players` is the share of players in it, drawn by lot where there are
        more rows than memory is given.
    weighted_harmed
        The share harmed, by inverse propensity.
    changes
        When ADWIN saw the daily mean of something move, by what: `labels` (the share harmed), `alerts` (the
        share under an alert of the rules) or a model's squared error. It is told by the days that samples are
        of, each once all of its samples are answered.
    """

    samples: int
    waiting: int
    answered: dict[str, int]
    dropped: dict[str, int]
    labels: dict[str, int]
    labels_unknown_player: int
    first_at: int | None
    last_at: int | None
    player_days: int
    players: int
    harmed: int
    weighted_harmed: float | None
    kept_players: float
    changes: dict[str, list[int]]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured, as plain data: `msgspec.json.encode` writes it.

    Parameters
    ----------
    method
        The method in sentences, so that the file can be read alone.
    """

    method: list[str]
    catalogue: str
    features: list[str]
    seed: int
    capacity_per_1000: float
    data: Data
    scores: list[ScoreReport]
    drift: list[FeatureDrift]
    bias: BiasReport

    def score(self, name: str) -> ScoreReport:
        """Return the report of one score; KeyError if there is none."""
        for each in self.scores:
            if each.name == name:
                return each
        raise KeyError(name)
