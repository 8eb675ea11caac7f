"""What kinds of value go together, and of what kind a field or an aggregate of it is."""

from __future__ import annotations

from detector.events.vocabulary import FIELDS, LIMIT_KINDS, FieldKind
from detector.language.syntax import Kind

PLAIN = (Kind.COUNT, Kind.NUMBER)
MEASURES = (*PLAIN, Kind.MONEY, Kind.DURATION)
SPOKEN = {
    Kind.BOOL: "a condition",
    Kind.NUMBER: "a number",
    Kind.COUNT: "a count",
    Kind.MONEY: "money",
    Kind.DURATION: "a duration",
    Kind.TEXT: "a text",
}
_OF_FIELD = {
    FieldKind.MONEY: Kind.MONEY,
    FieldKind.COUNT: Kind.COUNT,
    FieldKind.NUMBER: Kind.NUMBER,
    FieldKind.MINUTES: Kind.DURATION,
    FieldKind.DURATION: Kind.DURATION,
    FieldKind.TEXT: Kind.TEXT,
    FieldKind.TRUTH: Kind.BOOL,
}
_OF_MEASURES_ONLY = ("sum", "mean", "max", "min", "std")


def field_kind(event: str, name: str, limit: str | None) -> Kind:
    """Return what a known field holds.

    Parameters
    ----------
    limit
        What the field `limit` is known to be, for `old` and `new` which depend on it.

    Raises
    ------
    ValueError
        Where rules cannot read the field, or not without such a `limit`.
    """
    kind = FIELDS[event][name].kind
    if kind is FieldKind.BY_LIMIT:
        if limit is None or limit not in LIMIT_KINDS:
            options = ", ".join(LIMIT_KINDS)
            raise ValueError(f'{name} is money, a count or minutes: say where limit == "…", one of {options}')
        kind = LIMIT_KINDS[limit]
    if kind not in _OF_FIELD:
        raise ValueError(f"{name} is a time: rules read local_hour, local_date, gap and since(…)")
    return _OF_FIELD[kind]


def aggregate_kind(aggregate: str, field: str, kind: Kind) -> Kind:
    """Return what an aggregate of such a field yields; raise ValueError where there is no such thing."""
    if aggregate in _OF_MEASURES_ONLY and kind not in MEASURES:
        raise ValueError(f"{aggregate} takes numbers, money or durations: {field} is {SPOKEN[kind]}")
    if aggregate == "distinct":
        return Kind.COUNT
    if aggregate in ("mean", "std") and kind is Kind.COUNT:
        return Kind.NUMBER
    return kind


def combined(operator: str, left: Kind, right: Kind) -> Kind | None:
    """Return the kind of `left operator right` for two measures, None where it makes no sense."""
    if left in PLAIN and right in PLAIN:
        return Kind.NUMBER if operator == "/" or Kind.NUMBER in (left, right) else Kind.COUNT
    if operator in ("+", "-"):
        return left if left is right else None
    if operator == "*":
        if left in PLAIN:
            return right
        return left if right in PLAIN else None
    if right in PLAIN:
        return left
    return Kind.NUMBER if left is right else None


def unlike(left: Kind, right: Kind, verb: str) -> str:
    """Return the message for two kinds that do not go together."""
    hint = ""
    if (left in PLAIN) != (right in PLAIN):
        if Kind.MONEY in (left, right):
            hint = "; money is written with its currency, such as 200 CAD"
        elif Kind.DURATION in (left, right):
            hint = "; a duration is written with its unit, such as 7d"
    return f"{SPOKEN[right]} {verb} {SPOKEN[left]}{hint}"
