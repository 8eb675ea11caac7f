"""Reads score.yml as rules are read: every key checked, every fault told at its line and column."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection
from dataclasses import fields, replace
from typing import Any, TypeVar

from detector.language.beside import Beside
from detector.language.literals import read_duration_us
from detector.language.load import LANGUAGES
from detector.language.parse import suggestion
from detector.language.reading import Reading, read_sources
from detector.language.rule import CATEGORIES, SEVERITIES
from detector.language.source import (
    Fault,
    Mapping,
    Node,
    Sequence,
    shorten,
    single,
)
from detector.language.types import MAX_REACH_US
from detector.score.scoring import BANDS, HIGHEST, READERS, SCORE_FILE, Override, Scoring

SHORTEST_HALF_LIFE_US = 3_600_000_000
MAX_RULES = 500

_NEEDED = (
    *("version", "bands", "weights", "half_life", "caps", "money", "relief"),
    *("asks_for_help", "words", "support"),
)
_KEYS = (*_NEEDED, "why", "sources", "rules")
_HELPS = "helps"
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,5})")
_RULE_ID = re.compile(r"[a-z][a-z0-9-]{0,62}")
_BESIDE_THE_MEANING = (
    *("version", "why", "sources", "path", "behaviour"),
    *("asks_for_help", "words", "helps", "support"),
)


T = TypeVar("T")


class _Loader:
    """Reads the keys of one file and goes on behind each fault, so that all are told at once."""

    def __init__(self, root: Mapping, reading: Reading[Scoring]) -> None:
        self._root = root
        self._reading = reading

    def scoring(self) -> Scoring | None:
        self._mapped(self._root, "key", _KEYS, lambda _, value: value, needed=_NEEDED)
        values: dict[str, Any] = {
            "version": self._read("version", lambda node: _whole(node, 1, 999_999)),
            "edges": self._read("bands", self._edges),
            "weights": self._read("weights", self._weights),
            "half_lives_us": self._read("half_life", self._half_lives),
            "caps": self._read("caps", self._caps),
            "relief": self._read("relief", lambda node: _whole(node, 0, HIGHEST)),
            "asks_for_help": self._read("asks_for_help", self._named),
            "support": self._read("support", self._spoken),
            # Behind `asks_for_help`: a rule named in both is told of at its weights.
            "rules": self._read("rules", self._rules) or {},
            "why": self._read("why", single) or "",
            "sources": self._read("sources", read_sources) or (),
        }
        values["money"], values["money_cap"] = self._read("money", self._money) or (None, None)
        values["words"], values["helps"] = self._read("words", self._words) or (None, None)
        self._check_money(values["edges"], values["money_cap"])
        if self._reading.findings:
            return None
        scoring = Scoring(**values, path=self._reading.path, behaviour="")
        return replace(scoring, behaviour=_behaviour(scoring))

    def _read(self, key: str, make: Callable[[Node], T]) -> T | None:
        """Return what `make` makes of a top key's value, None where it is absent or at fault."""
        return self._reading.made(self._root.get(key), make)

    def _mapped(
        self,
        node: Node,
        what: str,
        known: Collection[str],
        make: Callable[[str, Node], Any],
        needed: Collection[str] = (),
    ) -> dict[str, Any]:
        """Return what `make` makes of each entry; what is at fault, should not be or is missing is told."""
        if not isinstance(node, Mapping):
            raise Fault(node.place, f"a mapping is needed here, of each {what} to its value")
        found = {}
        meant = ""
        for key, value in node:
            with self._reading.told():
                if key.text not in known:
                    near = suggestion(key.text, known)
                    meant += near
                    raise Fault(key.place, f'unknown {what} "{shorten(key.text)}"{near}')
                found[key.text] = make(key.text, value)
        present = {key.text for key, _ in node}
        for name in needed:
            # What is written almost right has been told of already.
            if name not in present and f'"{name}"' not in meant:
                self._reading.tell(node.place, f"`{name}` is missing")
        return found

    # The keys

    def _edges(self, node: Node) -> tuple[int, ...] | None:
        found = self._numbers(node, "band", BANDS[1:])
        if found is not None and sorted(set(found)) != found:
            raise Fault(node.place, "the edges of bands rise: medium < high < critical")
        return None if found is None else (0, *found)

    def _weights(self, node: Node) -> tuple[int, ...] | None:
        found = self._numbers(node, "severity", SEVERITIES)
        if found is not None and sorted(found) != found:
            raise Fault(node.place, "weights do not fall with severity: low <= medium <= high <= critical")
        return None if found is None else tuple(found)

    def _numbers(self, node: Node, what: str, names: tuple[str, ...]) -> list[int] | None:
        found = self._mapped(node, what, names, lambda _, value: _whole(value, 1, HIGHEST), needed=names)
        return [found[name] for name in names] if len(found) == len(names) else None

    def _half_lives(self, node: Node) -> dict[str, int]:
        names = ("default", *CATEGORIES)
        found = self._mapped(node, "category", names, _half_life_us, needed=("default",))
        return {category: found.get(category, found.get("default", 0)) for category in CATEGORIES}

    def _caps(self, node: Node) -> dict[str, int]:
        make = lambda _, value: _whole(value, 0, HIGHEST)  # noqa: E731
        return self._mapped(node, "category", CATEGORIES, make, needed=CATEGORIES)

    def _money(self, node: Node) -> tuple[frozenset[str], int]:
        def make(key: str, value: Node) -> Any:
            return _whole(value, 0, HIGHEST) if key == "cap" else _categories(value)

        keys = ("categories", "cap")
        found = self._mapped(node, "key", keys, make, needed=keys)
        return found.get("categories", frozenset()), found.get("cap", 0)

    def _check_money(self, edges: tuple[int, ...] | None, cap: int | None) -> None:
        if edges is not None and cap is not None and cap >= edges[-1]:
            told = f"money alone must not reach critical: its cap lies below that band's edge, {edges[-1]}"
            self._reading.findings.append(self._reading.finding("money", told))

    def _rules(self, node: Node) -> dict[str, Override]:
        if not isinstance(node, Mapping):
            raise Fault(node.place, "`rules` is a mapping of rules' ids to what they have otherwise")
        if len(node.entries) > MAX_RULES:
            raise Fault(node.place, f"`rules` has at most {MAX_RULES} entries")
        found = {}
        for key, value in node:
            self._reading.places[f"rules.{key.text}"] = key.place
            with self._reading.told():
                found[_rule_id(key)] = self._override(value)
        return found

    def _named(self, node: Node) -> frozenset[str]:
        if not isinstance(node, Sequence):
            raise Fault(node.place, "`asks_for_help` is a list of rules' ids")
        for item in node.items:
            self._reading.places[f"rules.{_rule_id(item)}"] = item.place
        return frozenset(map(_rule_id, node.items))

    def _override(self, node: Node) -> Override:
        def make(key: str, value: Node) -> int:
            return _half_life_us(key, value) if key == "half_life" else _whole(value, -HIGHEST, HIGHEST)

        found = self._mapped(node, "key", (*SEVERITIES, "half_life"), make)
        if not (isinstance(node, Mapping) and node.entries):
            raise Fault(node.place, "this changes nothing: give a severity its weight, or a `half_life`")
        return Override(tuple(found.get(severity) for severity in SEVERITIES), found.get("half_life"))

    def _words(self, node: Node) -> tuple[dict[tuple[str, str, str], str], dict[tuple[str, str], str]]:
        kinds = (*READERS, _HELPS)

        def make(_: str, value: Node) -> dict[str, dict[str, str]]:
            return self._mapped(value, "reader", kinds, lambda _, texts: self._spoken(texts), needed=kinds)

        words = {}
        helps = {}
        for category, readers in self._mapped(node, "category", CATEGORIES, make, needed=CATEGORIES).items():
            for reader, texts in readers.items():
                for language, text in texts.items():
                    if reader == _HELPS:
                        helps[category, language] = text
                    else:
                        words[category, reader, language] = text
        return words, helps

    def _spoken(self, node: Node) -> dict[str, str]:
        def make(_: str, value: Node) -> str:
            if not single(value):
                raise Fault(value.place, "this text is empty")
            return single(value)

        return self._mapped(node, "language", LANGUAGES, make, needed=LANGUAGES)


