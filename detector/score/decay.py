"""How much of an episode is left after a while: 2^(-age / half-life), in whole numbers.

A power of two from the C library may differ in its last bit from one platform to the next, and one such bit
can turn a 49 into a 50. Here it is made of integer operations alone, so that it is the same everywhere.
"""

from __future__ import annotations

from math import isqrt

BITS = 30
WHOLE = 1 << BITS
"""All of it: shares of an episode, and of points, are counted in this many parts."""

_STEPS = 256
_PRECISION = 128


def _table() -> tuple[int, ...]:
    """2^(-k / 256) in parts of WHOLE, for k from 0 to 256, each rounded to the nearest."""
    one = 1 << _PRECISION
    step = one >> 1
    for _ in range(_STEPS.bit_length() - 1):
        step = isqrt(step * one)
    factors = [one]
    while len(factors) <= _STEPS:
        factors.append(factors[-1] * step // one)
    shift = _PRECISION - BITS
    return tuple((factor + (1 << shift - 1)) >> shift for factor in factors)


_TABLE = _table()


def left(age_us: int, half_life_us: int) -> int:
    """Return 2^(-age / half-life) in parts of WHOLE, never rising with age.

    Between the table's entries it is a straight line, at most a millionth above the curve.

    >>> left(0, 7) / WHOLE, left(7, 7) / WHOLE, left(14, 7) / WHOLE
    (1.0, 0.5, 0.25)
    """
    if age_us <= 0:
        return WHOLE
    halvings, rest = divmod(age_us, half_life_us)
    if halvings > BITS:
        return 0
    step, part = divmod(rest * _STEPS, half_life_us)
    above = _TABLE[step]
    return (above - (above - _TABLE[step + 1]) * part // half_life_us) >> halvings
