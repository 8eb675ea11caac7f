"""Where simulated players live: money, clocks, languages, ways to pay, lengths of breaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

Shares = tuple[tuple[str, float], ...]
"""Names with their cumulative shares; the last share is 1."""


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """What differs from one jurisdiction to another.

    Parameters
    ----------
    currency
        ISO 4217.
    per_euro
        What stands for one euro of the real players' stakes. Not an exchange rate: it is chosen near one so
        that their stakes become stakes a game could offer.
    zones, languages
        Time zones and languages, with cumulative shares.
    methods
        Ways to pay.
    breaks, exclusions
        Lengths of breaks in play and of self-exclusions that can be chosen, days.
    """

    currency: str
    per_euro: float
    zones: Shares
    languages: Shares
    methods: tuple[str, ...]
    breaks: tuple[int, ...] = (1, 7, 30)
    exclusions: tuple[int, ...] = (182, 182, 365, 1826)


JURISDICTIONS: Final[dict[str, Jurisdiction]] = {
    "CA-ON": Jurisdiction(
        "CAD",
        1.6,
        (("America/Toronto", 0.95), ("America/Winnipeg", 1.0)),
        (("en", 0.93), ("fr", 1.0)),
        ("interac", "visa", "mastercard", "paypal", "apple_pay"),
        breaks=(1, 1, 7, 7, 30, 60, 90),  # AGCO 2.13
        exclusions=(182, 182, 365, 1826),  # AGCO 2.14
    ),
    "DE": Jurisdiction(
        "EUR", 1.0, (("Europe/Berlin", 1.0),), (("de", 1.0),), ("giropay", "visa", "paypal", "bank_transfer")
    ),
    "ES": Jurisdiction(
        "EUR",
        1.0,
        (("Europe/Madrid", 0.95), ("Atlantic/Canary", 1.0)),
        (("es", 0.85), ("ca", 1.0)),
        ("visa", "mastercard", "bizum", "paypal"),
    ),
    "GB": Jurisdiction(
        "GBP",
        0.8,
        (("Europe/London", 1.0),),
        (("en", 1.0),),
        ("visa_debit", "mastercard_debit", "paypal", "bank_transfer"),
    ),
    "NL": Jurisdiction(
        "EUR", 1.0, (("Europe/Amsterdam", 1.0),), (("nl", 0.9), ("en", 1.0)), ("ideal", "visa", "paypal")
    ),
}


def pick(draw: float, shares: Shares) -> str:
    """The name a uniform draw from [0, 1) falls on."""
    return next(name for name, edge in shares if draw < edge)
