"""Reads a condition into a function of the moment: a tokenizer, and a method for each level of precedence."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.oracle.history import DAY, HOUR, MINUTE, MONEY_FIELDS, SECOND, Arrival, History, Session
from tests.oracle.quantities import Quantity, measured
from tests.oracle.rates import Rates, exponent
from tests.oracle.values import Known, Value, both, compared, computed, either, extreme, negated, truth

AGGREGATES = {"count", "sum", "mean", "max", "min", "std", "distinct", "last", "first"}
UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
TOKEN = re.compile(
    r"""\s*(?:(?P<duration>\d+(?:\.\d+)?[smhdw]\b)|(?P<percent>\d+(?:\.\d+)?\s*%)|(?P<number>\d+(?:\.\d+)?)
    |(?P<text>"[^"]*")|(?P<name>[A-Za-z_][A-Za-z_0-9]*)|(?P<sign>==|!=|<=|>=|[-<>+*/(),.]))""",
    re.VERBOSE,
)


@dataclass
class Moment:
    """Where a condition is evaluated: a player at an instant, all later events out of sight.

    `session` is the one in question; `arrival` is set inside `where` alone and is then the event looked at.
    """

    history: History
    at: int
    session: Session | None
    currency: str | None
    rates: Rates
    arrival: Arrival | None = None
    by_time: bool = False  # a moment, where a correction stands from its own time on


Term = Callable[[Moment], Known]


@dataclass
class Reader:
    """Reads one text. `names` are the lets read so far; `currencies` gathers those of the money literals."""

    text: str
    params: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, Term] = field(default_factory=dict)
    currencies: set[str] = field(default_factory=set)
    quantities: dict[str, Term] = field(default_factory=dict)
    tokens: list[tuple[str, str, int, int]] = field(default_factory=list)
    at: int = 0
    inside_where: bool = False

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
        if word in self.params:
            return self.constant(self.param(word))
        if self.inside_where:
            return lambda moment: event_field(moment, word)
        if word == "age":
            return age
        if word == "session_age":
            return session_age
        return self.names[word]

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

        def accepts(moment: Moment, arrival: Arrival) -> bool:
            inside = Moment(moment.history, moment.at, moment.session, moment.currency, moment.rates, arrival)
            return where is None or where(inside) == truth(True)

        def reads(moment: Moment, arrival: Arrival, name: str) -> Known:
            inside = Moment(moment.history, moment.at, moment.session, moment.currency, moment.rates, arrival)
            return event_field_of(inside, arrival, name)

        def term(moment: Moment) -> Known:
            return measured(
                wanted,
                moment.history.arrivals,
                moment.at,
                moment.session,
                lambda arrival: accepts(moment, arrival),
                lambda arrival, name: reads(moment, arrival, name),
                by_time=moment.by_time,
            )

        self.quantities[self.text[first : self.tokens[self.at - 1][3]]] = term
        return term


def joined(operation: Callable[[Known, Known], Known], left: Term, right: Term) -> Term:
    return lambda moment: operation(left(moment), right(moment))


def age(moment: Moment) -> Known:
    seen = [a.ts for a in moment.history.arrivals if a.ts <= moment.at]
    return Value("duration", moment.at - min(seen)) if seen else None


def since(moment: Moment, event_type: str) -> Known:
    seen = [a.ts for a in moment.history.arrivals if a.type == event_type and a.ts <= moment.at]
    return Value("duration", moment.at - max(seen)) if seen else None


def session_age(moment: Moment) -> Known:
    if moment.session is None:
        return None
    return Value("duration", moment.at - moment.session.start)


def event_field(moment: Moment, name: str) -> Known:
    assert moment.arrival is not None, f"{name!r} is no name here"
    return event_field_of(moment, moment.arrival, name)


def event_field_of(moment: Moment, arrival: Arrival, name: str) -> Known:
    """A field of one event, money in the rule's currency; unknown when absent, null or not convertible."""
    content = arrival.content
    if name == "gap":
        return None if arrival.gap is None else Value("duration", arrival.gap)
    if name == "local_hour":
        assert arrival.local is not None
        return Value("count", arrival.local.hour)
    if name == "local_date":
        assert arrival.local is not None
        return Value("text", arrival.local.date().isoformat())
    raw = content["stake"] - content["payout"] if name == "net_loss" else content.get(name)
    if raw is None:
        return None
    limit_money = name in ("old", "new") and content["limit"] in ("deposit", "loss", "stake")
    if name in MONEY_FIELDS or limit_money:
        day = datetime.fromtimestamp(arrival.ts // SECOND, UTC).date()
        amount = moment.rates.convert(raw, content["currency"], moment.currency, day)
        return None if amount is None else Value("money", amount)
    if isinstance(raw, str):
        return Value("text", raw)
    if isinstance(raw, bool):
        return truth(raw)
    return Value("number" if isinstance(raw, float) else "count", raw)
