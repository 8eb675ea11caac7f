"""One partition: its engine, how far it has come in each input, and what follows from what it read.

No Kafka here, and no clock: records come in, effects go out. What it gives depends on the records alone and
not on how they were batched, so that a worker that judges them a second time, after a crash, says the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import structlog

from detector.drivers.faults import INTERNAL, where
from detector.drivers.interventions import is_past
from detector.drivers.kafka.in_force import InForce
from detector.drivers.kafka.incoming import Read, Record
from detector.drivers.kafka.marks import MARKS, PLAYER, Marks, read_marks
from detector.drivers.kafka.merging import Merger
from detector.drivers.kafka.outgoing import Counted, Outgoing, Refused
from detector.engine.engine import Engine, Outcome
from detector.errors import StateError
from detector.events.bindings import decode_kafka
from detector.events.decode import CONFLICT, Decoder, Refusal
from detector.events.instants import micros, to_datetime
from detector.events.vocabulary import AnyEvent, Tick
from detector.ladder.ladder import Ladder
from detector.mapping.feed import FeedMapping, translate
from detector.players.player import LONG_AGO, NEVER

log = structlog.get_logger()

STEP_US = 10_000_000
"""Event time between two ticks: fixed points, so that moments do not hang on where batches end."""


class Failed(Exception):  # noqa: N818  (a signal inside the driver)
    """The engine raised on an event; its memory can no longer be trusted."""

    def __init__(self, topic: str, offset: int) -> None:
        super().__init__()
        self.topic = topic
        self.offset = offset


class Partition:
    """The players of one partition number in all inputs.

    Parameters
    ----------
    number
        Which one.
    make_engine
        Makes an engine that finds stored players by the function it is given.
    ladder
        What interventions are settled by.
    inputs
        The topics, each with the mapping that reads it, None for our own vocabulary.
    decoder
        May be shared with other partitions.
    stored
        Finds what the changelog holds for a key.
    feared
        (topic, offset) of events that the engine has failed on before, to be put aside.
    rules
        The id of the set that judges until another is stored.
    wait_s, now_s
        For how long one input waits for another, and a clock's present state, in seconds.
    """

    def __init__(
        self,
        number: int,
        make_engine: Callable[[Callable[[str], bytes | None]], Engine],
        ladder: Ladder,
        inputs: Mapping[str, FeedMapping | None],
        decoder: Decoder,
        stored: Callable[[bytes], bytes | None],
        feared: set[tuple[str, int]],
        rules: str,
        *,
        wait_s: float,
        now_s: float,
    ) -> None:
        self.number = number
        self.rules = rules
        self.engine = make_engine(self._player_stored)
        self.next: dict[str, int] = {}
        self.changes_at_us = NEVER
        """The high mark, in µs, from which another set of rules is to judge."""
        self.halted = False
        self._inputs = inputs
        self._decoder = decoder
        self._stored = stored
        self._feared = feared
        self._single = len(inputs) == 1
        self._merger: Merger[Read] = Merger(inputs, wait_s, now_s)
        self._read: dict[str, int] = {}
        self._next_tick = LONG_AGO
        self._refused: list[Refused] = []
        self._counted = Counted()
        self._in_force = InForce(ladder, self._find)
        self._writing: dict[bytes, bytes] = {}
        self._last_stamp: tuple[int, datetime] = (-1, to_datetime(0))

    # What was stored

    def load_marks(self, data: bytes) -> None:
        """Take up what was kept of the partition; before any player."""
        marks = read_marks(data)
        self.engine.load_marks(marks.engine)
        self.next = dict(marks.next)
        self._read = dict(marks.next)
        self._set_next_tick()

    def begin_at(self, topic: str, offset: int) -> None:
        """Begin a topic of which nothing is kept."""
        self.next[topic] = self._read[topic] = offset

    def load_player(self, key: bytes, record: bytes) -> None:
        """Take up when a stored player has to be looked at."""
        self.engine.load(key[1:].decode(), record)

    def _player_stored(self, player: str) -> bytes | None:
        return self._find(PLAYER + player.encode())

    def _find(self, key: bytes) -> bytes | None:
        # What is on its way to the disk is not there yet.
        found = self._writing.get(key)
        return self._stored(key) if found is None else found

    # Records in

    def take(self, topic: str, records: Sequence[Record], now_s: float) -> None:
        """Judge records of a topic, which follow those before.

        Where another set of rules has to take over first, it stops before that event and is `halted`.

        Parameters
        ----------
        now_s
            A clock's present state, in seconds.

        Raises
        ------
        Failed
            The engine itself failed; nothing in memory can be trusted.
        """
        if self._single:
            self._take_at_once(topic, records)
            return
        for record in records:
            if record.offset >= self._read.get(topic, 0):
                self._line_up(topic, record)
                self._read[topic] = record.offset + 1
        self._merger.heard(topic, now_s)
        self.go_on(now_s)

    def go_on(self, now_s: float) -> None:
        """Judge what has waited for other inputs and may go on by now."""
        if self._single:
            return
        for read in self._merger.take(now_s):
            if self._must_change(read.event):
                self.halted = True
                return
            self._apply(read)
            self.next[read.topic] = read.offset + read.is_last
        least = self._merger.least_high(now_s)
        watermark = self.engine.watermark_us
        if least is not None:
            watermark = min(watermark, least - self.engine.grace_us)
        self.engine.tick(watermark)
        if not len(self._merger):
            # What was refused or left out has an offset too.
            self.next |= self._read

    def _take_at_once(self, topic: str, records: Sequence[Record]) -> None:
        engine, decoder = self.engine, self._decoder
        mapping = self._inputs[topic]
        decode, apply = decoder.decode, engine.apply
        accepted, repeated = Outcome.ACCEPTED, Outcome.REPEATED
        next_offset = self.next.get(topic, 0)
        counted = 0
        try:
            for record in records:
                offset = record.offset
                if offset < next_offset:
                    continue
                if mapping is not None or record.headers or (topic, offset) in self._feared:
                    if not self._take_rare(topic, record, mapping):
                        return
                    next_offset = offset + 1
                    continue
                value = record.value or b""
                event = decode(value, self._received(record.timestamp))
                if isinstance(event, Refusal):
                    self._refuse(topic, record, event)
                    next_offset = offset + 1
                    continue
                key = record.key
                if key is not None and type(event) is not Tick and event.player.encode() != key:
                    # Decoded once more to be told apart: what is refused here is rare.
                    self._refuse(topic, record, self._decode(record))
                    next_offset = offset + 1
                    continue
                if self.changes_at_us != NEVER and self._must_change(event):
                    self.halted = True
                    return
                try:
                    outcome = apply(event, decoder.content)
                except Exception as error:
                    raise self._failed(topic, offset, error) from None
                next_offset = offset + 1
                if outcome is accepted:
                    counted += 1
                elif outcome is repeated:
                    self._counted.repeated += 1
                else:
                    self._refuse(topic, record, Refusal("conflict", CONFLICT, value))
                if engine.high_us >= self._next_tick:
                    self._tick()
        finally:
            self._counted.accepted += counted
            self.next[topic] = self._read[topic] = next_offset

    def _take_rare(self, topic: str, record: Record, mapping: FeedMapping | None) -> bool:
        """Judge a record with headers, of another vocabulary or feared; False if rules must change first."""
        events = self._events_of(topic, record, mapping)
        if any(self._must_change(read.event) for read in events):
            self._unrefuse(topic, record.offset)
            self.halted = True
            return False
        for read in events:
            self._apply(read)
            if self.engine.high_us >= self._next_tick:
                self._tick()
        return True

    def _line_up(self, topic: str, record: Record) -> None:
        for read in self._events_of(topic, record, self._inputs[topic]):
            self._merger.add(topic, micros(read.event.ts), read)

    def _events_of(self, topic: str, record: Record, mapping: FeedMapping | None) -> list[Read]:
        """The events of a record; what is refused is put aside."""
        received_us = record.timestamp * 1000
        raw = record.value or b""
        if (topic, record.offset) in self._feared:
            self._refuse(
                topic, record, Refusal(INTERNAL, "$: the detector failed on it; see the worker's log", raw)
            )
            return []
        if mapping is None:
            event = self._decode(record)
            if isinstance(event, Refusal):
                self._refuse(topic, record, event)
                return []
            return [Read(topic, record.offset, True, received_us, event, self._decoder.content, raw)]
        found = translate(mapping, self._decoder, raw, self._received(record.timestamp))
        self._counted.dropped += len(found.dropped)
        if found.refusal is not None:
            self._refuse(topic, record, found.refusal)
        last = len(found.taken) - 1
        return [
            Read(topic, record.offset, place == last, received_us, taken.event, taken.content, raw)
            for place, taken in enumerate(found.taken)
        ]

    def _decode(self, record: Record) -> AnyEvent | Refusal:
        return decode_kafka(
            self._decoder, record.headers, record.value, record.key, self._received(record.timestamp)
        )

    def _received(self, timestamp_ms: int) -> datetime:
        """A record's receipt: what its own stamp says, so that it says the same when read again."""
        known, found = self._last_stamp
        if known != timestamp_ms:
            found = to_datetime(timestamp_ms * 1000)
            self._last_stamp = timestamp_ms, found
        return found

    def _apply(self, read: Read) -> None:
        try:
            outcome = self.engine.apply(read.event, read.content)
        except Exception as error:
            raise self._failed(read.topic, read.offset, error) from None
        if outcome is Outcome.ACCEPTED:
            self._counted.accepted += 1
        elif outcome is Outcome.REPEATED:
            self._counted.repeated += 1
        else:
            self._counted.refused += 1
            refusal = Refusal("conflict", CONFLICT, read.raw)
            self._refused.append(Refused(read.topic, read.offset, read.received_us, refusal))

    def _failed(self, topic: str, offset: int, error: Exception) -> Failed:
        if isinstance(error, StateError):
            raise error
        log.error(
            "an event was put aside",
            topic=topic,
            partition=self.number,
            offset=offset,
            error=type(error).__name__,
            where=where(error),
        )
        return Failed(topic, offset)

    def _refuse(self, topic: str, record: Record, refusal: AnyEvent | Refusal) -> None:
        assert isinstance(refusal, Refusal)
        self._counted.refused += 1
        self._refused.append(Refused(topic, record.offset, record.timestamp * 1000, refusal))

    def _unrefuse(self, topic: str, offset: int) -> None:
        """Forget what was refused of a record that will be read once more."""
        kept = [each for each in self._refused if (each.topic, each.offset) != (topic, offset)]
        self._counted.refused -= len(self._refused) - len(kept)
        self._refused = kept

    # Time, and rules that change

    def _tick(self) -> None:
        self.engine.tick(self.engine.watermark_us)
        self._set_next_tick()

    def _set_next_tick(self) -> None:
        high = self.engine.high_us
        self._next_tick = LONG_AGO if high == LONG_AGO else (high // STEP_US + 1) * STEP_US

    def _must_change(self, event: AnyEvent) -> bool:
        if self.changes_at_us == NEVER:
            return False
        at = micros(event.ts)
        return (at + self.engine.grace_us if type(event) is Tick else at) >= self.changes_at_us

    @property
    def is_waiting(self) -> bool:
        """Whether events wait for other inputs."""
        return len(self._merger) > 0

    @property
    def is_due_to_change(self) -> bool:
        """Whether the high mark is where other rules take over; so it is before the first event."""
        return self.changes_at_us != NEVER and (
            self.engine.high_us == LONG_AGO or self.engine.high_us >= self.changes_at_us
        )

    # What goes out

    def outgoing(self, now_us: int, within_us: int) -> Outgoing:
        """What has to leave because of what was read since the last call.

        Parameters
        ----------
        now_us, within_us
            The wall clock; what an alert opened longer than `within_us` ago asks for is withheld.
        """
        out = Outgoing(self.engine.take(), refused=self._refused, counted=self._counted)
        self._refused, self._counted = [], Counted()
        for proposed in out.effects.interventions:
            if is_past(proposed.level, proposed.opened_us, now_us, within_us):
                out.withheld += 1
            else:
                out.interventions += self._in_force.settle(proposed)
        return out

    def unsaved(self) -> dict[bytes, bytes]:
        """All that has changed since the last call, by the changelog's keys, for one transaction."""
        changed = {PLAYER + player.encode(): record for player, record in self.engine.records()}
        changed |= self._in_force.unsaved()
        changed[MARKS] = self.marks()
        self._writing = changed
        return changed

    def saved(self) -> None:
        """Note that what `unsaved` gave last is where `stored` looks."""
        self._writing = {}

    def marks(self) -> bytes:
        """What is to be kept of the partition."""
        return Marks(self.engine.marks(), self.rules, dict(self.next)).packed
