"""One field of an event: where its value comes from, and how it becomes what the event holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from detector.events.instants import known_zones
from detector.events.vocabulary import LIMIT_KINDS, Field, FieldKind
from detector.language.parse import suggestion
from detector.language.source import Fault, Node, Scalar, shorten, single
from detector.language.source import Mapping as Block
from detector.language.source import Sequence as Items
from detector.mapping.forms import Forms, read_money_form, read_time_form
from detector.mapping.message import ABSENT, Path, Scopes, looks_like_path
from detector.mapping.origins import Origin, Unmapped, is_template, known_keys, read_origin
from detector.mapping.tables import OMITTED, Table, read_table
from detector.mapping.values import (
    MoneyForm,
    Unfit,
    instant,
    minor_units,
    number_of,
    text_of,
    truth,
    whole,
)

Made = Mapping[str, Any]  # what of the event is made already: `currency` and `limit` come first
Maker = Callable[[Scopes, Made], Any]
"""Gives a field's value as JSON has it, or ABSENT."""

_MONEY_KEYS = ("unit", "round", "sign", "decimals")
_TIME_KEYS = ("format", "zone")
_SOURCES = ("from", "sum", "value")
_ALWAYS = (*_SOURCES, "default", "table", "else")
_KEYS: Mapping[FieldKind, tuple[str, ...]] = {
    FieldKind.MONEY: _MONEY_KEYS,
    FieldKind.BY_LIMIT: _MONEY_KEYS,
    FieldKind.INSTANT: _TIME_KEYS,
    FieldKind.COUNT: _TIME_KEYS,
    FieldKind.NUMBER: ("unit",),
}
_HOURS: Mapping[str, Decimal] = {"seconds": Decimal(60), "minutes": Decimal(1), "hours": Decimal(60)}
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.\w+)+")
NEVER_CONSTANT = ("id", "player", "ts", "target", "replaces")


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """A field that is ready to be made.

    Attributes
    ----------
    make
        Gives the value.
    paths
        Every path that it reads.
    outer
        Whether it stands in `common`, for a case with an `each` of its own.
    """

    make: Maker
    paths: tuple[Path, ...] = ()
    outer: bool = False

    def lacks(self, scopes: Scopes) -> str:
        """The place of the first of its paths at which there is nothing."""
        found = (path for path in self.paths if _is_absent(path.find(scopes)))
        path = next(found, None)
        return scopes[-1].at if path is None else path.at(scopes)


def _is_absent(value: Any) -> bool:
    return value is ABSENT or value is None


def read_field(name: str, spec: Field, node: Node, forms: Forms, levels: int) -> FieldPlan:
    """Read one field of a mapping file.

    Parameters
    ----------
    spec
        What the vocabulary says of the field.
    levels
        How many records a path can start from here.

    Raises
    ------
    Fault
        At the place where something cannot be.
    """
    return _Reader(name, spec, forms, levels).read(node)