def _whole(node: Node, least: int, most: int) -> int:
    text = single(node)
    if not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
        raise Fault(node.place, f'a whole number from {least} to {most} is needed, not "{shorten(text)}"')
    return int(text)


def _half_life_us(_: str, node: Node) -> int:
    text = single(node)
    try:
        span_us = read_duration_us(text)
    except ValueError as error:
        raise Fault(node.place, str(error)) from None
    if span_us is None:
        raise Fault(node.place, f'"{shorten(text)}" is no duration such as 7d')
    if not SHORTEST_HALF_LIFE_US <= span_us <= MAX_REACH_US:
        raise Fault(node.place, "a half-life lies between 1h and 400d")
    return span_us


def _rule_id(node: Node) -> str:
    text = single(node)
    if not _RULE_ID.fullmatch(text):
        raise Fault(node.place, "a rule is named by its id, without a version")
    return text


def _categories(node: Node) -> frozenset[str]:
    if not isinstance(node, Sequence):
        raise Fault(node.place, "`categories` is a list of categories")
    names = [single(item) for item in node.items]
    for name, item in zip(names, node.items, strict=True):
        if name not in CATEGORIES:
            raise Fault(item.place, f'unknown category "{shorten(name)}"{suggestion(name, CATEGORIES)}')
    return frozenset(names)


def _behaviour(scoring: Scoring) -> str:
    """Return the SHA-256, in hex, of everything that makes a score what it is."""
    meaning: dict[str, Any] = {
        each.name: getattr(scoring, each.name)
        for each in fields(scoring)
        if each.name not in _BESIDE_THE_MEANING
    }
    meaning["money"] = sorted(scoring.money)
    meaning["rules"] = {
        rule_id: [list(override.weights), override.half_life_us]
        for rule_id, override in scoring.rules.items()
    }
    text = json.dumps(meaning, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _load(root: Mapping, reading: Reading[Scoring]) -> Scoring | None:
    return _Loader(root, reading).scoring()


SCORES = Beside(SCORE_FILE, "score", _load)
"""The score beside the rules."""
