"""Player-days, who is flagged of them, and how early."""

from __future__ import annotations

import numpy as np
import pytest

from models.capacity import flags, lead
from models.labels import DAY_US, Answer, Waiting, compact
from models.rows import Rows, Table


def answer(
    player: str,
    at: float,
    score: float | None,
    label_at: float | None = None,
    drawn: float | None = None,
    stands_for: float = 1.0,
) -> Answer:
    sample = Waiting(player, int(at * DAY_US), "deposit", compact([]), compact([score]), 1990, False)
    label_us = None if label_at is None else int(label_at * DAY_US)
    harmed = label_at is not None
    return Answer(sample, harmed, stands_for, stands_for, "verdict" if drawn == 0 else "x", label_us, drawn)


def table(answers: list[Answer]) -> Table:
    rows = Rows(("score",), seed=1)
    for each in answers:
        rows.add(each)
    return rows.table()


def test_a_row_is_a_players_day_with_its_highest_score_and_whether_harm_followed() -> None:
    made = table(
        [
            answer("ann", 2.9, 0.2),
            answer("bob", 2.5, None),
            answer("ann", 2.1, 0.7, label_at=9),
            answer("ann", 1.5, 0.1),
            answer("bob", 2.6, None),
        ]
    )
    assert [(made.players[who], day) for who, day in zip(made.player, made.day, strict=True)] == [
        ("ann", 1),
        ("ann", 2),
        ("bob", 2),
    ]
    assert made.score("score").tolist() == [0.1, 0.7, pytest.approx(np.nan, nan_ok=True)]
    assert made.harmed.tolist() == [False, True, False]
    assert made.label_at.tolist() == [-1, 9 * DAY_US, -1]
    assert made.at.tolist() == [int(each * DAY_US) for each in (1.5, 2.9, 2.6)]


def test_the_weight_of_a_day_is_that_of_the_answer_that_counts() -> None:
    made = table([answer("ann", 1.1, 0.5, label_at=2, drawn=0, stands_for=7), answer("ann", 1.2, 0.5)])
    assert made.weights.tolist() == [7]
    assert made.hard.tolist() == [False]


def test_memory_is_bounded_by_leaving_out_whole_players() -> None:
    rows = Rows(("score",), seed=1, most=1000)
    for day in range(20):
        for number in range(500):
            rows.add(answer(f"p{number}", day, number / 500))
    made = rows.table()
    assert len(rows) <= 1000
    assert made.kept < 1
    # Whoever stayed has all of their days, and their own scores.
    assert (np.bincount(made.player) == 20).all()
    for row in range(len(made)):
        assert made.score("score")[row] == int(made.players[made.player[row]][1:]) / 500
    assert 500 * made.kept * 0.5 < len(made.players) < 500 * made.kept * 1.6


def test_capacity_is_kept_over_days_and_goes_to_the_highest() -> None:
    made = table([answer(f"p{number}", day, number / 100) for day in range(10) for number in range(100)])
    flagged = flags(made, "score", per_thousand=25, seed=1, pause_days=0)  # two and a half a day
    assert flagged.sum() == 25
    assert set(np.bincount(made.day[flagged])) == {2, 3}
    assert made.score("score")[flagged].min() == 0.97


def test_whoever_was_flagged_is_left_alone_for_a_week_and_others_have_the_place() -> None:
    made = table([answer(f"p{number}", day, number / 100) for day in range(15) for number in range(100)])
    flagged = flags(made, "score", per_thousand=10, seed=1)  # one a day
    seen = [made.players[made.player[row]] for row in np.flatnonzero(flagged)]
    week = [f"p{number}" for number in range(99, 92, -1)]
    assert seen == [*week, *week, "p99"]


def test_a_score_that_has_nothing_to_say_flags_nobody_even_if_places_stay_free() -> None:
    made = table([answer(f"p{number}", 1, 1.0 if number == 7 else None) for number in range(100)])
    assert flags(made, "score", per_thousand=50, seed=1).sum() == 1


def test_equal_scores_are_drawn_anew_each_day() -> None:
    made = table([answer(f"p{number}", day, 0.0) for day in range(40) for number in range(100)])
    flagged = flags(made, "score", per_thousand=50, seed=1)
    assert flagged.sum() == 200
    assert len(set(made.player[flagged])) > 70, "not the same five each day"


def test_lead_time_runs_from_the_first_flag_to_the_label() -> None:
    made = table(
        [
            answer("ann", 1, 0.1, label_at=20),
            answer("ann", 5, 0.9, label_at=20),
            answer("ann", 9, 0.9, label_at=20),
            answer("bob", 5, 0.2, label_at=6),
            answer("cat", 5, 0.9, label_at=8, drawn=0.0),  # a verdict: it follows its alert
        ]
    )
    early = lead(made, made.score("score") > 0.5)
    assert (early.cases, early.reached, early.median) == (2, 0.5, 15)
    assert np.isnan(lead(made, np.zeros(len(made), dtype=bool)).median)
    assert np.isnan(lead(table([]), np.zeros(0, dtype=bool)).reached)
