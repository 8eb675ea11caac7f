"""What models see of a player is what a slow and plain reading of the log says."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from statistics import fmean, pstdev
from typing import Any

import pytest
from hypothesis import given

from detector.events.instants import to_datetime
from tests.engine.counting import (
    CATALOGUE,
    DAY_US,
    LAWS,
    MINUTE_US,
    NOON_US,
    SEEDS,
    engine,
    line,
    taken,
    values,
)
from tests.engine.laws import feed
from tests.oracle.history import Book
from tests.oracle.random_logs import ZONES, Shape, random_log, rates
from tests.oracle.summaries import summaries

PLAIN = Shape(events=45, players=2, delayed=0, corrected=0, repeated=0, foreign=0, ticks=0)


@LAWS
@given(seed=SEEDS)
def test_features_are_what_reading_the_log_says(seed: int) -> None:
    lines = random_log(Random(seed), PLAIN)
    found, _ = taken(engine(scorers=()), lines, 9)
    book = Book(ZONES)
    for raw in lines:
        book.read(raw)
    compared = 0
    for player, history in book.players.items():
        closed = [(each.ts, each.content) for each in summaries(history, rates())]
        deposits = [(each.ts, each.content) for each in history.arrivals if each.type == "deposit"]
        first = min(each.ts for each in history.arrivals)
        samples = [each for each in found if each.player == player]
        ends = sorted(each.at for each in samples if each.moment == "session_end")
        settled = max(ends, default=0)
        assert ends == [ts for ts, _ in closed if ts <= settled]
        instants = [each.at for each in samples]
        for sample in samples:
            if instants.count(sample.at) > 1:
                continue  # who sees whom at one instant is for the engine's own tests
            said = dict(zip(CATALOGUE.names, sample.values, strict=True))
            wanted = slowly(sample.at, sample.at - first, deposits, closed)
            assert {name: said[name] for name in wanted} == pytest.approx(wanted), sample.at
            compared += 1
    assert compared or not found


Rows = Sequence[tuple[int, dict[str, Any]]]


def slowly(now: int, age: int, deposits: Rows, closed: Rows) -> dict[str, float | None]:
    """Some features of each kind, by going through everything there is."""

    def within(rows: Rows, days: int, back: int = 0) -> list[dict[str, Any]]:
        upto = now - back * DAY_US
        return [row for ts, row in rows if upto - days * DAY_US < ts <= upto]

    def total(rows: Rows, field: str, days: int, back: int = 0) -> float:
        return float(sum(row[field] for row in within(rows, days, back)))

    paid = [total(deposits, "amount", 7, 7 * week) for week in range(5)]
    lost = [total(closed, "net_loss", 7, 7 * week) for week in range(5)]
    known = age >= 35 * DAY_US
    usual = sum(paid[1:]) / 4
    month = within(closed, 30)
    told = [row["depleted"] for row in month if row.get("depleted") is not None]
    staked = [row["staked"] for row in month]
    return {
        "deposits_7d": len(within(deposits, 7)),
        "deposited_24h": total(deposits, "amount", 1),
        "methods_30d": len({row["method"] for row in within(deposits, 30) if "method" in row}),
        "deposit_rise": paid[0] / usual if known and usual else None,
        "sessions_30d": len(month),
        "minutes_7d": total(closed, "minutes", 7),
        "longest_7d": max((row["minutes"] for row in within(closed, 7)), default=None),
        "net_loss_7d": lost[0],
        "loss_rise": (lost[0] - fmean(lost[1:])) / pstdev(lost[1:]) if known and pstdev(lost[1:]) else None,
        "emptied_share_30d": sum(told) / len(told) if told else None,
        "uneven_30d": pstdev(staked) / fmean(staked) if len(staked) > 1 and fmean(staked) else None,
        "known_for": age / 3_600_000_000,
    }


def test_the_usual_week_and_how_far_this_one_is_from_it_in_deviations() -> None:
    lost = (500, 500, 1_500, 1_500, 3_000)  # a week each
    log = [line("first", 0, "contact", topic="other")]
    for week, stake in enumerate(lost):
        log.append(line(f"b{week}", (week + 1) * 7 * 1440, "bet", stake=stake, session=f"s{week}"))
    found, _ = taken(engine(scorers=()), [*log, line("end", 40 * 1440, "contact", topic="other")])
    (last,) = (each for each in found if each.at > NOON_US + 34 * DAY_US)
    # Four weeks of 500, 500, 1500, 1500 have the mean 1000 and the deviation 500.
    assert values(last, "net_loss_7d", "loss_rise", "last_loss") == (3_000, 4.0, 3_000)


def test_a_deposit_right_after_a_session_sees_the_session_before_the_watermark_does() -> None:
    log = [
        line("b", 0, "bet", stake=700, session="s"),
        line("e", 3, "session_end", session="s"),
        line("d", 4),
    ]
    target = engine(scorers=())
    feed(target, log)
    (sample,) = target.take().samples  # no tick yet: the end itself is told later
    assert sample.moment == "deposit"
    assert values(sample, "sessions_7d", "last_loss", "last_minutes") == (1, 700, 3)
    target.finish()
    feed(target, [line("later", 60, "contact", topic="other")])
    target.finish()
    (end,) = target.take().samples
    assert (end.moment, end.at) == ("session_end", NOON_US + 3 * MINUTE_US)
    assert values(end, "deposits_7d", "last_loss") == (0, 700)


def test_a_void_and_a_replacement_are_looked_at_and_undo_what_they_correct() -> None:
    old = {"type": "deposit", "ts": to_datetime(NOON_US).isoformat(), "amount": 1_000, "currency": "CAD"}
    log = [
        line("a", 0),
        line("b", 1),
        line("v", 2, "void", target="a", voided=old),
        line("r", 3, amount=5_000, replaces="b",
             replaced=old | {"ts": to_datetime(NOON_US + MINUTE_US).isoformat()}),
    ]  # fmt: skip
    found, _ = taken(engine(scorers=()), log)
    assert [(each.at - NOON_US) // MINUTE_US for each in found] == [0, 1, 2, 3]
    assert [values(each, "deposits_7d", "deposited_7d") for each in found] == [
        (1, 1_000), (2, 2_000), (1, 1_000), (1, 5_000)
    ]  # fmt: skip


def test_currency_and_year_of_birth_are_those_of_the_moment() -> None:
    log = [
        line("s", 0, "session_start", session="s"),
        line("e", 1, "session_end", session="s"),
        line("d", 2),
        line("p", 3, "player_profile", birth_year=1990),
        line("d2", 4),
        line("p2", 5, "player_profile", birth_year=1991),
        line("d3", 6),
    ]
    for every in (1, None):
        found, _ = taken(engine(scorers=()), [*log, line("x", 90, "contact", topic="other")], every)
        assert [(each.currency, each.birth_year) for each in found] == [
            (None, None), ("CAD", None), ("CAD", 1990), ("CAD", 1991)
        ]  # fmt: skip
