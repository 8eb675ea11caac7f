"""Reads a tunable of a rule: `{value: "200 CAD", min: "50 CAD", max: "2000 CAD"}`."""

from __future__ import annotations

from dataclasses import replace

from detector.events.money import Currencies
from detector.language.literals import read_literal
from detector.language.rule import Param
from detector.language.source import Fault, Mapping, Node, scalar, shorten
from detector.language.syntax import Kind, Literal


def read_param(name: str, node: Node, currencies: Currencies) -> Param:
    """Return a param; `min` and `max` may be left out, and what is no other constant is a text.

    Raises
    ------
    Fault
        Where value, min and max are of several kinds or currencies, or the value lies outside.
    """
    if not isinstance(node, Mapping):
        raise Fault(node.place, "a param is written {value: 2.0, min: 1.2, max: 5.0}")
    parts: dict[str, Literal] = {}
    for key, part in node:
        if key.text not in ("value", "min", "max"):
            raise Fault(key.place, f'unknown key "{shorten(key.text)}" in a param: value, min or max')
        parts[key.text] = _constant(part, name, currencies)
    if "value" not in parts:
        raise Fault(node.place, "a param needs a `value`")
    kinds = {literal.kind for literal in parts.values()}
    if kinds == {Kind.COUNT, Kind.NUMBER}:
        parts = {
            key: replace(literal, value=float(literal.value), kind=Kind.NUMBER)
            for key, literal in parts.items()
        }
    elif len(kinds) > 1:
        raise Fault(node.place, "value, min and max are of one kind")
    if len({literal.currency for literal in parts.values()}) > 1:
        raise Fault(node.place, "value, min and max are of one currency")
    param = Param(parts["value"], parts.get("min"), parts.get("max"))
    if Kind.TEXT in kinds:
        if param.low or param.high:
            raise Fault(node.place, "a text has no min and no max")
        return param
    if param.low and _below(param.value, param.low):
        raise Fault(param.value.place, "the value is below its min")
    if param.high and _below(param.high, param.value):
        raise Fault(param.value.place, "the value is above its max")
    return param


def _constant(node: Node, name: str, currencies: Currencies) -> Literal:
    written = scalar(node)
    text = written.text.strip()
    try:
        literal = read_literal(text, currencies, written.at(0), name)
    except ValueError as error:
        raise Fault(node.place, str(error)) from None
    if literal is None and (not text or '"' in text or len(text) > 200):
        raise Fault(node.place, "no number, duration, money or text of at most 200 characters")
    return literal or Literal(text, Kind.TEXT, param=name, place=written.at(0))


def _below(left: Literal, right: Literal) -> bool:
    # Kind.TEXT is excluded before: both are numbers of some kind.
    return float(left.value) < float(right.value)
