"""One Python function a rule, which says whether it holds, and one that gathers the facts of an alert.

`when(p, t, s)` returns True, False or None (unknown); `gate(p, t, s)` False where it can be told without
looking at closed sessions that `when` is; `level(p, t, s)` the highest escalate severity that
holds (0 to 3) or -1; `facts(p, t, s)` the values of `Facts.expressions`. `p` is the Player, `t` the moment
of judgement in µs, `s` the Session in question or None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from detector.cohorts.tables import Cohorts
from detector.engine.emit import Block, Emitter, Value
from detector.engine.plan import PICKS, Plan, asks_for_summaries, quantities
from detector.language.rule import SEVERITIES, Rule
from detector.language.syntax import (
    HABIT_WINDOWS,
    Age,
    Expression,
    Habit,
    Kind,
    Logic,
    Name,
    Percentile,
    Quantity,
    Score,
    SessionAge,
    Since,
)
from detector.players.player import NEVER, Player, Session
from detector.windows import tiles

Judge = Callable[[Player, int, Session | None], Any]


@dataclass(frozen=True, slots=True)
class RuleFunctions:
    """The compiled functions of one rule."""

    when: Judge
    gate: Judge
    level: Judge
    facts: Judge


def hit(
    times: dict[int, list[tuple[int, int]]], measure: int, after_us: int, upto_us: int, now_us: int
) -> bool:
    """Whether money that no rate could convert lies within (after, upto], and is not taken back by now."""
    return any(after_us < at <= upto_us and gone > now_us for at, gone in times.get(measure, ()))


def hit_session(times: list[tuple[int, int, int]], measure: int, upto_us: int, now_us: int) -> bool:
    """Whether money of a session that no rate could convert lies at or before an instant."""
    return any(known == measure and at <= upto_us and gone > now_us for known, at, gone in times)


def spread(n: int, total: float, squares: float) -> float | None:
    """Standard deviation with ddof 0 from sums; unknown for fewer than two."""
    return None if n < 2 else sqrt(max(0, n * squares - total * total)) / n


def standing(first: float, second: float, third: float, fourth: float, now: float) -> float | None:
    """How many standard deviations of four windows (ddof 0) a fifth lies above their mean.

    Unknown where the four are all the same.
    """
    windows = (first, second, third, fourth)
    mean = sum(windows) / HABIT_WINDOWS
    deviation = sqrt(sum((each - mean) ** 2 for each in windows) / HABIT_WINDOWS)
    return (now - mean) / deviation if deviation else None


def pick(aggregate: str, values: list[Any]) -> Any:
    """`min max first last distinct` of an exact window's values, oldest first."""
    if aggregate in ("first", "last"):
        if not values:
            return None
        value = values[0 if aggregate == "first" else -1]
        return None if value is False else value
    values = [value for value in values if value is not False]
    if aggregate == "distinct":
        return len(set(values))
    if not values:
        return None
    return max(values) if aggregate == "max" else min(values)


def remembered(aggregate: str, value: Any) -> Any:
    """The answer behind what a running total remembers."""
    if aggregate == "distinct":
        return 0 if value is None else len(value)
    if value is None or aggregate in ("min", "max"):
        return value
    return None if value[1] is False else value[1]


