"""One Python function a type of event, which puts an event into every window that wants it.

Up to seven functions are made for each type that some quantity reads:

- `apply(p, e, ts, s, keep, x)` adds the event to the live windows and returns the values that the settled
  ones will want later;
- `undo(p, e, ts, s, keep, x)` takes a carried event out of the live windows and returns (whether an exact
  window missed it, whether something that cannot be undone had counted it);
- `take(p, e, ts, s, keep, x)` adds the event to the live and the settled windows at once;
- `flush(p)` (bets only) brings what waits in `p.fresh` into the tiles;
- `weigh(p, e, ts, s, x)` adds nothing and returns (the values for settled windows, the numbers and the picks
  of its row in the exact window, or None);
- `fold(p, values, ts, s, keep, turn)` adds values to the settled windows, `unfold` takes them back; `turn` is
  the time at which that happens: the event's own, or its correction's.

`p` is the Player, `e` the event, `ts` its time in µs, `s` its Session or None, `keep` the time before which
nothing is needed any more, `x` the `Outside` of the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from detector.engine.emit import Block, Value
from detector.engine.fields import Fields, loosened
from detector.engine.plan import PICKS, Column, Measure, Plan, Slot
from detector.events.instants import micros
from detector.events.vocabulary import FIELDS, UNRATED, FieldKind
from detector.players.player import Here, Player
from detector.windows import tiles
from detector.windows.exact import Series

HUGE = 2**43
"""Minor units from which running totals leave 64-bit arrays: a million such bets still fit."""


class Outside(Protocol):
    """What event functions ask of the engine, beyond the player: zones and rates."""

    arrived: bool
    """Whether the target of the correction at hand is known to have come."""

    def convert(self, amount: int, currency: str, to: str, at_us: int) -> float | None:
        """Money in another currency at the rate of the UTC day, in its minor units; None without a rate."""

    def local(self, player: Player, event: Any, ts: int, at_us: int) -> Here:
        """Hour and date of an instant (`ts` is the event's own) where the player is."""

    def unrated(self, player: Player, measure: int, at_us: int, session: Any, sign: int) -> None:
        """Note (or take back) money that no rate could convert."""


Weight = tuple[tuple[Any, ...] | None, tuple[float, ...] | None, tuple[Any, ...] | None]


@dataclass(frozen=True, slots=True)
class EventFunctions:
    """The functions of one type; `fold` and `unfold` are None where no settled window reads it."""

    apply: Callable[..., tuple[Any, ...] | None]
    undo: Callable[..., tuple[bool, bool]]
    weigh: Callable[..., Weight]
    fold: Callable[..., None] | None
    unfold: Callable[..., None] | None
    take: Callable[..., Any]
    flush: Callable[[Player], None] | None


class EventCompiler:
    """Makes the functions of every type that a plan reads."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.sources: list[str] = []

    def compile(self) -> dict[str, EventFunctions]:
        """The functions by type; types that nothing reads are left out."""
        types = {measure.type for measure in self.plan.measures}
        return {type_: self._functions(type_) for type_ in sorted(types)}

    def _functions(self, type_: str) -> EventFunctions:
        constants: dict[str, Any] = {
            "Series": Series,
            "new_tiles": tiles.new,
            "add_tiles": tiles.add,
            "keep_best": tiles.keep_best,
            "better": tiles.better,
            "micros": micros,
            "UNSET": msgspec.UNSET,
            "UNRATED": UNRATED,
            "loosened": loosened,
        }
        measures = [n for n, m in enumerate(self.plan.measures) if m.type == type_]
        settled = self.plan.settled_measures.get(type_, [])
        apply = self._live(type_, measures, settled, constants, undo=False)
        undo = self._live(type_, measures, settled, constants, undo=True)
        fold = self._fold(type_, settled, constants, undo=False)
        unfold = self._fold(type_, settled, constants, undo=True)
        take = self._live(type_, measures, settled, constants, undo=False, eager=True) if fold else []
        weigh = self._weigh(type_, measures, settled, constants)
        flush = self._flush() if type_ == "bet" and self.plan.fresh else []
        constants["NOTHING_FRESH"] = nothing_fresh(self.plan)
        source = "\n".join([*apply, *undo, *fold, *unfold, *take, *weigh, *flush])
        self.sources.append(source)
        exec(compile(source, f"<windows of {type_}>", "exec"), constants)  # noqa: S102
        return EventFunctions(
            constants["apply"],
            constants["undo"],
            constants["weigh"],
            constants.get("fold"),
            constants.get("unfold"),
            constants.get("take", constants["apply"]),
            constants.get("flush"),
        )

    def _live(
        self,
        type_: str,
        measures: list[int],
        settled: list[int],
        constants: dict[str, Any],
        *,
        undo: bool,
        eager: bool = False,
    ) -> list[str]:
        block = Block(constants)
        values = self._measured(type_, measures, block, -1 if undo else 1)
        if undo:
            block.line("missed = kept = False")
        waiting = self.plan.fresh_slots if eager and type_ == "bet" else []
        if waiting:
            self._into_fresh(waiting, type_, values, block)
        elif type_ == "bet" and self.plan.fresh:
            block.line("if p.fresh[0] < p.fresh[1]: flush(p)")
        for number, slot in enumerate(self.plan.slots):
            if slot not in waiting:
                self._into_slot(number, slot, type_, values, block, "live", undo=undo)
        self._into_totals("session", self.plan.session_live, type_, values, block, undo=undo)
        if eager:
            for number, slot in enumerate(self.plan.slots):
                if slot not in waiting:
                    self._into_slot(number, slot, type_, values, block, "settled", undo=False)
            self._into_totals("settled now", self.plan.session_settled, type_, values, block, undo=False)
            return ["def take(p, e, ts, s, keep, x):", "    q = p.slots", *block.lines]
        names = ", ".join(values[m].name for m in settled)
        travelling = f"({names},)" if settled else "None"
        block.line("return missed, kept" if undo else f"return {travelling}")
        head = f"def {'undo' if undo else 'apply'}(p, e, ts, s, keep, x):"
        return [head, "    q = p.slots", *block.lines]

    def _into_fresh(self, slots: list[Slot], type_: str, values: dict[int, Value], block: Block) -> None:
        """Add a bet to the sums of the current tiles; where a tile ends, bring them in and start anew."""
        block.line("f = p.fresh")
        block.line("if f[0] <= ts < f[1] and not odd:")
        for (measure, stat), place in self.plan.fresh.items():
            value = values[measure]
            given = value.maybe and self.plan.measures[measure].where is not None
            guard = f"if {value.name} is not None: " if given or value.maybe else ""
            block.line(f"    {guard}f[{place}] += {value.name if stat == 'sum' else '1'}")
        block.line("else:")
        block.indent += "    "
        block.line("if f[0] < f[1]: flush(p)")
        for slot in slots:
            view = "settled" if slot.settled else "live"
            self._into_slot(self.plan.slots.index(slot), slot, type_, values, block, view, undo=False)
        starts = ", ".join(f"ts // {slot.width_us} * {slot.width_us}" for slot in slots)
        ends = ", ".join(f"(ts // {slot.width_us} + 1) * {slot.width_us}" for slot in slots)
        zeros = ", 0" * len(self.plan.fresh)
        block.line(f"if not odd: p.fresh = [max(0, {starts}), min({2**62}, {ends}){zeros}]")
        block.indent = block.indent[:-4]

    def _flush(self) -> list[str]:
        lines = ["def flush(p):", "    q, f = p.slots, p.fresh"]
        for slot in self.plan.fresh_slots:
            lines.append(f"    a = q[{self.plan.slots.index(slot)}]")
            stride = len(slot.columns) + 1
            for place, column in enumerate(slot.columns, 1):
                lines.append(f"    a[{place - stride}] += f[{self.plan.fresh[column]}]")
        return [*lines, "    p.fresh = NOTHING_FRESH"]

    def _weigh(
        self, type_: str, measures: list[int], settled: list[int], constants: dict[str, Any]
    ) -> list[str]:
        block = Block(constants)
        values = self._measured(type_, measures, block, 0)
        row = "None, None"
        for slot in self.plan.slots:
            if slot.kind == "exact" and slot.type == type_:
                numbers, picks = self._row(slot, values)
                row = f"{numbers}, {picks}"
        travelling = f"({', '.join(values[m].name for m in settled)},)" if settled else "None"
        block.line(f"return {travelling}, {row}")
        return ["def weigh(p, e, ts, s, x):", "    q = p.slots", *block.lines]

    @staticmethod
    def _row(slot: Slot, values: dict[int, Value]) -> tuple[str, str]:
        """Source of the numbers and picks that an event's row in an exact window has."""
        numbers = ", ".join(_number(values[m], stat) for m, stat in slot.columns)
        picks = f"({', '.join(values[m].name for m in slot.picks)},)" if slot.picks else "None"
        return f"({numbers}{',' if numbers else ''})", picks

    def _fold(self, type_: str, settled: list[int], constants: dict[str, Any], *, undo: bool) -> list[str]:
        if not settled:
            return []
        block = Block(constants)
        values = {m: Value(f"m{m}", True) for m in settled}
        block.line(f"{', '.join(f'm{m}' for m in settled)}, = values")
        money = [f"m{m}" for m in settled if self.plan.measures[m].converted]
        block.line(f"odd = {_odd(money)}")
        if type_ == "bet" and self.plan.fresh:
            block.line("if p.fresh[0] < p.fresh[1]: flush(p)")
        for number, slot in enumerate(self.plan.slots):
            self._into_slot(number, slot, type_, values, block, "settled", undo=undo)
        self._into_totals("settled", self.plan.session_settled, type_, values, block, undo=undo)
        return [
            f"def {'unfold' if undo else 'fold'}(p, values, ts, s, keep, turn):",
            "    q = p.slots",
            *block.lines,
        ]

    def _measured(self, type_: str, measures: list[int], block: Block, sign: int) -> dict[int, Value]:
        """Lines that compute every measure of an event once."""
        fields = Fields(block, type_, self.plan, arriving=sign > 0)
        values: dict[int, Value] = {}
        money: list[str] = []
        unrated: list[str] = []
        for number in measures:
            measure = self.plan.measures[number]
            fields.currency = measure.currency
            value = Value("1", False)
            if measure.field is not None:
                value = fields.read(measure.field, measure.kind)
                if FIELDS[measure.type][measure.field].kind is FieldKind.TRUTH:
                    # As a number: among what is picked False says that there is no limit.
                    test = f"None if {value.name} is None else " if value.maybe else ""
                    value = Value(block.put(f"{test}int({value.name})"), value.maybe)
            where = fields.emit(measure.where) if measure.where is not None else None
            if measure.converted:
                money.append(value.name)
                present = self._present(measure, fields)
                test = " and ".join([f"{value.name} is None", *present, *([where.name] if where else [])])
                unrated.append(f"    if {test}: x.unrated(p, {number}, ts, s, {sign})")
            if where is not None:
                value = Value(block.put(f"{value.name} if {where.name} else None"), True)
            if measure.field in ("old", "new") and self._is_picked(number):
                # An explicit "no limit" can be the first or last there is, and then nothing is known.
                test = " and ".join([f"e.{measure.field} is None", *([where.name] if where else [])])
                value = Value(block.put(f"False if {test} else {value.name}"), True)
            values[number] = value
        block.line(f"odd = {_odd(money)}")
        if unrated and sign:
            # Money without a rate is None, which is odd.
            block.line("if odd:")
            for line in unrated:
                block.line(line)
        return values

    @staticmethod
    def _present(measure: Measure, fields: Fields) -> list[str]:
        if measure.field == "net_loss" and measure.type == "bet":
            return []
        if measure.field in ("old", "new"):
            return [f"e.{measure.field} is not UNSET", f"e.{measure.field} is not None"]
        return (
            [] if FIELDS[measure.type][measure.field or ""].required else [f"e.{measure.field} is not None"]
        )

    def _is_picked(self, measure: int) -> bool:
        columns = [*self.plan.session_live, *self.plan.session_settled]
        for slot in self.plan.slots:
            if measure in slot.picks:
                return True
            columns.extend(slot.columns)
        return any(m == measure and stat in ("first", "last") for m, stat in columns)

    def _into_slot(
        self,
        number: int,
        slot: Slot,
        type_: str,
        values: dict[int, Value],
        block: Block,
        view: str,
        *,
        undo: bool,
    ) -> None:
        if slot.kind != "exact" and slot.settled != (view == "settled"):
            return
        if slot.kind == "exact" and slot.type == type_ and view == "live":
            self._into_exact(number, slot, values, block, undo=undo)
        elif slot.kind in ("tiles", "best") and type_ == "bet":
            wanted = [column for column in slot.columns if column[0] in values]
            if slot.kind == "tiles" and wanted:
                self._into_tiles(number, slot, values, block, view, undo=undo)
            elif wanted:
                self._into_best(number, slot, values, block, view, undo=undo)
        elif slot.kind == "totals":
            self._into_totals(f"q[{number}]", slot.columns, type_, values, block, undo=undo)

    def _into_exact(
        self, number: int, slot: Slot, values: dict[int, Value], block: Block, *, undo: bool
    ) -> None:
        row, picks = self._row(slot, values)
        wanted = {m for m, _ in slot.columns} | set(slot.picks)
        absent = [f"{values[m].name} is not None" for m in sorted(wanted) if values[m].maybe]
        indent = block.indent
        if len(absent) == len(wanted):
            block.line(f"if {' or '.join(absent)}:")
            block.indent += "    "
        if undo:
            block.line(f"a = q[{number}]")
            block.line(
                f"missed = a is None"
                f" or not a.remove(ts, {row}, {picks}, {self.plan.firm(slot)}, loose=x.arrived)"
                f" and ts > keep - {slot.reach_us}"
            )
        else:
            block.line(f"a = q[{number}]")
            block.line(f"if a is None: a = q[{number}] = Series({len(slot.columns)})")
            block.line(f"a.add(ts, {row}, {picks}, keep - {slot.reach_us})")
        block.indent = indent

    def _into_tiles(
        self, number: int, slot: Slot, values: dict[int, Value], block: Block, view: str, *, undo: bool
    ) -> None:
        stride = len(slot.columns) + 1
        numbers = [_number(values[m], stat) for m, stat in slot.columns]
        if undo:
            numbers = [f"-{n}" if n.isidentifier() or n.isdigit() else f"-({n})" for n in numbers]
        row = ", ".join(numbers) + ","
        block.line(f"a = q[{number}]")
        block.line(f"if a is None: a = q[{number}] = new_tiles({len(slot.columns)})")
        block.line(f"tile = ts // {slot.width_us}")
        # Squares and odd money go through add(), which moves to a list what does not fit an array.
        careful = any(stat == "sq" for _, stat in slot.columns)
        if not undo and not careful:
            block.line(f"if a[-{stride}] == tile and not odd:")
            for place, ((measure, stat), n) in enumerate(zip(slot.columns, numbers, strict=True)):
                # Money that is not odd is there, unless `where` left it out.
                bare = stat == "sum" and self.plan.measures[measure].converted
                bare = bare and self.plan.measures[measure].where is None
                block.line(f"    a[{place - stride + 1}] += {values[measure].name if bare else n}")
            block.line(
                f"else: q[{number}] = add_tiles(a, tile, ({row}),"
                f" (keep - {slot.reach_us}) // {slot.width_us})"
            )
        else:
            block.line(
                f"q[{number}] = add_tiles(a, tile, ({row}), (keep - {slot.reach_us}) // {slot.width_us})"
            )

    def _into_best(
        self, number: int, slot: Slot, values: dict[int, Value], block: Block, view: str, *, undo: bool
    ) -> None:
        (measure, aggregate), *_ = slot.columns
        value = values[measure].name
        if undo:
            block.line(f"if {value} is not None: kept = True")
            return
        test = f"{value} is not None"
        if aggregate == "distinct":
            # Mostly the tile has it already.
            bests = block.put(f"q[{number}]")
            test += f" and ({bests} is None or {value} not in {bests}.get(ts // {slot.width_us}, ()))"
        block.line(f"if {test}:")
        block.line(f"    if q[{number}] is None: q[{number}] = {{}}")
        block.line(
            f"    keep_best(q[{number}], ts // {slot.width_us}, {value}, {aggregate!r}, ts,"
            f" (keep - {slot.reach_us}) // {slot.width_us})"
        )

    def _into_totals(
        self,
        where: str,
        columns: list[Column],
        type_: str,
        values: dict[int, Value],
        block: Block,
        *,
        undo: bool,
    ) -> None:
        """Running totals of a session or a lifetime."""
        wanted = [(place, m, stat) for place, (m, stat) in enumerate(columns) if m in values]
        if not wanted:
            return
        indent = block.indent
        fresh = "[" + ", ".join("None" if stat in PICKS else "0" for _, stat in columns) + "]"
        if where == "settled":
            block.line("if s is not None:")
            block.line(f"    if s.settled is None: s.settled = {fresh}")
            block.line(
                f"    for u in s.views(turn, {fresh}) if s.marks and s.marks[-1][0] > turn else (s.settled,):"
            )
            block.indent += 2 * "    "
        else:
            if where in ("session", "settled now"):
                where = "s.totals" if where == "session" else "s.settled"
                block.line("if s is not None:")
                block.indent += "    "
            block.line(f"u = {where}")
            block.line(f"if u is None: u = {where} = {fresh}")
        for place, measure, stat in wanted:
            value = values[measure]
            guard = f"if {value.name} is not None: " if value.maybe else ""
            if stat in PICKS:
                if undo:
                    block.line(f"{guard}kept = True")
                    continue
                tests = [f"{value.name} is not None"] if value.maybe else []
                if stat not in ("first", "last") and value.maybe:
                    tests.append(f"{value.name} is not False")
                guard = f"if {' and '.join(tests)}: " if tests else ""
                block.line(f"{guard}u[{place}] = better({stat!r}, u[{place}], {value.name}, ts)")
                continue
            if value.maybe:
                guard = f"if {value.name} is not None and {value.name} is not False: "
            source = {"n": "1", "sum": value.name, "sq": f"{value.name} * {value.name}"}[stat]
            block.line(f"{guard}u[{place}] {'-' if undo else '+'}= {source}")
        block.indent = indent


def nothing_fresh(plan: Plan) -> list[int]:
    """What `Player.fresh` is while nothing waits: an empty stretch of time, never changed in place."""
    return [1, 0] + [0] * len(plan.fresh)


def _odd(money: list[str]) -> str:
    """Source that says whether some money is absent, converted or huge: not for adding in place."""
    return (
        " or ".join(f"type({name}) is not int or {name} > {HUGE}" for name in dict.fromkeys(money)) or "False"
    )


def _number(value: Value, stat: str) -> str:
    """What a value adds to a numeric column."""
    if stat == "n":
        return f"(0 if {value.name} is None or {value.name} is False else 1)" if value.maybe else "1"
    if stat == "sq":
        return f"({value.name} or 0) ** 2" if value.maybe else f"{value.name} ** 2"
    return f"({value.name} or 0)" if value.maybe else value.name
