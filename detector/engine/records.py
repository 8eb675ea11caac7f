"""A player as bytes and back: compact, versioned, and readable by the next rule set.

A record is eight bytes saying when the engine has to look at the player again, one saying whether a session
moment waits for news, then MessagePack. Numbers
in it (slots, measures, codes of types) mean what the layout of the plan says under which it was written;
`marks` carries that layout, so that a record of an older rule set keeps every window which the new one
shares. What only the new one asks for starts empty.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

import msgspec

from detector.engine.filling import nothing_fresh
from detector.engine.layouts import Move, layout
from detector.engine.packing import as_array, as_bytes, pack, pack_all, pack_numbers, unpack, unpack_all
from detector.engine.plan import Plan, Slot
from detector.engine.surroundings import Counts
from detector.errors import StateError
from detector.players.player import LONG_AGO, NEVER, Episode, Player, Session
from detector.players.summary import Rounds

VERSION = 2
_HEAD = 9
_WITHOUT_MODELS = 25  # parts of a record that was written before there were models
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Records:
    """Writes and reads the records of one plan."""

    def __init__(
        self, plan: Plan, flush: Callable[[Player], None] | None, catalogue: str | None = None
    ) -> None:
        self.plan = plan
        self.catalogue = catalogue  # what habits are of: those of other features say nothing
        self.flush = flush
        self._fresh = nothing_fresh(plan)
        self.layouts: dict[str, dict[str, Any]] = {plan.id: layout(plan)}
        self._moves: dict[str, Move] = {}

    def new(self, key: str) -> Player:
        """A player of whom nothing is known yet."""
        return Player(key, len(self.plan.slots), self._fresh)

    @staticmethod
    def wake(record: bytes) -> int:
        """When the engine has to look at a stored player again, in µs."""
        if len(record) < _HEAD:
            raise StateError("a player record is cut short; restore it from a backup or replay its events")
        return int.from_bytes(record[:8], "little", signed=True)

    @staticmethod
    def blocked(record: bytes) -> bool:
        """Whether a stored player's session moment waits to know if its session goes on."""
        return record[_HEAD - 1] == 1

    def write(self, p: Player) -> bytes:
        """A player as bytes."""
        if self.flush is not None and p.fresh[0] < p.fresh[1]:
            self.flush(p)
        slots = []
        for number, held in enumerate(p.slots):
            if held is not None:
                slots.append([number, _write_slot(self.plan.slots[number], held)])
        seen = p.seen
        # A forgotten session of the same name may still have moments to come: names alone do not tell them.
        sessions = list(p.sessions.values())
        named = len(sessions)
        for session in (*p.running, *(event[2] for event in p.pending)):
            if session is not None and session not in sessions:
                sessions.append(session)
        body = [
            VERSION,
            self.plan.id,
            p.clock,
            p.first,
            p.currency,
            p.profile,
            [as_bytes(seen.ids), as_bytes(seen.contents), as_bytes(seen.times), seen.oldest_us],
            slots,
            [
                [
                    s.key,
                    s.channel,
                    s.start,
                    s.last,
                    s.closed_at,
                    pack_all(s.totals),
                    s.unrated,
                    s.settled_start,
                    s.settled_last,
                    s.settled_open,
                    s.minute,
                    pack_all(s.settled),
                    [[until, pack_all(totals)] for until, totals in s.marks],
                    s.edge,
                    s.closing,
                    s.summed,
                    s.ends_by,
                    None if s.rounds is None else _write_rounds(s.rounds),
                ]
                for s in sessions
            ],
            [
                [rule, e.opened_at, e.held_at, e.alerted_at, e.severity, e.alert, e.history]
                for rule, e in p.episodes.items()
            ],
            p.recent,
            p.undone,
            p.awaited,
            p.unrated,
            [
                [at, code, None if session is None else sessions.index(session), pack_all(values), until]
                for at, code, session, values, until in p.pending
            ],
            p.active_at,
            p.silences,
            p.break_until,
            p.excluded_until,
            [sessions.index(session) for session in p.running],
            p.break_open,
            p.retracted,
            named,
            p.home,
            p.started,
            None if p.habit is None else [self.catalogue, p.habit.tolist()],
            p.birth_years,
            p.paid_from,
        ]
        return p.wake.to_bytes(8, "little", signed=True) + bytes((p.blocked,)) + _encode(body)

    def read(self, key: str, record: bytes) -> Player:
        """The player behind a record; StateError when it is damaged or of a later version."""
        wake = self.wake(record)
        try:
            body = _decode(record[_HEAD:])
            if body[0] != VERSION:
                raise StateError(f"a player record has version {body[0]}; this tiltwatch reads {VERSION}")
            if body[1] not in self.layouts:
                raise StateError("a player record names a layout that the marks do not hold")
            return self._player(key, wake, self.blocked(record), body)
        except (msgspec.DecodeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise StateError("a player record is damaged; restore it or replay its events") from error

    def _player(self, key: str, wake: int, blocked: bool, body: list[Any]) -> Player:
        move = self._move(body[1])
        p = self.new(key)
        p.wake = wake
        p.clock, p.first, p.currency = body[2], body[3], body[4]
        p.profile = None if body[5] is None else [(at, zone, home) for at, zone, home in body[5]]
        ids, contents, times, p.seen.oldest_us = body[6]
        p.seen.ids, p.seen.contents = as_array("Q", ids), as_array("Q", contents)
        p.seen.times = as_array("q", times)
        for number, data in body[7]:
            move.slot(p, number, data)
        sessions = []
        for place, row in enumerate(body[8]):
            session = Session(row[0], row[1], row[2])
            session.last, session.closed_at = row[3], row[4]
            session.totals = move.session_live(unpack_all(row[5]))
            session.unrated = (
                None
                if row[6] is None
                else [(m, at, gone) for old, at, gone in row[6] for m in move.measures([old])]
            )
            session.settled_start, session.settled_last, session.settled_open = row[7:10]
            session.minute, session.settled = row[10], move.session_settled(unpack_all(row[11]))
            session.marks = [(until, move.session_settled(unpack_all(totals))) for until, totals in row[12]]
            session.edge, session.closing, session.summed = row[13:16]
            session.ends_by = row[16]
            session.rounds = None if row[17] is None else _read_rounds(row[17])
            sessions.append(session)
            if place < body[22]:
                p.sessions[session.key] = session
        for rule, opened_at, held_at, alerted_at, severity, alert, history in body[9]:
            episode = p.episodes[rule] = Episode(opened_at, severity, alert)
            episode.held_at, episode.alerted_at = held_at, alerted_at
            episode.history = [(since, opened, reached) for since, opened, reached in history]
        p.recent = (
            None if body[10] is None else [(at, move.code(c), known, gone) for at, c, known, gone in body[10]]
        )
        p.undone, p.awaited = body[11], body[12]
        if body[13] is not None:
            p.unrated = {
                measure: [(at, gone) for at, gone in times]
                for old, times in body[13].items()
                for measure in move.measures([old])
            }
        for at, code, number, values, until in body[14]:
            named = None if number is None else sessions[number]
            type_code = move.code(code if code >= 0 else -1 - code)
            moved = move.values(type_code, unpack_all(values))
            p.pending.append((at, type_code if code >= 0 else -1 - type_code, named, moved, until))
        p.active_at, silences, p.break_until, p.excluded_until = body[15:19]
        p.blocked = blocked
        p.silences = move.silences(p, silences)
        p.running = [sessions[number] for number in body[19]]
        p.break_open = body[20]
        p.retracted = move.retracted(body[21])
        p.started = [(at, channel, key) for at, channel, key in body[24]]
        p.home = None if body[23] is None else (body[23][0], body[23][1])
        p.paid_from = NEVER if p.currency is None else LONG_AGO
        if len(body) > _WITHOUT_MODELS:
            habit, years, p.paid_from = body[25:28]
            p.birth_years = None if years is None else [(at, year) for at, year in years]
            if habit is not None and habit[0] == self.catalogue:
                p.habit = array("d", habit[1])
        return p

    def _move(self, plan_id: str) -> Move:
        move = self._moves.get(plan_id)
        if move is None:
            move = self._moves[plan_id] = Move(self.plan, self.layouts[plan_id])
        return move

    def write_marks(self, high_us: int, ticked_us: int, counts: Counts) -> bytes:
        """The engine's own state, with the layouts that stored records were written under."""
        counted = {name: getattr(counts, name) for name in counts.__slots__}
        return _encode([VERSION, high_us, ticked_us, counted, self.layouts])

    def read_marks(self, marks: bytes, counts: Counts) -> tuple[int, int]:
        """Take the engine's own state back: `counts` in place, and (high mark, ticked watermark)."""
        try:
            version, high_us, ticked_us, counted, layouts = _decode(marks)
        except (msgspec.DecodeError, ValueError, TypeError) as error:
            raise StateError("the stored marks are damaged; restore them or replay the events") from error
        if version != VERSION:
            raise StateError(f"the stored marks have version {version}; this tiltwatch reads {VERSION}")
        for name, count in counted.items():
            setattr(counts, name, count)
        self.layouts = {**layouts, **self.layouts}
        return high_us, ticked_us


def _write_slot(slot: Slot, held: Any) -> Any:
    if slot.kind == "exact":
        picks = None if held.picks is None else [list(row) for row in held.picks]
        return [as_bytes(held.times), pack_numbers(held.totals), picks]
    if slot.kind == "tiles":
        return pack_numbers(held)
    if slot.kind == "best":
        return [[tile, pack(value)] for tile, value in held.items()]
    return pack_all(held) if slot.kind == "totals" else held


def _write_rounds(rounds: Rounds) -> list[Any]:
    rows = as_bytes(rounds.rows) if isinstance(rounds.rows, array) else list(rounds.rows)
    tally = rounds.tally
    figures = None
    if tally.last_at:
        figures = [
            as_bytes(value) if isinstance(value, array) else pack(value)
            for value in (getattr(tally, name) for name in tally.__slots__)
        ]
    return [rows, figures, rounds.taken]


def _read_rounds(data: list[Any]) -> Rounds:
    rounds = Rounds()
    rows, figures, taken = data
    rounds.rows = as_array("q", rows) if isinstance(rows, bytes) else rows
    rounds.taken = [(turn, at, stake, paid) for turn, at, stake, paid in taken]
    for name, value in zip(rounds.tally.__slots__, figures or (), strict=False):
        setattr(rounds.tally, name, as_array("q", value) if isinstance(value, bytes) else unpack(value))
    return rounds
