"""The study on simulated players measures what it says, shown on days and verdicts that are made up here."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from models.labels import DAY_US
from models.rows import Table
from models.sample import Flag, Label, Sample

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks/simulated_players.py"
FIRST = 20_000  # the UTC day on which the made-up players join


@pytest.fixture(scope="module")
def notebook() -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("SEEDS", "7"), ("PLAYERS", "25"), ("DAYS", "20"), ("PROCESSES", "1")):
            patch.setenv(f"STUDY_{name}", value)
        return runpy.run_path(str(NOTEBOOK))


def at(day: float) -> int:
    return int((FIRST + day) * DAY_US)


def sample(player: str, day: float) -> Sample:
    return Sample(player=player, at=at(day), moment="session_end", catalogue="c", values=())


def courses(notebook: dict[str, Any], **levels: list[int]) -> dict[str, Any]:
    return {player: notebook["Course"](at(0), each) for player, each in levels.items()}


# -- the truth -----------------------------------------------------------------------------------------


def test_a_day_is_harmed_by_what_follows_within_the_horizon(notebook: dict[str, Any]) -> None:
    course = notebook["Course"](at(0), [0] * 40 + [29, 30, 45] + [0] * 40)
    assert course.onset_us == at(41)
    assert [course.harmed(at(day)) for day in (40.9, 41.0, 42.9, 43.0)] == [False, True, True, False]
    assert [course.harmed(at(day), 30) for day in (10.9, 11.0, 42.5, 43.0)] == [False, True, True, False]
    never = notebook["Course"](at(0), [])
    assert never.onset_us is None
    assert not never.harmed(at(3), 30)


# -- agents --------------------------------------------------------------------------------------------


def verdicts(agents: Any, told: list[Sample | Flag]) -> list[Label]:
    return [label for each in sorted(told, key=lambda one: one.at) for label in agents.hear(each)]


def busy(days: int, players: int = 100) -> list[Sample | Flag]:
    """Everybody plays each day at noon, and every third has an alert, the later in the list the worse."""
    told: list[Sample | Flag] = []
    for day in range(days):
        for number in range(players):
            told.append(sample(f"p{number:03}", day + 0.5))
            if number % 3 == 0:
                told.append(Flag(player=f"p{number:03}", at=at(day + 0.5), score=float(number)))
    return told


def test_agents_look_at_the_worst_alerts_the_day_after_and_not_at_the_same_players_again(
    notebook: dict[str, Any],
) -> None:
    agents = notebook["Agents"](courses(notebook, **{f"p{n:03}": [] for n in range(100)}), 1)
    looked = [each for each in verdicts(agents, busy(9)) if each.drawn == 0]
    by_day: dict[int, list[str]] = {}
    for each in looked:
        day = each.about // DAY_US
        assert each.at == (day + 2) * DAY_US - 1
        by_day.setdefault(day - FIRST, []).append(each.player)
    # Twenty of a thousand is two of a hundred; after a week they may be looked at again.
    assert by_day[0] == ["p099", "p096"]
    assert by_day[1] == ["p093", "p090"]
    assert by_day[7] == ["p099", "p096"]
    assert all(len(each) == 2 for each in by_day.values())


def test_below_medium_nobody_is_looked_at_and_spare_time_is_not_saved_up(
    notebook: dict[str, Any],
) -> None:
    agents = notebook["Agents"](courses(notebook, **{f"p{n:03}": [] for n in range(100)}), 1)
    quiet = [each for each in busy(4) if isinstance(each, Sample) or each.score < 25 or each.at > at(3)]
    looked = [each for each in verdicts(agents, [*quiet, sample("p000", 4.5)]) if each.drawn == 0]
    assert [each.about // DAY_US - FIRST for each in looked] == [3, 3]


def test_one_verdict_in_ten_is_wrong_and_a_few_in_a_thousand_are_drawn_by_lot(
    notebook: dict[str, Any],
) -> None:
    harmed = [0] * 30 + [50] * 400
    of = courses(notebook, **{f"p{n:03}": harmed if n % 2 else [] for n in range(100)})
    given = verdicts(notebook["Agents"](of, 3), busy(300))
    wrong = [each.harmed != of[each.player].harmed(each.about) for each in given]
    assert 0.06 < np.mean(wrong) < 0.14
    review = [each for each in given if each.drawn > 0]
    assert {each.drawn for each in review} == {0.005}
    assert 90 < len(review) < 220  # of 30,000
    assert verdicts(notebook["Agents"](of, 3), busy(300)) == given
    assert verdicts(notebook["Agents"](of, 4), busy(300)) != given


def test_agents_know_nothing_of_what_is_to_come(notebook: dict[str, Any]) -> None:
    def given(levels: list[int]) -> list[Label]:
        agents = notebook["Agents"](courses(notebook, **{f"p{n:03}": levels for n in range(100)}), 3)
        return verdicts(agents, busy(40))

    calm, doomed = given([0] * 100), given([0] * 40 + [90] * 60)
    assert calm
    assert calm == doomed


# -- measures ------------------------------------------------------------------------------------------


def days_of(rows: list[tuple[str, float, float, bool, float | None]]) -> Table:
    """Rows of player, day, score, whether harmed and, where one is near, the day on which help was sought."""
    players = tuple(sorted({row[0] for row in rows}))
    sought = np.array([-1 if row[4] is None else at(row[4]) for row in rows])
    return Table(
        names=("combined",),
        players=players,
        player=np.array([players.index(row[0]) for row in rows]),
        day=np.array([at(row[1]) // DAY_US for row in rows]),
        at=np.array([at(row[1]) for row in rows]),
        scores=np.array([[row[2]] for row in rows]),
        harmed=np.array([row[3] for row in rows]),
        hard=sought >= 0,
        weights=np.ones(len(rows)),
        label_at=sought,
        birth_year=np.full(len(rows), -1),
        kept=1.0,
    )


def test_a_warning_runs_from_the_first_flag_on_and_who_was_not_flagged_counts(
    notebook: dict[str, Any],
) -> None:
    table = days_of(
        [
            ("early", 10, 0.0, True, 25.0), ("early", 15, 0.0, True, 25.0), ("early", 20, 0.0, True, 25.0),
            ("early", 50, 0.0, True, 52.0), ("never", 20, 0.0, True, 30.0), ("fine", 20, 0.0, False, None),
        ]
    )  # fmt: skip
    flagged = np.array([False, True, True, True, False, True])
    # Ten days before the first time, two before the second, and never.
    assert notebook["warning"](table, flagged) == pytest.approx((10 + 2 + 0) / 3)
    assert notebook["early"](table, table.label_at, flagged) == pytest.approx([2 / 3, 6, 4])


def test_what_is_early_comes_after_and_within_the_horizon(notebook: dict[str, Any]) -> None:
    times = [at(3), at(40), at(50)]
    found = [notebook["next_within"](times, at(day)) for day in (2, 3, 10, 45, 50)]
    assert found == [at(3), -1, at(40), at(50), -1]


def test_a_score_that_knows_it_all_is_measured_as_perfect_and_its_opposite_as_the_worst(
    notebook: dict[str, Any],
) -> None:
    def told(of_harmed: float, of_others: float) -> Any:
        rows: list[tuple[str, float, float, bool, float | None]] = []
        for day in range(60):
            for number in range(50):
                player, sought = f"p{number:02}", 55.0
                near = number == 3 and 0 < sought - day - 0.5 <= 30
                score = of_harmed if near else of_others
                rows.append((player, day + 0.5, score, near, sought if near else None))
        table = days_of(rows)
        return notebook["measured"](notebook["House"](table, table.label_at, {}), 1).loc["combined"]

    right = told(1.0, np.nan)
    assert right["ROC AUC"] == right["PR AUC"] == right["precision"] == 1
    assert right["warned"] == right["onsets"] == 1
    assert right["lead"] == right["warning"] == right["onset lead"] == right["onset warning"]
    assert right["lead"] == pytest.approx(29.5)
    wrong = told(0.0, 1.0)
    assert wrong["ROC AUC"] == wrong["precision"] == wrong["warned"] == wrong["warning"] == 0


def test_scores_are_held_against_each_other_seed_by_seed(notebook: dict[str, Any]) -> None:
    by_seed = {
        seed: pd.DataFrame({"precision": {"combined": 0.5, "other": 0.5 - gap, "silent": np.nan}})
        for seed, gap in enumerate([0.1, 0.2, 0.0, -0.1])
    }
    gaps = notebook["compared"](by_seed, "precision")
    other = gaps.loc["other"]
    assert other["ahead by"] == pytest.approx(0.05)
    assert (other["seeds ahead"], other["level"], other["of"]) == (2, 1, 4)
    # By hand: a standard deviation of 0.1291, over the root of 4, times Student's 3.1824.
    assert other["to"] - other["from"] == pytest.approx(2 * 3.1824 * 0.1291 / 2, rel=1e-3)
    assert gaps.loc["silent", "of"] == 0


# -- all of it -----------------------------------------------------------------------------------------


def test_what_was_said_is_not_touched_by_what_is_learned_later(notebook: dict[str, Any]) -> None:
    catalogue = notebook["FEATURES"].packaged
    scores = notebook["Scores"](catalogue, 1)
    random = np.random.default_rng(1)

    def play(days: range) -> None:
        for day in days:
            for number in range(10):
                values = tuple(random.gamma(1.0 + number, 10.0, len(catalogue.names)).tolist())
                blank = sample(f"p{number}", day + number / 20)
                scores.take(msgspec.structs.replace(blank, catalogue=catalogue.id, values=values))

    play(range(30))
    scores.take(Label(player="p9", at=at(30), source="rg_event", harmed=True, about=at(30)))
    before = {key: said.copy() for key, (_, said) in scores.days.items()}
    play(range(30, 45))
    for key, said in before.items():
        np.testing.assert_array_equal(scores.days[key][1], said)
    place = scores.names.index("logistic")
    assert all(np.isnan(said[place]) for (_, day), (_, said) in scores.days.items() if day < FIRST + 30)
    assert not np.isnan(scores.days["p3", FIRST + 44][1][place])


def test_a_house_tells_the_second_half_alone_and_the_same_again(notebook: dict[str, Any]) -> None:
    told = notebook["house"](2, players=20, days=24)
    table = told.days
    assert len(table) == len(told.onset_at) == told.counts["days"]
    start = notebook["micros"](notebook["Config"]().start) // DAY_US
    assert start + 12 <= table.day.min() <= table.day.max() < start + 24
    assert {"combined", "logistic", "rules alone", "unusual", "habit", "net_loss_30d"} <= set(table.names)
    again = notebook["house"](2, players=20, days=24)
    assert again.counts == told.counts
    np.testing.assert_array_equal(again.days.scores, table.scores)
    np.testing.assert_array_equal(again.days.harmed, table.harmed)
    np.testing.assert_array_equal(again.onset_at, told.onset_at)
