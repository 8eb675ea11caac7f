"""Reads a rule file, or another in its manner, into a small tree whose every text knows its line and column.

A rule file may come from anyone, so it is bounded twice: on its bytes before YAML sees them (size, nesting,
characters), and on the parser's events as they come (number, depth). Anchors, aliases, tags, directives and
further documents are refused there, before anything could be built from them. Working on events rather than
on loaded values also keeps every scalar a text as written: `NO` is no boolean, `10:00` no number, and the
place of each character is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from detector.language.syntax import Place

MAX_BYTES = 64 * 1024
MAX_EVENTS = 6_000
MAX_NESTING = 12
MAX_INDENT = 80

# Tabs and carriage returns move columns, the Unicode line ends split lines for some readers and not for
# others, and the bidirectional marks make a text read otherwise than it runs.
_UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_STACKED = re.compile(rf"^ *(?:[-?] +){{{MAX_NESTING},}}", re.MULTILINE)
_INDENTED = re.compile(rf"^ {{{MAX_INDENT},}}", re.MULTILINE)


class Fault(Exception):  # noqa: N818  (it never leaves the package: a Finding is made of it)
    """Something wrong at a place of the file being read."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place
        self.message = message


class Unsaid(Fault):
    """A fault that follows from one already told, so that it is not told again."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text with its place.

    `spans` holds (offset in `text`, place of that character) wherever a line starts; it is empty where
    characters have no true place: folded, escaped, or on several lines without a `|`.
    """

    text: str
    place: Place
    style: str  # "" plain, or the YAML indicator: ' " | >
    in_flow: bool = False
    spans: tuple[tuple[int, Place], ...] = ()

    def at(self, offset: int) -> Place:
        """Return the place of the character at `offset` (its end included)."""
        found = (0, self.place)
        for span in self.spans:
            if span[0] > offset:
                break
            found = span
        start, place = found
        return Place(place.line, place.column + offset - start) if self.spans else self.place

    @property
    def is_null(self) -> bool:
        """Whether YAML would read nothing here."""
        return self.style == "" and self.text in ("", "~", "null")


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list with the place of its first character."""

    items: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with their values, in file order; no key comes twice."""

    entries: tuple[tuple[Scalar, Node], ...]
    place: Place

    def __iter__(self) -> Iterator[tuple[Scalar, Node]]:
        return iter(self.entries)

    def get(self, key: str) -> Node | None:
        """Return the value of `key`, or None."""
        return next((node for name, node in self.entries if name.text == key), None)


Node = Scalar | Sequence | Mapping


def scalar(node: Node) -> Scalar:
    """Return the node if it is a single value; raise Fault otherwise."""
    if not isinstance(node, Scalar):
        raise Fault(node.place, "a single value is needed here")
    return node


def single(node: Node) -> str:
    """Return the text of a single value, outer blanks removed; raise Fault where it is none."""
    return scalar(node).text.strip()


def read_file(path: Path) -> bytes:
    """Return at most MAX_BYTES + 1 bytes of the file; raise Fault where it is no readable regular file."""
    try:
        if not path.is_file():
            raise Fault(Place(1, 1), "no such file")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Fault(Place(1, 1), f"cannot be read: {error.strerror}") from None


def read_source(data: bytes, what: str = "rule") -> Mapping:
    """Return the mapping that a file's bytes hold; `what` says in messages what kind of file it is.

    Raises
    ------
    Fault
        Where the bytes are too many, nested too deep, not UTF-8, not the plain YAML that rules are written
        in, or where a key comes twice.
    """
    text = _checked_text(data, what)
    try:
        root = _build(text, what)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        raise Fault(place, f"not YAML: {error.problem or error.context}") from None
    except (YAMLError, ReaderError, ValueError, RecursionError):
        raise Fault(Place(1, 1), "not YAML") from None
    if not isinstance(root, Mapping):
        raise Fault(Place(1, 1), f"a {what} file is a mapping of keys to values")
    return root


def _checked_text(data: bytes, what: str) -> str:
    if len(data) > MAX_BYTES:
        raise Fault(Place(1, 1), f"a {what} file has at most {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8")) + 1
        raise Fault(Place(before.count(b"\n") + 1, column), "not UTF-8") from None
    if unseen := _UNSEEN.search(text):
        found = "a tab; indent with spaces" if unseen[0] == "\t" else f"the character U+{ord(unseen[0]):04X}"
        raise Fault(_place_in(text, unseen.start()), f"no {what} may hold {found}")
    depth = 0
    for bracket in re.finditer(r"[\[\]{}]", text):
        depth = depth + 1 if bracket[0] in "[{" else max(depth - 1, 0)
        if depth > MAX_NESTING:
            raise Fault(_place_in(text, bracket.start()), f"brackets nested more than {MAX_NESTING} deep")
    if stacked := _STACKED.search(text) or _INDENTED.search(text):
        raise Fault(_place_in(text, stacked.start()), "nested or indented too deep")
    return text


