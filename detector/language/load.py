"""Makes a rule of a file: every key checked, every condition typed, every fault told at its place."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from detector.errors import Finding
from detector.events.money import Currencies
from detector.events.vocabulary import FIELDS
from detector.language.literals import read_duration_us, read_literal
from detector.language.parse import RESERVED, parse, suggestion, tokens
from detector.language.rule import (
    AUDIENCES,
    CATEGORIES,
    RESPONSES,
    SEVERITIES,
    STATUSES,
    Param,
    Rule,
    Timeline,
    Trigger,
)
from detector.language.source import Fault, Mapping, Node, Scalar, Sequence, read_file, read_source, shorten
from detector.language.syntax import Expression, Kind, Literal, Place
from detector.language.timeline import read_test
from detector.language.types import (
    MAX_REACH_US,
    MIN_WINDOW_US,
    Scope,
    Unsaid,
    type_condition,
    type_expression,
)

MAX_QUANTITIES = 32
MAX_NAMES = 64
LANGUAGES = ("en", "fr")

_NEEDED = (
    "id", "version", "status", "title", "category", "audience", "severity", "trigger", "when", "cooldown",
    "explain", "respond",
)  # fmt: skip
_KEYS = (*_NEEDED, "why", "sources", "params", "let", "escalate", "remind", "tell", "tests")
_ID = re.compile(r"[a-z][a-z0-9-]{1,62}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_VERSION = re.compile(r"[1-9][0-9]{0,5}")
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_TELLING = (
    "status",
    "tests",
    "title",
    "why",
    "sources",
    "explain",
    "tell",
    "path",
    "behaviour",
    "version",
    "id",
)


@dataclass(slots=True)
class Reading:
    """What came of reading one file.

    `rule` is None where `findings` say why. `places` are the places of the file's keys, and of lets and params
    as "let.NAME" and "params.NAME"; `unused` those of the latter that no text of the rule names.
    """

    path: str
    rule: Rule | None = None
    findings: list[Finding] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)

    def finding(self, key: str, message: str) -> Finding:
        """Return a finding at a key of the file, or at its start."""
        place = self.places.get(key, Place(1, 1))
        return Finding(self.path, place.line, place.column, message)


def read_rule(path: Path, currencies: Currencies, *, tests: bool = True) -> Reading:
    """Read one rule file; never raises for what the file holds.

    Parameters
    ----------
    tests
        Whether to read `tests` too. Without them a rule runs just as well, and a fault in one is no finding.
    """
    reading = Reading(str(path))
    try:
        root = read_source(read_file(path))
    except Fault as fault:
        reading.findings.append(Finding(reading.path, fault.place.line, fault.place.column, fault.message))
        return reading
    loader = _Loader(path, root, currencies, reading)
    reading.rule = loader.rule(with_tests=tests)
    reading.findings.sort()
    return reading


class _Loader:
    """Reads the keys of one file in an order in which each finds what it needs."""

    def __init__(self, path: Path, root: Mapping, currencies: Currencies, reading: Reading) -> None:
        self._path = path
        self._root = root
        self._currencies = currencies
        self._reading = reading
        self._scope = Scope(currencies, {})

    def rule(self, *, with_tests: bool) -> Rule | None:
        self._check_keys()
        params = self._params()
        self._scope.constants = {name: param.value for name, param in params.items()}
        self._settle_currency(params)
        lets = self._lets()
        severity = self._choice("severity", SEVERITIES)
        values: dict[str, Any] = {
            "id": self._id(),
            "version": self._read("version", _version),
            "status": self._choice("status", STATUSES),
            "title": self._text("title"),
            "category": self._choice("category", CATEGORIES),
            "audience": self._choice("audience", AUDIENCES),
            "severity": severity,
            "why": self._text("why"),
            "sources": self._read("sources", _texts) or (),
            "trigger": self._read("trigger", self._trigger),
            "lets": lets,
            "when": self._read("when", self._condition),
            "escalate": self._escalate(severity),
            "cooldown_us": self._read("cooldown", self._span_us),
            "remind_us": self._read("remind", self._span_us),
            "explain": self._read("explain", self._template) or (),
            "tell": self._tell(),
            "respond": self._choice("respond", RESPONSES),
        }
        tests = tuple(self._tests(severity or SEVERITIES[0])) if with_tests else ()
        if len(self._scope.quantities) > MAX_QUANTITIES:
            with self._told():
                raise Fault(self._root.place, f"a rule has at most {MAX_QUANTITIES} distinct quantities")
        self._reading.unused = [
            f"{group}.{name}"
            for group, names in (("params", params), ("let", lets))
            for name in names
            if name not in self._scope.used
        ]
        if self._reading.findings:
            return None
        rule = Rule(
            **values, currency=self._scope.currency, params=params, tests=tests, path=self._reading.path
        )
        return replace(rule, behaviour=behaviour(rule))

    # How findings are gathered

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn a fault into a finding and go on behind it."""
        try:
            yield
        except Unsaid:
            pass
        except Fault as fault:
            finding = Finding(self._reading.path, fault.place.line, fault.place.column, fault.message)
            self._reading.findings.append(finding)

    def _read(self, key: str, make: Callable[[Node], Any]) -> Any:
        node = self._root.get(key)
        if node is not None:
            with self._told():
                return make(node)
        return None

    # Plain keys

    def _check_keys(self) -> None:
        present = set()
        for key, node in self._root:
            present.add(key.text)
            self._reading.places[key.text] = key.place
            with self._told():
                if key.text not in _KEYS:
                    raise Fault(key.place, f'unknown key "{shorten(key.text)}"{suggestion(key.text, _KEYS)}')
                if (
                    key.text in _NEEDED
                    and isinstance(node, Scalar)
                    and (node.is_null or not node.text.strip())
                ):
                    raise Fault(key.place, f"`{key.text}` is empty")
        for needed in _NEEDED:
            if needed not in present:
                with self._told():
                    raise Fault(self._root.place, f"`{needed}` is missing")

    def _id(self) -> str:
        def make(node: Node) -> str:
            text = _scalar(node)
            if not _ID.fullmatch(text):
                raise Fault(node.place, "an id is 2 to 63 small letters, digits and hyphens, a letter first")
            if text != self._path.stem:
                raise Fault(
                    node.place, f'the id is "{text}", the file is called "{shorten(self._path.stem)}"'
                )
            return text

        return self._read("id", make) or ""

    def _choice(self, key: str, choices: tuple[str, ...]) -> str:
        def make(node: Node) -> str:
            text = _scalar(node)
            if text not in choices:
                near = suggestion(text, choices)
                raise Fault(
                    node.place, f'`{key}` is one of {", ".join(choices)}, not "{shorten(text)}"{near}'
                )
            return text

        return self._read(key, make) or ""

    def _text(self, key: str) -> str:
        def make(node: Node) -> str:
            return "" if isinstance(node, Scalar) and node.is_null else _scalar(node)

        return self._read(key, make) or ""

    def _tell(self) -> dict[str, str]:
        told: dict[str, str] = {}
        for key, node in self._entries("tell"):
            with self._told():
                if key.text not in LANGUAGES:
                    raise Fault(key.place, f"`tell` speaks {' and '.join(LANGUAGES)}")
                if not (text := _scalar(node)):
                    raise Fault(node.place, "this text is empty")
                told[key.text] = text
        return told

    def _entries(self, key: str) -> tuple[tuple[Scalar, Node], ...]:
        def make(node: Node) -> tuple[tuple[Scalar, Node], ...]:
            if isinstance(node, Scalar) and node.is_null:
                return ()
            if not isinstance(node, Mapping):
                raise Fault(node.place, f"`{key}` is a mapping of names to values")
            if len(node.entries) > MAX_NAMES:
                raise Fault(node.place, f"`{key}` has at most {MAX_NAMES} entries")
            return node.entries

        return self._read(key, make) or ()

    # What conditions are made of

    def _params(self) -> dict[str, Param]:
        params: dict[str, Param] = {}
        for key, node in self._entries("params"):
            self._reading.places[f"params.{key.text}"] = key.place
            self._scope.failed.add(key.text)
            with self._told():
                _check_name(key, "a param")
                params[key.text] = self._param(key.text, node)
                self._scope.failed.discard(key.text)
        return params

    def _param(self, name: str, node: Node) -> Param:
        if not isinstance(node, Mapping):
            raise Fault(node.place, "a param is written {value: 2.0, min: 1.2, max: 5.0}")
        found: dict[str, Literal] = {}
        for key, value in node:
            if key.text not in ("value", "min", "max"):
                raise Fault(key.place, f'unknown key "{shorten(key.text)}" in a param: value, min, max')
            found[key.text] = self._constant(value, name)
        if "value" not in found:
            raise Fault(node.place, "a param needs a `value`")
        value, low, high = (found.get(part) for part in ("value", "min", "max"))
        assert value is not None
        kinds = {literal.kind for literal in found.values()}
        if kinds == {Kind.COUNT, Kind.NUMBER}:
            value, low, high = (_as_number(literal) for literal in (value, low, high))
        elif len(kinds) > 1:
            raise Fault(node.place, "value, min and max are of one kind")
        assert value is not None
        if len({literal.currency for literal in found.values()}) > 1:
            raise Fault(node.place, "value, min and max are of one currency")
        if value.kind is Kind.TEXT and (low or high):
            raise Fault(node.place, "a text has no min and no max")
        for bound, holds, side in ((low, _at_least, "below its min"), (high, _at_most, "above its max")):
            if bound is not None and not holds(value, bound):
                raise Fault(value.place, f"the value is {side}")
        if low and high and not _at_least(high, low):
            raise Fault(high.place, "max is below min")
        return Param(value, low, high)

    def _constant(self, node: Node, name: str) -> Literal:
        text = _scalar(node)
        place = node.at(0) if isinstance(node, Scalar) else node.place
        try:
            literal = read_literal(text, self._currencies, place, name)
        except ValueError as error:
            raise Fault(node.place, str(error)) from None
        return literal or Literal(text, Kind.TEXT, param=name, place=place)

    def _settle_currency(self, params: dict[str, Param]) -> None:
        """Take the rule's currency from the first money written; the types tell of any other."""
        for name, param in params.items():
            currency = param.value.currency
            if currency and self._scope.currency and currency != self._scope.currency:
                with self._told():
                    raise Fault(
                        param.value.place,
                        f"{currency} in a rule of {self._scope.currency}: one currency a rule",
                    )
                self._scope.failed.add(name)
            self._scope.currency = self._scope.currency or currency
        if self._scope.currency is None:
            for source in self._conditions():
                try:
                    money = next(tokens(parse(source), "money"), None)
                except Fault:
                    continue  # told when this text is typed
                if money is not None:
                    self._scope.currency = money.split()[1]
                    return

    def _conditions(self) -> Iterator[Scalar]:
        for key in ("let", "when", "escalate"):
            node = self._root.get(key)
            values = [value for _, value in node] if isinstance(node, Mapping) else [node]
            yield from (value for value in values if isinstance(value, Scalar))

    def _lets(self) -> dict[str, Expression]:
        entries = self._entries("let")
        self._scope.coming = {key.text for key, _ in entries}
        for key, node in entries:
            name = key.text
            self._reading.places[f"let.{name}"] = key.place
            expression = None
            with self._told():
                _check_name(key, "a let")
                if name in self._scope.constants:
                    raise Fault(key.place, f'"{name}" is a param already')
                expression = type_expression(_expression_text(node), self._scope)
            self._scope.coming.discard(name)
            if expression is None:
                self._scope.failed.add(name)
            else:
                self._scope.lets[name] = expression
        return dict(self._scope.lets)

    def _condition(self, node: Node) -> Expression:
        return type_condition(_expression_text(node), self._scope)

    def _escalate(self, base: str) -> dict[str, Expression]:
        levels: dict[str, Expression] = {}
        for key, node in self._entries("escalate"):
            with self._told():
                if key.text not in SEVERITIES:
                    near = suggestion(key.text, SEVERITIES)
                    raise Fault(key.place, f"`escalate` names severities: {', '.join(SEVERITIES)}{near}")
                if base and SEVERITIES.index(key.text) <= SEVERITIES.index(base):
                    raise Fault(key.place, f"{key.text} is not above the rule's own severity, {base}")
                levels[key.text] = self._condition(node)
        return dict(sorted(levels.items(), key=lambda level: SEVERITIES.index(level[0])))

    def _trigger(self, node: Node) -> Trigger:
        if isinstance(node, Mapping):
            if [key.text for key, _ in node] != ["silence"]:
                raise Fault(
                    node.place, "a trigger is an event type, a list of them, {silence: 14d} or during_session"
                )
            return Trigger(silence_us=self._span_us(node.entries[0][1]))
        if isinstance(node, Scalar) and node.text == "during_session":
            return Trigger(during_session=True)
        types = []
        for item in node.items if isinstance(node, Sequence) else (node,):
            name = _scalar(item)
            if name not in FIELDS:
                near = suggestion(name, [*FIELDS, "during_session"])
                raise Fault(item.place, f'no event type "{shorten(name)}" to be judged at{near}')
            if name in types:
                raise Fault(item.place, f"{name} stands twice")
            types.append(name)
        if not types:
            raise Fault(node.place, "a trigger needs at least one event type")
        return Trigger(events=tuple(types))

    def _span_us(self, node: Node) -> int:
        text = _scalar(node)
        constant = self._scope.constants.get(text)
        if constant is not None and constant.kind is Kind.DURATION:
            self._scope.used.add(text)
            span_us: int | None = int(constant.value)
        elif text in self._scope.failed:
            self._scope.used.add(text)
            raise Unsaid(node.place, f'"{text}" has a fault of its own')
        else:
            try:
                span_us = read_duration_us(text)
            except ValueError as error:
                raise Fault(node.place, str(error)) from None
        if span_us is None:
            raise Fault(node.place, f'"{shorten(text)}" is no duration such as 7d and no param that is one')
        if not MIN_WINDOW_US <= span_us <= MAX_REACH_US:
            raise Fault(node.place, "this duration lies between 1m and 400d")
        return span_us

    # Texts and tests

    def _template(self, node: Node) -> tuple[str, ...]:
        _scalar(node)
        assert isinstance(node, Scalar)
        if not node.spans:
            raise Fault(
                node.place, "`explain` is a plain or quoted text on one line, without escapes, or a `|` block"
            )
        parts = [""]
        end = 0
        for match in _PLACEHOLDER.finditer(node.text):
            parts[-1] += node.text[end : match.start()]
            end = match.end()
            if match[0] in ("{{", "}}"):
                parts[-1] += match[0][0]
            elif match[1] is None:
                raise Fault(
                    node.at(match.start()),
                    f"a lone {match[0]}: names stand as {{name}}, and {match[0]} as {match[0] * 2}",
                )
            else:
                self._check_placeholder(match[1].strip(), node.at(match.start(1)))
                parts += [match[1].strip(), ""]
        parts[-1] += node.text[end:]
        parts[0] = parts[0].lstrip()
        parts[-1] = parts[-1].rstrip()
        return tuple(parts)

    def _check_placeholder(self, name: str, place: Place) -> None:
        known = [*self._scope.lets, *self._scope.constants]
        if name in known or name in self._scope.failed:
            self._scope.used.add(name)
        else:
            raise Fault(place, f'"{shorten(name)}" is no let and no param{suggestion(name, known)}')

    def _tests(self, severity: str) -> Iterator[Timeline]:
        node = self._root.get("tests")
        if node is None or (isinstance(node, Scalar) and node.is_null):
            return
        if not isinstance(node, Sequence):
            with self._told():
                raise Fault(node.place, "`tests` is a list")
            return
        for item in node.items:
            with self._told():
                yield read_test(item, severity, self._currencies)


