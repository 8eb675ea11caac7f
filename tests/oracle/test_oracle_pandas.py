"""The loops against pandas: two independent ways to the same windows."""

from __future__ import annotations

from random import Random

import numpy as np
import pandas as pd
import pytest

from tests.oracle.history import DAY, HOUR, MINUTE, Arrival, Book
from tests.oracle.quantities import Quantity, measured
from tests.oracle.random_logs import ZONES, Shape, random_log
from tests.oracle.rates import Rates
from tests.oracle.readings import measured_by_pandas
from tests.oracle.summaries import summaries
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


def test_summaries_and_pandas_agree() -> None:
    """Fields of closed sessions in one currency, nothing corrected."""
    plain, compared = Shape(corrected=0, foreign=0, beyond_grace=0, repeated=0, players=1), 0
    for seed in range(12):
        book = Book(ZONES)
        for line in random_log(Random(seed), plain):
            book.read(line)
        (history,) = book.players.values()
        for summary in summaries(history, Rates()):
            rows = [
                {**a.content, "ts": a.ts, "number": a.number}
                for a in history.arrivals
                if a.session is summary.session and a.ts <= summary.ts
            ]
            frame = pd.DataFrame(rows).sort_values(["ts", "number"])
            bets = frame[frame["type"] == "bet"]
            known = summary.content
            assert known["bets"] == len(bets)
            assert known["deposits"] == (frame["type"] == "deposit").sum()
            if len(bets) < 2:
                continue
            compared += 1
            lost, stake = bets["stake"] - bets["payout"], bets["stake"].astype(float)
            assert known["net_loss"] == lost.sum()
            assert known["stake_std"] == pytest.approx(stake.std(ddof=0))
            assert (known["stake_first"], known["stake_max"]) == (stake.iloc[0], stake.max())
            hours = (bets["ts"] - bets["ts"].iloc[0]).astype(float) / HOUR
            if hours.nunique() > 1:
                slope = np.polyfit(hours / hours.max(), stake, 1)[0] / hours.max()
                assert known["stake_trend"] == pytest.approx(slope, rel=1e-6, abs=1e-6)
            gaps = bets["ts"].diff().shift(-1)
            for name, after in (("gap_after_loss", gaps[lost > 0]), ("gap_after_win", gaps[lost < 0])):
                if after.notna().any():
                    assert known[name] == int(after.median())
    assert compared > 20
