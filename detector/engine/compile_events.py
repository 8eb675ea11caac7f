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

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from detector.engine.emit import Block, Value
from detector.engine.fields import Fields, loosened
from detector.engine.filling import Filling, flush_lines, nothing_fresh, row_of
from detector.engine.plan import Measure, Plan
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
        flush = flush_lines(self.plan) if type_ == "bet" and self.plan.fresh else []
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
        filling = Filling(self.plan, type_, values, block, undo=undo)
        if undo:
            block.line("missed = kept = False")
        waiting = self.plan.fresh_slots if eager and type_ == "bet" else []
        if waiting:
            filling.fresh(waiting)
        elif type_ == "bet" and self.plan.fresh:
            block.line("if p.fresh[0] < p.fresh[1]: flush(p)")
        filling.slots("live", but=waiting)
        filling.totals("session", self.plan.session_live)
        if eager:
            filling.slots("settled", but=waiting)
            filling.totals("settled now", self.plan.session_settled)
            return ["def take(p, e, ts, s, keep, x):", "    q = p.slots", *block.lines]
        travelling = _tuple(values[m].name for m in settled)
        block.line("return missed, kept" if undo else f"return {travelling}")
        head = f"def {'undo' if undo else 'apply'}(p, e, ts, s, keep, x):"
        return [head, "    q = p.slots", *block.lines]

    def _weigh(
        self, type_: str, measures: list[int], settled: list[int], constants: dict[str, Any]
    ) -> list[str]:
        block = Block(constants)
        values = self._measured(type_, measures, block, 0)
        row = "None, None"
        for slot in self.plan.slots:
            if slot.kind == "exact" and slot.type == type_:
                numbers, picks = row_of(slot, values)
                row = f"{numbers}, {picks}"
        travelling = _tuple(values[m].name for m in settled)
        block.line(f"return {travelling}, {row}")
        return ["def weigh(p, e, ts, s, x):", "    q = p.slots", *block.lines]

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
        filling = Filling(self.plan, type_, values, block, undo=undo)
        filling.slots("settled")
        filling.totals("settled", self.plan.session_settled)
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


def _odd(money: list[str]) -> str:
    """Source that says whether some money is absent, converted or huge: not for adding in place."""
    return (
        " or ".join(f"type({name}) is not int or {name} > {HUGE}" for name in dict.fromkeys(money)) or "False"
    )


def _tuple(names: Iterable[str]) -> str:
    """Source of a tuple of names; None where there are none."""
    inside = ", ".join(names)
    return f"({inside},)" if inside else "None"
