"""Gives every expression its kind, and refuses what makes no sense: money of two currencies, a duration against
a count, a misspelt name.

`Typer` walks the tree of one text within a `Scope`, which says what its names mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from lark import Token, Tree

from detector.events.money import Currencies
from detector.events.vocabulary import FIELDS, LIMIT_KINDS, Field, FieldKind
from detector.language.literals import DAY_US, read_literal, write_duration
from detector.language.parse import (
    LATER,
    SCOPES,
    Branch,
    SyntaxTree,
    end_of,
    offset_of,
    parse,
    suggestion,
)
from detector.language.source import Fault, Scalar, shorten
from detector.language.syntax import (
    Age,
    Arithmetic,
    Call,
    Comparison,
    Expression,
    Kind,
    Literal,
    Logic,
    Membership,
    Name,
    Negation,
    Not,
    Quantity,
    SessionAge,
    Since,
    Window,
    kind_of,
)

MIN_WINDOW_US = 60_000_000
MAX_REACH_US = 400 * DAY_US

_KINDS = {
    FieldKind.MONEY: Kind.MONEY,
    FieldKind.COUNT: Kind.COUNT,
    FieldKind.NUMBER: Kind.NUMBER,
    FieldKind.MINUTES: Kind.DURATION,
    FieldKind.DURATION: Kind.DURATION,
    FieldKind.TEXT: Kind.TEXT,
    FieldKind.TRUTH: Kind.BOOL,
}
_PLAIN = (Kind.COUNT, Kind.NUMBER)
_MEASURES = (*_PLAIN, Kind.MONEY, Kind.DURATION)
_SPOKEN = {
    Kind.BOOL: "a condition",
    Kind.NUMBER: "a number",
    Kind.COUNT: "a count",
    Kind.MONEY: "money",
    Kind.DURATION: "a duration",
    Kind.TEXT: "a text",
}
# Quantities of an event's fields, as far as their kind differs from the field's.
_NOT_OF_TEXT = ("sum", "mean", "max", "min", "std")


class Unsaid(Fault):
    """A fault that follows from one already told, so that it is not told again."""


@dataclass(slots=True)
class Scope:
    """What the names of one rule mean, as far as they have been read.

    `lets` grows as they are typed; `failed` are lets and params that have a finding already, `coming` the lets
    further down. `used` and `quantities` collect what the rule's texts name and ask for.
    """

    currencies: Currencies
    constants: Mapping[str, Literal]
    currency: str | None = None
    lets: dict[str, Expression] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    coming: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    quantities: set[Quantity] = field(default_factory=set)


def type_expression(source: Scalar, scope: Scope) -> Expression:
    """Parse and type the text of a `let`; raise Fault where it makes no sense."""
    return Typer(source, scope).expression(parse(source))


def type_condition(source: Scalar, scope: Scope) -> Expression:
    """Parse and type a condition; raise Fault where it makes no sense or is none."""
    tree = parse(source)
    return Typer(source, scope).condition(tree)


class Typer:
    """Turns the syntax tree of one text into typed nodes."""

    def __init__(
        self, source: Scalar, scope: Scope, event: str | None = None, limit: FieldKind | None = None
    ) -> None:
        self._source = source
        self._scope = scope
        self._event = event  # the type whose fields are in sight: only within `where`
        self._limit = limit

    def expression(self, branch: Branch) -> Expression:
        """Return the typed node of a branch."""
        if isinstance(branch, Token):
            raise self._fault(branch, f'unexpected "{shorten(str(branch))}"')
        make: Callable[[SyntaxTree], Expression] = getattr(self, f"_{branch.data}")
        return make(branch)

    def condition(self, branch: Branch) -> Expression:
        """Return the typed node of a branch that has to be a condition."""
        node = self.expression(branch)
        if kind_of(node) is not Kind.BOOL:
            said = _SPOKEN[kind_of(node)]
            raise self._fault(branch, f"a condition is needed, this is {said}: compare it with something")
        return node

    # Literals and names

    def _literal(self, tree: SyntaxTree) -> Literal:
        text = str(tree.children[0])
        try:
            literal = read_literal(text, self._scope.currencies, self._source.at(offset_of(tree)))
        except ValueError as error:
            raise self._fault(tree, str(error)) from None
        if literal is None:
            raise self._fault(tree, f'"{shorten(text)}" is no constant')
        return literal

    _duration = _percent = _number = _text = _literal

    def _money(self, tree: SyntaxTree) -> Literal:
        literal = self._literal(tree)
        if literal.currency != self._scope.currency:
            raise self._fault(
                tree, f"{literal.currency} in a rule of {self._scope.currency}: one currency a rule"
            )
        return literal

    def _name(self, tree: SyntaxTree) -> Expression:
        name = str(tree.children[0])
        place = self._source.at(offset_of(tree))
        if self._event is not None:
            return self._name_in_where(tree, name, self._event)
        if name == "age":
            return Age(place)
        if name == "session_age":
            return SessionAge(place)
        if constant := self._constant(tree, name):
            return constant
        if name in self._scope.lets:
            self._scope.used.add(name)
            return Name(name, kind_of(self._scope.lets[name]), place)
        if name in self._scope.failed:
            self._scope.used.add(name)
            raise Unsaid(place, f'"{name}" has a fault of its own')
        if name in self._scope.coming:
            raise self._fault(tree, f'"{name}" comes later: a `let` sees only those above it')
        raise self._unknown(tree, name, ["age", "session_age", *self._scope.lets, *self._scope.constants])

    def _name_in_where(self, tree: SyntaxTree, name: str, event: str) -> Expression:
        constant = self._constant(tree, name)
        if name in FIELDS[event]:
            if constant:
                raise self._fault(tree, f'"{name}" is both a field of {event} and a param: rename the param')
            return Name(name, self._field_kind(tree, event, name), self._source.at(offset_of(tree)))
        if constant:
            return constant
        if name in self._scope.lets or name in ("age", "session_age"):
            raise self._fault(
                tree, f'`where` sees fields of {event}, params and constants only, not "{name}"'
            )
        raise self._unknown(tree, name, [*FIELDS[event], *self._scope.constants], f" in {event}")

    def _constant(self, tree: SyntaxTree, name: str) -> Literal | None:
        constant = self._scope.constants.get(name)
        if constant is None:
            return None
        self._scope.used.add(name)
        return replace(constant, place=self._source.at(offset_of(tree)))

    def _unknown(self, branch: Branch, name: str, known: list[str], where: str = "") -> Fault:
        if name in ("true", "false", "True", "False"):
            return self._fault(
                branch, "there is no true and no false: write the condition, or `not` before it"
            )
        if name in LATER:
            return self._fault(branch, f"`{name}` is reserved and not available yet")
        return self._fault(branch, f'unknown name "{shorten(name)}"{where}{suggestion(name, known)}')

    def _field(self, tree: SyntaxTree) -> Expression:
        dotted = ".".join(map(str, tree.children))
        if self._event is not None and str(tree.children[0]) == self._event:
            raise self._fault(tree, f"within `where` a field stands alone: {tree.children[1]}")
        raise self._fault(
            tree, f"a field needs an aggregate and a window, such as sum({shorten(dotted)}) over 7d"
        )

    # Logic

    def _disjunction(self, tree: SyntaxTree) -> Logic:
        return self._logic(tree, "or")

    def _conjunction(self, tree: SyntaxTree) -> Logic:
        return self._logic(tree, "and")

    def _logic(self, tree: SyntaxTree, operator: str) -> Logic:
        operands = tuple(self.condition(child) for child in tree.children)
        return Logic(operator, operands, self._source.at(offset_of(tree)))

    def _negated(self, tree: SyntaxTree) -> Not:
        return Not(self.condition(tree.children[0]), self._source.at(offset_of(tree)))

    def _comparison(self, tree: SyntaxTree) -> Comparison:
        left_branch, operator, right_branch = tree.children
        left, right = self._alike(left_branch, right_branch, "compared with")
        kinds = {kind_of(left), kind_of(right)}
        if str(operator) not in ("==", "!=") and kinds & {Kind.TEXT, Kind.BOOL}:
            raise self._fault(operator, f"{_SPOKEN[kind_of(left)]} is only compared by == and !=")
        self._check_choice(left, right)
        self._check_choice(right, left)
        exact = not kinds & {Kind.MONEY, Kind.NUMBER}
        return Comparison(str(operator), left, right, exact, self._source.at(offset_of(tree)))

    def _member(self, tree: SyntaxTree, *, negated: bool = False) -> Membership:
        item_branch, listed = tree.children
        item = self.expression(item_branch)
        options = []
        if not isinstance(listed, Tree):
            raise self._fault(tree, "`in` needs a list in brackets")
        for branch in listed.children:
            option = self.expression(branch)
            if not isinstance(option, Literal):
                raise self._fault(branch, "`in` lists constants and params only")
            item, fitted = self._fit(item, option, branch, "listed with")
            self._check_choice(item, fitted)
            if isinstance(fitted, Literal):
                options.append(fitted)
        kinds = {kind_of(item), *(option.kind for option in options)}
        exact = not kinds & {Kind.MONEY, Kind.NUMBER}
        return Membership(item, tuple(options), negated, exact, self._source.at(offset_of(tree)))

    def _not_member(self, tree: SyntaxTree) -> Membership:
        return self._member(tree, negated=True)

    # Arithmetic

    def _minus(self, tree: SyntaxTree) -> Expression:
        operand = self._measure(tree.children[0], "-")
        place = self._source.at(offset_of(tree))
        if isinstance(operand, Literal) and not isinstance(operand.value, str):
            return replace(operand, value=-operand.value, param=None, place=place)
        return Negation(operand, kind_of(operand), place)

    def _arithmetic(self, tree: SyntaxTree) -> Arithmetic:
        left_branch, sign, right_branch = tree.children
        operator = str(sign)
        left = self._measure(left_branch, operator)
        right = self._measure(right_branch, operator)
        kind = _combined(operator, kind_of(left), kind_of(right))
        if kind is None:
            told = f"{_SPOKEN[kind_of(left)]} {operator} {_SPOKEN[kind_of(right)]} makes no sense"
            raise self._fault(sign if isinstance(sign, Token) else tree, told)
        return Arithmetic(operator, left, right, kind, self._source.at(offset_of(tree)))

    def _call(self, tree: SyntaxTree) -> Call:
        function, *branches = tree.children
        name = str(function)
        if name == "abs" and len(branches) != 1:
            raise self._fault(function, "abs takes one value")
        if name != "abs" and len(branches) < 2:
            raise self._fault(
                function, f"{name} takes two or more values, or a field: {name}(deposit.amount) over 7d"
            )
        arguments = [self._measure(branch, name) for branch in branches]
        # A bare 0 takes the kind of its neighbours, so two passes: the first may stand before the money.
        for _ in range(2):
            for index, branch in enumerate(branches[1:], 1):
                arguments[0], arguments[index] = self._fit(arguments[0], arguments[index], branch, "beside")
        kinds = {kind_of(argument) for argument in arguments}
        kind = Kind.NUMBER if Kind.NUMBER in kinds else kind_of(arguments[0])
        return Call(name, tuple(arguments), kind, self._source.at(offset_of(tree)))

    def _measure(self, branch: Branch, operator: str) -> Expression:
        node = self.expression(branch)
        if kind_of(node) not in _MEASURES:
            raise self._fault(
                branch, f"{operator} takes numbers, money or durations, not {_SPOKEN[kind_of(node)]}"
            )
        return node

    def _alike(self, left: Branch, right: Branch, verb: str) -> tuple[Expression, Expression]:
        return self._fit(self.expression(left), self.expression(right), right, verb)

    def _fit(
        self, left: Expression, right: Expression, branch: Branch, verb: str
    ) -> tuple[Expression, Expression]:
        left_kind, right_kind = kind_of(left), kind_of(right)
        if left_kind is right_kind or {left_kind, right_kind} <= set(_PLAIN):
            return left, right
        if left_kind is Kind.MONEY and _is_zero(right):
            return left, replace(right, kind=Kind.MONEY)
        if right_kind is Kind.MONEY and _is_zero(left):
            return replace(left, kind=Kind.MONEY), right
        hint = ""
        if {left_kind, right_kind} == {Kind.MONEY, *({left_kind, right_kind} & set(_PLAIN))}:
            hint = "; money is written with its currency, such as 200 CAD"
        elif {left_kind, right_kind} == {Kind.DURATION, *({left_kind, right_kind} & set(_PLAIN))}:
            hint = "; a duration is written with its unit, such as 7d"
        raise self._fault(branch, f"{_SPOKEN[right_kind]} {verb} {_SPOKEN[left_kind]}{hint}")

    # Quantities

    def _since(self, tree: SyntaxTree) -> Since:
        _, event = tree.children
        if self._event is not None:
            raise self._fault(tree, "no quantity stands within `where`")
        return Since(self._event_type(event), self._source.at(offset_of(tree)))

    def _quantity(self, tree: SyntaxTree) -> Quantity:
        name, selected, condition, span, before = tree.children
        if self._event is not None:
            raise self._fault(tree, "no quantity stands within `where`")
        aggregate = str(name)
        if isinstance(selected, Tree):
            event = self._event_type(selected.children[0])
            field_name = str(selected.children[1])
        else:
            event = self._event_type(selected)
            field_name = None
        limit = self._pinned_limit(condition) if "limit" in FIELDS[event] and condition is not None else None
        inner = Typer(self._source, self._scope, event, limit)
        kind, converted = inner._aggregated(name, selected, aggregate, event, field_name)
        quantity = Quantity(
            aggregate=aggregate,
            type=event,
            field=field_name,
            where=inner.condition(condition) if condition is not None else None,
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
            raise self._fault(
                branch, f'no event type "{shorten(name)}" to count{suggestion(name, list(FIELDS))}'
            )
        return name

    def _aggregated(
        self, name: Branch, selected: Branch, aggregate: str, event: str, field_name: str | None
    ) -> tuple[Kind, bool]:
        if aggregate == "count":
            if field_name is not None:
                raise self._fault(
                    selected, f"count takes no field: count({event}), or distinct({event}.{field_name})"
                )
            return Kind.COUNT, False
        if field_name is None:
            raise self._fault(selected, f"{aggregate} needs a field, such as {aggregate}({_example(event)})")
        if field_name not in FIELDS[event]:
            dotted = [f"{event}.{known}" for known in FIELDS[event]]
            near = suggestion(f"{event}.{field_name}", dotted)
            raise self._fault(selected, f'{event} has no field "{shorten(field_name)}"{near}')
        kind = self._field_kind(selected, event, field_name)
        if aggregate in _NOT_OF_TEXT and kind not in _MEASURES:
            raise self._fault(
                name, f"{aggregate} needs numbers, money or durations: {field_name} is {_SPOKEN[kind]}"
            )
        converted = kind is Kind.MONEY
        if aggregate == "distinct":
            return Kind.COUNT, converted
        if aggregate in ("mean", "std") and kind is Kind.COUNT:
            return Kind.NUMBER, converted
        return kind, converted

    def _field_kind(self, branch: Branch, event: str, name: str) -> Kind:
        kind = FIELDS[event][name].kind
        if kind is FieldKind.BY_LIMIT:
            if self._limit is None:
                options = " or ".join(f'"{limit}"' for limit in LIMIT_KINDS)
                raise self._fault(
                    branch, f"{name} is money, a count or minutes: say `where limit == …`, one of {options}"
                )
            kind = self._limit
        if kind is FieldKind.INSTANT:
            raise self._fault(
                branch, f"{name} is a time: rules read local_hour, local_date, gap and since(…)"
            )
        return _KINDS[kind]

    def _pinned_limit(self, condition: Branch) -> FieldKind | None:
        """Return what `new` and `old` are, by a `limit == "…"` that every counted event has to meet."""
        conjuncts = condition.children if _is(condition, "conjunction") else [condition]
        for conjunct in conjuncts:
            if not (isinstance(conjunct, Tree) and _is(conjunct, "comparison")):
                continue
            left, operator, right = conjunct.children
            for field_branch, value in ((left, right), (right, left)):
                if str(operator) == "==" and _is(field_branch, "name") and _leaf(field_branch) == "limit":
                    pinned = self._scope.constants.get(_leaf(value)) if _is(value, "name") else None
                    text = pinned.value if pinned else _leaf(value).strip('"')
                    return LIMIT_KINDS.get(str(text))
        return None

    def _window(self, span: Branch, before: Branch | None) -> Window:
        name = _leaf(span)
        if name in SCOPES:
            if before is not None:
                raise self._fault(before, f"`before` needs a window of a length, not over {name}")
            return Window(name)
        length_us = self._span_us(span)
        before_us = self._span_us(before) if before is not None else 0
        if length_us < MIN_WINDOW_US:
            raise self._fault(span, f"a window is at least {write_duration(MIN_WINDOW_US)} long")
        if before is not None and before_us <= 0:
            raise self._fault(before, "`before` takes a duration above 0")
        if length_us + before_us > MAX_REACH_US:
            raise self._fault(
                span, f"a window reaches back at most {MAX_REACH_US // DAY_US}d, `before` included"
            )
        return Window("over", length_us, before_us)

    def _span_us(self, span: Branch) -> int:
        text = _leaf(span)
        constant = self._scope.constants.get(text)
        if constant is not None:
            self._scope.used.add(text)
        elif text in self._scope.failed:
            self._scope.used.add(text)
            raise Unsaid(self._source.at(offset_of(span)), f'"{text}" has a fault of its own')
        elif text[0].isdigit():
            try:
                constant = read_literal(text, self._scope.currencies)
            except ValueError as error:
                raise self._fault(span, str(error)) from None
        if constant is None:
            known = [*SCOPES, *self._scope.constants]
            raise self._fault(
                span,
                f'a window is a duration such as 7d, a param, session or lifetime, not "{shorten(text)}"'
                f"{suggestion(text, known)}",
            )
        if constant.kind is not Kind.DURATION:
            raise self._fault(span, f'a window is a duration, "{shorten(text)}" is {_SPOKEN[constant.kind]}')
        return int(constant.value)

    # Closed sets

    def _check_choice(self, item: Expression, option: Expression) -> None:
        if not (isinstance(option, Literal) and isinstance(option.value, str)):
            return
        choices = self._choices(item)
        if choices and option.value not in choices:
            near = suggestion(option.value, choices) or f"; one of {', '.join(choices)}"
            raise Fault(option.place, f'it is never "{shorten(option.value)}"{near}')

    def _choices(self, node: Expression) -> tuple[str, ...]:
        if isinstance(node, Name):
            if self._event is not None and node.name in FIELDS[self._event]:
                return FIELDS[self._event][node.name].choices
            let = self._scope.lets.get(node.name)
            return self._choices(let) if let is not None else ()
        if isinstance(node, Quantity) and node.field is not None and node.kind is Kind.TEXT:
            return FIELDS[node.type][node.field].choices
        return ()

    def _fault(self, branch: Branch, message: str) -> Fault:
        return Fault(self._source.at(offset_of(branch)), message)


def _combined(operator: str, left: Kind, right: Kind) -> Kind | None:
    """Return the kind of `left operator right`, None where it has none."""
    plain = Kind.NUMBER if Kind.NUMBER in (left, right) else Kind.COUNT
    if left in _PLAIN and right in _PLAIN:
        return Kind.NUMBER if operator == "/" else plain
    if operator in ("+", "-"):
        return left if left is right else None
    if operator == "*":
        if left in _PLAIN or right in _PLAIN:
            return right if left in _PLAIN else left
        return None
    if right in _PLAIN:
        return left
    return Kind.NUMBER if left is right else None


def _is_zero(node: Expression) -> bool:
    return isinstance(node, Literal) and node.kind is Kind.COUNT and node.value == 0


def _example(event: str) -> str:
    def of_interest(item: tuple[str, Field]) -> bool:
        return item[1].kind is FieldKind.MONEY

    money = next(filter(of_interest, FIELDS[event].items()), None)
    return f"{event}.{money[0]}" if money else f"{event}.local_hour"


def _is(branch: Branch | None, data: str) -> bool:
    return isinstance(branch, Tree) and branch.data == data


def _leaf(branch: Branch) -> str:
    return str(branch.children[0]) if isinstance(branch, Tree) else str(branch)
