"""Makes a rule of a file: every key checked, every condition typed, every fault told at its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from detector.events.money import Currencies
from detector.events.vocabulary import FIELDS, SESSION_SUMMARY
from detector.language.conditions import Scope
from detector.language.literals import first_currency, read_duration_us
from detector.language.meaning import behaviour
from detector.language.params import read_param
from detector.language.parse import MAX_LENGTH, RESERVED, suggestion
from detector.language.reading import Reading, read_version
from detector.language.respond import read_responses
from detector.language.rule import (
    AUDIENCES,
    CATEGORIES,
    SEVERITIES,
    STATUSES,
    Param,
    Rule,
    Timeline,
    Trigger,
)
from detector.language.source import (
    Fault,
    Mapping,
    Node,
    Scalar,
    Sequence,
    Unsaid,
    scalar,
    shorten,
    single,
)
from detector.language.syntax import Expression, Kind, Place
from detector.language.timeline import read_test
from detector.language.types import MAX_REACH_US, MIN_WINDOW_US, type_condition, type_expression

MAX_QUANTITIES = 32
MAX_CONDITIONS = 16_000
MAX_NAMES = 64
LANGUAGES = ("en", "fr")

_NEEDED = (
    *("id", "version", "status", "title", "category", "audience", "severity"),
    *("trigger", "when", "cooldown", "explain", "respond"),
)
_KEYS = (*_NEEDED, "why", "sources", "params", "let", "escalate", "remind", "tell", "tests")
_ID = re.compile(r"[a-z][a-z0-9-]{0,62}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")

T = TypeVar("T")


@dataclass(slots=True)
class RuleReading(Reading[Rule]):
    """What came of reading one rule file.

    `places` are also those of params and lets, as "params.NAME" and "let.NAME"; `unused` are those of them
    that nothing in the rule names.
    """

    unused: list[str] = field(default_factory=list)


def read_rule(path: Path, currencies: Currencies, *, tests: bool = True) -> RuleReading:
    """Read one rule file; never raises for what the file holds.

    Parameters
    ----------
    tests
        Whether to read `tests` too. A rule runs without them, and then a fault in one is no finding.
    """
    reading = RuleReading(str(path))
    reading.read("rule", lambda root: _Loader(path.stem, root, currencies, reading).rule(with_tests=tests))
    return reading


class _Loader:
    """Reads the keys of one file in an order in which each finds what it needs."""

    def __init__(self, stem: str, root: Mapping, currencies: Currencies, reading: RuleReading) -> None:
        self._stem = stem
        self._root = root
        self._currencies = currencies
        self._reading = reading
        self._scope = Scope(currencies)

    def rule(self, *, with_tests: bool) -> Rule | None:
        self._check_keys()
        # A longer one is refused unread, and says so itself.
        lengths = (len(source.text) for source in self._conditions())
        if sum(length for length in lengths if length <= MAX_LENGTH) > MAX_CONDITIONS:
            self._reading.tell(
                self._root.place, f"let, when and escalate have at most {MAX_CONDITIONS} characters"
            )
            return None
        params = self._params()
        self._settle_currency(params)
        lets = self._lets()
        severity = self._choice("severity", SEVERITIES)
        values: dict[str, Any] = {
            "id": self._read("id", self._id),
            "version": self._read("version", read_version),
            "status": self._choice("status", STATUSES),
            "title": self._read("title", single),
            "category": self._choice("category", CATEGORIES),
            "audience": self._choice("audience", AUDIENCES),
            "severity": severity,
            "why": self._read("why", single) or "",
            "sources": self._read("sources", _texts) or (),
            "trigger": self._read("trigger", self._trigger),
            "when": self._read("when", self._condition),
            "escalate": self._escalate(severity),
            "cooldown_us": self._read("cooldown", self._span_us),
            "remind_us": self._read("remind", self._span_us),
            "explain": self._read("explain", self._template),
            "tell": self._tell(),
            "respond": self._read("respond", self._responses),
            "tests": tuple(self._tests(severity)) if with_tests else (),
            "percentiles": tuple(dict.fromkeys(self._scope.percentiles)),
        }
        trigger = values["trigger"]
        if self._scope.asks_score and trigger and trigger.events not in (("deposit",), (SESSION_SUMMARY,)):
            place = self._reading.places.get("trigger", self._root.place)
            told = f"models score at deposits and at session ends: trigger on deposit or on {SESSION_SUMMARY}"
            self._reading.tell(place, f"{told} alone where a rule asks for score(…)")
        if len(self._scope.quantities) > MAX_QUANTITIES:
            self._reading.tell(self._root.place, f"a rule has at most {MAX_QUANTITIES} distinct quantities")
        named = [*(f"params.{name}" for name in params), *(f"let.{name}" for name in lets)]
        self._reading.unused = [key for key in named if key.partition(".")[2] not in self._scope.used]
        if self._reading.findings:
            return None
        path = self._reading.path
        rule = Rule(**values, lets=lets, params=params, currency=self._scope.currency, path=path)
        return replace(rule, behaviour=behaviour(rule))

    def _read(self, key: str, make: Callable[[Node], T]) -> T | None:
        """Return what `make` makes of a key's value, None where the key is absent, empty or at fault."""
        node = self._root.get(key)
        return None if node is None or _is_empty(node) else self._reading.made(node, make)

    # Plain keys

    def _check_keys(self) -> None:
        for key, node in self._root:
            if key.text not in _KEYS:
                near = suggestion(key.text, _KEYS)
                self._reading.tell(key.place, f'unknown key "{shorten(key.text)}"{near}')
            elif key.text in _NEEDED and _is_empty(node):
                self._reading.tell(key.place, f"`{key.text}` is empty")
        for needed in _NEEDED:
            if self._root.get(needed) is None:
                self._reading.tell(self._root.place, f"`{needed}` is missing")

    def _id(self, node: Node) -> str:
        text = single(node)
        if not _ID.fullmatch(text):
            raise Fault(node.place, "an id is 1 to 63 small letters, digits and hyphens, a letter first")
        if text != self._stem:
            raise Fault(
                node.place, f'the id is "{text}" but the file "{shorten(self._stem)}": name both alike'
            )
        return text

    def _choice(self, key: str, choices: tuple[str, ...]) -> str | None:
        def make(node: Node) -> str:
            text = single(node)
            if text not in choices:
                told = f'`{key}` is one of {", ".join(choices)}, not "{shorten(text)}"'
                raise Fault(node.place, told + suggestion(text, choices))
            return text

        return self._read(key, make)

    def _tell(self) -> dict[str, str]:
        told: dict[str, str] = {}
        for key, node in self._entries("tell"):
            with self._reading.told():
                if key.text not in LANGUAGES:
                    raise Fault(key.place, f"`tell` speaks {' and '.join(LANGUAGES)}")
                if _is_empty(node):
                    raise Fault(key.place, "this text is empty")
                told[key.text] = single(node)
        return told

    def _entries(self, key: str) -> tuple[tuple[Scalar, Node], ...]:
        def make(node: Node) -> tuple[tuple[Scalar, Node], ...]:
            if not isinstance(node, Mapping):
                raise Fault(node.place, f"`{key}` is a mapping of names to values")
            if len(node.entries) > MAX_NAMES:
                raise Fault(node.place, f"`{key}` has at most {MAX_NAMES} entries")
            return node.entries

        return self._read(key, make) or ()

    # Conditions and what they are made of

    def _params(self) -> dict[str, Param]:
        params: dict[str, Param] = {}
        for key, node in self._entries("params"):
            self._reading.places[f"params.{key.text}"] = key.place
            with self._reading.told():
                _check_name(key, "a param")
                params[key.text] = read_param(key.text, node, self._currencies)
            if key.text not in params:
                self._scope.failed.add(key.text)
        self._scope.constants = {name: param.value for name, param in params.items()}
        return params

    def _settle_currency(self, params: dict[str, Param]) -> None:
        """Take the rule's currency from the first money written; whatever differs is told where it stands."""
        for param in params.values():
            currency = param.value.currency
            self._scope.currency = self._scope.currency or currency
            if currency and currency != self._scope.currency:
                told = f"{currency} in a rule of {self._scope.currency}: one currency a rule"
                self._reading.tell(param.value.place, told)
        for source in self._conditions():
            self._scope.currency = self._scope.currency or first_currency(source.text)

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
            with self._reading.told():
                _check_name(key, "a let")
                if name in self._scope.constants:
                    raise Fault(key.place, f'"{name}" is a param already')
                self._scope.lets[name] = type_expression(scalar(node), self._scope)
            self._scope.coming.discard(name)
            if name not in self._scope.lets:
                self._scope.failed.add(name)
        return dict(self._scope.lets)

    def _condition(self, node: Node) -> Expression:
        return type_condition(scalar(node), self._scope)

    def _escalate(self, base: str | None) -> dict[str, Expression]:
        levels: dict[str, Expression] = {}
        for key, node in self._entries("escalate"):
            with self._reading.told():
                if key.text not in SEVERITIES:
                    near = suggestion(key.text, SEVERITIES)
                    raise Fault(key.place, f"`escalate` names severities: {', '.join(SEVERITIES)}{near}")
                if base and SEVERITIES.index(key.text) <= SEVERITIES.index(base):
                    raise Fault(key.place, f"{key.text} is not above the rule's own severity, {base}")
                levels[key.text] = self._condition(node)
        return dict(sorted(levels.items(), key=lambda level: SEVERITIES.index(level[0])))

    def _responses(self, node: Node) -> dict[str, str]:
        # By what is written: a severity whose condition has a fault wants its response all the same.
        base, levels = self._root.get("severity"), self._root.get("escalate")
        reached = {base.text.strip()} if isinstance(base, Scalar) else set()
        if isinstance(levels, Mapping):
            reached |= {key.text for key, _ in levels}
        return read_responses(node, reached)

    def _trigger(self, node: Node) -> Trigger:
        if isinstance(node, Mapping):
            if [key.text for key, _ in node] != ["silence"]:
                told = "a trigger is an event type, a list of them, {silence: 14d} or during_session"
                raise Fault(node.place, told)
            return Trigger(silence_us=self._span_us(node.entries[0][1]))
        if isinstance(node, Scalar) and node.text == "during_session":
            return Trigger(during_session=True)
        types: list[str] = []
        for item in node.items if isinstance(node, Sequence) else (node,):
            name = single(item)
            if name not in FIELDS:
                near = suggestion(name, [*FIELDS, "during_session"])
                raise Fault(item.place, f'no event type "{shorten(name)}" to be judged at{near}')
            if name in types:
                raise Fault(item.place, f"{name} stands twice")
            types.append(name)
        if not types:
            raise Fault(node.place, "a trigger needs at least one event type")
        if SESSION_SUMMARY in types and len(types) > 1:
            # It is judged once the watermark has passed, the others as they arrive.
            raise Fault(node.place, f"{SESSION_SUMMARY} stands alone as a trigger: make two rules of this")
        return Trigger(events=tuple(types))

    def _span_us(self, node: Node) -> int:
        text = single(node)
        constant = self._scope.constant(text)
        if text in self._scope.failed:
            raise Unsaid(node.place, f'"{text}" has a fault of its own')
        try:
            is_duration = constant is not None and constant.kind is Kind.DURATION
            span_us = int(constant.value) if constant and is_duration else read_duration_us(text)
        except ValueError as error:
            raise Fault(node.place, str(error)) from None
        if span_us is None:
            raise Fault(node.place, f'"{shorten(text)}" is no duration such as 7d and no param that is one')
        if not MIN_WINDOW_US <= span_us <= MAX_REACH_US:
            raise Fault(node.place, "this duration lies between 1s and 400d")
        return span_us

    # Texts and tests

    def _template(self, node: Node) -> tuple[str, ...]:
        template = scalar(node)
        if not template.spans:
            told = "`explain` stands on one line, plain or quoted without escapes, or in a `|` block"
            raise Fault(node.place, told)
        parts = [""]
        end = 0
        for match in _PLACEHOLDER.finditer(template.text):
            parts[-1] += template.text[end : match.start()]
            end = match.end()
            if match[0] in ("{{", "}}"):
                parts[-1] += match[0][0]
            elif match[1] is None:
                told = (
                    f"a lone {match[0]}: a name stands as {{name}}, and {match[0]} itself as {match[0] * 2}"
                )
                raise Fault(template.at(match.start()), told)
            else:
                self._check_placeholder(match[1].strip(), template.at(match.start(1)))
                parts += [match[1].strip(), ""]
        parts[-1] += template.text[end:]
        return (
            (parts[0].lstrip(), *parts[1:-1], parts[-1].rstrip()) if len(parts) > 1 else (parts[0].strip(),)
        )

    def _check_placeholder(self, name: str, place: Place) -> None:
        known = [*self._scope.lets, *self._scope.constants, *self._scope.failed]
        if name not in known:
            near = suggestion(name, known) or "; give it a name under `let` first"
            raise Fault(place, f'"{shorten(name)}" is no let and no param{near}')
        self._scope.used.add(name)

    def _tests(self, severity: str | None) -> Iterator[Timeline]:
        def make(node: Node) -> tuple[Node, ...]:
            if not isinstance(node, Sequence):
                raise Fault(node.place, "`tests` is a list")
            return node.items

        for item in self._read("tests", make) or ():
            with self._reading.told():
                yield read_test(
                    item, severity or SEVERITIES[0], self._currencies, tuple(self._scope.percentiles)
                )


def _check_name(key: Scalar, what: str) -> None:
    if not _NAME.fullmatch(key.text):
        raise Fault(key.place, f"{what} is named by small letters, digits and _, at most 40")
    if key.text in RESERVED:
        raise Fault(key.place, f'"{key.text}" is a word of the language and cannot name {what}')


def _texts(node: Node) -> tuple[str, ...]:
    if not isinstance(node, Sequence):
        raise Fault(node.place, "`sources` is a list of texts")
    return tuple(single(item) for item in node.items if not _is_empty(item))


def _is_empty(node: Node) -> bool:
    return isinstance(node, Scalar) and (node.is_null or not node.text.strip())
