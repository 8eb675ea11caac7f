"""Gives every expression its kind: `type_expression` and `type_condition` walk the tree of one text.

What `detector.language.conditions` does for conditions, this adds for quantities, their windows and habits.
"""

from __future__ import annotations

from lark import Token

from detector.events.vocabulary import FIELDS, FieldKind
from detector.language.cohort import percentile_of, takes_no_cohort
from detector.language.conditions import ConditionTyper, Scope
from detector.language.kinds import (
    MEASURES,
    SPOKEN,
    aggregate_kind,
)
from detector.language.literals import DAY_US, read_literal, write_duration
from detector.language.parse import (
    SCOPES,
    Branch,
    SyntaxTree,
    end_of,
    leaf,
    offset_of,
    parse,
    suggestion,
)
from detector.language.rule import MODELS
from detector.language.source import Scalar, Unsaid, shorten
from detector.language.syntax import (
    Expression,
    Habit,
    Kind,
    Name,
    Percentile,
    Quantity,
    Score,
    Since,
    Window,
    kind_of,
)

MIN_WINDOW_US = 1_000_000
MAX_REACH_US = 400 * DAY_US
_NO_PLACE = "a cohort is of what players did: neither of places in cohorts nor of scores"


def type_expression(source: Scalar, scope: Scope) -> Expression:
    """Parse and type the text of a `let`; raise Fault where it makes no sense."""
    return _Typer(source, scope).expression(parse(source))


def type_condition(source: Scalar, scope: Scope) -> Expression:
    """Parse and type a condition; raise Fault where it makes no sense or is none."""
    return _Typer(source, scope).condition(parse(source))


