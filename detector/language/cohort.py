"""Which cohort a `percentile` asks for: the same in every rule that asks for the same.

The key is a hash of the typed tree, each let put in by the hash of what it stands for: so it does not hang on
names, blanks or on how a rule shares its work out between lets, and a let that names another twice over costs
no more than one that does so once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from detector.events.money import Currencies
from detector.language.literals import write_duration
from detector.language.syntax import (
    NOWHERE,
    Age,
    Arithmetic,
    Call,
    Comparison,
    Expression,
    Habit,
    Kind,
    Literal,
    Logic,
    Membership,
    Name,
    Negation,
    Not,
    Percentile,
    Place,
    Quantity,
    Score,
    SessionAge,
    Since,
    Window,
    kind_of,
)

KEY_LENGTH = 16
MAX_TEXT = 500
"""Characters of a part of the text that is shown beside a key; what is longer is cut."""

_PRODUCT = "product"
Lets = Mapping[str, Expression]


def percentile_of(
    name: str,
    among: Expression | None,
    lets: Lets,
    currency: str | None,
    currencies: Currencies,
    place: Place = NOWHERE,
) -> Percentile:
    """What `percentile(name, among)` asks for.

    Parameters
    ----------
    name
        A let that is a number, a count, money or a duration.
    currency
        The rule's, None for the player's first.
    """
    measure = lets[name]
    while isinstance(measure, Name):
        measure = lets[measure.name]
    is_money = kind_of(measure) is Kind.MONEY
    bets = [each for each in _within(measure, lets) if isinstance(each, Quantity) and each.type == "bet"]
    pins = {_pinned(each.where) for each in bets}
    pinned = next(iter(pins)) if len(pins) == 1 else None
    digests, writer = _Digests(lets), _Writer(lets, currencies)
    spoken = writer.write(measure) + ("" if among is None else f", {writer.write(among)}")
    return Percentile(
        name=name,
        measure=measure,
        among=among,
        key=_hash([digests.of(measure), None if among is None else digests.of(among)])[:KEY_LENGTH],
        is_money=is_money,
        currency=currency if is_money else None,
        product=_latest_product(bets, pinned) if bets else None,
        pinned=pinned,
        text=spoken,
        place=place,
    )


def takes_no_cohort(node: Expression, lets: Lets) -> bool:
    """Whether an expression hangs on other tables or on models, by itself or by a let."""
    return any(isinstance(each, (Percentile, Score)) for each in _within(node, lets))


def _within(node: Expression, lets: Lets) -> Iterator[Expression]:
    """A node and all that it is reckoned from, every let once; a quantity's `where` left out."""
    waiting, seen = [node], set()
    while waiting:
        each = waiting.pop()
        yield each
        if isinstance(each, Name):
            if each.name in lets and each.name not in seen:
                seen.add(each.name)
                waiting.append(lets[each.name])
        elif isinstance(each, Habit):
            waiting += [each.quantity, each.before[-1]]
        elif not isinstance(each, Quantity):
            waiting += _parts(each)


def _parts(node: Expression) -> list[Expression]:
    found: list[Expression] = []
    for each in fields(node):
        value = getattr(node, each.name)
        found += (part for part in (value if isinstance(value, tuple) else (value,)) if _is_node(part))
    return found


def _is_node(value: Any) -> bool:
    return is_dataclass(value) and not isinstance(value, (type, Window, Place))


def _pinned(where: Expression | None) -> str | None:
    """The one product that a `where` lets through, None where it does not say."""
    operands = where.operands if isinstance(where, Logic) and where.operator == "and" else (where,)
    for operand in operands:
        if isinstance(operand, Comparison) and operand.operator == "==":
            for field, value in ((operand.left, operand.right), (operand.right, operand.left)):
                if isinstance(field, Name) and field.name == _PRODUCT and isinstance(value, Literal):
                    return str(value.value)
    return None


