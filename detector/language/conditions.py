"""Gives literals, names, logic and arithmetic their kinds, and refuses what makes no sense: money of two
currencies, a duration against a count, a misspelt name.

A `Scope` says what the names of a text mean. Quantities, which hold conditions of their own, come in
`detector.language.types`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lark import Token

from detector.events.money import Currencies
from detector.events.vocabulary import FIELDS
from detector.language.kinds import (
    MEASURES,
    PLAIN,
    SPOKEN,
    combined,
    field_kind,
    unlike,
)
from detector.language.literals import read_literal
from detector.language.parse import (
    Branch,
    SyntaxTree,
    leaf,
    offset_of,
    suggestion,
)
from detector.language.source import Fault, Scalar, Unsaid, shorten
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
    Percentile,
    Quantity,
    SessionAge,
    kind_of,
)


@dataclass(slots=True)
class Scope:
    """What the names of one rule mean, as far as they have been read.

    `lets` grows as they are typed; `failed` are lets and params that have a finding already, `coming` the
    lets further down. `used`, `quantities`, `percentiles` and `asks_score` collect what the rule's
    texts name and ask for.
    """

    currencies: Currencies
    constants: Mapping[str, Literal] = field(default_factory=dict)
    currency: str | None = None
    lets: dict[str, Expression] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    coming: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    quantities: set[Quantity] = field(default_factory=set)
    percentiles: list[Percentile] = field(default_factory=list)
    asks_score: bool = False

    def constant(self, name: str) -> Literal | None:
        """Return a param's value and note that it is used."""
        if name in self.constants or name in self.failed:
            self.used.add(name)
        return self.constants.get(name)


