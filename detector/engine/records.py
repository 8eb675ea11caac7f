"""A player as bytes and back: compact, versioned, and readable by the next rule set.

A record is eight bytes saying when the engine has to look at the player again, one saying whether a session
moment waits for news, then MessagePack. Numbers
in it (slots, measures, codes of types) mean what the layout of the plan says under which it was written;
`marks` carries that layout, so that a record of an older rule set keeps every window which the new one
shares. What only the new one asks for starts empty.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from detector.engine.compile_events import nothing_fresh
from detector.engine.kinds import TYPES
from detector.engine.plan import PICKS, Plan, Slot
from detector.errors import StateError
from detector.players.player import Episode, Player, Retraction, Session
from detector.players.summary import Rounds
from detector.windows.exact import Numbers, Series
from detector.windows.tiles import FEW

if TYPE_CHECKING:
    from detector.engine.engine import Engine

VERSION = 2
_HEAD = 9
_WITHOUT_MODELS = 25  # parts of a record that was written before there were models
_TYPES = list(TYPES)
_NUMBERS = frozenset({int, float})
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def _pack(value: Any) -> Any:
    """A remembered value as MessagePack has it: dicts of distinct values, pairs, and integers of any size."""
    if isinstance(value, (dict, list)):
        return {"distinct": [_pack(each) for each in value]}
    if isinstance(value, tuple):
        return {"at": value[0], "is": _pack(value[1])}
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return {"int": str(value)}
    return value


def _unpack(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "distinct" in value:
        values = [_unpack(each) for each in value["distinct"]]
        return values if len(values) <= FEW else dict.fromkeys(values)
    if "at" in value:
        return value["at"], _unpack(value["is"])
    return int(value["int"])


def _bytes(numbers: array[int]) -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def _array(code: str, data: bytes) -> array[int]:
    numbers = array(code, data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _pack_numbers(numbers: Numbers) -> list[Any]:
    # Most totals are small, and MessagePack writes small integers small.
    plain: list[Any] = numbers.tolist() if isinstance(numbers, array) else numbers
    is_plain = _NUMBERS.issuperset(map(type, plain)) and (not plain or _fits(min(plain), max(plain)))
    return plain if is_plain else [_pack(n) for n in plain]


def _fits(least: float, most: float) -> bool:
    return least >= -(2**63) and most < 2**63


def _unpack_numbers(data: list[Any]) -> Numbers:
    try:
        return array("q", data)
    except (OverflowError, TypeError):
        return data if _NUMBERS.issuperset(map(type, data)) else [_unpack(n) for n in data]


def _pack_all(values: Any) -> Any:
    return None if values is None else [_pack(value) for value in values]


def _unpack_all(values: Any) -> list[Any] | None:
    return None if values is None else [_unpack(value) for value in values]


class Records:
    """Writes and reads the records of one plan."""

    def __init__(
        self, plan: Plan, flush: Callable[[Player], None] | None, catalogue: str | None = None
    ) -> None:
        self.plan = plan
        self.catalogue = catalogue  # what habits are of: those of other features say nothing
        self.flush = flush
        self.fresh = nothing_fresh(plan)
        self.layouts: dict[str, dict[str, Any]] = {plan.id: _layout(plan)}
        self._moves: dict[str, _Move] = {}

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
            [_bytes(seen.ids), _bytes(seen.contents), _bytes(seen.times), seen.oldest_us],
            slots,
            [
                [
                    s.key,
                    s.channel,
                    s.start,
                    s.last,
                    s.closed_at,
                    _pack_all(s.totals),
                    s.unrated,
                    s.settled_start,
                    s.settled_last,
                    s.settled_open,
                    s.minute,
                    _pack_all(s.settled),
                    [[until, _pack_all(totals)] for until, totals in s.marks],
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
                [at, code, None if session is None else sessions.index(session), _pack_all(values), until]
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
            p.birth_year,
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
        p = Player(key, len(self.plan.slots), self.fresh)
        p.wake = wake
        p.clock, p.first, p.currency = body[2], body[3], body[4]
        p.profile = None if body[5] is None else [(at, zone, home) for at, zone, home in body[5]]
        ids, contents, times, p.seen.oldest_us = body[6]
        p.seen.ids, p.seen.contents = _array("Q", ids), _array("Q", contents)
        p.seen.times = _array("q", times)
        for number, data in body[7]:
            move.slot(p, number, data)
        sessions = []
        for place, row in enumerate(body[8]):
            session = Session(row[0], row[1], row[2])
            session.last, session.closed_at = row[3], row[4]
            session.totals = move.session_live(_unpack_all(row[5]))
            session.unrated = (
                None
                if row[6] is None
                else [(m, at, gone) for old, at, gone in row[6] for m in move.measures([old])]
            )
            session.settled_start, session.settled_last, session.settled_open = row[7:10]
            session.minute, session.settled = row[10], move.session_settled(_unpack_all(row[11]))
            session.marks = [(until, move.session_settled(_unpack_all(totals))) for until, totals in row[12]]
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
            moved = move.values(type_code, _unpack_all(values))
            p.pending.append((at, type_code if code >= 0 else -1 - type_code, named, moved, until))
        p.active_at, silences, p.break_until, p.excluded_until = body[15:19]
        p.blocked = blocked
        p.silences = move.silences(p, silences)
        p.running = [sessions[number] for number in body[19]]
        p.break_open = body[20]
        p.retracted = move.retracted(body[21])
        p.started = [(at, channel, key) for at, channel, key in body[24]]
        p.home = None if body[23] is None else (body[23][0], body[23][1])
        if len(body) > _WITHOUT_MODELS:
            habit, p.birth_year = body[25:27]
            if habit is not None and habit[0] == self.catalogue:
                p.habit = array("d", habit[1])
        return p

    def _move(self, plan_id: str) -> _Move:
        move = self._moves.get(plan_id)
        if move is None:
            move = self._moves[plan_id] = _Move(self.plan, self.layouts[plan_id])
        return move

    def write_marks(self, engine: Engine) -> bytes:
        """The engine's own state, with the layouts that stored records were written under."""
        counts = {name: getattr(engine.counts, name) for name in engine.counts.__slots__}
        return _encode([VERSION, engine.high_us, engine.ticked_us, counts, self.layouts])

    def read_marks(self, engine: Engine, marks: bytes) -> None:
        """Take the engine's own state back."""
        try:
            version, engine.high_us, engine.ticked_us, counts, layouts = _decode(marks)
        except (msgspec.DecodeError, ValueError, TypeError) as error:
            raise StateError("the stored marks are damaged; restore them or replay the events") from error
        if version != VERSION:
            raise StateError(f"the stored marks have version {version}; this tiltwatch reads {VERSION}")
        for name, count in counts.items():
            setattr(engine.counts, name, count)
        self.layouts = {**layouts, **self.layouts}


