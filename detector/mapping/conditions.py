"""`when`: what has to stand in a record for a case, or one event of it, to apply."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from detector.language.parse import suggestion
from detector.language.source import Fault, Node, Sequence, scalar, single
from detector.language.source import Mapping as Block
from detector.mapping.message import ABSENT, Path, Scopes
from detector.mapping.origins import read_path
from detector.mapping.values import Unfit, number_of

_NUMERIC = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?")

Condition = Callable[[Scopes], bool]
TESTS = ("not", "above", "below", "present")


def read_condition(node: Node, levels: int) -> Condition:
    """`when`: paths with what is to stand there; all of them have to hold."""
    if not isinstance(node, Block) or not node.entries:
        raise Fault(node.place, "`when` is a mapping of paths to what has to stand there: {.type: deposit}")
    tests = [_test(read_path(key, levels), value) for key, value in node]
    if len(tests) == 1:
        return tests[0]
    return lambda scopes: all(test(scopes) for test in tests)


def _test(path: Path, node: Node) -> Condition:
    if not isinstance(node, Block):
        return _is_one_of(path, node)
    parts = []
    for key, value in node:
        if key.text not in TESTS:
            near = suggestion(key.text, TESTS)
            raise Fault(key.place, f"a test is a value, a list of them, or one of {', '.join(TESTS)}{near}")
        if key.text == "not":
            parts.append(_negated(_is_one_of(path, value)))
        elif key.text == "present":
            parts.append(_presence(path, _truth(value)))
        else:
            parts.append(_compared(path, _number(value), above=key.text == "above"))
    if not parts:
        raise Fault(node.place, "an empty test")
    return lambda scopes: all(part(scopes) for part in parts)


def _is_one_of(path: Path, node: Node) -> Condition:
    items = [scalar(item) for item in node.items] if isinstance(node, Sequence) else [scalar(node)]
    if not items or any(item.is_null for item in items):
        raise Fault(node.place, "nothing to compare with; {present: false} asks for what is missing or null")
    texts = frozenset(item.text for item in items)
    numbers = frozenset(
        Decimal(item.text) for item in items if item.style == "" and _NUMERIC.fullmatch(item.text)
    )

    def holds(scopes: Scopes) -> bool:
        value = path.find(scopes)
        if isinstance(value, str):
            return value in texts
        if isinstance(value, bool):
            return ("true" if value else "false") in texts
        return isinstance(value, int | Decimal) and value in numbers

    return holds


def _negated(condition: Condition) -> Condition:
    return lambda scopes: not condition(scopes)


def _presence(path: Path, wanted: bool) -> Condition:
    def holds(scopes: Scopes) -> bool:
        value = path.find(scopes)
        return (value is not ABSENT and value is not None) is wanted

    return holds


def _compared(path: Path, bound: Decimal, *, above: bool) -> Condition:
    def holds(scopes: Scopes) -> bool:
        try:
            number = number_of(path.find(scopes))
        except Unfit:
            return False
        return number > bound if above else number < bound

    return holds


def _truth(node: Node) -> bool:
    text = single(node)
    if text not in ("true", "false"):
        raise Fault(node.place, "true or false")
    return text == "true"


def _number(node: Node) -> Decimal:
    text = single(node)
    if not _NUMERIC.fullmatch(text):
        raise Fault(node.place, "a number is needed here")
    return Decimal(text)