def _latest_product(bets: list[Quantity], pinned: str | None) -> Quantity:
    """The product of the latest bet (of the pinned product only) within the longest of the windows."""
    scopes = {each.window.scope for each in bets}
    if "lifetime" in scopes:
        window = Window("lifetime")
    elif "over" in scopes:
        window = Window("over", max(each.window.length_us + each.window.before_us for each in bets))
    else:
        window = Window("session")
    where, condition = None, ""
    if pinned is not None:
        where = Comparison("==", Name(_PRODUCT, Kind.TEXT), Literal(pinned, Kind.TEXT))
        condition = f' where product == "{pinned}"'
    return Quantity(
        "last",
        "bet",
        _PRODUCT,
        where,
        window,
        Kind.TEXT,
        text=f"last(bet.product){condition} {_window(window)}",
    )


# The key


class _Digests:
    """Hashes of what expressions mean, positions and names of lets left out.

    Lets are hashed in their order, each seeing those above it, so that no chain of them runs deep.
    """

    def __init__(self, lets: Lets) -> None:
        self._lets: dict[str, str] = {}
        for name, node in lets.items():
            self._lets[name] = self.of(node)

    def of(self, node: Expression) -> str:
        found: str = self._digest(node, self._lets)
        return found

    def _digest(self, value: Any, names: Mapping[str, str]) -> Any:
        if isinstance(value, Name) and value.name in names:
            return names[value.name]
        if is_dataclass(value) and not isinstance(value, type):
            # Within a `where` a name is a field of the event, whatever lets there are.
            inner = {} if isinstance(value, Quantity) else names
            parts = {
                each.name: self._digest(getattr(value, each.name), inner)
                for each in fields(value)
                if each.compare
            }
            return _hash({"": type(value).__name__} | parts)
        if isinstance(value, tuple):
            return [self._digest(each, names) for each in value]
        return value


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


# The text


class _Writer:
    """Writes expressions on one line, to be read; lets put in, and cut where that grows too long."""

    def __init__(self, lets: Lets, currencies: Currencies) -> None:
        self._currencies = currencies
        self._lets: dict[str, str] = {}
        for name, node in lets.items():
            self._lets[name] = self._inner(node)

    def write(self, node: Expression) -> str:
        text = self._write(node, self._lets)
        return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"

    def _inner(self, node: Expression) -> str:
        text = self.write(node)
        return f"({text})" if isinstance(node, (Arithmetic, Logic, Negation)) else text

    def _write(self, node: Expression, names: Mapping[str, str]) -> str:
        if isinstance(node, Name):
            return names.get(node.name, node.name)
        if isinstance(node, Quantity):
            return self._quantity(node)
        if isinstance(node, Habit):
            return f"{node.function}({self._quantity(node.quantity)})"
        if isinstance(node, Literal):
            return self._literal(node)
        if isinstance(node, (Arithmetic, Comparison)):
            return f"{self._inner(node.left)} {node.operator} {self._inner(node.right)}"
        if isinstance(node, Negation):
            return f"-{self._inner(node.operand)}"
        if isinstance(node, Not):
            return f"not {self._inner(node.operand)}"
        if isinstance(node, Logic):
            return f" {node.operator} ".join(map(self._inner, node.operands))
        if isinstance(node, Membership):
            options = ", ".join(map(self._literal, node.options))
            return f"{self._inner(node.item)} {'not in' if node.negated else 'in'} ({options})"
        if isinstance(node, Call):
            return f"{node.function}({', '.join(map(self.write, node.arguments))})"
        if isinstance(node, Since):
            return f"since({node.type})"
        return {Age: "age", SessionAge: "session_age"}.get(type(node), "…")

    def _quantity(self, node: Quantity) -> str:
        selected = node.type if node.field is None else f"{node.type}.{node.field}"
        where = ""
        if node.where is not None:
            fields_only = _Writer({}, self._currencies)
            where = f" where {fields_only.write(node.where)}"
        return f"{node.aggregate}({selected}){where} {_window(node.window)}"

    def _literal(self, node: Literal) -> str:
        if isinstance(node.value, str):
            return f'"{node.value}"'
        if node.kind is Kind.DURATION:
            return write_duration(int(node.value))
        if node.kind is Kind.MONEY and node.currency is not None:
            return self._currencies.format_money(int(node.value), node.currency)
        return repr(node.value)


def _window(window: Window) -> str:
    if window.scope != "over":
        return f"over {window.scope}"
    before = f" before {write_duration(window.before_us)}" if window.before_us else ""
    return f"over {write_duration(window.length_us)}{before}"
