"""Reads a condition into a function of the moment: a tokenizer, and a method for each level of precedence."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.oracle.history import DAY, HOUR, MINUTE, SECOND
from tests.oracle.looking import (
    Let,
    Moment,
    Term,
    age,
    event_field,
    looked_up,
    session_age,
    since,
    unusual,
    usual,
)
from tests.oracle.quantities import Quantity
from tests.oracle.rates import exponent
from tests.oracle.values import Known, Value, both, compared, computed, either, extreme, negated, truth

AGGREGATES = {"count", "sum", "mean", "max", "min", "std", "distinct", "last", "first"}
UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
TOKEN = re.compile(
    r"""\s*(?:(?P<duration>\d+(?:\.\d+)?[smhdw]\b)|(?P<percent>\d+(?:\.\d+)?\s*%)|(?P<number>\d+(?:\.\d+)?)
    |(?P<text>"[^"]*")|(?P<name>[A-Za-z_][A-Za-z_0-9]*)|(?P<sign>==|!=|<=|>=|[-<>+*/(),.]))""",
    re.VERBOSE,
)


@dataclass
class Reader:
    """Reads one text. `names` are the lets read so far; `currencies` gathers those of the money literals."""

    text: str
    params: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, Let] = field(default_factory=dict)
    currencies: set[str] = field(default_factory=set)
    quantities: dict[str, Term] = field(default_factory=dict)
    tokens: list[tuple[str, str, int, int]] = field(default_factory=list)
    at: int = 0
    inside_where: bool = False
    alone: tuple[Quantity, Term | None] | None = None  # the quantity that is all of the text

    def __post_init__(self) -> None:
        place = 0
        while self.text[place:].strip():
            match = TOKEN.match(self.text, place)
            assert match is not None, f"cannot read {self.text[place:]!r}"
            assert match.lastgroup is not None
            word = match.group(match.lastgroup)
            self.tokens.append((match.lastgroup, word, match.start(match.lastgroup), match.end()))
            place = match.end()

    # --- tokens

    def peek(self, ahead: int = 0) -> str:
        return self.tokens[self.at + ahead][1] if self.at + ahead < len(self.tokens) else ""

    def take(self, *expected: str) -> str:
        word = self.peek()
        assert word in expected if expected else word, f"{word!r} at token {self.at} of {self.text}"
        self.at += 1
        return word

    def whole(self) -> Term:
        term = self.disjunction()
        assert self.at == len(self.tokens), f"{self.peek()!r} is left over in {self.text}"
        return term

    def let(self) -> Let:
        """The whole text as something to be named."""
        term = self.whole()
        if self.alone is None or self.alone[0].scope != "over":
            return Let(term, self.quantities)
        wanted, where = self.alone

        def before(lengths: int) -> Term:
            return looked_up(replace(wanted, before=wanted.before + lengths * wanted.length), where)

        return Let(term, self.quantities, before, wanted.before + 5 * wanted.length)

    # --- levels of precedence, loosest first

    def disjunction(self) -> Term:
        term = self.conjunction()
        while self.peek() == "or":
            self.take()
            term = joined(either, term, self.conjunction())
        return term

    def conjunction(self) -> Term:
        term = self.negation()
        while self.peek() == "and":
            self.take()
            term = joined(both, term, self.negation())
        return term

    def negation(self) -> Term:
        if self.peek() == "not":
            self.take()
            inner = self.negation()
            return lambda moment: negated(inner(moment))
        return self.comparison()

    def comparison(self) -> Term:
        left = self.addition()
        if self.peek() in ("==", "!=", "<", "<=", ">", ">="):
            operator = self.take()
            return joined(lambda x, y: compared(operator, x, y), left, self.addition())
        if self.peek() == "in" or (self.peek() == "not" and self.peek(1) == "in"):
            turned = self.take() == "not"
            if turned:
                self.take("in")
            self.take("(")
            options = self.arguments()

            def member(moment: Moment) -> Known:
                item = left(moment)
                if item is None:
                    return None
                found = any(compared("==", item, option(moment)) == truth(True) for option in options)
                return truth(found != turned)

            return member
        return left

    def addition(self) -> Term:
        term = self.multiplication()
        while self.peek() in ("+", "-"):
            term = self.arithmetic(self.take(), term, self.multiplication())
        return term

    def multiplication(self) -> Term:
        term = self.unary()
        while self.peek() in ("*", "/"):
            term = self.arithmetic(self.take(), term, self.unary())
        return term

    @staticmethod
    def arithmetic(operator: str, left: Term, right: Term) -> Term:
        return joined(lambda x, y: computed(operator, x, y), left, right)

    def unary(self) -> Term:
        if self.peek() == "-":
            self.take()
            inner = self.unary()
            return lambda moment: computed("*", Value("count", -1), inner(moment))
        return self.primary()

    def primary(self) -> Term:
        kind, word, _, _ = self.tokens[self.at]
        if word == "(":
            self.take()
            inner = self.disjunction()
            self.take(")")
            return inner
        if kind != "name":
            return self.constant(self.literal())
        if self.stands_aggregate():
            return self.quantity()
        self.take()
        if word in ("min", "max") and self.peek() == "(":
            self.take("(")
            least, arguments = word == "min", self.arguments()
            return lambda moment: extreme(least, [argument(moment) for argument in arguments])
        if word == "abs" and self.peek() == "(":
            self.take("(")
            (inner,) = self.arguments()
            return lambda moment: extreme(
                False, [inner(moment), computed("*", Value("count", -1), inner(moment))]
            )
        if word == "since" and self.peek() == "(":
            self.take("(")
            event_type = self.take()
            self.take(")")
            return lambda moment: since(moment, event_type)
        if word in ("usual", "z"):
            self.take("(")
            name = self.take()
            self.take(")")
            let = self.names[name]
            self.quantities[f"{word}({name})"] = term = usual(let) if word == "usual" else unusual(let)
            return term
        if word in self.params:
            return self.constant(self.param(word))
        if self.inside_where:
            return lambda moment: event_field(moment, word)
        if word == "age":
            return age
        if word == "session_age":
            return session_age
        self.quantities.update(self.names[word].quantities)
        return self.names[word].term

    # --- the small parts

    def arguments(self) -> list[Term]:
        """What stands up to the closing bracket, the opening one taken already."""
        found = [self.disjunction()]
        while self.take(",", ")") == ",":
            if self.peek() != ")":
                found.append(self.disjunction())
        return found

    @staticmethod
    def constant(value: Value) -> Term:
        return lambda _: value

    def literal(self) -> Value:
        kind = self.tokens[self.at][0]
        word = self.take()
        if kind == "duration":
            return Value("duration", round(float(word[:-1]) * UNITS[word[-1]]))
        if kind == "percent":
            return Value("number", float(word.rstrip("% ")) / 100)
        if kind == "text":
            return Value("text", word[1:-1])
        assert kind == "number", f"{word!r} is no literal"
        if re.fullmatch("[A-Z]{3}", self.peek()):
            currency = self.take()
            self.currencies.add(currency)
            return Value("money", round(float(word) * 10 ** exponent(currency)))
        return Value("number", float(word)) if "." in word else Value("count", int(word))

    def param(self, name: str) -> Value:
        written = self.params[name]
        if isinstance(written, dict):
            written = written["value"]
        if isinstance(written, float):
            return Value("number", written)
        if isinstance(written, int):
            return Value("count", written)
        reader = Reader(written, currencies=self.currencies)
        return reader.literal()

    def duration(self) -> int:
        value = self.param(self.take()) if self.peek() in self.params else self.literal()
        assert value.kind == "duration"
        return int(value.amount)

    def stands_aggregate(self) -> bool:
        """`min(` and `max(` are aggregates where a type's field stands alone in the brackets."""
        word = self.peek()
        if word not in AGGREGATES or self.peek(1) != "(":
            return False
        return word not in ("min", "max") or (self.peek(3) == "." and self.peek(5) == ")")

    def quantity(self) -> Term:
        first = self.tokens[self.at][2]
        aggregate = self.take()
        self.take("(")
        event_type, event_field = self.take(), None
        if self.peek() == ".":
            self.take()
            event_field = self.take()
        self.take(")")
        where: Term | None = None
        if self.peek() == "where":
            self.take()
            self.inside_where = True
            where = self.disjunction()
            self.inside_where = False
        self.take("over")
        length, before, scope = 0, 0, "over"
        if self.peek() in ("session", "lifetime"):
            scope = self.take()
        else:
            length = self.duration()
            if self.peek() == "before":
                self.take()
                before = self.duration()
        wanted = Quantity(aggregate, event_type, event_field, scope, length, before)
        term = looked_up(wanted, where)
        self.quantities[self.text[first : self.tokens[self.at - 1][3]]] = term
        if first == self.tokens[0][2] and self.at == len(self.tokens):
            self.alone = wanted, where
        return term


def joined(operation: Callable[[Known, Known], Known], left: Term, right: Term) -> Term:
    return lambda moment: operation(left(moment), right(moment))
