"""Reads ladder.yml as rules are read: every key checked, every fault told at its line and column."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

from detector.ladder.actions import ACTIONS, HUMAN, LEVELS, RESTRICTING, SUPPRESSING
from detector.ladder.ladder import DEFAULT, LADDER_FILE, Jurisdiction, Ladder, Rung
from detector.language import source
from detector.language.beside import Beside
from detector.language.literals import read_duration_us, write_duration
from detector.language.parse import suggestion
from detector.language.reading import Reading, read_version
from detector.language.rule import SEVERITIES
from detector.language.source import Fault, Node, Sequence, shorten, single
from detector.language.syntax import Place

MINUTE_US = 60_000_000
DAY_US = 24 * 60 * MINUTE_US
LONGEST_US = 400 * DAY_US
MAX_JURISDICTIONS = 100

SUPPRESSED_FROM = "L2"
REVIEWED_FROM = "L3"

_NAME = re.compile(r"[A-Z]{2}(?:-[A-Z0-9]{1,3})?")
_BESIDE = ("version", "why")
_OWN_KEYS = ("least", "again", "within", "sources")
_RUNG_KEYS = ("title", "actions", "expires", "marketing", "sources")


class _Loader:
    """Reads the default first, then what each jurisdiction has otherwise; goes on behind each fault."""

    def __init__(self, root: source.Mapping, reading: Reading[Ladder]) -> None:
        self._root = root
        self._reading = reading
        self._tell = reading.tell
        self._made = reading.made

    def ladder(self) -> Ladder | None:
        version = self._made(self._root.get("version"), read_version)
        default = self._made(self._root.get(DEFAULT), lambda node: self._jurisdiction(DEFAULT, node, None))
        found: dict[str, Jurisdiction] = {} if default is None else {DEFAULT: default}
        for needed in ("version", DEFAULT):
            if self._root.get(needed) is None:
                self._tell(self._root.place, f"`{needed}` is missing")
        if len(self._root.entries) > MAX_JURISDICTIONS:
            self._tell(self._root.place, f"a ladder has at most {MAX_JURISDICTIONS} jurisdictions")
            return None
        for key, node in self._root:
            if key.text in (*_BESIDE, DEFAULT):
                continue
            with self._reading.told():
                if not _NAME.fullmatch(key.text):
                    near = suggestion(key.text, (*_BESIDE, DEFAULT))
                    raise Fault(
                        key.place, f'"{shorten(key.text)}" is no jurisdiction such as CA-ON or GB{near}'
                    )
                if default is not None:
                    found[key.text] = self._jurisdiction(key.text, node, default)
        if self._reading.findings or version is None:
            return None
        return Ladder(version, found, self._reading.path, _behaviour(found))

    def _keys(self, mapping: source.Mapping, known: tuple[str, ...]) -> None:
        for key, _ in mapping:
            if key.text not in known:
                near = suggestion(key.text, known)
                self._tell(key.place, f'unknown key "{shorten(key.text)}"{near}')

    # Jurisdictions

    def _jurisdiction(self, name: str, node: Node, default: Jurisdiction | None) -> Jurisdiction:
        own = _mapping(node)
        self._keys(own, (*LEVELS, *_OWN_KEYS))
        if default is None:
            for needed in (*LEVELS, "least", "again"):
                if own.get(needed) is None:
                    self._tell(own.place, f"`{needed}` is missing: every jurisdiction may rest on it")
        sources = self._made(own.get("sources"), _texts) or ()
        if not sources and default is not None:
            self._tell(own.place, f'{name} names no `sources`; "(start)" stands for our own proposal')
        within_us = self._made(own.get("within"), lambda each: _span_us(each, MINUTE_US, 30 * DAY_US))
        least = self._made(own.get("least"), self._least)
        again_us = self._made(own.get("again"), lambda each: _span_us(each, MINUTE_US, 30 * DAY_US))
        rungs: dict[str, Rung] = {}
        places: dict[str, Place] = {}
        for level in LEVELS:
            base = None if default is None else default.rungs.get(level)
            node_of_level = own.get(level)
            places[level] = own.place if node_of_level is None else node_of_level.place
            rung = base
            if node_of_level is not None:
                rung = None
                with self._reading.told():
                    rung = self._rung(level, node_of_level, base)
            if rung is None:
                continue
            if within_us is not None:
                within = {action: min(within_us, due_us) for action, due_us in rung.actions.items()}
                rung = replace(rung, actions=within)
            rungs[level] = rung
            self._check(rung, places[level])
        self._check_order(rungs, places)
        return Jurisdiction(
            name=name,
            rungs=rungs,
            least=least if least is not None else default.least if default is not None else {},
            again_us=again_us if again_us is not None else default.again_us if default is not None else 0,
            within_us=within_us,
            sources=sources,
        )

    def _least(self, node: Node) -> dict[str, str]:
        found: dict[str, str] = {}
        places: dict[str, Place] = {}
        for key, value in _mapping(node):
            if key.text not in SEVERITIES:
                near = suggestion(key.text, SEVERITIES)
                raise Fault(key.place, f"`least` names bands of the score: {', '.join(SEVERITIES)}{near}")
            level = single(value)
            if level not in LEVELS:
                raise Fault(value.place, f'a level is one of {", ".join(LEVELS)}, not "{shorten(level)}"')
            found[key.text], places[key.text] = level, value.place
        ascending = [band for band in SEVERITIES if band in found]
        for lower, higher in pairwise(ascending):
            if found[higher] < found[lower]:
                told = f"{found[higher]} for {higher} is less than {found[lower]} for {lower}"
                raise Fault(places[higher], told)
        return {band: found[band] for band in ascending}

    # Levels

    def _rung(self, level: str, node: Node, base: Rung | None) -> Rung:
        """Read one level, what it leaves out coming from `base`."""
        own = _mapping(node)
        self._keys(own, _RUNG_KEYS)
        actions = self._made(own.get("actions"), self._actions)
        title = self._made(own.get("title"), single)
        sources = self._made(own.get("sources"), _texts)
        expires_us = self._made(own.get("expires"), lambda each: _span_us(each, MINUTE_US, LONGEST_US))
        marketing_us = self._made(own.get("marketing"), lambda each: _span_us(each, DAY_US, LONGEST_US))
        for key, found in (("title", title), ("actions", actions), ("sources", sources)):
            if not found and base is None and own.get(key) is None:
                self._tell(node.place, f"`{key}` is missing")
        return Rung(
            level=level,
            title=title or (base.title if base else ""),
            actions=actions or (base.actions if base else {}),
            expires_us=expires_us or (base.expires_us if base else None),
            marketing_us=marketing_us or (base.marketing_us if base else None),
            sources=sources or (base.sources if base else ()),
        )

    def _actions(self, node: Node) -> dict[str, int]:
        found: dict[str, int] = {}
        for key, value in _mapping(node):
            with self._reading.told():
                if key.text not in ACTIONS:
                    near = suggestion(key.text, ACTIONS)
                    raise Fault(key.place, f'no action "{shorten(key.text)}"{near}')
                found[key.text] = _span_us(value, MINUTE_US, 30 * DAY_US)
        if not _mapping(node).entries:
            raise Fault(node.place, "a level asks for at least one action")
        return found

    def _check(self, rung: Rung, place: Place) -> None:
        """Hold a level to what the domain demands of it."""
        actions = rung.actions
        if not actions:
            return  # said already
        reviewed = rung.level >= REVIEWED_FROM
        if rung.level >= SUPPRESSED_FROM:
            if "marketing_off" not in actions:
                self._tell(place, f"{rung.level} asks for marketing_off: from {SUPPRESSED_FROM} up it has to")
            if rung.marketing_us is None:
                self._tell(place, f"{rung.level} needs `marketing`: how long marketing stays off")
        elif suppressing := SUPPRESSING & actions.keys() or (rung.marketing_us and {"marketing"}):
            self._tell(place, f"{min(suppressing)} stands from {SUPPRESSED_FROM} up only")
        if reviewed:
            if "human_review" not in actions:
                self._tell(place, f"{rung.level} asks for human_review: from {REVIEWED_FROM} up it has to")
            self._check_expiry(rung, place)
        else:
            if restricting := RESTRICTING & actions.keys():
                self._tell(
                    place, f"{min(restricting)} stands from {REVIEWED_FROM} up only: nobody reviews it"
                )
            if rung.expires_us is not None:
                self._tell(place, f"`expires` stands from {REVIEWED_FROM} up only")

    def _check_expiry(self, rung: Rung, place: Place) -> None:
        if rung.expires_us is None:
            self._tell(place, f"{rung.level} needs `expires`: nothing automated holds for ever")
            return
        for action, due_us in rung.actions.items():
            ends_us = rung.marketing_us if action in SUPPRESSING else rung.expires_us
            if action not in HUMAN and ends_us is not None and ends_us <= due_us:
                told = f"{action} would end after {write_duration(ends_us)}, before it is due"
                self._tell(place, f"{told}: {write_duration(due_us)}")

    def _check_order(self, rungs: Mapping[str, Rung], places: Mapping[str, Place]) -> None:
        """A higher level is never slower than a lower one, and suppresses no shorter."""
        held = [rungs[level] for level in LEVELS if level in rungs]
        for place, rung in enumerate(held):
            for lower in held[:place]:
                for action in lower.actions.keys() & rung.actions.keys():
                    if rung.actions[action] > lower.actions[action]:
                        told = f"{action} is due later at {rung.level} than at {lower.level}"
                        self._tell(places[rung.level], told)
                if (rung.marketing_us or 0) < (lower.marketing_us or 0):
                    told = f"marketing comes back sooner at {rung.level} than at {lower.level}"
                    self._tell(places[rung.level], told)


def _mapping(node: Node) -> source.Mapping:
    if not isinstance(node, source.Mapping):
        raise Fault(node.place, "a mapping of names to values is needed here")
    return node


def _texts(node: Node) -> tuple[str, ...]:
    if not isinstance(node, Sequence) or not node.items:
        raise Fault(node.place, "`sources` is a list of at least one text")
    return tuple(single(item) for item in node.items)


def _span_us(node: Node, least_us: int, most_us: int) -> int:
    text = single(node)
    try:
        span_us = read_duration_us(text)
    except ValueError as error:
        raise Fault(node.place, str(error)) from None
    if span_us is None:
        raise Fault(node.place, f'"{shorten(text)}" is no duration such as 1h')
    if not least_us <= span_us <= most_us:
        told = f"this duration lies between {write_duration(least_us)} and {write_duration(most_us)}"
        raise Fault(node.place, told)
    return span_us


def _behaviour(jurisdictions: Mapping[str, Jurisdiction]) -> str:
    """Return the SHA-256, in hex, of everything that makes an intervention what it is."""
    meaning = {
        name: {
            "least": dict(each.least),
            "again": each.again_us,
            "levels": {
                level: [dict(rung.actions), rung.expires_us, rung.marketing_us]
                for level, rung in each.rungs.items()
            },
        }
        for name, each in jurisdictions.items()
    }
    text = json.dumps(meaning, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _load(root: source.Mapping, reading: Reading[Ladder]) -> Ladder | None:
    return _Loader(root, reading).ladder()


LADDERS = Beside(LADDER_FILE, "ladder", _load, "ladder")
"""The ladder beside the rules."""