def behaviour(rule: Rule) -> str:
    """Return the SHA-256 of what a rule does, in hex: what only tells (texts, tests, status) left out."""
    meaning = {
        each.name: _canonical(getattr(rule, each.name)) for each in fields(rule) if each.name not in _TELLING
    }
    text = json.dumps(meaning, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        parts = {each.name: _canonical(getattr(value, each.name)) for each in fields(value) if each.compare}
        return {"node": type(value).__name__} | parts
    if isinstance(value, dict):
        return {key: _canonical(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [_canonical(each) for each in value]
    return value


def _version(node: Node) -> int:
    text = _scalar(node)
    if not _VERSION.fullmatch(text):
        raise Fault(node.place, "a version is a whole number from 1 up")
    return int(text)


def _texts(node: Node) -> tuple[str, ...]:
    if isinstance(node, Scalar) and node.is_null:
        return ()
    if not isinstance(node, Sequence):
        raise Fault(node.place, "`sources` is a list of texts")
    return tuple(_scalar(item) for item in node.items)


def _scalar(node: Node) -> str:
    if not isinstance(node, Scalar):
        raise Fault(node.place, "a single value is needed here")
    return node.text.strip()


def _expression_text(node: Node) -> Scalar:
    _scalar(node)
    assert isinstance(node, Scalar)
    return node


def _check_name(key: Scalar, what: str) -> None:
    if not _NAME.fullmatch(key.text):
        raise Fault(key.place, f"{what} is named by small letters, digits and _, at most 40")
    if key.text in RESERVED:
        raise Fault(key.place, f'"{key.text}" is a word of the language and cannot name {what}')


def _as_number(literal: Literal | None) -> Literal | None:
    return replace(literal, value=float(literal.value), kind=Kind.NUMBER) if literal else None


def _at_least(value: Literal, bound: Literal) -> bool:
    return not (isinstance(value.value, str) or isinstance(bound.value, str)) and value.value >= bound.value


def _at_most(value: Literal, bound: Literal) -> bool:
    return _at_least(bound, value)
