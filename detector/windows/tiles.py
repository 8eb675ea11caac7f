"""Bet windows: tiles of a forty-eighth of the window, anchored at the Unix epoch.

Rows of running totals lie one after the other in a flat array: `[tile, total, total, …]`, the first row
being the sum of everything already forgotten. A bet in the current tile changes the last row in place (the
compiled rules do that themselves); everything else comes here. There are never many more than 48 rows, so
a player who bets a million times costs no more than one who bets a hundred.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from detector.windows.exact import Numbers

TILES = 48
BEGINNING = -(2**62)
FEW = 8
"""Up to how many distinct values a list is smaller than a dict and as fast."""


def new(columns: int) -> Numbers:
    """No bets yet."""
    return array("q", [BEGINNING] + [0] * columns)


def tile_width(length_us: int) -> int:
    """Width in µs of a tile of a window of this length; it depends on the length alone."""
    return max(1, length_us // TILES)


def _row_of(rows: Numbers, stride: int, tile: int) -> int:
    """Index (in rows) of the first row whose tile is at or after `tile`."""
    low, high = 1, len(rows) // stride
    while low < high:
        middle = (low + high) // 2
        if rows[middle * stride] < tile:
            low = middle + 1
        else:
            high = middle
    return low


def add(rows: Numbers, tile: int, numbers: Sequence[float], keep_tile: int) -> Numbers:
    """Add a bet to its tile, wherever it lies; returns the rows (a list, if a number did not fit).

    Tiles before `keep_tile` are folded into the first row; a bet older than that is out of every window.
    """
    stride = len(numbers) + 1
    if len(rows) > stride and rows[stride] < keep_tile:
        gone = _row_of(rows, stride, keep_tile) - 1
        rows[1:stride] = rows[gone * stride + 1 : (gone + 1) * stride]
        del rows[stride : (gone + 1) * stride]
    if tile < keep_tile:
        return rows
    if isinstance(rows, array) and not all(isinstance(n, int) and abs(n) < 2**53 for n in numbers):
        rows = list(rows)
    place = _row_of(rows, stride, tile) * stride
    if place == len(rows) or rows[place] != tile:
        row = [tile, *rows[place - stride + 1 : place]]
        rows[place:place] = row if isinstance(rows, list) else array("q", row)
    for base in range(place, len(rows), stride):
        for column, number in enumerate(numbers, 1):
            rows[base + column] += number
    return rows


def total(rows: Numbers, stride: int, column: int, first: int, last: int | None) -> Any:
    """Sum of a column over tiles first … last, both whole (`last` None: to the newest)."""
    start = stride
    if len(rows) > stride and rows[stride] < first:
        start = _row_of(rows, stride, first) * stride
    end = len(rows)
    if last is not None and rows[end - stride] > last:
        end = max(_row_of(rows, stride, last + 1) * stride, start)
    return rows[end - stride + column] - rows[start - stride + column]


def keep_best(
    bests: dict[int, Any], tile: int, value: Any, aggregate: str, at_us: int, keep_tile: int
) -> None:
    """Note a value in its tile for `min max distinct first last`, which cannot be added up."""
    old = bests.get(tile)
    if old is None and bests and min(bests) < keep_tile:
        for gone in [known for known in bests if known < keep_tile]:
            del bests[gone]
    if tile < keep_tile:
        return
    bests[tile] = better(aggregate, old, value, at_us)


def better(aggregate: str, old: Any, value: Any, at_us: int) -> Any:
    """What `min max distinct first last` remember after one more value.

    first and last remember (instant, value); distinct a list of the values while they are few, then the keys
    of a dict, which unlike a set keeps its order through a record and back.
    """
    if aggregate == "distinct":
        if old is None:
            return [value]
        if isinstance(old, dict):
            old[value] = None
        elif value not in old:
            old.append(value)
            return old if len(old) <= FEW else dict.fromkeys(old)
        return old
    if aggregate == "first":
        return (at_us, value) if old is None or at_us < old[0] else old
    if aggregate == "last":
        return (at_us, value) if old is None or at_us >= old[0] else old
    if old is None:
        return value
    return max(old, value) if aggregate == "max" else min(old, value)


def best(bests: dict[int, Any], aggregate: str, first: int, last: int | None) -> Any:
    """The answer of `min max distinct first last` over tiles first … last; None when nothing is there."""
    within = [bests[tile] for tile in sorted(bests) if tile >= first and (last is None or tile <= last)]
    if aggregate == "distinct":
        return len({value for values in within for value in values})
    if not within:
        return None
    if aggregate == "first":
        return min(within, key=lambda pair: pair[0])[1]
    if aggregate == "last":
        return max(within, key=lambda pair: pair[0])[1]
    return max(within) if aggregate == "max" else min(within)
