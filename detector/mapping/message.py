"""A foreign message read exactly, and what a path of a mapping file finds in it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NoReturn

from detector.events.document import MAX_DEPTH, Refused, too_deep

MAX_MESSAGE = 4 << 20
"""Bytes of one foreign message. A batch may be far longer than an event."""

MAX_LEVELS = 3  # the record of a case's `each`, that of the file's, the message


class Absent:
    """What a path finds where there is nothing; JSON null is something, to those who ask."""

    __slots__ = ()


ABSENT: Final = Absent()


@dataclass(frozen=True, slots=True)
class Scope:
    """A value of the message that paths start from, and where in the message it is."""

    value: Any
    at: str = "$"


Scopes = Sequence[Scope]  # the message first, the record at hand last


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Refused("duplicate_key", "$: a key stands twice in one object; send it once")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError("JSON knows no NaN and no Infinity")


_JSON = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=Decimal, parse_constant=_no_constant)


def read_message(raw: bytes) -> Any:
    """Read one JSON value, its numbers as written: an int, or a Decimal for one with a point or exponent.

    Raises
    ------
    Refused
        It is too large, nested too deep, not JSON in UTF-8, or an object in it has a key twice.
    """
    if len(raw) > MAX_MESSAGE:
        raise Refused("too_large", f"$: send at most {MAX_MESSAGE} bytes a message")
    if too_deep(raw):
        raise Refused("not_json", f"$: nest at most {MAX_DEPTH} deep")
    try:
        return _JSON.decode(raw.decode())
    except UnicodeDecodeError as error:
        raise Refused("not_json", f"$: byte {error.start} is not UTF-8; send UTF-8") from None
    except json.JSONDecodeError as error:
        raise Refused("not_json", f"$: malformed at character {error.pos}; send one JSON value") from None
    except (ValueError, ArithmeticError):
        raise Refused(
            "not_json", "$: NaN, Infinity and numbers of thousands of digits are not read"
        ) from None


_SEGMENT = r'(?:[^\s."{}\[\],:]{1,100}|"[^"{}]{1,100}")'
_PATH = re.compile(rf"\$(?:\.{_SEGMENT}){{0,16}}|\.{{1,{MAX_LEVELS}}}{_SEGMENT}(?:\.{_SEGMENT}){{0,15}}")
_SEGMENTS = re.compile(_SEGMENT)
_INDEX = re.compile(r"-?[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Path:
    """Where to look in a message.

    Parameters
    ----------
    level
        0 from the message (`$.a`), 1 from the record at hand (`.a`), 2 from the one around it (`..a`).
    segments
        Keys of objects; one that is a whole number also counts in an array, from its end if negative.
    """

    level: int
    segments: tuple[str, ...]

    def find(self, scopes: Scopes) -> Any:
        """The value there, or ABSENT."""
        value = scopes[-self.level if self.level else 0].value
        for segment in self.segments:
            if isinstance(value, dict):
                value = value.get(segment, ABSENT)
            elif isinstance(value, list) and _INDEX.fullmatch(segment):
                index = int(segment)
                value = value[index] if -len(value) <= index < len(value) else ABSENT
            else:
                return ABSENT
        return value

    def at(self, scopes: Scopes) -> str:
        """The place as a refusal names it: the file's own words and numbers of records, nothing sent."""
        start = scopes[-self.level if self.level else 0].at
        return ".".join([start, *self.segments])


def looks_like_path(text: str) -> bool:
    """Whether a text of a mapping file is meant as a path."""
    return text.startswith((".", "$.")) or text == "$"


def parse_path(text: str) -> Path | None:
    """The path that a text is, or None."""
    if not _PATH.fullmatch(text):
        return None
    body = text.lstrip("$") if text.startswith("$") else text
    level = 0 if text.startswith("$") else len(text) - len(text.lstrip("."))
    return Path(level, tuple(segment.strip('"') for segment in _SEGMENTS.findall(body)))
