"""Whether an event costs more the more came before it.

The same events are given to three engines: one whose players have a little behind them, one with a hundred
times as much in the same month (in the windows), and one with a hundred times as much over a hundred times
as long (beyond the windows). Decoding is left out, as it would hide what grows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from detector.bench.rounds import Plan, Row, cpu_seconds, interleaved
from detector.engine.engine import Engine
from detector.events.identity import fingerprint
from detector.events.instants import DAY_US, HOUR_US, micros, to_datetime
from detector.events.vocabulary import AnyEvent, Bet, Deposit
from detector.language.pack import default_pack, load_pack

LITTLE = 100
TIMES = 100
SPAN_US = 30 * DAY_US
TAIL = 400
"""Events of each player that are measured in a round, five seconds apart."""
TAIL_STEP_US = 5_000_000
FLAT = 1.25
"""A cost that grows by less than this while history grows a hundredfold is flat."""
EVENTS_A_PLAYER = 12_000

_NOW_US = micros(datetime(2026, 1, 1, 13, tzinfo=UTC))
_ROUNDS_A_DAY = 12


def measure(plan: Plan) -> list[Row]:
    """Two rows: a hundred times the history in the windows, and beyond them."""
    rules = load_pack(default_pack()).rules
    players = [f"p{number}" for number in range(max(1, plan.events // EVENTS_A_PLAYER))]
    usual = f"{LITTLE} events a player in 30 days"
    within = f"{TIMES * LITTLE:,} events a player in 30 days"
    beyond = f"{TIMES * LITTLE:,} events a player in {30 * TIMES:,} days"
    contestants: dict[str, Callable[[], float]] = {}
    for name, count, span_us in (
        (usual, LITTLE, SPAN_US),
        (within, TIMES * LITTLE, SPAN_US),
        (beyond, TIMES * LITTLE, TIMES * SPAN_US),
    ):
        plan.tell(f"history: {name}")
        engine = Engine(rules, keep_records=False)
        _feed(
            engine,
            ((event, fingerprint(event)) for event in _stretch(players, _NOW_US - span_us, span_us, count)),
        )
        contestants[name] = _Tails(engine, players)
    figures = interleaved(contestants, plan)
    note = (
        f"players: {len(players)}; {TAIL} events of each a round, decoding left out; processor time; "
        f"flat means at most {FLAT} ×"
    )
    return [
        Row(
            name=name,
            what=what,
            unit="µs/event",
            ours=figures[long],
            peer=f"the same engine after {usual}",
            peers=figures[usual],
            first=FLAT,
            then=FLAT,
            at_least=False,
            notes=[f"after {long}; {note}"],
        )
        for name, what, long in (
            ("history/within", f"cost of an event, {TIMES} × the history in the windows", within),
            ("history/beyond", f"cost of an event, {TIMES} × the history beyond the windows", beyond),
        )
    ]


class _Tails:
    """Gives an engine the next stretch of events at each call and returns µs an event."""

    def __init__(self, engine: Engine, players: list[str]) -> None:
        self.engine = engine
        self.players = players
        self.round = 0

    def __call__(self) -> float:
        # By day in Ontario: at night one player's history would make a rule hold and another's would not.
        day, hour = divmod(self.round, _ROUNDS_A_DAY)
        self.round += 1
        events = _stretch(self.players, _NOW_US + day * DAY_US + hour * HOUR_US, TAIL * TAIL_STEP_US, TAIL)
        prepared = [(event, fingerprint(event)) for event in events]
        took = cpu_seconds(lambda: _feed(self.engine, iter(prepared)))
        return took * 1e6 / len(prepared)


def _feed(engine: Engine, events: Iterator[tuple[AnyEvent, int]]) -> None:
    for number, (event, content) in enumerate(events):
        engine.apply(event, content)
        if number % 4096 == 0:
            engine.tick(engine.watermark_us)
    engine.take()


def _stretch(players: list[str], start_us: int, span_us: int, count: int) -> Iterator[AnyEvent]:
    """`count` events of every player, evenly over a span: a deposit in 25, else bets, a session each hour."""
    for number in range(count):
        at_us = start_us + span_us * number // count
        common = {
            "id": f"e{at_us}",
            "source": "bench",
            "ts": to_datetime(at_us),
            "jurisdiction": "CA-ON",
            "session": f"s{at_us // HOUR_US}",
            "currency": "CAD",
        }
        for player in players:
            if number % 25 == 0:
                yield Deposit(player=player, amount=2_000, **common)  # type: ignore[arg-type]
            else:
                yield Bet(player=player, stake=100, payout=95, **common)  # type: ignore[arg-type]
