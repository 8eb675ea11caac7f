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
CONFIDENCE = 0.2
"""The bound is a cautious one: of 6,000 sessions of players who stayed as they were it told no change."""
FEWEST = 3
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
    after = [*window, value, 0.0]
    after[0] += 1
    for level in range(levels):
        if after[level] <= buckets:
            break
        # Larger buckets are older and stand before.
        at = levels + 2 * int(sum(after[level + 1 : levels]))
        if level + 1 == levels:
            after[level] -= 1
            del after[at : at + 2]
            break
        total, squares, other, others = after[at : at + 4]
        apart = (total - other) ** 2 / 2 ** (level + 1)
        after[at : at + 4] = (total + other, squares + others + apart)
        after[level] -= 2
        after[level + 1] += 1
    changed = 0.0
    while (change := _change(after, levels, confidence)) != 0:
        changed = change
        oldest = max(level for level in range(levels) if after[level])
        after[oldest] -= 1
        del after[levels : levels + 2]
    return after, changed


def _change(window: list[float], levels: int, confidence: float) -> float:
    """By how much the newer part's mean differs from the older's where a cut first shows it, or 0."""
    sizes: list[float] = []
    for level in reversed(range(levels)):
        sizes += [2.0**level] * int(window[level])
    width = sum(sizes)
    if width <= FIRST:
        return 0.0
    totals = window[levels::2]
    total = sum(totals)
    between = sum([part * part / size for part, size in zip(totals, sizes, strict=True)])
    variance = max((sum(window[levels + 1 :: 2]) + between) / width - (total / width) ** 2, 0.0)
    chance = math.log(2 * math.log(width) / confidence)
    # No bound is less than that of a cut in the middle.
    least = _bound(4 / (width - 2 * FEWEST + 2), variance, chance)
    older, sum_older = 0.0, 0.0
    for size, part in zip(sizes, totals, strict=True):
        older += size
        sum_older += part
        newer = width - older
        if older < FEWEST:
            continue
        if newer < FEWEST:
            break
        difference = (total - sum_older) / newer - sum_older / older
        if abs(difference) > least:
            harmonic = 1 / (older - FEWEST + 1) + 1 / (newer - FEWEST + 1)
            if abs(difference) > _bound(harmonic, variance, chance):
                return difference
    return 0.0


def _bound(harmonic: float, variance: float, chance: float) -> float:
    return math.sqrt(2 * harmonic * variance * chance) + 2 / 3 * chance * harmonic
