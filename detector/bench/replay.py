"""Replay of a simulated log: against bytewax running the same rules, and against decoding alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import msgspec

from detector.bench.by_hand import RULES, Told
from detector.bench.logs import log_file, population
from detector.bench.rounds import Plan, Row, cpu_seconds, interleaved
from detector.drivers.lines import LogReader
from detector.drivers.replay import replay
from detector.engine.plan import asks_models
from detector.errors import StateError
from detector.events.vocabulary import AnyEvent
from detector.language.pack import default_pack, load_pack
from detector.language.rule import Rule

NO_BYTEWAX = "bytewax is not installed: `make bench` does it, but there is no wheel for CPython 3.13"
OURS = "tiltwatch replay"
ALONE = "bytewax, the rules alone"
INTAKE = "bytewax, strict and repeats told"
DECODE = "msgspec decode alone"

_LOG_PEER = (
    "the peer finds the same alerts, without score, response, text and evidence; it does not look for late "
    "events, corrections and other currencies, and judges moments on a player's next event"
)
_ALONE = "nor does it look for repeats, duplicate keys and unknown currencies, as tiltwatch does"
_INTAKE = "like tiltwatch it looks for repeats and conflicts of 48 h, duplicate keys and unknown currencies"
_DECODE = "the same structs from lines in memory, which tiltwatch has to read"


def measure(plan: Plan) -> list[Row]:
    """Two rows against bytewax and one against bare decoding, of the same rounds."""
    # Those that ask models have nothing to ask here; what models cost is measured by itself.
    rules = [rule for rule in load_pack(default_pack()).rules if not asks_models(rule)]
    config = population(plan.events)
    plan.tell(f"simulating {config.events:,} events")
    found: dict[str, list[Told]] = {}
    with log_file(config) as path:
        lines = Path(path).read_bytes().splitlines()

        def replayed() -> None:
            with LogReader(path) as log:
                alerts = replay(log, rules).alerts
            found[OURS] = sorted((a.player, a.rule, a.kind, a.severity, a.opened_at) for a in alerts)

        def decoded() -> None:
            decode = msgspec.json.Decoder(AnyEvent).decode
            for line in lines:
                decode(line)

        works: dict[str, Callable[[], object]] = {OURS: replayed}
        missing = _why_not(rules)
        if missing is None:
            from detector.bench import peer_bytewax

            works[ALONE] = lambda: found.update({ALONE: peer_bytewax.run(path, peer_bytewax.RulesAlone())})
            works[INTAKE] = lambda: found.update({INTAKE: peer_bytewax.run(path, peer_bytewax.WithIntake())})
        works[DECODE] = decoded
        figures = interleaved({name: _rate(work, len(lines)) for name, work in works.items()}, plan)
    for name, alerts in found.items():
        if alerts != found[OURS]:
            raise StateError(f"{name} found other alerts: the figures would compare different work")
    log = (
        f"{config.events:,} events of {config.players:,} simulated players, {len(rules)} rules, "
        f"{len(found[OURS])} alerts; processor time, which others on the machine disturb less than the clock"
    )
    return [
        _row("replay/bytewax", figures, ALONE, (2.0, 4.0), missing, [log, f"{_LOG_PEER}; {_ALONE}"]),
        _row("replay/bytewax-strict", figures, INTAKE, (2.0, 4.0), missing, [f"{_LOG_PEER}; {_INTAKE}"]),
        _row("replay/decode", figures, DECODE, (0.1, 0.25), None, [_DECODE]),
    ]


def _why_not(rules: Sequence[Rule]) -> str | None:
    """Why the rules written by hand cannot run beside these, if they cannot."""
    if find_spec("bytewax") is None:
        return NO_BYTEWAX
    unlike = sorted(RULES ^ {rule.name for rule in rules})
    return f"the rules written by hand are not the pack's: {', '.join(unlike)}" if unlike else None


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
        notes=[] if missing else notes,
        missing=missing,
    )


def _rate(work: Callable[[], object], events: int) -> Callable[[], float]:
    return lambda: events / cpu_seconds(work)