def _layout(plan: Plan) -> dict[str, Any]:
    return {**plan.layout, "types": _TYPES}


def _write_slot(slot: Slot, held: Any) -> Any:
    if slot.kind == "exact":
        picks = None if held.picks is None else [list(row) for row in held.picks]
        return [_bytes(held.times), _pack_numbers(held.totals), picks]
    if slot.kind == "tiles":
        return _pack_numbers(held)
    if slot.kind == "best":
        return [[tile, _pack(value)] for tile, value in held.items()]
    return _pack_all(held) if slot.kind == "totals" else held


def _write_rounds(rounds: Rounds) -> list[Any]:
    rows = _bytes(rounds.rows) if isinstance(rounds.rows, array) else list(rounds.rows)
    tally = rounds.tally
    figures = None
    if tally.last_at:
        figures = [
            _bytes(value) if isinstance(value, array) else _pack(value)
            for value in (getattr(tally, name) for name in tally.__slots__)
        ]
    return [rows, figures, rounds.taken]


def _read_rounds(data: list[Any]) -> Rounds:
    rounds = Rounds()
    rows, figures, taken = data
    rounds.rows = _array("q", rows) if isinstance(rows, bytes) else rows
    rounds.taken = [(turn, at, stake, paid) for turn, at, stake, paid in taken]
    for name, value in zip(rounds.tally.__slots__, figures or (), strict=False):
        setattr(rounds.tally, name, _array("q", value) if isinstance(value, bytes) else _unpack(value))
    return rounds


