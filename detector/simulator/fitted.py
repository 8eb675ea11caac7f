"""The figures fitted to real players, and those players' marginals: `fitted.json`.

Their unit is written out with each: shares are of 1 in what the simulator draws from and in per cent in the
marginals, money is euro as in the source, times are milliseconds. How they were found is in
`notebooks/fit_simulator.py`; what they were fitted to, and what not, in `docs/simulator.md`.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

Level = Literal[0, 3, 4, 5]
"""The operator's level of a player: 0, or 3 to 5 for those it watches closely. There are none between."""

LEVELS: tuple[Level, ...] = (0, 3, 4, 5)


class Spread(msgspec.Struct, frozen=True):
    """A log-normal distribution over players: its median, and the standard deviation of the logarithm."""

    median: float
    sigma: float


class Moments(msgspec.Struct, frozen=True):
    """Mean and standard deviation over players."""

    mean: float
    sd: float


class Outcomes(msgspec.Struct, frozen=True):
    """One figure after a lost round, one after a won one."""

    loss: float
    win: float


class OfLevel(msgspec.Struct, frozen=True, kw_only=True):
    """What was fitted to the players of one level.

    Parameters
    ----------
    players
        How many real players it rests on.
    further_sessions
        Mean number of a player's game sessions beyond the first.
    stop_after_loss, stop_after_win
        Share of rounds after which the game session ends.
    change_after_loss, change_after_win
        Share of rounds before which the stake changes.
    response_ms_after_loss
        A player's mean time from the end of a lost round to the start of the next, milliseconds.
    response_win_to_loss
        The same after a won round, as a multiple.
    main_stake
        Shares of players by the stake they play most, in the order of `Fitted.stakes_eur`.
    main_share
        Share of the rounds that are played at that stake, over players of 30 sessions and more.
    women
        Share of women.
    age
        Least, lower quartile, median, upper quartile, 95th percentile and highest age, years.
    """

    players: int
    further_sessions: Spread
    stop_after_loss: Spread
    stop_after_win: Spread
    change_after_loss: Spread
    change_after_win: Spread
    response_ms_after_loss: Spread
    response_win_to_loss: Spread
    main_stake: list[float]
    main_share: Moments
    women: float
    age: list[int]


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in `fitted.json`.

    Parameters
    ----------
    source
        Whom it was fitted to.
    stakes_eur
        The stakes the game offers, euro.
    win_share, win_multiple
        Share of rounds that win, and the mean payout of those as a multiple of the stake.
    pauses_to_stops
        Pauses within a game session, as a multiple of its ends.
    up_after
        Share of stake changes that go up.
    beside_main
        Where rounds lie that are not at the player's main stake: steps up or down → share; -2 and 4 stand for
        all beyond.
    correlated, correlations
        Names of what goes together within a level, and Spearman's rank correlations between them.
    levels
        Level → figures.
    quantiles
        At which the marginals were taken.
    marginals
        Level → name → quantiles over the real players, see `detector.simulator.marginals`.
    """

    source: str
    stakes_eur: list[float]
    win_share: float
    win_multiple: float
    pauses_to_stops: float
    up_after: Outcomes
    beside_main: dict[int, float]
    correlated: list[str]
    correlations: list[list[float]]
    levels: dict[Level, OfLevel]
    quantiles: list[float]
    marginals: dict[Level, dict[str, list[float]]]


@cache
def committed() -> Fitted:
    """The figures that the simulator draws from."""
    raw = files(__package__).joinpath("fitted.json").read_bytes()
    return msgspec.json.decode(raw, type=Fitted)
