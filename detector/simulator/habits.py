"""Who a player is: where they live, what and how much they play when nothing is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from random import Random
from typing import Final, Literal
from zoneinfo import ZoneInfo

from detector.simulator.games import PRODUCTS, STAKES, Product

Shares = tuple[tuple[str, float], ...]
"""Names with their cumulative shares; the last share is 1."""


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """What differs from one jurisdiction to another: money, clocks, languages, ways to pay."""

    currency: str
    zones: Shares
    languages: Shares
    methods: tuple[str, ...]


JURISDICTIONS: Final[dict[str, Jurisdiction]] = {
    "CA-ON": Jurisdiction(
        "CAD",
        (("America/Toronto", 0.95), ("America/Winnipeg", 1.0)),
        (("en", 0.93), ("fr", 1.0)),
        ("interac", "visa", "mastercard", "paypal", "apple_pay"),
    ),
    "DE": Jurisdiction(
        "EUR", (("Europe/Berlin", 1.0),), (("de", 1.0),), ("giropay", "visa", "paypal", "bank_transfer")
    ),
    "ES": Jurisdiction(
        "EUR",
        (("Europe/Madrid", 0.95), ("Atlantic/Canary", 1.0)),
        (("es", 0.85), ("ca", 1.0)),
        ("visa", "mastercard", "bizum", "paypal"),
    ),
    "GB": Jurisdiction(
        "GBP",
        (("Europe/London", 1.0),),
        (("en", 1.0),),
        ("visa_debit", "mastercard_debit", "paypal", "bank_transfer"),
    ),
    "NL": Jurisdiction(
        "EUR", (("Europe/Amsterdam", 1.0),), (("nl", 0.9), ("en", 1.0)), ("ideal", "visa", "paypal")
    ),
}

LimitKind = Literal["deposit", "deposit_count", "loss", "time"]
Period = Literal["24h", "7d", "month"]

FAVOURITES: Final[Shares] = (
    ("casino_slot", 0.50),
    ("casino_table", 0.60),
    ("live_casino", 0.70),
    ("sports_prematch", 0.84),
    ("sports_live", 0.92),
    ("poker", 0.95),
    ("bingo", 1.0),
)


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit a player has set: money in minor units, a count, or minutes, by kind."""

    kind: LimitKind
    period: Period
    value: int


@dataclass(frozen=True, slots=True)
class Habits:
    """A player's ordinary ways.

    Parameters
    ----------
    zone, language, birth_year
        As the player's profile tells them.
    methods
        Ways to pay, the usual one first.
    sessions_a_day
        Mean number of sessions on a day.
    rounds
        Median number of rounds in a casino session.
    stake, deposit
        Usual stake and deposit, minor units.
    products
        The favourite first, then what else is played now and then.
    night
        Share of sessions between midnight and half past four, local time.
    mobile
        Share of sessions on the mobile channel.
    pace
        Factor on the time between rounds; below 1 is faster.
    limit
        The limit the player sets at registration, if any.
    """

    zone: ZoneInfo
    language: str
    birth_year: int
    methods: tuple[str, ...]
    sessions_a_day: float
    rounds: float
    stake: int
    deposit: int
    products: tuple[Product, ...]
    night: float
    mobile: float
    pace: float
    limit: Limit | None


def pick(draw: float, shares: Shares) -> str:
    """The name a uniform draw from [0, 1) falls on."""
    return next(name for name, edge in shares if draw < edge)


def lognormal(rng: Random, median: float, sigma: float, low: float, high: float) -> float:
    """A log-normal draw, clipped to [low, high]."""
    return min(high, max(low, median * exp(rng.gauss(0.0, sigma))))


def offered_stake(wish: float) -> int:
    """The highest stake on offer that is not above `wish` (the lowest one where all are)."""
    return max((stake for stake in STAKES if stake <= wish), default=STAKES[0])


def draw_limit(rng: Random, deposit: int, kind: LimitKind) -> Limit:
    """A limit that leaves room for the player's ordinary ways."""
    period: Period = ("24h", "7d", "month")[int(rng.random() * 3)]
    days = {"24h": 1, "7d": 7, "month": 30}[period]
    if kind == "deposit_count":
        return Limit(kind, "24h", 2 + int(rng.random() * 3))
    if kind == "time":
        return Limit(kind, "24h", 60 * (2 + int(rng.random() * 4)))
    generous = deposit * (2 + days * (0.3 + 0.5 * rng.random()))
    return Limit(kind, period, max(2000, int(generous) // 1000 * 1000))


def draw_habits(rng: Random, jurisdiction: Jurisdiction, year: int) -> Habits:
    """Draw an ordinary player of age 19 to 79 in `year`.

    The shares and medians are plausible, not fitted to anybody's data.
    """
    stake = offered_stake(lognormal(rng, 110, 0.9, STAKES[0], 2000))
    deposit = int(lognormal(rng, stake * 16, 0.5, 1000, 50_000)) // 500 * 500
    favourite = pick(rng.random(), FAVOURITES)
    others = {pick(rng.random(), FAVOURITES) for _ in range(int(rng.random() * 3))} - {favourite}
    methods = list(jurisdiction.methods)
    usual = methods.pop(int(rng.random() ** 2 * len(methods)))
    limits = rng.random() < 0.3
    kind: LimitKind = ("deposit", "deposit", "deposit_count", "loss", "time")[int(rng.random() * 5)]
    return Habits(
        zone=ZoneInfo(pick(rng.random(), jurisdiction.zones)),
        language=pick(rng.random(), jurisdiction.languages),
        birth_year=year - 19 - int(60 * rng.random() ** 1.7),
        methods=(usual, *methods),
        sessions_a_day=lognormal(rng, 0.35, 0.9, 0.04, 3.0),
        rounds=lognormal(rng, 28, 0.35, 20, 120),
        stake=stake,
        deposit=deposit,
        products=tuple(PRODUCTS[name] for name in (favourite, *sorted(others))),
        night=0.5 if rng.random() < 0.06 else 0.03,
        mobile=rng.random(),
        pace=0.8 + 0.5 * rng.random(),
        limit=draw_limit(rng, deposit, kind) if limits else None,
    )
