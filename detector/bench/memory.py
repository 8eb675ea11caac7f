"""Memory of a player: what the engine holds after a simulated log, counted by tracemalloc."""

from __future__ import annotations

import gc
import tracemalloc
from functools import _lru_cache_wrapper

from detector.bench.logs import log_file, population
from detector.bench.rounds import Plan, Row
from detector.drivers.lines import LogReader
from detector.engine.engine import Engine
from detector.engine.roster import IDLE_US
from detector.events import identity, instants
from detector.events.decode import Decoder, Refusal
from detector.events.instants import DAY_US, HOUR_US
from detector.events.money import Currencies
from detector.language.pack import default_pack, load_pack

MOST_EVENTS = 300_000
"""Counting allocations takes several times as long as making them."""
BYTES_AN_ID = 24
"""What a record spends on an id: two hashes and a time."""
FIRST_B, THEN_B = 2_000, 800


def measure(plan: Plan) -> list[Row]:
    """Bytes a player, ids for repeats apart: alive, folded up, and all as they are held when a log ends."""
    config = population(min(plan.events, MOST_EVENTS))
    plan.tell(f"memory: {config.events:,} events of {config.players:,} players")
    currencies = Currencies()
    rules = load_pack(default_pack()).rules
    engine = Engine(rules, currencies=currencies, keep_records=False)
    with log_file(config) as path:
        # What is imported, read or compiled on first use is nobody's memory.
        with log_file(population(1_000)) as other:
            _feed(Engine(rules, currencies=currencies, keep_records=False), other)
        tracemalloc.start()
        try:
            before = _traced()
            span_us = _feed(engine, path)
            mix = (
                f"{config.players:,} simulated players, {config.troubled:.0%} in trouble, "
                f"{config.events:,} events in {span_us // DAY_US} days, {len(rules)} rules"
            )
            return _take_apart(engine, before, mix)
        finally:
            tracemalloc.stop()


def _feed(engine: Engine, path: str) -> int:
    """Run a log through the engine; returns the time it spans, in µs."""
    decoder = Decoder(Currencies())
    first_us = None
    with LogReader(path) as log:
        for lines in log.chunks():
            for line in lines:
                event = decoder.decode(line)
                if not isinstance(event, Refusal):
                    engine.apply(event, decoder.content)
                    first_us = engine.high_us if first_us is None else first_us
            engine.tick(engine.watermark_us)
    engine.take()
    return engine.high_us - (first_us or engine.high_us)


def _take_apart(engine: Engine, before: int, mix: str) -> list[Row]:
    """Weigh each part of what the engine holds by what its going frees; the engine is of no use after."""
    # What is inside is what is measured, so this has to reach there.
    alive = engine._players
    folded, records = alive.folded, alive.records
    count, living = len(engine), len(alive)
    ids = sum(len(records.read(key, record).seen.ids) for key, record in folded.items())
    folded_ids_b = ids * BYTES_AN_ID
    whole = _traced()
    for player in alive.values():
        ids += len(player.seen.ids)
        del player.seen
    without_ids = _traced()
    if alive:
        del player
    alive.clear()
    without_alive = _traced()
    folded.clear()
    without_players = _traced()
    alive_b = without_ids - without_alive
    folded_b = without_alive - without_players - folded_ids_b
    held_b = without_ids - before - folded_ids_b
    ids_b = whole - without_ids + folded_ids_b
    idle = f"{IDLE_US // HOUR_US} h"
    return [
        _row(
            "memory/alive",
            f"a player with an event in the last {idle}, as objects",
            alive_b,
            living,
            mix,
            False,
        ),
        _row("memory/folded", "a player idle for longer, as a record", folded_b, count - living, mix, False),
        _row(
            "memory/held",
            "a player of the mix as the engine holds them, shared parts included",
            held_b,
            count,
            mix,
            True,
        ),
        _row(
            "memory/ids",
            "beside all these: ids kept for 48 h to tell repeats",
            ids_b,
            count,
            f"{ids:,} ids",
            False,
        ),
    ]


def _row(name: str, what: str, held_b: int, count: int, note: str, is_aimed: bool) -> Row:
    if not count:
        return Row(name=name, what=what, missing="there was none when the log ended")
    return Row(
        name=name,
        what=what,
        unit="B",
        ours=[held_b / count],
        first=FIRST_B if is_aimed else None,
        then=THEN_B if is_aimed else None,
        at_least=False,
        notes=[f"{count:,} of them; {note}"],
    )


def _traced() -> int:
    """Bytes held, but for what is remembered of time zones and sources on everybody's behalf."""
    for module in (identity, instants):
        for each in vars(module).values():
            if isinstance(each, _lru_cache_wrapper):
                each.cache_clear()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
