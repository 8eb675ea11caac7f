"""Who a player is and what and how much they play when nothing is wrong.

What `fitted.json` knows is drawn from it, by the operator's level; the rest is marked in `docs/simulator.md`
with its source or as this project's own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from math import erf, exp, sqrt
from random import Random
from typing import Final, Literal
from zoneinfo import ZoneInfo

from detector.simulator.fitted import Level, OfLevel, Spread, committed
from detector.simulator.games import PRODUCTS, Product
from detector.simulator.places import Jurisdiction, Shares, pick

LimitKind = Literal["deposit", "deposit_count", "loss", "time"]
Period = Literal["24h", "7d", "month"]
Gender = Literal["female", "male"]

SPAN_DAYS: Final = 90
"""The time in which the real players' sessions are taken to have happened; the data does not say (start)."""

LEVEL_SHARES: Final[tuple[tuple[Level, float], ...]] = ((0, 0.60), (3, 0.86), (4, 0.96), (5, 1.0))
"""Levels of a whole house, as cumulative shares. The data is a chosen half of each and cannot say (start)."""

FAVOURITES: Final[Shares] = (
    ("casino_slot", 0.50),
    ("casino_table", 0.60),
    ("live_casino", 0.70),
    ("sports_prematch", 0.84),
    ("sports_live", 0.92),
    ("poker", 0.95),
    ("bingo", 1.0),
)

_MOST_FURTHER_SESSIONS: Final = 1200.0
_GAMES_A_SESSION: Final = 5.0
"""Game sessions between a login and its logout, for those who play much (start): with it a day's bets come
near the 336 that casino players place."""

_STEADIER: Final = 0.05
"""Added to the fitted share of rounds at the main stake: changes on the way take some of them away."""