class _Move:
    """Takes what a record holds under one layout into the slots of a plan."""

    def __init__(self, plan: Plan, old: Mapping[str, Any]) -> None:
        new = _layout(plan)
        self.plan = plan
        self.same = new == old
        self._old = old
        self._slots = {key: number for number, (_, key, _, _) in enumerate(new["slots"])}
        self._measures = {key: number for number, key in enumerate(new["measures"])}
        self._new = new

    def code(self, code: int) -> int:
        """The code of a type; it is an error for a type to vanish from the vocabulary."""
        return code if self.same else _TYPES.index(self._old["types"][code])

    def measures(self, numbers: list[int]) -> list[int]:
        if self.same:
            return numbers
        keys = [self._old["measures"][number] for number in numbers]
        return [self._measures[key] for key in keys if key in self._measures]

    def silences(self, p: Player, judged: int) -> int:
        """How many of the plan's silences the running one has passed."""
        if self.same:
            return judged
        passed = self._old["silences"][judged - 1] if judged else 0
        return sum(1 for length in self.plan.silences if length <= passed)

    def values(self, code: int, values: list[Any] | None) -> tuple[Any, ...] | None:
        """The values that wait for settled windows."""
        if values is None or self.same:
            return None if values is None else tuple(values)
        type_ = _TYPES[code]
        held = dict(zip(self._old["settled"].get(type_, ()), values, strict=True))
        wanted = self._new["settled"].get(type_)
        return None if wanted is None else tuple(held.get(key) for key in wanted)

    def session_live(self, totals: list[Any] | None) -> list[Any] | None:
        return self._totals(totals, self._old["session_live"], self._new["session_live"])

    def session_settled(self, totals: list[Any] | None) -> list[Any] | None:
        return self._totals(totals, self._old["session_settled"], self._new["session_settled"])

    def _totals(self, totals: list[Any] | None, old: list[str], new: list[str]) -> list[Any] | None:
        if totals is None or self.same:
            return totals
        held = dict(zip(old, totals, strict=True))
        return [held.get(key, None if key.split(" ", 1)[0] in PICKS else 0) for key in new]

    def retracted(self, rows: list[Any] | None) -> list[Retraction] | None:
        """Rows that moments before a correction still have to see; another layout has other rows."""
        if rows is None or not self.same:
            return None
        return [(turn, at, slot, tuple(n), None if p is None else tuple(p)) for turn, at, slot, n, p in rows]

    def slot(self, p: Player, number: int, data: Any) -> None:
        """Put the content of an old slot where the plan keeps the same thing, if it does."""
        kind, key, columns, picks = self._old["slots"][number]
        place = self._slots.get(key)
        if place is None:
            return
        _, _, new_columns, new_picks = self._new["slots"][place]
        p.slots[place] = _READERS[kind](self, data, (columns, picks), (new_columns, new_picks))

    def _exact(self, data: Any, old: Any, new: Any) -> Series:
        series = Series(len(new[0]))
        series.times = _array("q", data[0])
        series.totals = _columns(_unpack_numbers(data[1]), old[0], new[0], lead=0)
        picks = data[2]
        if picks is not None and new[1]:
            places = [old[1].index(key) if key in old[1] else None for key in new[1]]
            series.picks = [tuple(None if i is None else row[i] for i in places) for row in picks]
        elif new[1]:
            series.picks = [(None,) * len(new[1])] * len(series.times)
        return series

    def _tiles(self, data: Any, old: Any, new: Any) -> Numbers:
        return _columns(_unpack_numbers(data), old[0], new[0], lead=1)

    def _best(self, data: Any, _old: Any, _new: Any) -> dict[int, Any]:
        return {tile: _unpack(value) for tile, value in data}

    def _lifetime(self, data: Any, old: Any, new: Any) -> list[Any] | None:
        return self._totals(_unpack_all(data), old[0], new[0])

    def _latest(self, data: Any, _old: Any, _new: Any) -> Any:
        return data


_READERS: dict[str, Callable[[_Move, Any, Any, Any], Any]] = {
    "exact": _Move._exact,
    "tiles": _Move._tiles,
    "best": _Move._best,
    "totals": _Move._lifetime,
    "latest": _Move._latest,
}


def _columns(rows: Numbers, old: list[str], new: list[str], lead: int) -> Numbers:
    """Rows of totals with the columns of another layout; columns that are new there count from zero."""
    if old == new:
        return rows
    stride = len(old) + lead
    places = [old.index(key) + lead if key in old else None for key in new]
    moved: list[Any] = []
    for base in range(0, len(rows), stride):
        moved.extend(rows[base : base + lead])
        moved.extend(0 if place is None else rows[base + place] for place in places)
    return moved if isinstance(rows, list) else array("q", moved)
