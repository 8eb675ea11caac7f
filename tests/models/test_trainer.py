"""The trainer: first test, then learn, and tell honestly."""

from __future__ import annotations

import pickle
from pathlib import Path

import msgspec
import pytest

from models.errors import TrainerError
from models.harm import Kind
from models.labels import DAY_US
from models.registry import Registry
from models.report import Report
from models.sample import Label, Sample
from models.trainer import ENOUGH_DAYS, IN_FORCE, Trainer
from tests.models.streams import BASELINES, FEATURES, fed, stream

EVENTS = list(stream())
FEW = list(stream(players=40, days=75))


def trainer(forest: bool = False) -> Trainer:
    kinds: tuple[Kind, ...] = ("logistic", "forest") if forest else ("logistic",)
    return Trainer(FEATURES, "cat", kinds=kinds, baselines=BASELINES)


@pytest.fixture(scope="module")
def report() -> Report:
    return fed(trainer(), EVENTS).report(draws=50, gender={"p1": "f", "p2": "m"})


def auc(report: Report, name: str) -> float:
    value = report.score(name).roc_auc.value
    assert value is not None
    return value


def test_a_model_learns_what_no_single_feature_tells(report: Report) -> None:
    assert auc(report, "logistic") > 0.65
    for name in ("sessions alone", "rules alone", "in force"):
        assert auc(report, "logistic") > auc(report, name)
    assert auc(report, "in force") == 0.5, "it always says the same"


def test_every_score_is_measured_on_the_same_rows(report: Report) -> None:
    rows = {sum(week.rows for week in each.weeks) for each in report.scores}
    assert rows == {report.data.player_days}
    for each in report.scores:
        assert each.roc_auc.low is not None
        assert each.roc_auc.value is not None
        assert each.roc_auc.high is not None
        assert each.roc_auc.low <= each.roc_auc.value <= each.roc_auc.high
        assert (each.brier is not None) == (each.name in ("logistic", "in force"))


def test_the_report_is_plain_json_and_reads_back(report: Report) -> None:
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


def test_groups_make_up_the_whole(report: Report) -> None:
    for gaps in report.score("logistic").gaps:
        assert sum(each.rows for each in gaps.groups) == report.data.player_days
    by = {gaps.by: {each.group for each in gaps.groups} for gaps in report.score("logistic").gaps}
    assert by["gender"] == {"f", "m", "unknown"}
    assert by["age"] <= {"19-24", "25-34", "35-44", "45-54", "55-64", "65+", "under 19"}


def test_nothing_that_came_later_touches_a_prediction() -> None:
    # Whatever follows a day, the predictions of that day are those of a trainer that was stopped there.
    half = [each for each in EVENTS if each.at < 70 * DAY_US]
    stopped = fed(trainer(), half)
    waiting = {
        (each.player, each.at): each.said.tolist()
        for who in range(120)
        for each in stopped.room.of(f"p{who}")
    }
    assert len(waiting) > 100
    table = fed(trainer(), EVENTS).rows.table()
    compared = 0
    for row in range(len(table)):
        key = (table.players[table.player[row]], int(table.at[row]))
        if key in waiting:
            compared += 1
            assert table.scores[row].tolist() == pytest.approx(waiting[key], nan_ok=True, abs=0)
    assert compared > 50


