"""What a mapping file puts together: where values come from, conditions, and the two ways out of a record."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from detector.language.parse import suggestion
from detector.language.source import Fault, Node, Scalar, Sequence, scalar, shorten, single
from detector.language.source import Mapping as Block
from detector.mapping.message import ABSENT, MAX_LEVELS, Path, Scopes, looks_like_path, parse_path
from detector.mapping.values import Unfit, number_of, text_of

Finder = Callable[[Scopes], Any]
"""From the message to a value, or ABSENT."""

_HOLE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NUMERIC = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?")


class Unmapped(Exception):  # noqa: N818  (what happened to the record)
    """A record that cannot be mapped: the reason of its refusal, the place in the message, the mend."""

    def __init__(self, reason: str, at: str, mend: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = f"{at}: {mend}"


class Dropped(Exception):  # noqa: N818
    """A record that the file says to leave out, and why."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Omitted:
    """What a table gives for "leave this field out"; JSON null is another thing."""

    __slots__ = ()


OMITTED: Final = Omitted()


def read_path(source: Scalar, levels: int = MAX_LEVELS) -> Path:
    """The path that stands there; Fault where it is none, or reaches further out than there are records."""
    text = source.text.strip()
    path = parse_path(text)
    if path is None:
        told = f'"{shorten(text)}" is no path: write .name.name, or $.name from the whole message'
        raise Fault(source.place, told)
    if path.level > levels:
        around = (
            "there is no record around the message"
            if levels == 1
            else f"at most {levels} dots lead a path here"
        )
        raise Fault(source.place, f"{shorten(text)} reaches too far out: {around}")
    return path


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one value comes from.

    Attributes
    ----------
    find
        Gives the value.
    paths
        Every path it reads, the first first.
    """

    find: Finder
    paths: tuple[Path, ...]

    def at(self, scopes: Scopes) -> str:
        """The place that a refusal names."""
        return self.paths[0].at(scopes)


def read_origin(node: Node, levels: int) -> Origin:
    """A path, a text with paths in braces, or a list of them of which the first that is there counts."""
    if isinstance(node, Sequence):
        if not node.items:
            raise Fault(node.place, "name at least one path")
        origins = [read_origin(scalar(item), levels) for item in node.items]

        def first(scopes: Scopes) -> Any:
            null: Any = ABSENT
            for origin in origins:
                value = origin.find(scopes)
                if value is None:
                    null = None
                elif value is not ABSENT:
                    return value
            return null

        return Origin(first, tuple(path for origin in origins for path in origin.paths))
    source = scalar(node)
    if is_template(source.text):
        return _template(source, levels)
    if not looks_like_path(source.text.strip()):
        near = f'; did you mean ".{source.text}"?' if parse_path("." + source.text.strip()) else ""
        raise Fault(source.place, f'"{shorten(source.text)}" is no path: one starts with . or ${near}')
    path = read_path(source, levels)
    return Origin(path.find, (path,))


def is_template(text: str) -> bool:
    """Whether a text has paths in braces."""
    return "{" in text or "}" in text


def _template(source: Scalar, levels: int) -> Origin:
    parts: list[str | Path] = []
    end = 0
    for hole in _HOLE.finditer(source.text):
        parts.append(source.text[end : hole.start()])
        end = hole.end()
        if hole[0] in ("{{", "}}"):
            parts.append(hole[0][0])
        elif hole[1] is None:
            raise Fault(
                source.at(hole.start()),
                f"a lone {hole[0]}: a path stands as {{.name}}, a brace as {hole[0] * 2}",
            )
        else:
            place = source.at(hole.start() + 1)
            parts.append(read_path(Scalar(hole[1], place, ""), levels))
    parts.append(source.text[end:])
    paths = tuple(part for part in parts if isinstance(part, Path))
    if not paths:
        raise Fault(source.place, "no path in here; a text that is always the same is written without braces")

    def fill(scopes: Scopes) -> Any:
        texts = []
        for part in parts:
            if isinstance(part, str):
                texts.append(part)
                continue
            value = part.find(scopes)
            if value is ABSENT or value is None:
                return ABSENT  # half an id would be somebody else's
            texts.append(_text(value, part, scopes))
        return "".join(texts)

    return Origin(fill, paths)


def _text(value: Any, path: Path, scopes: Scopes) -> str:
    try:
        return text_of(value)
    except Unfit as unfit:
        raise Unmapped(unfit.reason, path.at(scopes), unfit.mend) from None


# Conditions

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


# Tables


@dataclass(frozen=True, slots=True)
class Table:
    """The values of a field by those of the feed.

    Parameters
    ----------
    field
        What it is the table of, for whoever counts what was dropped.
    values
        The feed's value as text → ours as the file writes it, None for null.
    otherwise
        What becomes of a value that is not there: "refuse", "drop" (the record), "omit" (the field), "pass",
        or a constant's Scalar.
    """

    field: str
    values: Mapping[str, Scalar | None]
    otherwise: str | Scalar = "refuse"

    @property
    def outcomes(self) -> list[Scalar]:
        """Every constant that can come out."""
        found = [value for value in self.values.values() if value is not None]
        return [*found, self.otherwise] if isinstance(self.otherwise, Scalar) else found

    def look_up(self, value: Any, at: str) -> Any:
        """The constant's text, None for null, OMITTED, or the value itself where it passes."""
        try:
            key = text_of(value)
        except Unfit as unfit:
            raise Unmapped(unfit.reason, at, unfit.mend) from None
        if key in self.values:
            found = self.values[key]
            return None if found is None else found.text
        if isinstance(self.otherwise, Scalar):
            return self.otherwise.text
        if self.otherwise == "pass":
            return value
        if self.otherwise == "omit":
            return OMITTED
        if self.otherwise == "drop":
            raise Dropped(f"`{self.field}` is not in its table")
        raise Unmapped("unmapped", at, "holds what the table does not know; add it, or say `else`")


OTHERWISE = ("refuse", "drop", "omit", "pass")


def read_table(field: str, node: Node, otherwise: Node | None, named: Mapping[str, Block]) -> Table:
    """`table`, a mapping or the name of one of the file's tables, with its `else`."""
    if isinstance(node, Scalar):
        found = named.get(node.text)
        if found is None:
            raise Fault(
                node.place, f'no table "{shorten(node.text)}" in `tables`{suggestion(node.text, named)}'
            )
        node = found
    if not isinstance(node, Block) or not node.entries:
        raise Fault(node.place, "a table is a mapping of the feed's values to ours")
    values = {}
    for key, value in node:
        single_value = scalar(value)
        values[key.text] = None if single_value.is_null else single_value
    return Table(field, values, _otherwise(otherwise))


def _otherwise(node: Node | None) -> str | Scalar:
    if node is None:
        return "refuse"
    if isinstance(node, Block):
        value = node.get("value")
        if len(node.entries) != 1 or value is None:
            raise Fault(node.place, "`else` is one of refuse, drop, omit, pass, or {value: …}")
        return scalar(value)
    text = single(node)
    if text not in OTHERWISE:
        raise Fault(
            node.place,
            f"`else` is one of {', '.join(OTHERWISE)}, or {{value: …}}{suggestion(text, OTHERWISE)}",
        )
    return text


def known_keys(block: Block, keys: tuple[str, ...], what: str) -> None:
    """Raise Fault at the first key of a block that is not known."""
    for key, _ in block:
        if key.text not in keys:
            raise Fault(key.place, f'{what} has no key "{shorten(key.text)}"{suggestion(key.text, keys)}')
