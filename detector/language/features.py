"""Reads features.yml, the catalogue of what models see: every formula typed, each fault told at its place."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from detector.events.money import Currencies
from detector.events.vocabulary import SESSION_SUMMARY
from detector.language import source
from detector.language.beside import Beside
from detector.language.conditions import Scope
from detector.language.kinds import SPOKEN
from detector.language.parse import MAX_LENGTH, RESERVED, suggestion
from detector.language.reading import Reading, read_sources, read_version
from detector.language.source import (
    Fault,
    Node,
    Scalar,
    scalar,
    shorten,
    single,
)
from detector.language.syntax import (
    Arithmetic,
    Call,
    Expression,
    Kind,
    Negation,
    Percentile,
    Quantity,
    Score,
    SessionAge,
    Since,
    kind_of,
)
from detector.language.types import type_expression

FEATURES_FILE = "features.yml"
MAX_FEATURES = 64
MAX_FORMULAS = 16_000
"""Characters of all formulas together."""
MAX_QUANTITIES = 128
MAX_OWN = 5
"""Each is kept of every player."""
UNITS = ("count", "share", "ratio", "money", "minutes", "hours", "deviations")
MOMENTS = ("deposit", SESSION_SUMMARY)
"""The events at which features are computed."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_KEYS = ("version", "why", "features")
_FEATURE_KEYS = ("formula", "title", "unit", "own", "sources")
_OWN_UNITS = {Kind.MONEY: "money", Kind.DURATION: "hours"}
_MEASURED = (Kind.NUMBER, Kind.COUNT, Kind.MONEY, Kind.DURATION)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Feature:
    """One line of the catalogue; `formula` is its text on one line, `own` whether it has a habit."""

    name: str
    formula: str
    title: str
    unit: str
    own: bool
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What models see of a player, in this order.

    Attributes
    ----------
    formulas
        The typed formula of each feature by name; each may name those before it.
    behaviour
        SHA-256 of names, formulas, and which have a habit.
    """

    version: int
    features: tuple[Feature, ...]
    formulas: Mapping[str, Expression]
    behaviour: str
    path: str = ""

    @property
    def id(self) -> str:
        """Sixteen hex digits that samples, models and evidence name it by."""
        return self.behaviour[:16]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all features, in order."""
        return tuple(feature.name for feature in self.features)


