"""By how much one score exceeds another, and of how few players nothing can be shown."""

from __future__ import annotations

import random

import pytest

from models.evaluation import LEAST_HARMED, gain
from models.labels import DAY_US, Answer, Waiting, compact
from models.rows import Rows, Table


def table(harmed: int) -> Table:
    """A hundred players over ten days, the first so many harmed; `knows` knows it, `guesses` does not."""
    rng = random.Random(1)
    rows = Rows(("knows", "guesses"), seed=1)
    for number in range(100):
        label_at = 20 * DAY_US if number < harmed else None
        for day in range(10):
            said = compact([float(number < harmed), rng.random()])
            sample = Waiting(f"p{number}", day * DAY_US, "deposit", compact([]), said, None, False)
            rows.add(Answer(sample, label_at is not None, 1.0, 1.0, "rg_event", label_at))
    return rows.table()


@pytest.mark.parametrize("harmed", [1, LEAST_HARMED - 1])
def test_of_a_few_harmed_players_no_gain_is_shown_however_sure_draws_of_the_same_few_are(harmed: int) -> None:
    found = gain(table(harmed), "knows", "guesses", draws=50)
    assert found.value is not None
    assert found.value > 0.5
    assert (found.low, found.high) == (None, None)


def test_of_ten_it_is() -> None:
    found = gain(table(LEAST_HARMED), "knows", "guesses", draws=50)
    assert found.low is not None
    assert found.low > 0.5
