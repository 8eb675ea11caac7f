"""The loops against pandas: two independent ways to the same windows."""

from __future__ import annotations

from random import Random

import pytest

from tests.oracle.history import DAY, HOUR, MINUTE, Arrival, Book
from tests.oracle.quantities import Quantity, measured
from tests.oracle.random_logs import ZONES, Shape, random_log
from tests.oracle.readings import measured_by_pandas
from tests.oracle.values import Value

WINDOWS = (
    ("over", HOUR, 0),
    ("over", DAY, 0),
    ("over", HOUR, 30 * MINUTE),
    ("over", DAY, DAY),
    ("session", 0, 0),
    ("lifetime", 0, 0),
)
NUMERIC = ("sum", "mean", "max", "min", "std", "distinct", "last", "first")


@pytest.mark.parametrize("seed", range(2))
def test_loops_and_pandas_agree(seed: int) -> None:
    quantities = [
        Quantity(aggregate, event_type, name, *window)
        for window in WINDOWS
        for event_type, name, aggregates in (
            ("deposit", None, ("count",)),
            ("deposit", "amount", NUMERIC),
            ("deposit", "method", ("count", "distinct", "last")),
            ("bet", None, ("count",)),
            ("bet", "stake", NUMERIC),
            ("bet", "bonus_stake", ("count", "sum")),
        )
        for aggregate in aggregates
    ]
    book = Book(ZONES)
    for line in random_log(Random(seed), Shape(players=1, foreign=0)):
        arrival = book.read(line)
        if not isinstance(arrival, Arrival) or arrival.type not in ("deposit", "bet", "void"):
            continue
        history = book.players[arrival.player]
        for quantity in quantities:
            by_loops = measured(
                quantity,
                history.arrivals,
                history.clock,
                arrival.session,
                lambda _: True,
                lambda event, name: Value("number", event.content[name]),
            )
            by_pandas = measured_by_pandas(quantity, history, history.clock, arrival.session)
            if by_loops is None or by_pandas is None:
                assert by_loops is None, quantity
                assert by_pandas is None, quantity
            elif isinstance(by_loops.amount, str):
                assert by_loops.amount == by_pandas, quantity
            else:
                assert by_loops.amount == pytest.approx(by_pandas, rel=1e-9), quantity
