"""Replay of a simulated log: against bytewax running the same rules, and against decoding alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from detector.bench.by_hand import RULES
from detector.bench.logs import log_file, population
from detector.bench.rounds import Plan, Row, cpu_seconds, interleaved
from detector.drivers.lines import LogReader
from detector.drivers.replay import replay
from detector.events.vocabulary import AnyEvent
from detector.language.pack import default_pack, load_pack

try:
    from detector.bench import peer_bytewax
except ImportError:
    peer_bytewax = None  # type: ignore[assignment]

NO_BYTEWAX = "bytewax is not installed (`make bench` installs it; it has no wheel for CPython 3.13)"
OURS = "tiltwatch replay"
ALONE = "bytewax, the rules alone"
INTAKE = "bytewax, with the intake"
DECODE = "msgspec decode alone"


def measure(plan: Plan) -> list[Row]:
    """Two rows against bytewax and one against bare decoding, of the same rounds."""
    rules = load_pack(default_pack()).rules
    config = population(plan.events)
    plan.tell(f"simulating {plan.events:,} events")
    with log_file(config) as path:
        lines = Path(path).read_bytes().splitlines()

        def ours() -> object:
            with LogReader(path) as log:
                return replay(log, rules)

        def decoded() -> None:
            decode = msgspec.json.Decoder(AnyEvent).decode
            for line in lines:
                decode(line)

        works: dict[str, Callable[[], object]] = {OURS: ours}
        unfair = sorted(RULES ^ {rule.name for rule in rules})
        if peer_bytewax is not None and not unfair:
            works[ALONE] = lambda: peer_bytewax.run(path, peer_bytewax.RulesAlone())
            works[INTAKE] = lambda: peer_bytewax.run(path, peer_bytewax.WithIntake())
        works[DECODE] = decoded
        figures = interleaved({name: _rate(work, len(lines)) for name, work in works.items()}, plan)
    missing = NO_BYTEWAX if peer_bytewax is None else None
    if unfair:
        missing = f"the peer's rules, written by hand, are not the pack's: {', '.join(unfair)}"
    log = f"{config.events:,} events of {config.players:,} simulated players, {len(rules)} rules; CPU seconds"
    return [
        _row("replay/bytewax", figures, ALONE, (2.0, 4.0), missing, [log, _LEFT_OUT]),
        _row("replay/bytewax-intake", figures, INTAKE, (2.0, 4.0), missing, [log, _LEFT_OUT_WITH_INTAKE]),
        _row("replay/decode", figures, DECODE, (0.1, 0.25), None, [log, "lines in memory for the peer"]),
    ]


_LEFT_OUT = (
    "the peer leaves out what a log in order does not need: repeats, late events, corrections, checks beyond "
    "msgspec's, other currencies, an alert's evidence; moments are judged on a player's next event"
)
_LEFT_OUT_WITH_INTAKE = (
    "as above, but both sides decode strictly (duplicate keys, currencies) and tell repeats and conflicts for 48 h"
)


def _row(
    name: str,
    figures: dict[str, list[float]],
    peer: str,
    targets: tuple[float, float],
    missing: str | None,
    notes: list[str],
) -> Row:
    return Row(
        name=name,
        what="replay, Ontario pack, strict decode, one process",
        unit="events/s",
        ours=figures[OURS],
        peer=peer,
        peers=figures.get(peer, []),
        first=targets[0],
        then=targets[1],
        notes=notes,
        missing=missing if peer not in figures else None,
    )


def _rate(work: Callable[[], object], events: int) -> Callable[[], float]:
    return lambda: events / cpu_seconds(work)
