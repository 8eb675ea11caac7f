"""From a rule set to what has to be kept: every distinct quantity once, however many rules ask for it.

A *measure* is what an event contributes: `(type, field, where, currency)`. A *column* is how measures are
remembered: their number, sum, sum of squares, or the ones picked among (min max first last distinct). A
*slot* is one window store of a player; its number is the same for all players of a plan.

Rules judged at an event read the live columns, those judged at a moment (silence, session minutes) the
settled ones, which the engine fills only as time passes; exact windows of non-bet types serve both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from detector.events.vocabulary import SESSION_SUMMARY
from detector.language.rule import Rule
from detector.language.syntax import (
    Arithmetic,
    Call,
    Comparison,
    Expression,
    Habit,
    Literal,
    Logic,
    Membership,
    Name,
    Negation,
    Not,
    Percentile,
    Quantity,
    Score,
    SessionAge,
    Since,
)
from detector.players.player import MINUTE_US
from detector.windows.tiles import tile_width

PICKS = ("min", "max", "first", "last", "distinct")
NUMBERS = {"count": ("n",), "sum": ("sum",), "mean": ("n", "sum"), "std": ("n", "sum", "sq")}


@dataclass(frozen=True, slots=True)
class Measure:
    """What one event contributes to a quantity; `field` None counts the event."""

    type: str
    field: str | None
    where: Expression | None
    kind: str | None
    converted: bool
    currency: str | None

    @property
    def key(self) -> str:
        """A text that means the same in every plan."""
        return repr((self.type, self.field, self.where, self.kind, self.converted, self.currency))


Column = tuple[int, str]
"""(number of the measure, stat): stat is n, sum, sq or one of PICKS."""


@dataclass(slots=True)
class Slot:
    """One window store: `kind` is exact, tiles, best, totals or latest."""

    kind: str
    key: str
    columns: list[Column] = field(default_factory=list)
    picks: list[int] = field(default_factory=list)  # exact: measures picked among
    type: str = ""
    length_us: int = 0
    reach_us: int = 0  # how far back the windows over this slot look
    aggregate: str = ""
    settled: bool = False

    @property
    def width_us(self) -> int:
        return tile_width(self.length_us)


class Plan:
    """All slots and measures of a rule set.

    Attributes
    ----------
    measures, slots
        In order of their numbers.
    session_live, session_settled
        Columns of a session's totals.
    settled_measures
        For each event type the measures that settled columns need, in the order in which they travel.
    silences
        The distinct lengths of silence in µs, ascending.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self.measures: list[Measure] = []
        self.slots: list[Slot] = []
        self._numbers: dict[Measure, int] = {}
        self._slots: dict[tuple[Any, ...], int] = {}
        self.session_live: list[Column] = []
        self.session_settled: list[Column] = []
        self.settled_measures: dict[str, list[int]] = {}
        self.silences = sorted({r.trigger.silence_us for r in rules if r.trigger.silence_us is not None})
        self.session_rules = any(r.trigger.during_session for r in rules)
        self.closing_rules = any(is_closing(r) for r in rules)
        self.summaries = self.closing_rules or any(reads_summaries(r) for r in rules)
        for rule in rules:
            settled = self.is_settled(rule)
            for node in asked_of(rule):
                if isinstance(node, Quantity):
                    self._add_quantity(node, settled)
                elif isinstance(node, Since):
                    self.latest(node.type, settled)
        for measure in tuple(self.measures):
            if measure.where is not None and any(
                isinstance(node, Name) and node.name == "gap" for node in walk(measure.where)
            ):
                self.latest(measure.type, False)
            if measure.field == "gap":
                self.latest(measure.type, False)
        self.timed = bool(self.silences) or self.session_rules or self.summaries
        self.first_minute = min(
            (first_minute(rule) for rule in rules if rule.trigger.during_session), default=1
        )
        self.eager = not any(
            _needs_its_turn(node, closing=is_closing(rule))
            for rule in rules
            if rule.trigger.during_session or is_closing(rule)
            for node in asked_of(rule)
        )
        # Sums of bets of the current tiles, kept apart until the next tile begins: one addition then serves
        # every window that asks for the same sum. Column → its place in `Player.fresh`, after the two edges.
        self.fresh: dict[Column, int] = {}
        for slot in self.fresh_slots:
            for column in slot.columns:
                self.fresh.setdefault(column, 2 + len(self.fresh))
        self.reach_us = max((slot.reach_us for slot in self.slots), default=0)
        self.lifetime = any(slot.kind == "totals" for slot in self.slots)

    @property
    def fresh_slots(self) -> list[Slot]:
        """The tiles whose newest bets may wait in `Player.fresh`: not those of squares, which may not fit."""
        return [s for s in self.slots if s.kind == "tiles" and all(stat != "sq" for _, stat in s.columns)]

    @staticmethod
    def is_settled(rule: Rule) -> bool:
        """Whether a rule is judged at moments that the watermark passes, rather than at events."""
        return not rule.trigger.events or is_closing(rule)

    def measure_of(self, quantity: Quantity) -> int:
        """The number of a quantity's measure."""
        name = None if quantity.aggregate == "count" else quantity.field
        measure = Measure(
            quantity.type,
            name,
            quantity.where,
            str(quantity.kind) if name in ("old", "new") else None,
            quantity.converted,
            quantity.currency if quantity.converted else _currency_of(quantity.where),
        )
        number = self._numbers.get(measure)
        if number is None:
            number = self._numbers[measure] = len(self.measures)
            self.measures.append(measure)
        return number

    def slot_of(self, quantity: Quantity, settled: bool) -> int:
        """The number of the slot a quantity (not over a session) is kept in."""
        window = quantity.window
        if window.scope == "lifetime":
            return self._slot(("lifetime", settled), "totals", f"lifetime {settled}", settled=settled)
        if quantity.type != "bet":
            return self._slot(("exact", quantity.type), "exact", f"exact {quantity.type}", type=quantity.type)
        if quantity.aggregate in PICKS:
            measure = self.measure_of(quantity)
            return self._slot(
                ("best", window.length_us, measure, quantity.aggregate, settled),
                "best",
                f"best {window.length_us} {self.measures[measure].key} {quantity.aggregate} {settled}",
                length_us=window.length_us,
                aggregate=quantity.aggregate,
                settled=settled,
            )
        return self._slot(
            ("tiles", window.length_us, settled),
            "tiles",
            f"tiles {window.length_us} {settled}",
            length_us=window.length_us,
            settled=settled,
        )

    def latest(self, type_: str, settled: bool) -> int:
        """The slot that holds the time of the latest event of a type."""
        return self._slot(
            ("latest", type_, settled), "latest", f"latest {type_} {settled}", type=type_, settled=settled
        )

    def firm(self, slot: Slot) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The columns and picks of an exact slot that an event gives whenever it is looked at."""
        steady = [not _hangs_on_arrival(measure) for measure in self.measures]
        return (
            # Squares of converted money are too large for their differences to be told.
            tuple(
                place
                for place, (measure, stat) in enumerate(slot.columns)
                if steady[measure] and stat != "sq"
            ),
            tuple(place for place, measure in enumerate(slot.picks) if steady[measure]),
        )

    def columns_of(self, quantity: Quantity) -> list[Column]:
        """The columns a quantity is computed from."""
        measure = self.measure_of(quantity)
        if quantity.aggregate in PICKS:
            return [(measure, quantity.aggregate)]
        return [(measure, stat) for stat in NUMBERS[quantity.aggregate]]

    def _slot(self, key: tuple[Any, ...], kind: str, name: str, **more: Any) -> int:
        number = self._slots.get(key)
        if number is None:
            number = self._slots[key] = len(self.slots)
            self.slots.append(Slot(kind, name, **more))
        return number

    def _add_quantity(self, quantity: Quantity, settled: bool) -> None:
        measure, columns, window = self.measure_of(quantity), self.columns_of(quantity), quantity.window
        if window.scope == "session":
            target = self.session_settled if settled else self.session_live
            target.extend(column for column in columns if column not in target)
        else:
            slot = self.slots[self.slot_of(quantity, settled)]
            slot.reach_us = max(slot.reach_us, window.length_us + window.before_us)
            if slot.kind == "exact" and quantity.aggregate in PICKS:
                if measure not in slot.picks:
                    slot.picks.append(measure)
            else:
                slot.columns.extend(column for column in columns if column not in slot.columns)
        if settled and (window.scope != "over" or quantity.type == "bet"):
            travelling = self.settled_measures.setdefault(quantity.type, [])
            if measure not in travelling:
                travelling.append(measure)

    @cached_property
    def layout(self) -> dict[str, Any]:
        """What a stored record's numbers mean, so that another plan can take over what it shares."""

        def named(columns: list[Column]) -> list[str]:
            return [f"{stat} {self.measures[m].key}" for m, stat in columns]

        return {
            "slots": [
                [s.kind, s.key, named(s.columns), [self.measures[m].key for m in s.picks]] for s in self.slots
            ],
            "session_live": named(self.session_live),
            "session_settled": named(self.session_settled),
            "settled": {t: [self.measures[m].key for m in ms] for t, ms in self.settled_measures.items()},
            "measures": [m.key for m in self.measures],
            "silences": self.silences,
        }

    @cached_property
    def id(self) -> str:
        """Sixteen hex digits that change when the layout does."""
        return hashlib.sha256(msgspec.json.encode(self.layout)).hexdigest()[:16]