class ConditionTyper:
    """Turns the syntax tree of one text into typed nodes; a method for each rule of the grammar.

    Within `where` the fields of `event` are in sight, and `limit` is what its `limit` is known to be.
    """

    def __init__(
        self, source: Scalar, scope: Scope, event: str | None = None, limit: str | None = None
    ) -> None:
        self._source = source
        self._scope = scope
        self._event = event
        self._limit = limit

    def expression(self, branch: Branch) -> Expression:
        if isinstance(branch, Token):
            raise self._fault(branch, f'unexpected "{shorten(str(branch))}"')
        make: Callable[[SyntaxTree], Expression] = getattr(self, f"_{branch.data}")
        return make(branch)

    def condition(self, branch: Branch) -> Expression:
        node = self.expression(branch)
        if kind_of(node) is not Kind.BOOL:
            said = SPOKEN[kind_of(node)]
            raise self._fault(branch, f"a condition is needed, this is {said}: compare it with something")
        return node

    # Literals and names

    def _literal(self, tree: SyntaxTree) -> Literal:
        try:
            literal = read_literal(leaf(tree), self._scope.currencies, self._source.at(offset_of(tree)))
        except ValueError as error:
            raise self._fault(tree, str(error)) from None
        if literal is None:
            raise self._fault(tree, f'"{shorten(leaf(tree))}" is no constant')
        if literal.currency is not None and literal.currency != self._scope.currency:
            told = f"{literal.currency} in a rule of {self._scope.currency}: one currency a rule"
            if self._scope.currency is None:
                told = "no currency can stand here: money is in each player's own"
            raise self._fault(tree, told)
        return literal

    _duration = _money = _percent = _number = _text = _literal

    def _name(self, tree: SyntaxTree) -> Expression:
        name = leaf(tree)
        place = self._source.at(offset_of(tree))
        if self._event is not None:
            return self._name_in_where(tree, name, self._event)
        if name == "age":
            return Age(place)
        if name == "session_age":
            return SessionAge(place)
        if constant := self._scope.constant(name):
            return dataclasses.replace(constant, place=place)
        if name in self._scope.lets:
            self._scope.used.add(name)
            return Name(name, kind_of(self._scope.lets[name]), place)
        if name in self._scope.failed:
            raise Unsaid(place, f'"{name}" has a fault of its own')
        if name in self._scope.coming:
            raise self._fault(tree, f'"{name}" is not known yet: a let sees only those above it')
        raise self._unknown(tree, ["age", "session_age", *self._scope.lets, *self._scope.constants])

    def _name_in_where(self, tree: SyntaxTree, name: str, event: str) -> Expression:
        place = self._source.at(offset_of(tree))
        constant = self._scope.constant(name)
        if name in FIELDS[event]:
            if constant:
                raise self._fault(tree, f'"{name}" is a field of {event} and a param: rename the param')
            return Name(name, self._field_kind(tree, event, name), place)
        if constant:
            return dataclasses.replace(constant, place=place)
        if name in self._scope.failed:
            raise Unsaid(place, f'"{name}" has a fault of its own')
        if name in self._scope.lets or name in ("age", "session_age"):
            told = f'`where` sees the fields of {event}, params and constants, not "{name}"'
            raise self._fault(tree, told)
        raise self._unknown(tree, [*FIELDS[event], *self._scope.constants], f" in {event}")

    def _unknown(self, tree: SyntaxTree, known: list[str], where: str = "") -> Fault:
        name = leaf(tree)
        if name == "percentile":
            return self._fault(tree, "a place in a cohort names its let, such as percentile(week)")
        if name == "score":
            return self._fault(tree, "a score names its model, such as score(harm)")
        if name.lower() in ("true", "false"):
            return self._fault(tree, "there is no true and no false: write the condition itself, or `not`")
        return self._fault(tree, f'unknown name "{shorten(name)}"{where}{suggestion(name, known)}')

    def _field(self, tree: SyntaxTree) -> Expression:
        event, name = map(str, tree.children)
        if self._event == event:
            raise self._fault(tree, f"within `where` a field stands alone: {shorten(name)}")
        example = shorten(f"sum({event}.{name}) over 7d")
        raise self._fault(tree, f"a field needs an aggregate and a window, such as {example}")

    def _field_kind(self, branch: Branch, event: str, name: str) -> Kind:
        try:
            return field_kind(event, name, self._limit)
        except ValueError as error:
            raise self._fault(branch, str(error)) from None

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
        left_branch, sign, right_branch = tree.children
        operator = str(sign)
        left, right = self.expression(left_branch), self.expression(right_branch)
        left, right = self._fitted(left, right, right_branch, "compared with")
        kinds = {kind_of(left), kind_of(right)}
        if operator not in ("==", "!=") and not kinds <= set(MEASURES):
            raise self._fault(sign, f"{SPOKEN[kind_of(left)]} is compared by == and != only")
        self._check_choice(left, right)
        self._check_choice(right, left)
        exact = not kinds & {Kind.MONEY, Kind.NUMBER}
        return Comparison(operator, left, right, exact, self._source.at(offset_of(tree)))

    def _member(self, tree: SyntaxTree, *, negated: bool = False) -> Membership:
        item_branch, listed = tree.children
        item = self.expression(item_branch)
        options = []
        for branch in listed.children if not isinstance(listed, Token) else []:
            item, option = self._fitted(item, self.expression(branch), branch, "listed for")
            if not isinstance(option, Literal):
                raise self._fault(branch, "`in` lists constants and params only")
            self._check_choice(item, option)
            options.append(option)
        kinds = {kind_of(item), *(option.kind for option in options)}
        exact = not kinds & {Kind.MONEY, Kind.NUMBER}
        return Membership(item, tuple(options), negated, exact, self._source.at(offset_of(tree)))

    def _not_member(self, tree: SyntaxTree) -> Membership:
        return self._member(tree, negated=True)

    def _check_choice(self, item: Expression, option: Expression) -> None:
        if isinstance(option, Literal) and isinstance(option.value, str):
            choices = self._choices(item)
            if choices and option.value not in choices:
                near = suggestion(option.value, choices) or f"; one of {', '.join(choices)}"
                raise Fault(option.place, f'it is never "{shorten(option.value)}"{near}')

    def _choices(self, node: Expression) -> tuple[str, ...]:
        """Return the closed set that a text is drawn from, empty if it is open."""
        if isinstance(node, Name):
            if self._event is not None:
                return FIELDS[self._event][node.name].choices
            return self._choices(self._scope.lets[node.name])
        if isinstance(node, Quantity) and node.field is not None and node.kind is Kind.TEXT:
            return FIELDS[node.type][node.field].choices
        return ()

    # Arithmetic

    def _minus(self, tree: SyntaxTree) -> Expression:
        operand = self._measure(tree.children[0], "-")
        place = self._source.at(offset_of(tree))
        if isinstance(operand, Literal) and not isinstance(operand.value, str):
            return dataclasses.replace(operand, value=-operand.value, param=None, place=place)
        return Negation(operand, kind_of(operand), place)

    def _arithmetic(self, tree: SyntaxTree) -> Arithmetic:
        left_branch, sign, right_branch = tree.children
        operator = str(sign)
        left = self._measure(left_branch, operator)
        right = self._measure(right_branch, operator)
        kind = combined(operator, kind_of(left), kind_of(right))
        if kind is None:
            told = f"{SPOKEN[kind_of(left)]} {operator} {SPOKEN[kind_of(right)]} makes no sense"
            raise self._fault(sign, told)
        return Arithmetic(operator, left, right, kind, self._source.at(offset_of(tree)))

    def _call(self, tree: SyntaxTree) -> Call:
        function, *branches = tree.children
        name = str(function)
        if name == "abs" and len(branches) != 1:
            raise self._fault(function, "abs takes one value")
        if name != "abs" and len(branches) < 2:
            raise self._fault(function, f"{name} takes two or more values")
        arguments = [self._measure(branches[0], name)]
        for branch in branches[1:]:
            argument = self._measure(branch, name)
            arguments[0], argument = self._fitted(arguments[0], argument, branch, "beside")
            arguments.append(argument)
        # A bare 0 that stood before the first money has not taken its kind yet.
        if Kind.MONEY in map(kind_of, arguments):
            arguments = [_as_money(argument) for argument in arguments]
        kind = Kind.NUMBER if Kind.NUMBER in map(kind_of, arguments) else kind_of(arguments[0])
        return Call(name, tuple(arguments), kind, self._source.at(offset_of(tree)))

    def _measure(self, branch: Branch, operator: str) -> Expression:
        node = self.expression(branch)
        if kind_of(node) not in MEASURES:
            said = SPOKEN[kind_of(node)]
            raise self._fault(branch, f"{operator} takes numbers, money or durations, not {said}")
        return node

    def _fitted(
        self, left: Expression, right: Expression, branch: Branch, verb: str
    ) -> tuple[Expression, Expression]:
        """Return both sides if their kinds go together; a bare 0 beside money becomes money."""
        if Kind.MONEY in (kind_of(left), kind_of(right)):
            left, right = _as_money(left), _as_money(right)
        kinds = (kind_of(left), kind_of(right))
        if kinds[0] is not kinds[1] and not set(kinds) <= set(PLAIN):
            raise self._fault(branch, unlike(*kinds, verb))
        return left, right

    def _fault(self, branch: Branch, message: str) -> Fault:
        return Fault(self._source.at(offset_of(branch)), message)


def _as_money(node: Expression) -> Expression:
    bare = isinstance(node, Literal) and node.kind is Kind.COUNT and node.value == 0
    return dataclasses.replace(node, kind=Kind.MONEY) if bare and isinstance(node, Literal) else node
