"""Poisoned labels, drift, missing features and biased verdicts: the trainer goes on, and the report tells."""

from __future__ import annotations

from functools import cache

import msgspec

from models.harm import LogisticCard
from models.labels import DAY_US
from models.report import Report
from models.sample import Label, Sample
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