def _hangs_on_arrival(measure: Measure) -> bool:
    """Whether an event's contribution depends on what was known of the player when it arrived."""
    names = {measure.field}
    if measure.where is not None:
        names |= {node.name for node in walk(measure.where) if isinstance(node, Name)}
    return bool(names & {"gap", "local_hour", "local_date"})


def asked_of(rule: Rule) -> Iterator[Expression]:
    """Every leaf of a rule: quantities, those of habits included, and times since."""
    for expression in (rule.when, *rule.lets.values(), *rule.escalate.values()):
        yield from quantities(expression, {})


def is_closing(rule: Rule) -> bool:
    """Whether a rule is judged when a session closes."""
    return rule.trigger.events == (SESSION_SUMMARY,)


def reads_summaries(rule: Rule) -> bool:
    """Whether a rule asks for something about sessions that have closed."""
    return any(asks_for_summaries(node) for node in asked_of(rule))


def asks_models(rule: Rule) -> bool:
    """Whether a rule asks for a score."""
    return any(isinstance(node, Score) for node in asked_of(rule))


def asks_for_summaries(node: Expression) -> bool:
    """Whether a leaf is about sessions that have closed, as features of models are."""
    return isinstance(node, Score) or (isinstance(node, (Quantity, Since)) and node.type == SESSION_SUMMARY)


