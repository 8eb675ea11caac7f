"""Replay: the detector over a log of events, with the alerts in their promised order."""

from __future__ import annotations

import base64
import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec

from detector.drivers.lines import LogReader
from detector.engine.alerts import Alert
from detector.engine.engine import Engine, Outcome
from detector.engine.surroundings import Counts
from detector.events.decode import CONFLICT, Decoder, Refusal
from detector.events.money import Currencies, Rates
from detector.language.rule import Rule

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Replayed:
    """What a replay found.

    Attributes
    ----------
    alerts, shadow
        Sorted by (opened_at, player, rule, id).
    refused
        Reason → events.
    suppressed
        (rule id, why) → judgements that held, or were unknown, without an alert.
    """

    alerts: list[Alert]
    shadow: list[Alert]
    notes: int
    counts: Counts
    players: int
    lines: int
    refused: Counter[str] = field(default_factory=Counter)
    suppressed: Counter[tuple[str, str]] = field(default_factory=Counter)
    unknown_fields: Counter[str] = field(default_factory=Counter)


def in_order(alerts: Sequence[Alert]) -> list[Alert]:
    """Alerts in the order in which a replay gives them."""
    return sorted(alerts, key=lambda alert: (alert.opened_at, alert.player, alert.rule, alert.id))


def replay(
    log: LogReader,
    rules: Sequence[Rule],
    *,
    currencies: Currencies | None = None,
    rates: Rates | None = None,
    dead: Callable[[bytes], object] | None = None,
    progress: Callable[[int], object] | None = None,
) -> Replayed:
    """Run rules over an opened log.

    Parameters
    ----------
    dead
        Called with a line of JSON for each refused line: `line`, `reason`, `detail`, `original` (base64,
        and `encoding` says so, where the bytes are no UTF-8).
    progress
        Called after each chunk with the number of lines read so far.
    """
    currencies = currencies or Currencies()
    engine = Engine(rules, rates=rates, currencies=currencies, keep_records=False)
    decoder = Decoder(currencies)
    decode, apply, conflict = decoder.decode, engine.apply, Outcome.CONFLICT
    refused: Counter[str] = Counter()
    number = 0
    with without_collector():
        for lines in log.chunks():
            for raw in lines:
                number += 1
                event = decode(raw)
                if type(event) is Refusal:
                    if not raw.strip():
                        continue
                elif apply(event, decoder.content) is conflict:  # type: ignore[arg-type]
                    event = Refusal("conflict", CONFLICT, raw)
                else:
                    continue
                refused[event.reason] += 1
                if dead is not None:
                    dead(dead_letter(number, event))
            engine.tick(engine.watermark_us)
            if progress is not None:
                progress(number)
        engine.finish()
    effects = engine.take()
    return Replayed(
        alerts=in_order(effects.alerts),
        shadow=in_order(effects.shadow),
        notes=len(effects.notes),
        counts=engine.counts,
        players=len(engine),
        lines=number,
        refused=refused,
        suppressed=engine.judges.suppressed,
        unknown_fields=decoder.unknown_fields,
    )


def dead_letter(line: int, refusal: Refusal) -> bytes:
    """A refused line as one line of JSON, its bytes kept."""
    letter: dict[str, object] = {"line": line, "reason": refusal.reason, "detail": refusal.detail}
    try:
        letter["original"] = refusal.original.decode()
    except UnicodeDecodeError:
        letter["original"] = base64.b64encode(refusal.original).decode()
        letter["encoding"] = "base64"
    return _encode(letter)


@contextmanager
def without_collector() -> Iterator[None]:
    """Keep the garbage collector still: events and players hold no cycles that it could find."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
