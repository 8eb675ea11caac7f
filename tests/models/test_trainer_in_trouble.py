"""Poisoned labels, drift, missing features and biased verdicts: the trainer goes on, and the report tells."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import inf, nan

import msgspec

from models.harm import LogisticCard
from models.labels import DAY_US
from models.ordering import Heard
from models.report import Report
from models.sample import EARLIEST_US, LARGEST, LATEST_US, LEAST_DRAWN, Flag, Label, Sample
from models.trainer import Trainer
from tests.models.streams import BASELINES, FEATURES, fed, stream


def logistic() -> Trainer:
    return Trainer(FEATURES, "cat", kinds=("logistic",), baselines=BASELINES)


@cache
def told(flipped: float = 0.0) -> Report:
    """The report of the usual stream, a share of its labels on somebody else."""
    return fed(logistic(), list(stream(flipped=flipped))).report(draws=5)


def auc(report: Report, name: str) -> float:
    value = report.score(name).roc_auc.value
    assert value is not None
    return value


def test_flipped_labels_cost_accuracy_and_the_report_shows_it() -> None:
    clean, poisoned = told(), told(0.3)
    assert 0.5 < auc(poisoned, "logistic") < auc(clean, "logistic")


def test_drift_is_seen_where_it_is_and_nowhere_else() -> None:
    turned = fed(logistic(), list(stream(turns_at=60))).report(draws=5)
    worst = {each.feature: max(index for week, index in each.weeks if week > 63) for each in turned.drift}
    assert worst["net_loss"] > 1
    assert worst["noise"] < 0.25
    (when, *_) = next(each.changes for each in turned.drift if each.feature == "net_loss")
    assert 60 <= when / DAY_US < 70
    assert auc(turned, "logistic") > 0.5


def test_missing_features_leave_it_working_and_are_told() -> None:
    holes = fed(logistic(), list(stream(missing=0.4))).report(draws=5)
    assert all(0.35 < each.unknown < 0.45 for each in holes.drift)
    assert 0.35 < holes.score("net loss alone").unknown < 0.45
    assert auc(holes, "logistic") > 0.55


def test_what_never_changes_or_is_never_known_teaches_nothing_and_the_report_shows_it() -> None:
    # Sessions are never known, and the last never changes.
    odd = [
        msgspec.structs.replace(each, values=(*each.values[:2], None, 7.0))
        if isinstance(each, Sample)
        else each
        for each in stream()
    ]
    flat = fed(logistic(), odd)
    report = flat.report(draws=5)
    assert auc(report, "logistic") > 0.6
    sessions, noise = report.drift[2:]
    assert (sessions.unknown, noise.unknown) == (1, 0)
    for each in (sessions, noise):
        assert each.changes == []
        assert max(index for _, index in each.weeks) < 1e-9
    harm = flat.scorecard("logistic", [], 0.01).harm
    assert isinstance(harm, LogisticCard)
    assert abs(harm.weights[3]) < 1e-6


def test_labels_of_nobody_that_is_known_are_counted_and_change_nothing_else() -> None:
    plain = told()
    strangers = [
        Label(player="nobody", at=day * DAY_US, source=source, harmed=True, about=day * DAY_US)
        for day in range(20, 60)
        for source in ("self_exclusion", "rg_event")
    ]
    mixed = sorted([*stream(), *strangers], key=lambda each: each.at)
    report = fed(logistic(), mixed).report(draws=5)
    assert report.data.labels_unknown_player == plain.data.labels_unknown_player + len(strangers)
    assert report.scores == plain.scores
    assert report.drift == plain.drift


def test_a_poisoned_stream_is_seen_beside_the_clean_one_in_every_measure() -> None:
    """Three labels of ten on somebody else: less is known of whom, and what is said of harm is less sure."""
    clean, poisoned = (told(flipped).score("logistic") for flipped in (0.0, 0.3))
    assert clean.pr_auc.value is not None
    assert poisoned.pr_auc.value is not None
    assert poisoned.pr_auc.value < clean.pr_auc.value
    assert poisoned.calibration_error is not None
    assert poisoned.calibration_error < 0.1, "probabilities are still those of what is said to be harm"
    assert all(week.alert_rate is not None for week in poisoned.weeks)


def test_nothing_is_said_to_have_changed_where_nothing_has() -> None:
    calm = fed(logistic(), list(stream(players=300, days=120))).report(draws=5)
    assert calm.data.changes == {"labels": [], "alerts": [], "logistic": []}


def test_days_of_which_the_harmed_alone_are_known_are_left_out() -> None:
    # Of the last month nobody is known but who came to harm.
    taught = fed(logistic(), list(stream()))
    last = max(taught.rows.table().day)
    told = taught.report(draws=5)
    assert max(week.first_day for week in told.score("logistic").weeks) < last - 20
    late = taught.rows.table()
    assert late.harmed[late.day > last - 20].all()
    whole = fed(logistic(), list(stream()))
    whole.pass_time(400 * DAY_US)
    everything = whole.report(draws=5)
    assert (
        told.data.harmed / told.data.player_days < 1.5 * everything.data.harmed / everything.data.player_days
    )


def test_verdicts_on_alerts_alone_would_make_believe_the_worst() -> None:
    looked_at = fed(logistic(), list(stream(players=200, review=0.05))).report(draws=5).bias
    assert looked_at.on_alerts.share == 1.0
    assert looked_at.reviewed.share is not None
    assert looked_at.reviewed.share < 0.3
    assert looked_at.believed is not None
    assert looked_at.believed_truth is not None
    assert looked_at.believed > 2 * looked_at.believed_truth
    assert 0 < looked_at.looked_at < 1


WHO, NOON = "p1", 50 * DAY_US + DAY_US // 2


def strange(
    numbers: Sequence[float], instants: Sequence[int], years: Sequence[int], drawn: Sequence[float]
) -> list[Heard]:
    """A sample, label or flag for each number out of the ordinary, in each place where it can stand."""
    sample = Sample(player=WHO, at=NOON, moment="deposit", catalogue="cat", values=(1.0,) * len(FEATURES))
    verdict = Label(player=WHO, at=NOON, source="verdict", harmed=True, about=NOON, drawn=0.0)
    flag = Flag(player=WHO, at=NOON, score=40.0)
    change = msgspec.structs.replace
    return [
        *(change(sample, values=(*sample.values[1:], each)) for each in numbers),
        *(change(sample, scores={"harm": each}) for each in numbers),
        *(change(flag, score=each) for each in numbers),
        *(change(sample, at=each) for each in instants),
        *(change(flag, at=each) for each in instants),
        *(change(verdict, at=each) for each in instants),
        *(change(verdict, about=about) for about in instants),
        *(change(sample, birth_year=born) for born in years),
        *(change(verdict, drawn=each) for each in drawn),
    ]


def heard(trainer: Trainer, between: Sequence[Heard]) -> Report:
    """What is reported of a small stream with something in its midst."""
    usual = list(stream(players=20, days=75))
    for each in (*usual[: len(usual) // 2], *between, *usual[len(usual) // 2 :]):
        trainer.hear(each)
    trainer.finish()
    trainer.scorecard("logistic", [], 0.01)
    return trainer.report(draws=5)


def test_what_no_model_can_learn_from_is_counted_and_changes_nothing_else() -> None:
    """A year that fits into no machine word once would have stopped the trainer a month later, for good."""
    malformed = strange(
        numbers=(inf, -inf, nan, 1e308, -1e308, 10**400),
        instants=(LATEST_US + 1, EARLIEST_US - 1, 2**63, 10**30),
        years=(0, 10_000, 2**63, -(10**30)),
        drawn=(-0.5, 1.5, nan, inf, 5e-324),
    )
    plain, poisoned = heard(logistic(), []), heard(logistic(), malformed)
    dropped = poisoned.data.dropped
    assert dropped["malformed"] == len(malformed)
    data = msgspec.structs.replace(poisoned.data, dropped=dropped | {"malformed": 0})
    assert msgspec.structs.replace(poisoned, data=data) == plain


def test_the_strangest_that_can_be_learned_from_is() -> None:
    bounds = strange(
        numbers=(LARGEST, -LARGEST, 5e-324, 0.0, -0.0),
        instants=(EARLIEST_US, -1, 0, LATEST_US),
        years=(1, 9999),
        drawn=(0.0, LEAST_DRAWN, 1.0),
    )
    report = heard(Trainer(FEATURES, "cat", baselines=BASELINES), bounds)
    assert report.data.dropped["malformed"] == 0
    assert report.data.player_days > 100
