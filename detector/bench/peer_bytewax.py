"""The rules written by hand, run by bytewax: one process, one worker, `stateful_flat_map` by player.

Bytewax is installed on its own (requirements/bench.txt); where it has no wheel, importing this fails.
"""

# Types must check with bytewax and without.
# mypy: allow-subclassing-any

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

import bytewax.operators as op
import msgspec
from bytewax.dataflow import Dataflow
from bytewax.inputs import DynamicSource, StatelessSourcePartition
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main

from detector.bench.by_hand import ByHand, End, Found, Rules, Told, settled
from detector.drivers.lines import LogReader
from detector.engine.engine import GRACE_US
from detector.events.decode import Decoder, Refusal
from detector.events.instants import micros
from detector.events.money import Currencies
from detector.events.vocabulary import AnyEvent

BATCH = 100
"""Lines that bytewax handles at a time; more or fewer are no faster."""

_END = b"the end"
_MEMORY = timedelta(hours=48)


class RulesAlone:
    """Nothing but the rules: msgspec decodes a line into the same structs, and no more is asked of it."""

    def __init__(self) -> None:
        self.rules = Rules()
        self.step = self.rules.step
        self.latest: AnyEvent | None = None
        self._decode = msgspec.json.Decoder(AnyEvent).decode

    def read(self, lines: list[bytes]) -> list[tuple[str, Any]]:
        """Lines as pairs of player and what `step` takes."""
        decode = self._decode
        items: list[tuple[str, Any]] = []
        for line in lines:
            try:
                event = decode(line)
            except msgspec.DecodeError:
                continue
            items.append((event.player, event))
        if items:
            self.latest = items[-1][1]
        return items


class _Known:
    """A player's state, and the ids of the last 48 hours: (source, id) → (content, time)."""

    __slots__ = ("ids", "state", "sweep_at")

    def __init__(self, now: datetime) -> None:
        self.ids: dict[tuple[str, str], tuple[int, datetime]] = {}
        self.state: ByHand | None = None
        self.sweep_at = now + 2 * _MEMORY


class WithIntake:
    """The rules behind the intake that the engine has: strict decoding, and repeats told for 48 hours."""

    def __init__(self) -> None:
        self.rules = Rules()
        self.latest: AnyEvent | None = None
        self.repeated = 0
        self.conflicts = 0
        self._decoder = Decoder(Currencies())

    def read(self, lines: list[bytes]) -> list[tuple[str, Any]]:
        """Lines as pairs of player and what `step` takes."""
        decoder = self._decoder
        decode = decoder.decode
        items: list[tuple[str, Any]] = []
        for line in lines:
            event = decode(line)
            if not isinstance(event, Refusal):
                items.append((event.player, (event, decoder.content)))
        if items:
            self.latest = items[-1][1][0]
        return items

    def step(
        self, known: _Known | None, item: tuple[AnyEvent, int] | End
    ) -> tuple[_Known | None, Iterable[Found]]:
        """`Rules.step` for events that have not been seen before."""
        if isinstance(item, End):
            assert known is not None
            return known, self.rules.step(known.state, item)[1]
        event, content = item
        now = event.ts
        if known is None:
            known = _Known(now)
        name = (event.source, event.id)
        before = known.ids.get(name)
        if before is not None and before[1] > now - _MEMORY:
            if before[0] == content:
                self.repeated += 1
            else:
                self.conflicts += 1
            return known, ()
        known.ids[name] = (content, now)
        if now >= known.sweep_at:
            limit = now - _MEMORY
            known.ids = {name: kept for name, kept in known.ids.items() if kept[1] > limit}
            known.sweep_at = now + _MEMORY
        known.state, found = self.rules.step(known.state, event)
        return known, found


def run(path: str, peer: RulesAlone | WithIntake) -> list[Told]:
    """Run the flow over a log, and what it found once time has come to the log's watermark."""
    found: list[tuple[str, Found]] = []
    watermark_us = 0

    def read(lines: list[bytes]) -> list[tuple[str, Any]]:
        nonlocal watermark_us
        if lines[-1] is not _END:
            return peer.read(lines)
        if peer.latest is not None:
            watermark_us = micros(peer.latest.ts) - GRACE_US
        return [(player, End(watermark_us)) for player in peer.rules.players]

    flow = Dataflow("rules_by_hand")
    items = op.flat_map_batch("read", op.input("log", flow, _Log(path)), read)
    step: Any = peer.step
    op.output("found", op.stateful_flat_map("rules", items, step), _Into(found))
    start: Any = run_main
    start(flow)
    return settled((each for _, each in found), watermark_us)


def _batches(path: str) -> Iterator[list[bytes]]:
    with LogReader(path) as log:
        for lines in log.chunks():
            for start in range(0, len(lines), BATCH):
                yield lines[start : start + BATCH]
    yield [_END]


class _Lines(StatelessSourcePartition[bytes]):
    def __init__(self, path: str) -> None:
        self._batches = _batches(path)

    def next_batch(self) -> list[bytes]:
        return next(self._batches)


class _Log(DynamicSource[bytes]):
    def __init__(self, path: str) -> None:
        self._path = path

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Lines:
        return _Lines(self._path)


class _Append(StatelessSinkPartition[Any]):
    def __init__(self, target: list[Any]) -> None:
        self._target = target

    def write_batch(self, items: list[Any]) -> None:
        self._target.extend(items)


class _Into(DynamicSink[Any]):
    def __init__(self, target: list[Any]) -> None:
        self._target = target

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Append:
        return _Append(self._target)
