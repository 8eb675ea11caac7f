"""Source that puts an event's values into the windows that want them, or takes them out again.

Bets are so many that what they add to the current tiles is first summed up in `p.fresh`, and brought into the
tiles when one of these ends or somebody looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from detector.engine.emit import Block, Value
from detector.engine.plan import PICKS, Column, Plan, Slot


class Filling:
    """Writes the lines that fill windows within one generated function.

    Parameters
    ----------
    type_
        The event's.
    values
        The name of each measure's value in the function.
    block
        Where the lines go.
    undo
        Whether the event is taken out.
    """

    def __init__(
        self, plan: Plan, type_: str, values: Mapping[int, Value], block: Block, *, undo: bool = False
    ) -> None:
        self.plan = plan
        self.type = type_
        self.values = values
        self.block = block
        self.undo = undo

    def slots(self, view: str, but: Sequence[Slot] = ()) -> None:
        """Fill the slots of the live or of the settled view, all but some."""
        for number, slot in enumerate(self.plan.slots):
            if slot not in but:
                self._slot(number, slot, view)

    def fresh(self, slots: Sequence[Slot]) -> None:
        """Add a bet to the sums of the current tiles; where a tile ends, bring them in and start anew."""
        block = self.block
        block.line("f = p.fresh")
        block.line("if f[0] <= ts < f[1] and not odd:")
        for (measure, stat), place in self.plan.fresh.items():
            value = self.values[measure]
            guard = f"if {value.name} is not None: " if value.maybe else ""
            block.line(f"    {guard}f[{place}] += {value.name if stat == 'sum' else '1'}")
        block.line("else:")
        block.indent += "    "
        block.line("if f[0] < f[1]: flush(p)")
        for slot in slots:
            self._slot(self.plan.slots.index(slot), slot, "settled" if slot.settled else "live")
        starts = ", ".join(f"ts // {slot.width_us} * {slot.width_us}" for slot in slots)
        ends = ", ".join(f"(ts // {slot.width_us} + 1) * {slot.width_us}" for slot in slots)
        zeros = ", 0" * len(self.plan.fresh)
        block.line(f"if not odd: p.fresh = [max(0, {starts}), min({2**62}, {ends}){zeros}]")
        block.indent = block.indent[:-4]

    def _slot(self, number: int, slot: Slot, view: str) -> None:
        if slot.kind != "exact" and slot.settled != (view == "settled"):
            return
        if slot.kind == "exact" and slot.type == self.type and view == "live":
            self._exact(number, slot)
        elif slot.kind in ("tiles", "best") and self.type == "bet":
            wanted = [column for column in slot.columns if column[0] in self.values]
            if slot.kind == "tiles" and wanted:
                self._tiles(number, slot)
            elif wanted:
                self._best(number, slot)
        elif slot.kind == "totals":
            self.totals(f"q[{number}]", slot.columns)

    def _exact(self, number: int, slot: Slot) -> None:
        block = self.block
        row, picks = row_of(slot, self.values)
        wanted = {m for m, _ in slot.columns} | set(slot.picks)
        absent = [f"{self.values[m].name} is not None" for m in sorted(wanted) if self.values[m].maybe]
        indent = block.indent
        if len(absent) == len(wanted):
            block.line(f"if {' or '.join(absent)}:")
            block.indent += "    "
        block.line(f"a = q[{number}]")
        if self.undo:
            block.line(
                f"missed = a is None"
                f" or not a.remove(ts, {row}, {picks}, {self.plan.firm(slot)}, loose=x.arrived)"
                f" and ts > keep - {slot.reach_us}"
            )
        else:
            block.line(f"if a is None: a = q[{number}] = Series({len(slot.columns)})")
            block.line(f"a.add(ts, {row}, {picks}, keep - {slot.reach_us})")
        block.indent = indent

    def _tiles(self, number: int, slot: Slot) -> None:
        block = self.block
        stride = len(slot.columns) + 1
        numbers = [_number(self.values[m], stat) for m, stat in slot.columns]
        if self.undo:
            numbers = [f"-{n}" if n.isidentifier() or n.isdigit() else f"-({n})" for n in numbers]
        row = ", ".join(numbers) + ","
        block.line(f"a = q[{number}]")
        block.line(f"if a is None: a = q[{number}] = new_tiles({len(slot.columns)})")
        block.line(f"tile = ts // {slot.width_us}")
        # Squares and odd money go through add(), which moves to a list what does not fit an array.
        careful = any(stat == "sq" for _, stat in slot.columns)
        if not self.undo and not careful:
            block.line(f"if a[-{stride}] == tile and not odd:")
            for place, ((measure, stat), n) in enumerate(zip(slot.columns, numbers, strict=True)):
                # Money that is not odd is there, unless `where` left it out.
                bare = stat == "sum" and self.plan.measures[measure].converted
                bare = bare and self.plan.measures[measure].where is None
                block.line(f"    a[{place - stride + 1}] += {self.values[measure].name if bare else n}")
            block.line(
                f"else: q[{number}] = add_tiles(a, tile, ({row}),"
                f" (keep - {slot.reach_us}) // {slot.width_us})"
            )
        else:
            block.line(
                f"q[{number}] = add_tiles(a, tile, ({row}), (keep - {slot.reach_us}) // {slot.width_us})"
            )

    def _best(self, number: int, slot: Slot) -> None:
        block = self.block
        (measure, aggregate), *_ = slot.columns
        value = self.values[measure].name
        if self.undo:
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

    def totals(self, where: str, columns: Sequence[Column]) -> None:
        """Fill running totals: of a lifetime, in a slot, or of a session.

        `where` is the source of a lifetime's place; "session" for the live totals of the session, "settled"
        for its settled ones and all that are still kept of earlier minutes, "settled now" for the former
        alone.
        """
        block = self.block
        wanted = [(place, m, stat) for place, (m, stat) in enumerate(columns) if m in self.values]
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
            value = self.values[measure]
            guard = f"if {value.name} is not None: " if value.maybe else ""
            if stat in PICKS:
                if self.undo:
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
            block.line(f"{guard}u[{place}] {'-' if self.undo else '+'}= {source}")
        block.indent = indent


def row_of(slot: Slot, values: Mapping[int, Value]) -> tuple[str, str]:
    """Source of the numbers and picks that an event's row in an exact window has."""
    numbers = ", ".join(_number(values[m], stat) for m, stat in slot.columns)
    picks = f"({', '.join(values[m].name for m in slot.picks)},)" if slot.picks else "None"
    return f"({numbers}{',' if numbers else ''})", picks


def flush_lines(plan: Plan) -> list[str]:
    """The function `flush(p)`."""
    lines = ["def flush(p):", "    q, f = p.slots, p.fresh"]
    for slot in plan.fresh_slots:
        lines.append(f"    a = q[{plan.slots.index(slot)}]")
        stride = len(slot.columns) + 1
        for place, column in enumerate(slot.columns, 1):
            lines.append(f"    a[{place - stride}] += f[{plan.fresh[column]}]")
    return [*lines, "    p.fresh = NOTHING_FRESH"]


def nothing_fresh(plan: Plan) -> list[int]:
    """What `Player.fresh` is while nothing waits: an empty stretch of time, never changed in place."""
    return [1, 0] + [0] * len(plan.fresh)


def _number(value: Value, stat: str) -> str:
    """What a value adds to a numeric column."""
    if stat == "n":
        return f"(0 if {value.name} is None or {value.name} is False else 1)" if value.maybe else "1"
    if stat == "sq":
        return f"({value.name} or 0) ** 2" if value.maybe else f"{value.name} ** 2"
    return f"({value.name} or 0)" if value.maybe else value.name