def _needs_its_turn(node: Expression, *, closing: bool) -> bool:
    """Whether a moment's quantity hangs on what came after it when events are taken in as they arrive."""
    if isinstance(node, Since):
        return node.type != SESSION_SUMMARY
    if not isinstance(node, Quantity) or node.type == SESSION_SUMMARY:
        return False
    # The totals of a session are kept for each minute that may be judged, not for the instant of its end.
    scope = node.window.scope
    return scope == "lifetime" or (node.type == "bet" and scope == "over") or (closing and scope == "session")


def first_minute(rule: Rule) -> int:
    """The first whole minute of a session at which a rule can hold.

    A condition that asks for `session_age >= X` beside everything else is False before, and a False changes
    nothing: the minutes up to there need not be judged.
    """
    when = rule.when
    operands = when.operands if isinstance(when, Logic) and when.operator == "and" else (when,)
    first = 1
    for operand in operands:
        if not isinstance(operand, Comparison) or operand.operator not in (">", ">=", "=="):
            continue
        left = operand.left
        while isinstance(left, Name) and left.name in rule.lets:
            left = rule.lets[left.name]
        if isinstance(left, SessionAge) and isinstance(operand.right, Literal):
            first = max(first, -(-int(operand.right.value) // MINUTE_US))
    return first


def _currency_of(where: Expression | None) -> str | None:
    """The currency that a condition on money speaks of; None where it names none."""
    for node in walk(where) if where is not None else ():
        options = node.options if isinstance(node, Membership) else (node,)
        for option in options:
            if isinstance(option, Literal) and option.currency is not None:
                return option.currency
    return None


def children(node: Expression) -> tuple[Expression, ...]:
    """The expressions right below a node, a quantity's `where` left out."""
    if isinstance(node, (Negation, Not)):
        return (node.operand,)
    if isinstance(node, (Arithmetic, Comparison)):
        return (node.left, node.right)
    if isinstance(node, Membership):
        return (node.item,)
    if isinstance(node, Logic):
        return node.operands
    if isinstance(node, Call):
        return node.arguments
    return ()


def walk(node: Expression) -> Iterator[Expression]:
    """A node and all below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def leaves(node: Expression, lets: dict[str, Expression]) -> Iterator[Expression]:
    """The nodes below that have no children; names of `lets` are followed into what they stand for."""
    for below in walk(node):
        if isinstance(below, Name) and below.name in lets:
            yield from leaves(lets[below.name], lets)
        elif not children(below):
            yield below


def quantities(node: Expression, lets: dict[str, Expression]) -> Iterator[Expression]:
    """The leaves below, each habit or percentile followed by the quantities that make it."""
    for leaf in leaves(node, lets):
        yield leaf
        if isinstance(leaf, Habit):
            yield leaf.quantity
            yield from leaf.before
        elif isinstance(leaf, Percentile):
            for below in (leaf.measure, leaf.among, leaf.product):
                if below is not None:
                    yield from quantities(below, lets)
