"""Values that MessagePack does not hold as they are: arrays, totals, integers of any size."""

from __future__ import annotations

import sys
from array import array
from typing import Any

from detector.windows.exact import Numbers
from detector.windows.tiles import FEW

_NUMBERS = frozenset({int, float})


def pack(value: Any) -> Any:
    """A remembered value as MessagePack has it: dicts of distinct values, pairs, and integers of any size."""
    if isinstance(value, (dict, list)):
        return {"distinct": [pack(each) for each in value]}
    if isinstance(value, tuple):
        return {"at": value[0], "is": pack(value[1])}
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return {"int": str(value)}
    return value


def unpack(value: Any) -> Any:
    """The value that `pack` made this of."""
    if not isinstance(value, dict):
        return value
    if "distinct" in value:
        values = [unpack(each) for each in value["distinct"]]
        return values if len(values) <= FEW else dict.fromkeys(values)
    if "at" in value:
        return value["at"], unpack(value["is"])
    return int(value["int"])


def as_bytes(numbers: array[int]) -> bytes:
    """An array as it is stored: little-endian on every machine."""
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def as_array(code: str, data: bytes) -> array[int]:
    """The array behind `as_bytes`, `code` being its type code."""
    numbers = array(code, data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def pack_numbers(numbers: Numbers) -> list[Any]:
    """Totals as MessagePack has them."""
    # Most totals are small, and MessagePack writes small integers small.
    plain: list[Any] = numbers.tolist() if isinstance(numbers, array) else numbers
    is_plain = _NUMBERS.issuperset(map(type, plain)) and (not plain or _fits(min(plain), max(plain)))
    return plain if is_plain else [pack(n) for n in plain]


def _fits(least: float, most: float) -> bool:
    return least >= -(2**63) and most < 2**63


def unpack_numbers(data: list[Any]) -> Numbers:
    """Totals again, in an array if they fit one."""
    try:
        return array("q", data)
    except (OverflowError, TypeError):
        return data if _NUMBERS.issuperset(map(type, data)) else [unpack(n) for n in data]


def pack_all(values: Any) -> Any:
    """A list of remembered values, or None, as MessagePack has it."""
    return None if values is None else [pack(value) for value in values]


def unpack_all(values: Any) -> list[Any] | None:
    """The list that `pack_all` made this of."""
    return None if values is None else [unpack(value) for value in values]
