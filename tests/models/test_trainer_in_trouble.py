"""Poisoned labels, drift, missing features and biased verdicts: the trainer goes on, and the report tells."""

from __future__ import annotations

from models.evaluation import Report
from models.labels import DAY_US
from models.trainer import Trainer
from tests.models.streams import BASELINES, FEATURES, fed, stream


def logistic() -> Trainer:
    return Trainer(FEATURES, "cat", kinds=("logistic",), baselines=BASELINES)


def auc(report: Report, name: str) -> float:
    value = report.score(name).roc_auc.value
    assert value is not None
    return value


def test_flipped_labels_cost_accuracy_and_the_report_shows_it() -> None:
    clean = fed(logistic(), list(stream())).report(draws=5)
    poisoned = fed(logistic(), list(stream(flipped=0.3))).report(draws=5)
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