_GAMES_PLAYED: Final = 0.5
"""Part of the further game sessions of a session that come about before the money has run out."""


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
    level
        The operator's level of the player.
    gender
        Stands in no event: for the truth alone.
    zone, language, birth_year
        As the player's profile tells them.
    methods
        Ways to pay, the usual one first.
    sessions_a_day
        Mean number of sessions (login to logout) on a day.
    games_a_session
        Mean number of game sessions in one of them.
    stop_after_loss, stop_after_win, change_after_loss, change_after_win
        Probabilities that a game session ends, or the stake changes, after a round.
    response_s
        Mean time from the end of a lost round to the start of the next, seconds.
    win_response
        The same after a won round, as a multiple.
    step
        The usual stake, as its place among the stakes on offer.
    steady
        Probability that a session is begun at that stake.
    stake
        The usual stake at slots, minor units.
    deposit
        The usual deposit, minor units.
    products
        The favourite first, then what else is played now and then.
    night
        Share of sessions between midnight and half past four, local time.
    mobile
        Share of sessions on the mobile channel.
    pace
        Factor on all waiting; below 1 is faster.
    limit
        The limit the player sets at registration, if any.
    """

    level: Level
    gender: Gender
    zone: ZoneInfo
    language: str
    birth_year: int
    methods: tuple[str, ...]
    sessions_a_day: float
    games_a_session: float
    stop_after_loss: float
    stop_after_win: float
    change_after_loss: float
    change_after_win: float
    response_s: float
    win_response: float
    step: int
    steady: float
    stake: int
    deposit: int
    products: tuple[Product, ...]
    night: float
    mobile: float
    pace: float
    limit: Limit | None


def lognormal(rng: Random, median: float, sigma: float, low: float, high: float) -> float:
    """A log-normal draw, clipped to [low, high]."""
    return min(high, max(low, median * exp(rng.gauss(0.0, sigma))))


@cache
def stakes_of(jurisdiction: Jurisdiction, times: int = 1) -> tuple[int, ...]:
    """The stakes on offer, minor units and rising: the real game's, in the place's money, times `times`."""
    return tuple(
        round(euro * jurisdiction.per_euro * 100) * times for euro in committed().stakes_eur
    )  # every currency of the places has two decimals


def draw_limit(rng: Random, deposit: int, kind: LimitKind, sessions_a_day: float) -> Limit:
    """A limit that leaves room for the player's ordinary ways."""
    period: Period = ("24h", "7d", "month")[int(rng.random() * 3)]
    days = {"24h": 1, "7d": 7, "month": 30}[period]
    if kind == "deposit_count":
        return Limit(kind, "24h", 2 + int(rng.random() * 3))
    if kind == "time":
        return Limit(kind, "24h", 60 * (2 + int(rng.random() * 4)))
    generous = deposit * (2 + days * (0.2 + sessions_a_day) * (0.5 + 0.7 * rng.random()))
    return Limit(kind, period, max(2000, int(generous) // 1000 * 1000))


def draw_habits(rng: Random, place: Jurisdiction, year: int, only: Level | None = None) -> Habits:
    """Draw an ordinary player in `year`; of one level only, where that is asked for."""
    draw = rng.random()
    level = next(level for level, edge in LEVEL_SHARES if draw < edge) if only is None else only
    of = committed().levels[level]
    together = _correlated(rng)
    further = min(_MOST_FURTHER_SESSIONS, _at(of.further_sessions, together["further_sessions"]))
    # Who plays little plays one game and is gone; who plays much moves from game to game.
    games = 1.0 + (_GAMES_A_SESSION - 1.0) * further / (further + 6.0)
    step = bisect_right(_edges(tuple(of.main_stake)), _uniform(together["main_stake"]))
    stake = stakes_of(place)[step]
    played = 1.0 + (games - 1.0) * _GAMES_PLAYED
    sessions_a_day = max(0.0, further - (played - 1.0)) / played / SPAN_DAYS
    deposit = int(lognormal(rng, 34 * stake, 0.6, 1000, 100_000)) // 500 * 500
    win_response = of.response_win_to_loss
    favourite = pick(rng.random(), FAVOURITES)
    others = {pick(rng.random(), FAVOURITES) for _ in range(int(rng.random() * 3))} - {favourite}
    methods = list(place.methods)
    usual = methods.pop(int(rng.random() ** 2 * len(methods)))
    limits = rng.random() < 0.3
    kind: LimitKind = ("deposit", "deposit", "deposit_count", "loss", "time")[int(rng.random() * 5)]
    limit = draw_limit(rng, deposit, kind, sessions_a_day)
    return Habits(
        level=level,
        gender="female" if rng.random() < of.women else "male",
        zone=ZoneInfo(pick(rng.random(), place.zones)),
        language=pick(rng.random(), place.languages),
        birth_year=year - _age(rng.random(), of),
        methods=(usual, *methods),
        sessions_a_day=sessions_a_day,
        games_a_session=games,
        stop_after_loss=min(0.5, _at(of.stop_after_loss, together["stop"])),
        stop_after_win=lognormal(rng, of.stop_after_win.median, of.stop_after_win.sigma, 0.0, 0.3),
        change_after_loss=min(0.5, _at(of.change_after_loss, together["change"])),
        change_after_win=min(
            0.5, _at(of.change_after_win, 0.6 * together["change"] + 0.8 * rng.gauss(0.0, 1.0))
        ),
        response_s=_at(of.response_ms_after_loss, together["response"]) / 1000,
        win_response=lognormal(rng, win_response.median, win_response.sigma, 0.7, 3.0),
        step=step,
        steady=min(0.97, max(0.05, rng.gauss(of.main_share.mean + _STEADIER, of.main_share.sd))),
        stake=stake,
        deposit=deposit,
        products=tuple(PRODUCTS[name] for name in (favourite, *sorted(others))),
        night=0.03,
        mobile=rng.random(),
        pace=0.8 + 0.4 * rng.random(),
        limit=limit if limits else None,
    )


def _at(spread: Spread, normal: float) -> float:
    return spread.median * exp(spread.sigma * normal)


def _uniform(normal: float) -> float:
    return 0.5 * (1.0 + erf(normal / sqrt(2.0)))


@cache
def _edges(shares: tuple[float, ...]) -> tuple[float, ...]:
    """Cumulative shares without the last, so that a draw always falls on one of them."""
    return tuple(accumulate(shares))[:-1]


def _correlated(rng: Random) -> dict[str, float]:
    """Standard normal draws that go together as the players' figures do (a Gaussian copula)."""
    fitted = committed()
    independent = [rng.gauss(0.0, 1.0) for _ in fitted.correlated]
    return {
        name: sum(weight * draw for weight, draw in zip(row, independent, strict=False))
        for name, row in zip(fitted.correlated, _triangle(), strict=True)
    }


@cache
def _triangle() -> tuple[tuple[float, ...], ...]:
    """Cholesky's triangle of the correlations."""
    matrix = committed().correlations
    rows: list[tuple[float, ...]] = []
    for i, line in enumerate(matrix):
        row: list[float] = []
        for j in range(i + 1):
            rest = line[j] - sum(row[k] * rows[j][k] for k in range(j)) if j < i else 0.0
            row.append(rest / rows[j][j] if j < i else sqrt(1.0 - sum(value * value for value in row)))
        rows.append(tuple(row))
    return tuple(rows)


_AGE_EDGES: Final = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)


def _age(draw: float, of: OfLevel) -> int:
    """An age between the fitted quartiles, years."""
    return int(_between(draw, _AGE_EDGES, of.age))


def _between(draw: float, edges: Sequence[float], values: Sequence[float]) -> float:
    place = min(bisect_right(edges, draw), len(edges) - 1)
    left, right = edges[place - 1], edges[place]
    return values[place - 1] + (values[place] - values[place - 1]) * (draw - left) / (right - left)