class _Typer(ConditionTyper):
    """Types quantities too."""

    # Quantities

    def _since(self, tree: SyntaxTree) -> Since:
        if self._event is not None:
            raise self._fault(tree, "no quantity stands within `where`")
        return Since(self._event_type(tree.children[1]), self._source.at(offset_of(tree)))

    def _habit(self, tree: SyntaxTree) -> Habit:
        function, name_branch = tree.children
        if self._event is not None:
            raise self._fault(tree, "no quantity stands within `where`")
        name = leaf(name_branch)
        quantity = self.expression(name_branch)
        while isinstance(quantity, Name):
            quantity = self._scope.lets[quantity.name]
        if not isinstance(quantity, Quantity) or quantity.window.scope != "over":
            told = f"{function} takes a let that is one quantity over a duration: {shorten(name)} is none"
            raise self._fault(name_branch, told)
        if quantity.kind not in MEASURES:
            said = SPOKEN[kind_of(quantity)]
            raise self._fault(name_branch, f"{function} takes numbers, money or durations, not {said}")
        kind = Kind.NUMBER if function == "z" or quantity.kind is Kind.COUNT else quantity.kind
        habit = Habit(str(function), name, quantity, kind, self._source.at(offset_of(tree)))
        if habit.reach_us > MAX_REACH_US:
            reach = MAX_REACH_US // DAY_US
            told = f"the four windows before {shorten(name)} reach back more than {reach}d"
            raise self._fault(name_branch, told)
        self._scope.quantities.update(habit.before)
        return habit

    def _percentile(self, tree: SyntaxTree) -> Percentile:
        _, name_branch, condition = tree.children
        if self._event is not None:
            raise self._fault(tree, "no quantity stands within `where`")
        name = leaf(name_branch)
        named = self.expression(name_branch)
        if not isinstance(named, Name):
            raise self._fault(name_branch, f"percentile takes a let: {shorten(name)} is none")
        if kind_of(named) not in MEASURES:
            said = SPOKEN[kind_of(named)]
            raise self._fault(name_branch, f"percentile takes numbers, money or durations, not {said}")
        lets = self._scope.lets
        among = None
        if takes_no_cohort(named, lets):
            raise self._fault(name_branch, _NO_PLACE)
        if condition is not None:
            among = self.condition(condition)
            if takes_no_cohort(among, lets):
                raise self._fault(condition, _NO_PLACE)
        place = self._source.at(offset_of(tree))
        found = percentile_of(name, among, lets, self._scope.currency, self._scope.currencies, place)
        if found.product is not None:
            self._scope.quantities.add(found.product)
        self._scope.percentiles.append(found)
        return found

    def _score(self, tree: SyntaxTree) -> Score:
        if self._event is not None:
            raise self._fault(tree, "no score stands within `where`")
        name = tree.children[1]
        if str(name) not in MODELS:
            told = f'no model is called "{shorten(str(name))}"{suggestion(str(name), MODELS)}'
            raise self._fault(name, f"{told}; there are {', '.join(MODELS)}")
        self._scope.asks_score = True
        return Score(str(name), self._source.at(offset_of(tree)))

    def _quantity(self, tree: SyntaxTree) -> Quantity:
        name, selected, condition, span, before = tree.children
        if self._event is not None:
            raise self._fault(tree, "no quantity stands within `where`")
        event_branch, *field_branch = [selected] if isinstance(selected, Token) else selected.children
        event = self._event_type(event_branch)
        inner = _Typer(self._source, self._scope, event, self._pinned_limit(condition))
        field_name = str(field_branch[0]) if field_branch else None
        kind, converted = inner._aggregated(name, selected, event, field_name)
        quantity = Quantity(
            aggregate=str(name),
            type=event,
            field=field_name,
            where=inner.condition(condition) if condition else None,
            window=self._window(span, before),
            kind=kind,
            converted=converted,
            currency=self._scope.currency if converted else None,
            text=" ".join(self._source.text[offset_of(tree) : end_of(tree)].split()),
            place=self._source.at(offset_of(tree)),
        )
        self._scope.quantities.add(quantity)
        return quantity

    def _event_type(self, branch: Branch) -> str:
        name = str(branch)
        if name not in FIELDS:
            near = suggestion(name, FIELDS)
            raise self._fault(branch, f'no event type "{shorten(name)}" to aggregate{near}')
        return name

    def _aggregated(
        self, name: Branch, selected: Branch, event: str, field_name: str | None
    ) -> tuple[Kind, bool]:
        """Return the kind of an aggregate, and whether it is of money to be converted."""
        aggregate = str(name)
        if aggregate == "count":
            if field_name is not None:
                told = f"count takes no field: count({event}), or distinct({event}.{shorten(field_name)})"
                raise self._fault(selected, told)
            return Kind.COUNT, False
        if field_name is None:
            example = next((f for f, of in FIELDS[event].items() if of.kind is FieldKind.MONEY), "local_hour")
            raise self._fault(selected, f"{aggregate} needs a field, such as {event}.{example}")
        if field_name not in FIELDS[event]:
            near = suggestion(f"{event}.{field_name}", [f"{event}.{known}" for known in FIELDS[event]])
            raise self._fault(selected, f'{event} has no field "{shorten(field_name)}"{near}')
        kind = self._field_kind(selected, event, field_name)
        try:
            return aggregate_kind(aggregate, field_name, kind), kind is Kind.MONEY
        except ValueError as error:
            raise self._fault(name, str(error)) from None

    def _pinned_limit(self, condition: Branch | None) -> str | None:
        """Return the limit that every counted event has, by a `limit == "…"` that none can get round."""
        if condition is None or isinstance(condition, Token):
            return None
        conjuncts = condition.children if condition.data == "conjunction" else [condition]
        for conjunct in conjuncts:
            if isinstance(conjunct, Token) or conjunct.data != "comparison":
                continue
            left, operator, right = conjunct.children
            for field_branch, value in ((left, right), (right, left)):
                if str(operator) == "==" and leaf(field_branch) == "limit":
                    pinned = self._scope.constants.get(leaf(value))
                    return str(pinned.value) if pinned else leaf(value).strip('"')
        return None

    def _window(self, span: Branch, before: Branch | None) -> Window:
        if leaf(span) in SCOPES:
            if before is not None:
                raise self._fault(before, f"`before` needs a window of a length, not over {leaf(span)}")
            return Window(leaf(span))
        length_us = self._span_us(span)
        before_us = self._span_us(before) if before is not None else 0
        if length_us < MIN_WINDOW_US:
            raise self._fault(span, f"a window is at least {write_duration(MIN_WINDOW_US)} long")
        if before is not None and before_us <= 0:
            raise self._fault(before, "`before` takes a duration above 0")
        if length_us + before_us > MAX_REACH_US:
            reach = MAX_REACH_US // DAY_US
            raise self._fault(span, f"a window reaches back at most {reach}d, its `before` included")
        return Window("over", length_us, before_us)

    def _span_us(self, span: Branch) -> int:
        text = leaf(span)
        try:
            constant = self._scope.constant(text) or read_literal(text, self._scope.currencies)
        except ValueError as error:
            raise self._fault(span, str(error)) from None
        if text in self._scope.failed:
            raise Unsaid(self._source.at(offset_of(span)), f'"{text}" has a fault of its own')
        if constant is None:
            near = suggestion(text, [*SCOPES, *self._scope.constants])
            told = f'a window is 7d or so, a param, session or lifetime, not "{shorten(text)}"{near}'
            raise self._fault(span, told)
        if constant.kind is not Kind.DURATION:
            told = f'a window is a duration, "{shorten(text)}" is {SPOKEN[constant.kind]}'
            raise self._fault(span, told)
        return int(constant.value)
