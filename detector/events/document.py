"""A JSON document read exactly, for what the fast decoder cannot tell: repeated keys, and what is wrong.

Only events that are out of the ordinary, or refused, come here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

import msgspec

from detector.events.vocabulary import EVENT_TYPES, LIMIT_KINDS, MAX_MONEY, WIRE_FIELDS, Field, FieldKind

MAX_DEPTH = 64  # of nested arrays and objects; fixed, so that no caller's own stack decides


class Refused(Exception):  # noqa: N818  (what happened to the event, not to the program)
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


def refuse(reason: str, path: str, mend: str) -> NoReturn:
    raise Refused(reason, f"{path}: {mend}")


def _bounded_int(digits: str) -> float:
    return int(digits) if len(digits) < 20 else float(digits)


def _no_constant(name: str) -> NoReturn:
    raise ValueError("JSON knows no NaN and no Infinity")


# Objects come as tuples of pairs, so that no repeat is lost and arrays (lists) stay apart from them.
_JSON = json.JSONDecoder(object_pairs_hook=tuple, parse_int=_bounded_int, parse_constant=_no_constant)
_BRACKETS_AND_TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)


def too_deep(raw: bytes) -> bool:
    """Whether JSON is nested deeper than MAX_DEPTH, told without building anything of it."""
    return raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _depth(raw) > MAX_DEPTH


def _depth(raw: bytes) -> int:
    depth = deepest = 0
    for match in _BRACKETS_AND_TEXTS.finditer(raw):
        token = match[0]
        if token in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token in b"]}":
            depth -= 1
    return deepest


def read_document(raw: bytes) -> dict[str, Any]:
    """Read one JSON object exactly: no key twice, no deep nesting.

    Raises
    ------
    Refused
        Also for what is not UTF-8, and for the NaN and Infinity that JSON does not know.
    """
    if too_deep(raw):
        refuse("not_json", "$", f"nest at most {MAX_DEPTH} deep")
    try:
        fast = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        fast = None
    # An object or array of n entries has n - 1 commas: if all there are is one fewer than the outermost
    # object's different keys, then that has no key twice, and no inner one has as many as two. The same holds
    # with the commas that the data of an envelope must have.
    if isinstance(fast, dict):
        data = fast.get("data")
        inner = len(data) - 1 if isinstance(data, dict) and data else 0
        if len(fast) + inner == raw.count(b",") + 1:
            return fast
    try:
        document = _members(_JSON.decode(raw.decode()), "$")
    except UnicodeDecodeError as error:
        raise Refused("not_json", f"$: byte {error.start} is not UTF-8; encode the event in UTF-8") from None
    except json.JSONDecodeError as error:
        raise Refused("not_json", f"$: malformed at character {error.pos}; send one JSON object") from None
    except ValueError:
        raise Refused("not_json", "$: NaN and Infinity are no JSON; send a number or leave it out") from None
    if not isinstance(document, dict):
        refuse("not_json", "$", "an event is one JSON object")
    return document


def _members(value: Any, path: str) -> Any:
    if isinstance(value, list):
        return [_members(item, f"{path}[*]") for item in value]
    if not isinstance(value, tuple):
        return value
    members: dict[str, Any] = {}
    for key, item in value:
        # Keys are the sender's, so only the vocabulary's own are safe to repeat.
        inner = f"{path}.{key}" if key in _NAMES else f"{path}.*"
        if key in members:
            refuse("duplicate_key", inner, "a key stands twice in one object; send it once")
        members[key] = _members(item, inner)
    return members


_NAMES = {"type"}.union(*WIRE_FIELDS.values())
_PATH = re.compile(r" - at `\$((?:\.\w+)*)`$")
_MISSING = re.compile(r"^Object missing required field `(\w+)`")
_EXPECTED = re.compile(r"^Expected `[\w |]+`(?: (?:of length )?[<>]= \d+)?(?:, got `\w+`)?(?= - at |$)")


def blame(document: dict[str, Any], message: str) -> NoReturn:
    """Turn msgspec's message on a well-formed document into a reason and a detail without values."""
    owner: Any = document
    value: Any = document
    at = _PATH.search(message)
    names = at[1].split(".")[1:] if at else []
    if missing := _MISSING.match(message):
        names.append(missing[1])
    for name in names:
        owner, value = value, value.get(name)
    path = ".".join(["$", *names])
    name = names[-1]
    if value is None:
        refuse("missing_field", path, "is required")
    if name == "type":
        if not isinstance(value, str):
            refuse("wrong_field", path, "must be a text")
        if value in EVENT_TYPES:
            refuse("wrong_field", path, "this type cannot be carried by a correction")
        refuse("unknown_type", path, "use a type of the vocabulary")
    spec = WIRE_FIELDS[owner["type"]][name]
    if _is_money(spec, owner) and isinstance(value, int | float) and not isinstance(value, bool):
        if value < 0:
            refuse("negative_money", path, "send minor units of 0 or more; the type says the direction")
        if value > MAX_MONEY:
            refuse("huge_money", path, f"send at most {MAX_MONEY} minor units")
        refuse("fractional_money", path, "send whole minor units, as an integer without point or exponent")
    if spec.choices:
        refuse("wrong_field", path, "must be one of " + ", ".join(spec.choices))
    if "timezone component" in message:
        refuse("no_zone", path, "end the time with its zone, Z or an offset such as -05:00")
    if spec.kind is FieldKind.INSTANT:
        refuse("wrong_field", path, "must be an RFC 3339 time, such as 2026-01-01T10:00:00Z")
    expected = _EXPECTED.match(message)
    refuse("wrong_field", path, expected[0] if expected else "is out of range")


def _is_money(spec: Field, owner: Mapping[str, Any]) -> bool:
    if spec.kind is FieldKind.BY_LIMIT:
        return LIMIT_KINDS.get(str(owner.get("limit"))) is FieldKind.MONEY
    return spec.kind is FieldKind.MONEY