class _Reader:
    def __init__(self, name: str, spec: Field, forms: Forms, levels: int) -> None:
        self._name = name
        self._spec = spec
        self._forms = forms
        self._levels = levels

    def read(self, node: Node) -> FieldPlan:
        if isinstance(node, Scalar):
            text = node.text.strip()
            if looks_like_path(text) or is_template(text):
                return self._from(read_origin(node, self._levels), Block((), node.place))
            if node.style == "" and _DOTTED.fullmatch(text):
                # Taken for a constant it would be the same wrong value in every event, without a word.
                told = f'a path starts with a dot: ".{text}"; a constant like this is {{value: {text}}}'
                raise Fault(node.place, told)
            return self._constant(node, Block((), node.place))
        if isinstance(node, Items):
            return self._from(read_origin(node, self._levels), Block((), node.place))
        known_keys(node, (*_ALWAYS, *_KEYS.get(self._spec.kind, ())), f"`{self._name}`")
        given = [key for key in _SOURCES if node.get(key) is not None]
        if len(given) != 1:
            raise Fault(node.place, f"`{self._name}` needs one of `from`, `sum` or `value`")
        source = node.get(given[0])
        assert source is not None
        if given[0] == "value":
            if not isinstance(source, Scalar):
                raise Fault(source.place, "a constant is a single value")
            return self._constant(source, node)
        if given[0] == "sum":
            return self._sum(source, node)
        return self._from(read_origin(source, self._levels), node)

    # The three sources

    def _constant(self, source: Scalar, block: Block) -> FieldPlan:
        if self._name in NEVER_CONSTANT:
            near = f'; did you mean ".{shorten(source.text)}"?' if source.text.isidentifier() else ""
            raise Fault(source.place, f"`{self._name}` cannot be the same in every event{near}")
        convert = self._converter(block)
        constant = self._checked(source, convert)
        return FieldPlan(lambda scopes, made: convert(constant, made, "$"))

    def _from(self, origin: Origin, block: Block) -> FieldPlan:
        convert = self._converter(block)
        table = self._table(block, convert)
        default = self._default(block, convert)
        nullable = self._spec.kind is FieldKind.BY_LIMIT

        def make(scopes: Scopes, made: Made) -> Any:
            value = origin.find(scopes)
            if value is None and nullable:
                return None
            if value is ABSENT or value is None:
                return ABSENT if default is ABSENT else convert(default, made, "$")
            at = origin.at(scopes)
            if table is not None:
                value = table.look_up(value, at)
                if value is OMITTED or (value is None and not nullable):
                    return ABSENT
                if value is None:
                    return None
            return convert(value, made, at)

        return FieldPlan(make, origin.paths)

    def _sum(self, source: Node, block: Block) -> FieldPlan:
        if self._spec.kind is not FieldKind.MONEY:
            raise Fault(source.place, "only money is added up")
        if block.get("table") is not None:
            raise Fault(source.place, "a sum has no table")
        if not isinstance(source, Items) or len(source.items) < 2:
            raise Fault(source.place, "`sum` is a list of two paths or more")
        if (default := block.get("default")) is not None:
            told = "a sum has no default; give it to a part: {from: .bonus, default: 0}"
            raise Fault(default.place, told)
        forms = replace(self._forms, money=self._money_form(block))
        part = _Reader(self._name, self._spec, forms, self._levels)
        plans = [part.read(item) for item in source.items]

        def make(scopes: Scopes, made: Made) -> Any:
            parts = [plan.make(scopes, made) for plan in plans]
            return ABSENT if ABSENT in parts else sum(parts)

        return FieldPlan(make, tuple(path for plan in plans for path in plan.paths))

    def _default(self, block: Block, convert: Convert) -> Any:
        node = block.get("default")
        if node is None:
            return ABSENT
        if self._name in NEVER_CONSTANT:
            raise Fault(node.place, f"`{self._name}` cannot be the same in every event")
        if not isinstance(node, Scalar):
            raise Fault(node.place, "a default is a single value")
        return self._checked(node, convert)

    def _table(self, block: Block, convert: Convert) -> Table | None:
        node = block.get("table")
        if node is None:
            if (otherwise := block.get("else")) is not None:
                raise Fault(otherwise.place, "`else` belongs to a `table`")
            return None
        table = read_table(self._name, node, block.get("else"), self._forms.tables)
        for outcome in table.outcomes:
            self._checked(outcome, convert)
        return table

    def _checked(self, source: Scalar, convert: Convert) -> str:
        """A constant's text, proved to be what the field can hold."""
        text = source.text.strip()
        choices = self._spec.choices
        if choices and text not in choices:
            raise Fault(
                source.place, f"`{self._name}` is one of {', '.join(choices)}{suggestion(text, choices)}"
            )
        if self._name == "currency" and text.upper() not in self._forms.currencies:
            raise Fault(source.place, f'"{shorten(text)}" is no currency of ISO 4217 or of the deployment')
        if self._name == "timezone" and text not in known_zones():
            raise Fault(source.place, f'no zone "{shorten(text)}"{suggestion(text, known_zones())}')
        try:
            if self._spec.kind in (FieldKind.MONEY, FieldKind.BY_LIMIT):
                number_of(text)  # of which currency or limit is not known yet
            else:
                convert(text, {}, "$")
        except Unmapped as unmapped:
            mend = unmapped.detail.partition(": ")[2]
            dot = f'; a path starts with a dot: ".{text}"' if text.isidentifier() else ""
            raise Fault(source.place, f"`{self._name}` {mend}{dot}") from None
        except Unfit as unfit:
            dot = f'; a path starts with a dot: ".{text}"' if text.isidentifier() else ""
            raise Fault(source.place, f"`{self._name}` {unfit.mend}{dot}") from None
        return text

    # What becomes of a value

    def _converter(self, block: Block) -> Convert:
        kind = self._spec.kind
        if kind is FieldKind.MONEY:
            return self._money(block)
        if kind is FieldKind.BY_LIMIT:
            return self._by_limit(block)
        if kind is FieldKind.INSTANT:
            form = read_time_form(block, self._forms.time)
            return _told(lambda value, made: _rfc3339(instant(value, form)))
        if kind is FieldKind.COUNT:
            if block.get("format") is None:
                return _told(lambda value, made: whole(value))
            dated = read_time_form(block, replace(self._forms.time, zone="UTC"))
            return _told(lambda value, made: instant(value, dated).year)
        if kind is FieldKind.NUMBER:
            return self._number(block)
        if kind is FieldKind.TRUTH:
            return _told(lambda value, made: truth(value))
        if self._name == "currency":
            return _told(lambda value, made: text_of(value).strip().upper())
        return _told(lambda value, made: text_of(value))

    def _money(self, block: Block) -> Convert:
        form = self._money_form(block)
        exponents = self._forms.currencies.exponents

        def convert(value: Any, made: Made, at: str) -> Any:
            currency = made.get("currency")
            if currency is None:
                raise Unmapped("missing_field", at, "is money without a currency; map `currency` too")
            if currency not in exponents:
                raise Unmapped(
                    "unknown_currency",
                    at,
                    "is money of a currency that is neither of ISO 4217 nor of the deployment",
                )
            try:
                return minor_units(number_of(value), exponents[currency], currency, form)
            except Unfit as unfit:
                raise Unmapped(unfit.reason, at, unfit.mend) from None

        return convert

    def _money_form(self, block: Block) -> MoneyForm:
        form = read_money_form(block, self._forms.money)
        if form is None:
            told = "say `unit: major` (12.50) or `unit: minor` (1250), here or in `money`"
            raise Fault(block.place, f"`{self._name}` is money: {told}")
        return form

    def _by_limit(self, block: Block) -> Convert:
        unit = block.get("unit")
        hours = single(unit) if isinstance(unit, Scalar) and unit.text in _HOURS else None
        money = self._money(block) if hours is None and self._has_money(block) else None

        def convert(value: Any, made: Made, at: str) -> Any:
            kind = LIMIT_KINDS.get(str(made.get("limit")))
            if kind is FieldKind.MONEY:
                if money is None:
                    raise Unmapped(
                        "unmapped", at, "is money; say `unit: major` or `unit: minor` in the mapping"
                    )
                return money(value, made, at)
            try:
                if kind is not FieldKind.MINUTES or hours in (None, "minutes"):
                    return whole(value)
                number = number_of(value)
                return whole(number / _HOURS["seconds"] if hours == "seconds" else number * _HOURS["hours"])
            except Unfit as unfit:
                raise Unmapped(unfit.reason, at, unfit.mend) from None

        return convert

    def _has_money(self, block: Block) -> bool:
        return self._forms.money is not None or block.get("unit") is not None

    def _number(self, block: Block) -> Convert:
        unit = block.get("unit")
        if unit is not None and single(unit) != "percent":
            raise Fault(unit.place, f"`{self._name}` is a plain number, or `unit: percent`")
        scale = 0 if unit is None else -2
        return _told(lambda value, made: float(number_of(value).scaleb(scale)))


Convert = Callable[[Any, Made, str], Any]


def _told(convert: Callable[[Any, Made], Any]) -> Convert:
    """Say where in the message the value stood that does not fit."""

    def told(value: Any, made: Made, at: str) -> Any:
        try:
            return convert(value, made)
        except Unfit as unfit:
            raise Unmapped(unfit.reason, at, unfit.mend) from None

    return told


def _rfc3339(found: datetime) -> str:
    return found.isoformat().replace("+00:00", "Z")