class _Judgement(Emitter):
    """Reads quantities from a player's windows."""

    def __init__(
        self, block: Block, plan: Plan, rule: Rule, cohorts: Cohorts | None = None, *, rated: bool = False
    ) -> None:
        super().__init__(block)
        self.cohorts = cohorts
        self.rated = rated  # all of the player's money could be converted, as it mostly can
        self.plan = plan
        self.rule = rule
        self.settled = plan.is_settled(rule)

    def cost(self, node: Expression) -> int:
        dear = 0
        for each in quantities(node, dict(self.rule.lets)):
            if isinstance(each, Habit):
                dear += 4
            elif isinstance(each, Quantity) and each.aggregate in PICKS and each.window.scope == "over":
                # Chosen among tiles or rows one by one, where others are the difference of two totals.
                dear += 8 if each.type == "bet" else 2
        return dear

    @property
    def _now(self) -> str:
        """A moment sees a correction from its own time on, an event as soon as it is here."""
        return "t" if self.settled else str(NEVER - 1)

    def leaf(self, node: Expression) -> Value:
        block = self.block
        if isinstance(node, Name):
            return self.emit(self.rule.lets[node.name])
        if isinstance(node, Age):
            return Value(block.put("t - p.first"), False)
        if isinstance(node, SessionAge):
            start = "s.settled_start" if self.settled else "s.start"
            return Value(block.put(f"None if s is None else t - {start}"), True)
        if isinstance(node, Score):
            scores = block.once("p.scores")
            return Value(block.put(f"None if {scores} is None else {scores}.get({node.model!r})"), True)
        if isinstance(node, Since):
            known = block.put(f"q[{self.plan.latest(node.type, self.settled)}]")
            return Value(block.put(f"None if {known} is None else t - {known}"), True)
        if isinstance(node, Habit):
            return self._habit(node)
        if isinstance(node, Percentile):
            return self._percentile(node)
        assert isinstance(node, Quantity), node
        value = self._quantity(node)
        if node.kind is Kind.BOOL:
            value = Value(block.put(f"None if {value.name} is None else {value.name} == 1"), True)
        return value

    def _quantity(self, node: Quantity) -> Value:
        if node.window.scope == "session":
            return self._session(node)
        slot = self.plan.slots[self.plan.slot_of(node, self.settled)]
        return {"exact": self._exact, "tiles": self._tiles, "best": self._best, "totals": self._lifetime}[
            slot.kind
        ](node)

    def _habit(self, node: Habit) -> Value:
        parts = [self.emit(each) for each in node.before]
        if node.function == "z":
            parts.append(self.emit(node.quantity))
        young = f"t - p.first < {node.reach_us}"
        unsure = sorted({part.name for part in parts if part.maybe})
        test = " or ".join([young, *(f"{name} is None" for name in unsure)])
        names = [part.name for part in parts]
        total = " + ".join(names[:HABIT_WINDOWS])
        made = f"({total}) / {HABIT_WINDOWS}" if node.function == "usual" else f"standing({', '.join(names)})"
        return Value(self.block.put(f"None if {test} else {made}"), True)

    def _percentile(self, node: Percentile) -> Value:
        ranks = None if self.cohorts is None else self.cohorts.ranks(node.key)
        if ranks is None:
            return Value(self.block.put("None"), True)
        value = self.emit(node.measure)
        tests = [f"{value.name} is None"] if value.maybe else []
        if node.among is not None:
            # Whoever is compared has to be one of those with whom it is.
            tests.append(f"not {self.emit(node.among).name}")
        product = "None"
        if node.product is not None:
            product = self.emit(node.product).name
            if node.pinned is not None:
                tests.append(f"{product} is None")
        currency = "None"
        if node.is_money:
            currency = "p.currency" if node.currency is None else self.block.constant(node.currency)
        place = f"{self.block.constant(ranks.place)}(t, {currency}, {product}, {value.name})"
        return Value(self.block.put(f"None if {' or '.join(tests)} else {place}" if tests else place), True)

    def _known(self, node: Quantity, after: str, upto: str, value: Value) -> Value:
        """Unknown where money in the window could not be converted."""
        if not node.converted or self.rated:
            return value
        measure = self.plan.measure_of(node)
        test = f"p.unrated is not None and hit(p.unrated, {measure}, {after}, {upto}, {self._now})"
        return Value(self.block.put(f"None if {test} else {value.name}"), True)

    def _combined(self, aggregate: str, parts: list[str]) -> Value:
        block = self.block
        if aggregate in ("count", "sum"):
            return Value(parts[0], False)
        if aggregate == "mean":
            return Value(block.put(f"{parts[1]} / {parts[0]} if {parts[0]} else None"), True)
        return Value(block.put(f"spread({', '.join(parts)})"), True)

    def _exact(self, node: Quantity) -> Value:
        block, window = self.block, node.window
        number = self.plan.slot_of(node, self.settled)
        slot = self.plan.slots[number]
        after = f"t - {window.length_us + window.before_us}"
        upto = f"t - {window.before_us}" if window.before_us else "t"
        series = block.once(f"q[{number}]")
        if node.aggregate in PICKS:
            place = slot.picks.index(self.plan.measure_of(node))
            found = f"[] if {series} is None else {series}.picked({place}, {after}, {upto})"
            value = Value(block.put(f"pick({node.aggregate!r}, {found})"), node.aggregate != "distinct")
        else:
            parts = [
                block.put(
                    f"0 if {series} is None else {series}.total({slot.columns.index(c)}, {after}, {upto})"
                )
                for c in self.plan.columns_of(node)
            ]
            value = self._combined(node.aggregate, parts)
        return self._known(node, after, upto, value)

    def _edges(self, node: Quantity, width: int) -> tuple[str, str]:
        window = node.window
        first = self.block.once(f"(t - {window.length_us + window.before_us}) // {width}")
        last = self.block.once(f"(t - {window.before_us}) // {width}") if window.before_us else "None"
        return first, last

    def _tiles(self, node: Quantity) -> Value:
        number = self.plan.slot_of(node, self.settled)
        slot = self.plan.slots[number]
        first, last = self._edges(node, slot.width_us)
        rows = self.block.once(f"q[{number}]")
        stride = len(slot.columns) + 1
        # Mostly the oldest tile kept is the first of the window, and its sum is the last row less the first.
        whole = ""
        if last == "None":
            whole = self.block.once(
                f"{rows} is not None and (len({rows}) == {stride} or {rows}[{stride}] >= {first})"
            )
        parts = []
        for column in self.plan.columns_of(node):
            place = slot.columns.index(column) + 1
            exact = f"0 if {rows} is None else total({rows}, {stride}, {place}, {first}, {last})"
            if last == "None":
                exact = f"({rows}[{place - stride}] - {rows}[{place}] if {whole} else {exact})"
                if slot in self.plan.fresh_slots:
                    exact += f" + {self.block.once('p.fresh')}[{self.plan.fresh[column]}]"
            parts.append(self.block.once(exact))
        return self._rounded(node, slot.width_us, first, last, self._combined(node.aggregate, parts))

    def _best(self, node: Quantity) -> Value:
        number = self.plan.slot_of(node, self.settled)
        slot = self.plan.slots[number]
        first, last = self._edges(node, slot.width_us)
        nothing = "0" if node.aggregate == "distinct" else "None"
        bests = self.block.once(f"q[{number}]")
        value = self.block.put(
            f"best({bests}, {node.aggregate!r}, {first}, {last}) if {bests} else {nothing}"
        )
        return self._rounded(node, slot.width_us, first, last, Value(value, node.aggregate != "distinct"))

    def _rounded(self, node: Quantity, width: int, first: str, last: str, value: Value) -> Value:
        """The unconvertible within the window's tiles make it unknown."""
        upto = "t" if last == "None" else f"({last} + 1) * {width} - 1"
        return self._known(node, f"{first} * {width} - 1", upto, value)

    def _lifetime(self, node: Quantity) -> Value:
        number = self.plan.slot_of(node, self.settled)
        totals = self.block.once(f"q[{number}]")
        return self._known(
            node, str(-(2**62)), "t", self._totals(node, totals, self.plan.slots[number].columns)
        )

    def _totals(self, node: Quantity, totals: str, columns: list[tuple[int, str]]) -> Value:
        block = self.block
        places = [columns.index(column) for column in self.plan.columns_of(node)]
        if node.aggregate in PICKS:
            held = f"None if {totals} is None else {totals}[{places[0]}]"
            value = block.put(f"remembered({node.aggregate!r}, {held})")
            return Value(value, node.aggregate != "distinct")
        return self._combined(
            node.aggregate, [block.put(f"0 if {totals} is None else {totals}[{place}]") for place in places]
        )

    def _session(self, node: Quantity) -> Value:
        block = self.block
        columns = self.plan.session_settled if self.settled else self.plan.session_live
        totals = block.put(f"None if s is None else s.{'view' if self.settled else 'totals'}")
        value = self._totals(node, totals, columns)
        test = "s is None"
        if node.converted and not self.rated:
            measure = self.plan.measure_of(node)
            test += f" or s.unrated is not None and hit_session(s.unrated, {measure}, t, {self._now})"
        return Value(block.put(f"None if {test} else {value.name}"), True)


