"""What a condition computes with: values that know their kind, and unknown (None).

A value is a pair (kind, amount). Kinds: "count" (a whole number of things), "number" (a ratio, a share),
"money" (minor units of the rule's currency), "duration" (µs), "text", "bool".
"""

from __future__ import annotations

import math
from typing import NamedTuple


class Value(NamedTuple):
    kind: str
    amount: int | float | str | bool

    @property
    def real(self) -> float:
        assert not isinstance(self.amount, str)
        return self.amount


Known = Value | None  # None is unknown

TRUE = Value("bool", True)
FALSE = Value("bool", False)


def truth(value: bool) -> Value:
    return TRUE if value else FALSE


def both(left: Known, right: Known) -> Known:
    """Kleene's `and`."""
    if left == FALSE or right == FALSE:
        return FALSE
    return None if left is None or right is None else TRUE


def either(left: Known, right: Known) -> Known:
    """Kleene's `or`."""
    if left == TRUE or right == TRUE:
        return TRUE
    return None if left is None or right is None else FALSE


def negated(value: Known) -> Known:
    return None if value is None else truth(not value.amount)


def compared(operator: str, left: Known, right: Known) -> Known:
    """Exact among texts, durations and counts; money and plain numbers are equal within 1e-9, relative."""
    if left is None or right is None:
        return None
    if isinstance(left.amount, str) or isinstance(right.amount, str):
        equal, less = left.amount == right.amount, False
    else:
        exact = left.kind == right.kind and left.kind in ("duration", "count", "bool")
        x, y = left.amount, right.amount
        equal = x == y if exact else math.isclose(x, y, rel_tol=1e-9, abs_tol=0)
        less = x < y and not equal
    answers = {
        "==": equal,
        "!=": not equal,
        "<": less,
        "<=": less or equal,
        ">": not less and not equal,
        ">=": not less,
    }
    return truth(answers[operator])


def computed(operator: str, left: Known, right: Known) -> Known:
    """`+ - * /` in doubles (counts stay whole where they can); division by zero is unknown."""
    if left is None or right is None:
        return None
    x, y = left.real, right.real
    if operator == "/":
        if y == 0:
            return None
        kind = "number" if right.kind == left.kind or left.kind == "count" else left.kind
        return Value(kind, x / y)
    result = {"+": x + y, "-": x - y, "*": x * y}[operator]
    return Value(blended(left, right), result)


def blended(left: Value, right: Value) -> str:
    """The kind of a sum, a product, a least or a greatest of two."""
    for kind in ("money", "duration", "number"):
        if kind in (left.kind, right.kind):
            return kind
    return "count"


def extreme(least: bool, arguments: list[Known]) -> Known:
    known = [a for a in arguments if a is not None]
    if len(known) < len(arguments):
        return None
    kind = known[0].kind
    for other in known[1:]:
        kind = blended(Value(kind, 0), other)
    amounts = [a.real for a in known]
    return Value(kind, min(amounts) if least else max(amounts))