def test_same_input_same_report_and_a_restart_changes_nothing(tmp_path: Path) -> None:
    events = FEW
    whole = fed(trainer(forest=True), events)
    half = fed(trainer(forest=True), events[: len(events) // 2])
    half.place["events-0"] = len(events) // 2
    registry = Registry(tmp_path)
    registry.checkpoint(half.state(), at_us=0)
    restored = registry.load_state(Trainer.restore)
    assert restored is not None
    fed(restored, events[restored.place["events-0"] :])
    assert restored.report(draws=5) == whole.report(draws=5)
    for kind in whole.kinds:
        cards = [each.scorecard(kind, ["net_loss"], 0.01) for each in (whole, restored)]
        assert cards[0].to_json() == cards[1].to_json()
    assert whole.gain("forest", draws=20) == restored.gain("forest", draws=20)
    assert whole.gain("logistic", "logistic", draws=20).low == 0


def silent_until(day: int) -> list[Sample | Label]:
    """The same players, while nothing was in force before a day."""
    return [
        msgspec.structs.replace(each, scores={})
        if isinstance(each, Sample) and each.at < day * DAY_US
        else each
        for each in stream(players=20, days=110)
    ]


def test_a_challenger_is_held_against_what_was_in_force_once_that_spoke_for_long_enough() -> None:
    always = fed(trainer(), silent_until(0))
    assert always.rival("forest", "logistic") == IN_FORCE
    last = int(max(always.rows.table(always._known_until).day))
    late = fed(trainer(), silent_until(last + 2 - ENOUGH_DAYS))
    assert late.rival("forest", "logistic") == "logistic"
    # A kind is never its own rival: of what spoke too little it is for people to judge.
    assert late.rival("logistic", "logistic") == IN_FORCE
    early = fed(trainer(), silent_until(last + 1 - ENOUGH_DAYS))
    assert early.rival("forest", "logistic") == IN_FORCE


def test_what_was_in_force_before_the_champion_does_not_speak_for_it() -> None:
    taught = fed(trainer(), silent_until(0))
    days = taught.rows.table(taught._known_until).day
    since = int(days.max() + 1 - ENOUGH_DAYS)
    assert taught.rival("forest", "logistic", since * DAY_US) == IN_FORCE
    assert taught.rival("forest", "logistic", (since + 1) * DAY_US) == "logistic"
    alone = fed(trainer(), silent_until(since))
    of_both, of_own = (
        taught.gain("logistic", IN_FORCE),
        taught.gain("logistic", IN_FORCE, since_us=since * DAY_US),
    )
    assert of_own == alone.gain("logistic", IN_FORCE)
    assert of_own != of_both


def test_a_scorecard_says_what_the_trainer_says() -> None:
    taught = fed(trainer(forest=True), FEW)
    values = (9000.0, 4.0, None, 0.1)
    for kind, learners in taught.learners.items():
        card = taught.scorecard(kind, ["net_loss"], 0.01)
        scores = card.judge("ann", 0, values, None, ends_session=True).scores
        assert scores["harm"] == pytest.approx(learners.probability(values), abs=1e-9)
        assert scores["unusual"] == pytest.approx(taught.learners["logistic"].unusual(values), abs=1e-9)


def test_without_a_label_or_a_sample_there_is_a_report_all_the_same() -> None:
    empty = trainer()
    assert empty.report(draws=5).data.player_days == 0
    fed(empty, [each for each in EVENTS if isinstance(each, Sample)])
    silent = empty.report(draws=5)
    assert silent.data.dropped["before the models had learned"] > 0
    assert silent.score("logistic").roc_auc.value is None
    msgspec.json.encode(silent)


def test_samples_of_another_catalogue_or_shape_are_counted_and_left_alone() -> None:
    odd = trainer()
    (first, *_) = (each for each in EVENTS if isinstance(each, Sample))
    odd.take(msgspec.structs.replace(first, catalogue="older"))
    odd.take(msgspec.structs.replace(first, values=(1.0,)))
    odd.label(Label(player="nobody", at=5, source="rg_event", harmed=True, about=5))
    data = odd.report(draws=5).data
    assert (data.samples, data.dropped["other catalogue"], data.dropped["malformed"]) == (0, 1, 1)
    assert data.labels_unknown_player == 1


def test_what_cannot_be_a_trainer_is_refused() -> None:
    with pytest.raises(TrainerError, match="no feature wins"):
        Trainer(FEATURES, "cat", baselines={"wins alone": "wins"})
    with pytest.raises(TrainerError, match="each once"):
        Trainer(FEATURES, "cat", kinds=("forest", "forest"))
    with pytest.raises(TrainerError):
        trainer(forest=False).scorecard("forest", [], 0.0)
    for data in (b"", b"nonsense", pickle.dumps(5), pickle.dumps((1, 5))):
        with pytest.raises(TrainerError):
            Trainer.restore(data)
