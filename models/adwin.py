"""Has the mean of a series changed? Told from a window that keeps as much as shows no change.

ADWIN as pure functions over a flat list of numbers, small enough to be kept for each of a million players:
how many buckets there are of each size, then total and sum of squares about the mean of each, oldest first.
Buckets hold 1, 2, 4 … values. When there are too many of a size the two oldest are merged; those beyond the
largest size are let go, so the window ends there.

References
----------
Bifet & Gavaldà 2007, Learning from time-changing data with adaptive windowing (SIAM SDM).
"""

from __future__ import annotations

import math

LEVELS = 4
BUCKETS = 5
"""Of each size at most; the window holds at most BUCKETS · (2^LEVELS − 1) = 75 values."""
LENGTH = LEVELS + 2 * LEVELS * BUCKETS
CONFIDENCE = 0.002
FEWEST = 5
"""Neither part of a window that is compared may be shorter."""
FIRST = 10
"""Nothing is said of a window that is no longer."""


def fresh() -> list[float]:
    """A window that holds nothing."""
    return [0.0] * LEVELS


def with_value(
    window: list[float],
    value: float,
    *,
    levels: int = LEVELS,
    buckets: int = BUCKETS,
    confidence: float = CONFIDENCE,
) -> tuple[list[float], float]:
    """The window with one value more, and by how much its mean changed where it was cut; 0 where it was not.

    Parameters
    ----------
    window
        As `fresh` or this function made it, with the same number of levels.
    value
        Any finite number.
    levels, buckets
        How many sizes of buckets there are, and how many of each at most.
    confidence
        How likely a change may at most be told of where there is none.
    """
    # Per size, from 1 on: [total, squares], oldest first.
    rows = _rows(window, levels)
    rows[0].append((value, 0.0))
    for level in range(levels):
        if len(rows[level]) > buckets:
            (total, squares), (other, others), *rest = rows[level]
            rows[level] = rest
            if level + 1 < levels:
                size = 2.0**level
                rows[level + 1].append((total + other, squares + others + (total - other) ** 2 / (2 * size)))
    changed = 0.0
    while (change := _change(rows, confidence)) != 0:
        changed = change
        oldest = max(level for level in range(levels) if rows[level])
        del rows[oldest][0]
    flat = [float(len(row)) for row in rows]
    for row in reversed(rows):
        for total, squares in row:
            flat += (total, squares)
    return flat, changed


def _rows(window: list[float], levels: int) -> list[list[tuple[float, float]]]:
    rows: list[list[tuple[float, float]]] = [[] for _ in range(levels)]
    at = levels
    for level in reversed(range(levels)):
        for _ in range(int(window[level])):
            rows[level].append((window[at], window[at + 1]))
            at += 2
    return rows


def _change(rows: list[list[tuple[float, float]]], confidence: float) -> float:
    """By how much the newer part's mean differs from the older's where a cut first shows it, or 0."""
    parts = [
        (2.0**level, total, squares) for level in reversed(range(len(rows))) for total, squares in rows[level]
    ]
    width = sum(size for size, _, _ in parts)
    if width <= FIRST:
        return 0.0
    total = math.fsum(part for _, part, _ in parts)
    mean = total / width
    variance = sum(squares + (part / size - mean) ** 2 * size for size, part, squares in parts) / width
    chance = math.log(2 * math.log(width) / confidence)
    older, sum_older = 0.0, 0.0
    for size, part, _ in parts:
        older += size
        sum_older += part
        newer = width - older
        if older < FEWEST or newer < FEWEST:
            continue
        harmonic = 1 / (older - FEWEST + 1) + 1 / (newer - FEWEST + 1)
        bound = math.sqrt(2 * harmonic * variance * chance) + 2 / 3 * chance * harmonic
        difference = (total - sum_older) / newer - sum_older / older
        if abs(difference) > bound:
            return difference
    return 0.0
