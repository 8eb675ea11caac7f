"""What models see: told by the events alone, whatever batches, ticks and restarts they came in."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detector.engine.alerts import Alert
from detector.engine.engine import Engine
from detector.events.instants import to_datetime
from detector.language.features import FEATURES
from models.sample import Sample
from tests.engine.counting import (
    CATALOGUE,
    DAY_US,
    LAWS,
    MINUTE_US,
    NOON_US,
    SEEDS,
    Counts,
    asking,
    engine,
    in_order,
    line,
    taken,
)
from tests.engine.laws import alerts, feed, run, written
from tests.oracle.random_logs import IN_GRACE, random_log

# The law of batches, ticks and restarts.


@LAWS
@given(seed=SEEDS, every=st.integers(1, 60))
@example(seed=0, every=1)  # a session without money, and its player's currency
@example(seed=1, every=1)  # a deposit that is corrected after a session's end
@example(seed=116, every=1)  # two sessions that close at one instant
def test_batches_and_ticks_change_nothing(seed: int, every: int) -> None:
    lines = random_log(Random(seed), IN_GRACE)
    assert taken(engine(asking()), lines, every) == taken(engine(asking()), lines)


@LAWS
@given(seed=SEEDS, data=st.data())
def test_stored_and_restored_at_any_event_nothing_changes(seed: int, data: st.DataObject) -> None:
    lines = random_log(Random(seed), IN_GRACE)
    stops = data.draw(st.sets(st.integers(0, len(lines)), max_size=6))
    parts = engine(asking())
    samples: list[Sample] = []
    told: list[Alert] = []
    records: dict[str, bytes] = {}
    for place, raw in enumerate(lines):
        feed(parts, [raw])
        if place % 7 == 0:
            parts.tick(parts.watermark_us)
        if place in stops:
            effects = parts.take()
            samples += effects.samples
            told += effects.alerts
            records.update(parts.records())
            marks = parts.marks()
            parts = engine(asking())
            parts.load_marks(marks)
            for player, record in records.items():
                parts.load(player, record)
    parts.finish()
    effects = parts.take()
    found = in_order([*samples, *effects.samples], [*told, *effects.alerts])
    assert found == taken(engine(asking()), lines)


@LAWS
@given(seed=SEEDS, pack=st.sampled_from([("behaviour",), ("time",), ("sessions",), ("pack",)]))
def test_rules_that_ask_for_no_score_alert_the_same_with_and_without_models(
    seed: int, pack: tuple[str, ...]
) -> None:
    lines = random_log(Random(seed), IN_GRACE)
    # The pack's own that ask for one say nothing here: there is a catalogue, and no model.
    beside = engine(written(pack), scorers=(), keep_samples=False)
    feed(beside, lines)
    beside.finish()
    assert alerts(beside) == run(written(pack), lines)


# Models in force.


def test_a_scorecard_scores_from_its_time_on_by_the_players_clock_and_another_takes_over() -> None:
    scorers = ((NOON_US + MINUTE_US, Counts("one")), (NOON_US + 3 * MINUTE_US, Counts("two")))
    # The other player's clock is ahead: that changes nothing for whoever comes later.
    log = [line("ahead", 10, player="q"), *(line(f"d{n}", n) for n in range(5))]
    found, _ = taken(engine(scorers=scorers), log)
    mine = [each for each in found if each.player == "p"]
    assert [each.artefact for each in mine] == [None, "one", "one", "two", "two"]
    assert [each.scores.get("harm") for each in mine] == [None, 2, 3, 4, 5]


def test_models_of_another_catalogue_have_nothing_to_say() -> None:
    log = [line(f"d{n}", n) for n in range(5)]
    found, told = taken(engine(asking(), scorers=((0, Counts(catalogue="other")),)), log)
    assert {(each.artefact, len(each.scores)) for each in found} == {(None, 0)}
    assert told == []


def test_evidence_names_the_models_and_what_made_the_score() -> None:
    _, told = taken(engine(asking()), [line("a", 0), line("b", 1)])
    (alert,) = map(json.loads, told)
    shown = [each for each in alert["evidence"] if each.get("artefact") == "harm@counts"]
    score, *reasons = shown
    assert (score["name"], score["quantity"], score["value"]) == ("level", "score(harm)", 2)
    assert [(each["name"], each["value"], each["adds"]) for each in reasons] == [
        ("deposits_7d", 2, 2.0),
        ("known_for", pytest.approx(1 / 60, abs=1e-6), -0.5),  # and nothing of what adds nothing
    ]
    assert [each["unit"] for each in reasons] == ["count", "hours"]


def test_looking_twice_says_the_same_and_moves_nothing() -> None:
    session = [line("b", 0, "bet", session="s"), line("e", 1, "session_end", session="s")]
    target = engine()
    # A deposit looks ahead at the session's end; that does not count the session twice.
    feed(target, [*session, line("d1", 2), line("d2", 3), line("x", 60, "contact", topic="other")])
    target.finish()
    feed(target, [line("d3", 61)])
    found = [each for each in target.take().samples if each.moment == "deposit"]
    assert [each.scores["habit"] for each in found] == [1, 1, 1]


def test_habits_are_stored_and_end_with_their_catalogue(tmp_path: Path) -> None:
    sitting = [line("b", 0, "bet", session="s"), line("e", 1, "session_end", session="s")]
    before = engine()
    feed(before, [*sitting, line("x", 60, "contact", topic="other")])
    before.finish()
    records, marks = dict(before.records()), before.marks()

    def habit_of(after: Engine) -> float | None:
        after.load_marks(marks)
        after.load("p", records["p"])
        feed(after, [line("d", 61)])
        (sample,) = after.take().samples
        return sample.scores["habit"]

    assert habit_of(engine()) == 1
    text = Path(CATALOGUE.path).read_text("utf-8")
    own = tmp_path / "features.yml"
    own.write_text(text.replace("count(deposit) over 1h", "count(deposit) over 2h"), "utf-8")
    other = FEATURES.load(own)
    scorers = ((-(2**62), Counts(catalogue=other.id)),)
    assert habit_of(engine(scorers=scorers, catalogue=other)) == 0


# Who learns.


def test_only_what_says_something_of_harm_becomes_a_label() -> None:
    long, short = (to_datetime(NOON_US + days * DAY_US).isoformat() for days in (180, 179))
    log = [
        line("a", 0, "contact", topic="distress"),
        line("b", 1, "contact", topic="bonus_request"),
        line("c", 2, "self_exclusion", until=short),
        line("d", 3, "self_exclusion"),
        line("e", 0, "self_exclusion", until=long),
        line("f", 5, "contact", topic="threat"),
    ]
    target = engine()
    feed(target, log)
    labels = target.take().labels
    assert [((each.at - NOON_US) // MINUTE_US, each.source) for each in labels] == [
        (0, "rg_event"), (3, "self_exclusion"), (0, "self_exclusion"), (5, "rg_event")
    ]  # fmt: skip
    assert all(each.harmed and each.about == each.at and each.drawn == 1 for each in labels)
    silent = engine(keep_samples=False)
    feed(silent, [*log, line("g", 9)])
    effects = silent.take()
    assert (effects.labels, effects.samples) == ([], [])