def compile_rule(
    rule: Rule,
    plan: Plan,
    asked: list[Expression],
    flush: Callable[[Player], None] | None,
    cohorts: Cohorts | None = None,
) -> tuple[RuleFunctions, str]:
    """Compile a rule; `asked` are the expressions whose values an alert shows. Returns functions, source."""
    head, constants = _head(flush), _constants(flush)
    lines: list[str] = []

    block = Block(constants)
    _Judgement(block, plan, rule, cohorts).condition(rule.when)
    lines += ["def when_unrated(p, t, s):", *head, *block.lines]

    block = Block(constants)
    block.line("if p.unrated is not None: return when_unrated(p, t, s)")
    _Judgement(block, plan, rule, cohorts, rated=True).condition(rule.when)
    # A bet just taken in is read where it waits, unless some window ends before it.
    reads = [node for node in quantities(rule.when, dict(rule.lets)) if isinstance(node, Quantity)]
    early = any(node.type == "bet" and node.window.before_us for node in reads)
    lines += ["def when(p, t, s):", *(head if early else head[-1:]), *block.lines]

    block = Block(constants)
    _Judgement(block, plan, rule, cohorts).condition(_without_summaries(rule))
    lines += ["def gate(p, t, s):", *head, *block.lines]

    block = Block(constants)
    emitter = _Judgement(block, plan, rule, cohorts)
    for severity in sorted(rule.escalate, key=SEVERITIES.index, reverse=True):
        value = emitter.emit(rule.escalate[severity])
        block.line(f"if {value.name}: return {SEVERITIES.index(severity)}")
    block.line("return -1")
    lines += ["def level(p, t, s):", *head, *block.lines]

    block = Block(constants)
    emitter = _Judgement(block, plan, rule, cohorts)
    names = [emitter.emit(expression).name for expression in asked]
    block.line(f"return [{', '.join(names)}]")
    lines += ["def facts(p, t, s):", *head, *block.lines]

    source = "\n".join(lines)
    exec(compile(source, f"<rule {rule.id}>", "exec"), constants)  # noqa: S102
    return RuleFunctions(*(constants[name] for name in ("when", "gate", "level", "facts"))), source