class _Loader:
    """Reads the features one by one and goes on behind each fault."""

    def __init__(self, root: source.Mapping, reading: Reading[Catalogue]) -> None:
        self._root = root
        self._reading = reading
        self._tell = reading.tell
        self._made = reading.made
        self._scope = Scope(Currencies())

    def catalogue(self) -> Catalogue | None:
        for key, _ in self._root:
            if key.text not in _KEYS:
                near = suggestion(key.text, _KEYS)
                self._tell(key.place, f'unknown key "{shorten(key.text)}"{near}')
        for needed in ("version", "features"):
            if self._root.get(needed) is None:
                self._tell(self._root.place, f"`{needed}` is missing")
        version = self._made(self._root.get("version"), read_version)
        entries = self._made(self._root.get("features"), _entries) or ()
        written = (node.get("formula") for _, node in entries if isinstance(node, source.Mapping))
        lengths = (len(each.text) for each in written if isinstance(each, Scalar))
        # A longer one is refused unread, and says so itself.
        if sum(length for length in lengths if length <= MAX_LENGTH) > MAX_FORMULAS:
            self._tell(self._root.place, f"all formulas together have at most {MAX_FORMULAS} characters")
            return None
        self._scope.coming = {key.text for key, _ in entries}
        features = []
        for key, node in entries:
            with self._reading.told():
                features.append(self._feature(key, node))
            self._scope.coming.discard(key.text)
            if key.text not in self._scope.lets:
                self._scope.failed.add(key.text)
        if sum(feature.own for feature in features) > MAX_OWN:
            self._tell(self._root.place, f"at most {MAX_OWN} features have a habit (own: yes)")
        if len(self._scope.quantities) > MAX_QUANTITIES:
            self._tell(self._root.place, f"a catalogue has at most {MAX_QUANTITIES} distinct quantities")
        if self._reading.findings or version is None:
            return None
        formulas = dict(self._scope.lets)
        meaning = [(each.name, repr(formulas[each.name]), each.own) for each in features]
        behaviour = hashlib.sha256(repr(meaning).encode()).hexdigest()
        return Catalogue(version, tuple(features), formulas, behaviour, self._reading.path)

    def _feature(self, key: Scalar, node: Node) -> Feature:
        name = key.text
        if not _NAME.fullmatch(name):
            raise Fault(key.place, "a feature is named by small letters, digits and _, at most 40")
        if name in RESERVED:
            raise Fault(key.place, f'"{name}" is a word of the language and cannot name a feature')
        if not isinstance(node, source.Mapping):
            raise Fault(node.place, f"a feature is a mapping of {', '.join(_FEATURE_KEYS)}")
        for each, _ in node:
            if each.text not in _FEATURE_KEYS:
                near = suggestion(each.text, _FEATURE_KEYS)
                raise Fault(each.place, f'unknown key "{shorten(each.text)}"{near}')
        written = node.get("formula")
        if written is None:
            raise Fault(node.place, "`formula` is missing")
        formula = self._formula(scalar(written))
        self._scope.lets[name] = formula
        return Feature(
            name,
            " ".join(scalar(written).text.split()),
            self._needed("title", node, single),
            self._needed("unit", node, lambda unit: _unit(unit, kind_of(formula))),
            self._made(node.get("own"), _flag) or False,
            self._needed("sources", node, read_sources),
        )

    def _formula(self, written: Scalar) -> Expression:
        formula = type_expression(written, self._scope)
        if kind_of(formula) not in _MEASURED:
            raise Fault(written.place, "a feature is a number, a count, money or a duration")
        # At a session's end the watermark has come no further: what hangs on the instant would have every
        # bet wait for its turn, which costs more than all rules together.
        told = "a feature reads windows of a length, and of bets what session_summary says of them"
        for node in _nodes(formula):
            if isinstance(node, (SessionAge, Since, Score, Percentile)):
                raise Fault(node.place, f"{told}, not session_age, since, score or percentile")
            if isinstance(node, Quantity) and (node.window.scope != "over" or node.type == "bet"):
                raise Fault(node.place, f"{told}, not {shorten(node.text)}")
        return formula

    def _needed(self, key: str, node: source.Mapping, make: Callable[[Node], T]) -> T:
        below = node.get(key)
        if below is None:
            raise Fault(node.place, f"`{key}` is missing")
        return make(below)


def _entries(node: Node) -> tuple[tuple[Scalar, Node], ...]:
    if not isinstance(node, source.Mapping) or not node.entries:
        raise Fault(node.place, "`features` is a mapping of names to formulas")
    if len(node.entries) > MAX_FEATURES:
        raise Fault(node.place, f"a catalogue has at most {MAX_FEATURES} features")
    return node.entries


def _unit(node: Node, kind: Kind) -> str:
    text = single(node)
    if text not in UNITS:
        near = suggestion(text, UNITS)
        raise Fault(node.place, f'`unit` is one of {", ".join(UNITS)}, not "{shorten(text)}"{near}')
    if kind in _OWN_UNITS and text != _OWN_UNITS[kind]:
        raise Fault(node.place, f"the formula gives {SPOKEN[kind]}: its unit is {_OWN_UNITS[kind]}")
    if kind not in _OWN_UNITS and text in _OWN_UNITS.values():
        raise Fault(node.place, f"the formula gives {SPOKEN[kind]}: its unit is not {text}")
    return text


def _flag(node: Node) -> bool:
    text = single(node)
    if text not in ("yes", "no"):
        raise Fault(node.place, f'`own` is yes or no, not "{shorten(text)}"')
    return text == "yes"


def _nodes(formula: Expression) -> Iterator[Expression]:
    """A formula and what it is made of, but for the quantities of a habit."""
    yield formula
    if isinstance(formula, Arithmetic):
        yield from _nodes(formula.left)
        yield from _nodes(formula.right)
    elif isinstance(formula, Negation):
        yield from _nodes(formula.operand)
    elif isinstance(formula, Call):
        for argument in formula.arguments:
            yield from _nodes(argument)


def _load(root: source.Mapping, reading: Reading[Catalogue]) -> Catalogue | None:
    return _Loader(root, reading).catalogue()


FEATURES = Beside(FEATURES_FILE, "features", _load, "catalogue")
"""The catalogue beside the rules."""