def _place_in(text: str, offset: int) -> Place:
    return Place(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet."""

    place: Place
    is_mapping: bool
    in_flow: bool
    nodes: list[Node]
    keys: set[str]


def _build(text: str, what: str) -> Node | None:
    lines = text.split("\n")
    stack: list[_Open] = []
    root: Node | None = None
    documents = 0
    for count, event in enumerate(YAML(typ="safe", pure=True).parse(text)):
        place = _place_of(event)
        if count > MAX_EVENTS:
            raise Fault(place, f"a {what} file has at most {MAX_EVENTS} YAML elements")
        _refuse_machinery(event, place)
        if isinstance(event, DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise Fault(place, f"a file holds one {what}: no second document")
            continue
        if isinstance(event, MappingStartEvent | SequenceStartEvent):
            if len(stack) >= MAX_NESTING:
                raise Fault(place, f"nested more than {MAX_NESTING} deep")
            is_mapping = isinstance(event, MappingStartEvent)
            if stack and stack[-1].is_mapping and len(stack[-1].nodes) % 2 == 0:
                raise Fault(place, "a key must be a plain word")
            stack.append(_Open(place, is_mapping, bool(event.flow_style), [], set()))
            continue
        node: Node
        if isinstance(event, ScalarEvent):
            node = _scalar(event, place, text, lines, in_flow=bool(stack) and stack[-1].in_flow)
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            node = _closed(stack.pop())
        else:
            continue
        if stack:
            _put(stack[-1], node)
        else:
            root = node
    return root


def _put(parent: _Open, node: Node) -> None:
    if parent.is_mapping and len(parent.nodes) % 2 == 0 and isinstance(node, Scalar):
        if node.text in parent.keys:
            raise Fault(node.place, f'the key "{shorten(node.text)}" comes twice')
        parent.keys.add(node.text)
    parent.nodes.append(node)


def _closed(done: _Open) -> Node:
    if not done.is_mapping:
        return Sequence(tuple(done.nodes), done.place)
    keys = [node for node in done.nodes[::2] if isinstance(node, Scalar)]
    return Mapping(tuple(zip(keys, done.nodes[1::2], strict=True)), done.place)


def _refuse_machinery(event: Any, place: Place) -> None:
    if isinstance(event, AliasEvent):
        raise Fault(place, "no YAML aliases: write the value out")
    if getattr(event, "anchor", None) is not None:
        raise Fault(place, "no YAML anchors: write the value out")
    if isinstance(event, DocumentStartEvent) and (event.version or event.tags):
        raise Fault(place, "no YAML directives")
    # A plain or quoted scalar without a tag of its own has none in its event.
    if isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent) and event.tag is not None:
        raise Fault(place, "no YAML tags: values are texts, numbers, lists and mappings")


def _place_of(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


def _scalar(event: Any, place: Place, text: str, lines: list[str], *, in_flow: bool) -> Scalar:
    value: str = event.value
    style: str = event.style or ""
    start: int = event.start_mark.index
    end: int = event.end_mark.index
    spans: tuple[tuple[int, Place], ...] = ()
    if style in ("'", '"'):
        if text[start + 1 : end - 1] == value and "\n" not in value:
            spans = ((0, Place(place.line, place.column + 1)),)
    elif style == "":
        if text[start : start + len(value)] == value and "\n" not in value:
            spans = ((0, place),)
    elif style == "|":
        spans = _block_spans(value, place.line, lines)
    return Scalar(value, place, style, in_flow, spans)


def _block_spans(value: str, header_line: int, lines: list[str]) -> tuple[tuple[int, Place], ...]:
    spans = []
    offset = 0
    for number, content in enumerate(value.split("\n"), header_line):
        if number >= len(lines):
            break
        indent = len(lines[number]) - len(content) if content else len(lines[number])
        if not lines[number].endswith(content):
            return ()
        spans.append((offset, Place(number + 1, indent + 1)))
        offset += len(content) + 1
    return tuple(spans)


def shorten(text: str, width: int = 60) -> str:
    """Return the text as a message may quote it: one short printable line."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"