def compile_values(
    rule: Rule, plan: Plan, asked: Sequence[Expression], flush: Callable[[Player], None] | None
) -> Judge:
    """A function that gives the values of expressions as a rule would see them, None where one is unknown."""
    block = Block(_constants(flush))
    emitter = _Judgement(block, plan, rule)
    names = [emitter.emit(expression).name for expression in asked]
    block.line(f"return [{', '.join(names)}]")
    source = "\n".join(["def values(p, t, s):", *_head(flush), *block.lines])
    exec(compile(source, f"<{rule.id}>", "exec"), block.constants)  # noqa: S102
    made: Judge = block.constants["values"]
    return made


def _head(flush: Callable[[Player], None] | None) -> list[str]:
    head = ["    q = p.slots"]
    return head if flush is None else ["    if p.fresh[0] < p.fresh[1]: flush(p)", *head]


def _constants(flush: Callable[[Player], None] | None) -> dict[str, Any]:
    return {
        "flush": flush,
        "hit": hit,
        "hit_session": hit_session,
        "spread": spread,
        "standing": standing,
        "pick": pick,
        "remembered": remembered,
        "total": tiles.total,
        "best": tiles.best,
    }


def _without_summaries(rule: Rule) -> Logic:
    """Those of the conditions of `when` that must all hold which do not ask for closed sessions."""
    when = rule.when
    operands = when.operands if isinstance(when, Logic) and when.operator == "and" else (when,)
    lets = dict(rule.lets)
    return Logic(
        "and",
        tuple(
            operand
            for operand in operands
            if not any(asks_for_summaries(node) for node in quantities(operand, lets))
        ),
    )
