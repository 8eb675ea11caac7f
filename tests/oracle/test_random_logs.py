"""Random logs meet what the rules ask about: else agreement on them would say nothing."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from tests.oracle.history import SESSION_GAP, Arrival, Book, History
from tests.oracle.random_logs import IN_GRACE, ROUGH, ZONES, Shape, random_log, rates
from tests.oracle.summaries import DURATIONS, MONEY, summaries

SEEDS = range(24)


def players(shape: Shape) -> list[History]:
    found: list[History] = []
    for seed in SEEDS:
        book = Book(ZONES)
        for line in random_log(Random(seed), shape):
            book.read(line)
        found += book.players.values()
    return found


@pytest.mark.parametrize("shape", [IN_GRACE, ROUGH])
def test_every_field_of_a_summary_is_known_often_and_money_is_unknown_at_times(shape: Shape) -> None:
    known: Counter[str] = Counter()
    worthless: Counter[str] = Counter()
    empty: Counter[bool] = Counter()
    for history in players(shape):
        for summary in summaries(history, rates()):
            content = summary.content
            known.update(name for name, value in content.items() if value is not None)
            worthless.update(name for name, value in content.items() if value is None)
            if "depleted" in content:
                empty[content["depleted"]] += 1
    for name in (*MONEY, *DURATIONS, "minutes", "deposits", "bets", "depleted"):
        assert known[name] >= 40, name
    for name in MONEY:
        assert worthless[name] >= 10, name
    assert empty[True] >= 50
    assert empty[False] >= 50


def test_sessions_close_in_every_way_and_see_every_kind_of_trouble() -> None:
    met: Counter[str] = Counter()
    for history in players(IN_GRACE):
        starts = [a for a in history.arrivals if a.type == "session_start"]
        closings: Counter[int] = Counter()
        for session in history.sessions:
            end, closed = session.closing(starts)
            closings[closed] += 1
            ended = closed == end and any(a.type == "session_end" and a.ts == end for a in session.arrivals)
            met["by its end" if ended else "by silence" if closed - end == SESSION_GAP else "by a start"] += 1
            met["named" if session.name is not None else "of no name"] += 1
            stragglers = [a for a in session.arrivals if a.ts > closed]
            met["with stragglers"] += bool(stragglers)
            met["an event at its closing"] += any(
                a.ts == closed and a.type in ("bet", "deposit") for a in session.arrivals
            )
            met["another start at its very closing by silence"] += closed - end == SESSION_GAP and any(
                a.ts == closed for a in history.arrivals
            )
            for a in session.arrivals:
                if a.type in ("bet", "deposit") and a.ts <= closed:
                    met["a bet or deposit undone before it"] += a.undone(closed)
                    met["a bet or deposit undone after it"] += bool(a.corrections) and not a.undone(closed)
                    met["a bet or deposit that came cancelled"] += a.cancelled(closed, by_time=True)
                    met["a correction that came first, told later"] += came_first(a)
                    met["a bet or deposit that came late"] += a.ts < a.clock
        met["at one instant with another"] += sum(n > 1 for n in closings.values())
    assert met.keys() >= {"by its end", "by silence", "by a start", "named", "of no name"}
    assert {name: times for name, times in met.items() if times < 8} == {}


def came_first(arrival: Arrival) -> bool:
    return any(c.number < arrival.number and c.ts > arrival.ts for c in arrival.corrections)
