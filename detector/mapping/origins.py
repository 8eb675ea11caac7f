"""Where values come from: paths, texts made of them, and the ways out of a record that has none."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from detector.language.parse import suggestion
from detector.language.source import Fault, Node, Scalar, Sequence, scalar, shorten
from detector.language.source import Mapping as Block
from detector.mapping.message import ABSENT, MAX_LEVELS, Path, Scopes, looks_like_path, parse_path
from detector.mapping.values import Unfit, text_of

Finder = Callable[[Scopes], Any]
"""From the message to a value, or ABSENT."""

_INDEXED = re.compile(r"\[(-?[0-9]+)\]")
_HOLE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


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


def read_path(source: Scalar, levels: int = MAX_LEVELS) -> Path:
    """The path that stands there; Fault where it is none, or reaches further out than there are records."""
    text = source.text.strip()
    path = parse_path(text)
    if path is None:
        told = f'"{shorten(text)}" is no path: write .name.name, or $.name from the whole message'
        dotted = _INDEXED.sub(r".\1", text)
        if parse_path(dotted) is not None:
            told += f'; did you mean "{shorten(dotted)}"?'
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


def known_keys(block: Block, keys: tuple[str, ...], what: str) -> None:
    """Raise Fault at the first key of a block that is not known."""
    for key, _ in block:
        if key.text not in keys:
            raise Fault(key.place, f'{what} has no key "{shorten(key.text)}"{suggestion(key.text, keys)}')
