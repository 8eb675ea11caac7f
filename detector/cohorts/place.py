"""Quantiles of a sample, and the place of a value among them: pure arithmetic on lists of floats."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

TOLERANCE = 1e-9
"""Values this close (relative) are equal, as in comparisons of the rule language."""


def edges_of(sample: Sequence[float], count: int) -> list[float]:
    """The quantiles of a sample at evenly spaced shares, its least and greatest among them.

    Between two members they are interpolated: the seventh of the definitions in Hyndman & Fan 1996, "Sample
    Quantiles in Statistical Packages".

    Parameters
    ----------
    sample
        At least one value, in any order.
    count
        How many quantiles, two or more.

    Examples
    --------
    >>> edges_of([30, 10, 20], 5)
    [10.0, 15.0, 20.0, 25.0, 30.0]
    """
    ordered = sorted(sample)
    last = len(ordered) - 1
    edges = []
    for number in range(count):
        whole, part = divmod(number * last, count - 1)
        lower, higher = ordered[whole], ordered[min(whole + 1, last)]
        edges.append(float(lower + (higher - lower) * (part / (count - 1))))
    return edges


def place_in(edges: Sequence[float], value: float) -> float:
    """The share, 0 to 1, of a cohort that lies below a value; who is equal is not below.

    So of a cohort no more than a tenth has a place of 90 % or above, however many are alike, but for the
    distance of two edges.

    Parameters
    ----------
    edges
        Evenly spaced quantiles, ascending.

    Examples
    --------
    >>> place_in([0.0, 10.0, 20.0, 30.0, 40.0], 25)
    0.625
    >>> place_in([0.0, 0.0, 0.0, 30.0, 40.0], 0)
    0.0
    """
    last = len(edges) - 1
    # The first edge that is equal or above: what was added up in another order differs in its last digit.
    first = bisect_left(edges, value - TOLERANCE * abs(value))
    if first > last:
        return 1.0
    if first == 0:
        return 0.0
    lower, higher = edges[first - 1], edges[first]
    return (first - 1 + min(1.0, (value - lower) / (higher - lower))) / last
