"""Builds a table of cohorts: replays a log, and looks at what rules with a `percentile` see when judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from detector.cohorts.samples import Samples
from detector.cohorts.tables import Source, Table
from detector.drivers.detection import Detection
from detector.drivers.letters import Letter
from detector.drivers.lines import LogReader
from detector.drivers.shard import Shard
from detector.engine.compile_rules import compile_values
from detector.engine.engine import Engine
from detector.engine.judging import Judged
from detector.errors import InputError
from detector.events.instants import DAY_US, rfc3339_ms, to_datetime
from detector.language.rule import Rule
from detector.language.syntax import Expression, Percentile
from detector.players.player import LONG_AGO, Player, Session


@dataclass(frozen=True, slots=True)
class Built:
    """A table, and how many lines of the log were refused on the way to it."""

    table: Table
    refused: int


def asking(rules: Sequence[Rule]) -> list[Rule]:
    """Those of the rules that ask for a place in a cohort, retired ones left out."""
    return [rule for rule in rules if rule.percentiles and rule.status != "retired"]


def build_table(
    log: LogReader,
    detection: Detection,
    *,
    least: int,
    effective_from: datetime | None = None,
    from_us: int = LONG_AGO,
    progress: Callable[[int], object] | None = None,
) -> Built:
    """The cohorts of everything that rules ask `percentile` of, after an opened log.

    Parameters
    ----------
    detection
        What the log is replayed with; of its rules those count that are `asking`.
    least
        Cohorts of fewer players are left out.
    effective_from
        When the table comes into force; by default with the UTC day after the log's last event, so that
        nobody is held against what others did later.
    from_us
        Judgements before are left out: windows that the log's beginning cuts off are not full yet.
    progress
        Called after each chunk with the number of lines done so far.

    Raises
    ------
    InputError
        No event of the log could be read.
    """
    shard = Shard(detection)
    engine, samples = shard.engine, Samples()
    for judged in engine.judges.rules:
        _watch(engine, judged, samples, from_us)
    letters: list[Letter] = []
    lines = refused = 0
    for chunk in log.chunks():
        shard.take(chunk, lambda place: place, letters)
        engine.tick(engine.watermark_us)
        engine.take()
        lines += len(chunk)
        refused += len(letters)
        letters.clear()
        if progress is not None:
            progress(lines)
    engine.finish()
    if engine.high_us == LONG_AGO:
        raise InputError(f"{log.source}: no event there can be read")
    last_us = engine.high_us
    starts = effective_from or to_datetime((last_us // DAY_US + 1) * DAY_US)
    asked = [each for judged in engine.judges.rules for each in judged.rule.percentiles]
    source = Source(log=log.digest, events=engine.counts.accepted, until=rfc3339_ms(last_us))
    quantities = samples.measured(asked, least)
    return Built(Table(effective_from=starts, built_from=source, quantities=quantities), refused)


def _watch(engine: Engine, judged: Judged, samples: Samples, from_us: int) -> None:
    """Have a rule note what it sees whenever it is judged, and never hold: alerts are not the point here."""
    percentiles, flush = judged.rule.percentiles, engine.judges.flush
    parts: list[Expression] = []
    for each in percentiles:
        parts += (part for part in (each.measure, each.among, each.product) if part is not None)
    see = compile_values(judged.rule, engine.plan, parts, flush)

    def look(p: Player, at_us: int, session: Session | None) -> bool:
        if at_us >= from_us and not engine.judges.is_muted:
            values = iter(see(p, at_us, session))
            for each in percentiles:
                _note(samples, each, p, at_us, values)
        return False

    # `gate` lets the rule always see the sessions closed by then, as if its condition hung on them.
    judged.functions = replace(judged.functions, when=look, gate=lambda p, t, s: None)


def _note(samples: Samples, asked: Percentile, p: Player, at_us: int, values: Iterator[Any]) -> None:
    value = next(values)
    is_one = asked.among is None or next(values)
    product = None if asked.product is None else next(values)
    currency = (asked.currency or p.currency) if asked.is_money else None
    if value is None or not is_one:
        return
    if (asked.pinned is not None and product is None) or (asked.is_money and currency is None):
        return
    samples.note(asked.key, p.key, at_us, float(value), currency, product)
