"""The honest report: every score measured alike, on predictions made before anybody knew.

Each prediction was made at the sample's time by the model as it was then, and was tested against what came of
it before anything was learned from it (prequential evaluation: Dawid 1984; Gama, Sebastião & Rodrigues 2013).
What is measured and on which rows stands in `rows.py`, who is flagged in `capacity.py`, what a report looks
like in `report.py`. Rows are weighted by inverse propensity (`labels.py`); measures without verdicts stand
beside, as `without_verdicts`.

Intervals are 95 % ranges of a bootstrap that draws whole players, by seed; all scores see the same draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

import numpy as np

from models import metrics
from models.calibration import expected_calibration_error, reliability
from models.capacity import flags, lead, weighted_share
from models.metrics import Bools, Floats, Ranking
from models.report import Curves, Gaps, Group, Interval, LeadTime, ScoreReport, Week
from models.rows import Table

AGE_BANDS = ((19, 24), (25, 34), (35, 44), (45, 54), (55, 64))
LEAST_HARMED = 10
"""Groups and weeks with fewer harmed rows get no AUC: it would be noise, and could point at a person.
Nor is a gain shown over fewer harmed players."""

METHOD = [
    "Days are in it once their horizon has passed: of later ones the harmed alone are known.",
    "Each prediction was made at its sample's time and tested before anything was learned from the sample.",
    "The unit is the player-day (UTC): the highest score of the day, and whether harm followed.",
    "Rows are weighted by inverse propensity: a verdict's yes stands for those whom nobody looked at.",
    "Intervals are 95 % ranges of a seeded bootstrap of players; every score sees the same draws.",
    "Who is flagged: each day the highest scores, at the stated capacity; equal scores are drawn by lot.",
    "Whoever was flagged is left alone for a week, so that capacity is not spent on the same few.",
    "A score that had nothing to say ranks lowest and is never flagged.",
    "Lead time leaves verdicts out: they follow alerts.",
]


def measure(
    table: Table,
    roles: Mapping[str, str],
    *,
    probabilities: Sequence[str],
    capacity: float = 20.0,
    draws: int = 200,
    seed: int = 0,
    gender: Mapping[str, str] | None = None,
) -> list[ScoreReport]:
    """Return a report for each score of `roles`, in its order.

    Parameters
    ----------
    roles
        The role of each score of the table that is to be measured.
    probabilities
        Those that claim to be probabilities.
    capacity
        Players whom agents can look at a day, of 1,000 players of that day.
    draws
        Bootstrap draws.
    gender
        A group for each player, where somebody who may know it does; others are `unknown`.
    """
    groups = {"age": ages(table)}
    if gender is not None:
        groups["gender"] = [gender.get(table.players[number], "unknown") for number in table.player.tolist()]
    return [
        _measure_one(table, name, role, name in probabilities, capacity, draws, seed, groups)
        for name, role in roles.items()
    ]


def gain(
    table: Table, challenger: str, champion: str, *, metric: str = "pr_auc", draws: int = 500, seed: int = 0
) -> Interval:
    """Return by how much the challenger's PR AUC (or `roc_auc`) exceeds the champion's, paired by player.

    Both are measured on the same draws of players, so that what is hard for both cancels out. Of fewer than
    LEAST_HARMED harmed players there is no interval: draws of the same few always agree.
    """
    rate = metrics.roc_auc if metric == "roc_auc" else metrics.pr_auc
    one, other = Ranking.of(table.score(challenger)), Ranking.of(table.score(champion))

    def gap(weights: Floats) -> float:
        return rate(*one.mass(table.harmed, weights)) - rate(*other.mass(table.harmed, weights))

    if len(np.unique(table.player[table.harmed])) < LEAST_HARMED:
        return _interval(gap(table.weights), [])
    drawn = [gap(table.weights * each) for each in metrics.resamples(table.player, draws, seed)]
    return _interval(gap(table.weights), drawn)


def ages(table: Table) -> list[str]:
    """Return the age band of each row, from its year less the year of birth."""
    years = table.day.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    return [
        "unknown" if born < 0 else age_band(year - born)
        for year, born in zip(years.tolist(), table.birth_year.tolist(), strict=True)
    ]


def age_band(age: int) -> str:
    """Return the band of an age in years."""
    for low, high in AGE_BANDS:
        if age <= high:
            return f"{low}-{high}" if age >= low else f"under {low}"
    return "65+"


def said_or_none(value: float) -> float | None:
    """Return None for what could not be said, as JSON has no NaN."""
    return value if isfinite(value) else None


def _measure_one(
    table: Table,
    name: str,
    role: str,
    probability: bool,
    capacity: float,
    draws: int,
    seed: int,
    groups: Mapping[str, list[str]],
) -> ScoreReport:
    scores, harmed, weights = table.score(name), table.harmed, table.weights
    ranking = Ranking.of(scores)
    flagged = flags(table, name, capacity, seed)
    drawn: dict[str, list[float]] = {"roc": [], "pr": [], "precision": [], "brier": []}
    said = ~np.isnan(scores) if probability else np.zeros(len(table), dtype=np.bool_)
    error = np.where(said, (np.nan_to_num(scores) - harmed) ** 2, 0.0)
    seen = np.flatnonzero(flagged)
    right = harmed[seen]
    for times in metrics.resamples(table.player, draws, seed):
        now = weights * times
        yes, no = ranking.mass(harmed, now)
        drawn["roc"].append(metrics.roc_auc(yes, no))
        drawn["pr"].append(metrics.pr_auc(yes, no))
        drawn["precision"].append(_mean(right, now[seen]))
        if probability:
            drawn["brier"].append(_mean(error, now * said))
    yes, no = ranking.mass(harmed, weights)
    hard = table.hard
    hard_yes, hard_no = ranking.mass(harmed, hard.astype(np.float64))
    bins = reliability(scores[said].tolist(), harmed[said].tolist(), weights[said].tolist())
    early = lead(table, flagged)
    curves = metrics.curve(yes, no)
    return ScoreReport(
        name=name,
        role=role,
        probability=probability,
        unknown=float(np.isnan(scores).mean()) if len(scores) else 0.0,
        roc_auc=_interval(metrics.roc_auc(yes, no), drawn["roc"]),
        pr_auc=_interval(metrics.pr_auc(yes, no), drawn["pr"]),
        roc_auc_without_verdicts=said_or_none(metrics.roc_auc(hard_yes, hard_no)),
        pr_auc_without_verdicts=said_or_none(metrics.pr_auc(hard_yes, hard_no)),
        brier=_interval(metrics.brier(scores, harmed, weights), drawn["brier"]) if probability else None,
        calibration_error=expected_calibration_error(bins) if bins else None,
        reliability=bins,
        precision=_interval(weighted_share(flagged, harmed, weights), drawn["precision"]),
        alerts_per_1000=said_or_none(1000 * float(flagged.mean())) if len(flagged) else None,
        lead=LeadTime(
            cases=early.cases,
            reached=said_or_none(early.reached),
            lower_quartile=said_or_none(early.lower),
            median=said_or_none(early.median),
            upper_quartile=said_or_none(early.upper),
        ),
        weeks=_weeks(table, scores, capacity),
        gaps=[_gaps(table, scores, flagged, by, each, probability) for by, each in groups.items()],
        curves=Curves(
            false_positive_rate=curves[0].tolist(), recall=curves[1].tolist(), precision=curves[2].tolist()
        ),
    )


def _weeks(table: Table, scores: Floats, capacity: float) -> list[Week]:
    made: list[Week] = []
    if not len(table):
        return made
    week = table.day // 7
    first = scores[week < week[0] + 4]
    first = np.where(np.isnan(first), -np.inf, first)
    edge = float(np.quantile(first, 1 - capacity / 1000, method="higher"))
    for each in np.unique(week).tolist():
        inside = week == each
        now = scores[inside]
        made.append(
            Week(
                first_day=each * 7,
                rows=int(inside.sum()),
                harmed=int(table.harmed[inside].sum()),
                roc_auc=_auc(now, table.harmed[inside], table.weights[inside]),
                # NaN is not above anything; where even the edge is unknown, whatever is known is above it.
                alert_rate=float((now >= edge).mean()),
            )
        )
    return made


def _gaps(
    table: Table, scores: Floats, flagged: Bools, by: str, group_of: list[str], probability: bool
) -> Gaps:
    names = np.array(group_of, dtype=object)
    harmed, weights = table.harmed, table.weights
    made = []
    for name in sorted(set(group_of)):
        inside: Bools = names == name
        heard = inside & ~np.isnan(scores)
        mass = float(weights[heard].sum())
        made.append(
            Group(
                group=name,
                rows=int(inside.sum()),
                players=len(np.unique(table.player[inside])),
                harmed=int(harmed[inside].sum()),
                roc_auc=_auc(scores[inside], harmed[inside], weights[inside]),
                alert_rate=said_or_none(weighted_share(inside, flagged, weights)),
                false_alert_rate=said_or_none(weighted_share(inside & ~harmed, flagged, weights)),
                reached=said_or_none(weighted_share(inside & harmed, flagged, weights)),
                said=float((weights * scores)[heard].sum() / mass) if probability and mass > 0 else None,
                happened=said_or_none(weighted_share(inside, harmed, weights)),
            )
        )
    known = [each for each in made if each.group != "unknown" and each.harmed >= LEAST_HARMED]
    return Gaps(
        by=by,
        groups=made,
        roc_auc=_widest([each.roc_auc for each in known]),
        false_alert_rate=_widest([each.false_alert_rate for each in known]),
        reached=_widest([each.reached for each in known]),
    )


def _mean(values: Floats | Bools, weights: Floats) -> float:
    mass = float(weights.sum())
    return float(values @ weights) / mass if mass > 0 else float("nan")


def _widest(values: list[float | None]) -> float | None:
    said = [each for each in values if each is not None]
    return max(said) - min(said) if len(said) > 1 else None


def _auc(scores: Floats, harmed: Bools, weights: Floats) -> float | None:
    if harmed.sum() < LEAST_HARMED:
        return None
    return said_or_none(metrics.roc_auc(*Ranking.of(scores).mass(harmed, weights)))


def _interval(value: float, drawn: list[float]) -> Interval:
    low, high = metrics.interval(drawn)
    return Interval(value=said_or_none(value), low=said_or_none(low), high=said_or_none(high))
