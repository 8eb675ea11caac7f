"""What a player's rounds look like summed up, in the figures in which the real players' were published.

A game session is a run of rounds of one game within a session. Only slots count: the real players' game is
one. Shares are in per cent, stakes in euro, response times in milliseconds, as in the committed quantiles.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from math import exp, log
from typing import Final

import msgspec

from detector.events.instants import DAY_US
from detector.simulator.config import Config
from detector.simulator.fitted import Level
from detector.simulator.games import PRODUCTS, SPIN_S
from detector.simulator.habits import SPAN_DAYS
from detector.simulator.places import JURISDICTIONS
from detector.simulator.population import draw_fate
from detector.simulator.writer import SECOND_US, Stamped

ENOUGH_ROUNDS: Final = 200
"""Shares and times are compared for players with so many rounds; with fewer they are mostly chance."""

_PAUSE_US: Final = 30 * SECOND_US
_SPIN_US: Final = int(SPIN_S * SECOND_US)


class _Bet(msgspec.Struct, tag_field="type", tag="bet"):
    session: str
    stake: int
    payout: int
    product: str
    game: str


@dataclass(slots=True)
class _After:
    """What followed lost, or won, rounds."""

    rounds: int = 0
    stops: int = 0
    answered: int = 0
    response_us: int = 0
    continued: int = 0
    changes: int = 0


@dataclass(slots=True)
class Summary:
    """One player's rounds, summed up as they come."""

    sessions: int = 0
    stakes: Counter[int] = field(default_factory=Counter)
    lost: _After = field(default_factory=_After)
    won: _After = field(default_factory=_After)

    def figures(self, per_euro: float) -> dict[str, float]:
        """The figures by name; those that need more rounds than there are, are left out."""
        rounds = self.stakes.total()
        cents = 100 * per_euro
        found = {
            "sessions": float(self.sessions),
            "rounds_a_session": rounds / self.sessions,
            "stake_mean": sum(stake * times for stake, times in self.stakes.items()) / rounds / cents,
            "stake_max": max(self.stakes) / cents,
        }
        if rounds < ENOUGH_ROUNDS:
            return found
        found["main_share"] = 100 * max(self.stakes.values()) / rounds
        found["win_share"] = 100 * self.won.rounds / rounds
        for name, after in (("loss", self.lost), ("win", self.won)):
            if after.rounds and after.continued and after.answered:
                found[f"stop_after_{name}"] = 100 * after.stops / after.rounds
                found[f"change_after_{name}"] = 100 * after.changes / after.continued
                found[f"response_after_{name}"] = after.response_us / after.answered / 1000
        return found


def summarise(life: Iterable[Stamped]) -> Summary:
    """Sum up one player's slot rounds."""
    summary = Summary()
    decode = msgspec.json.Decoder(_Bet).decode
    last: _Bet | None = None
    last_us = 0
    for ts_us, line in life:
        if b'"type":"bet"' not in line:
            continue
        bet = decode(line)
        if bet.product != "casino_slot":
            continue
        summary.stakes[bet.stake] += 1
        if last is None or last.game != bet.game or last.session != bet.session:
            _stopped(summary, last)
            summary.sessions += 1
        else:
            after = summary.won if last.payout else summary.lost
            after.rounds += 1
            after.continued += 1
            after.changes += bet.stake != last.stake
            gap_us = ts_us - last_us
            if gap_us < _PAUSE_US:
                after.answered += 1
                after.response_us += gap_us - _SPIN_US
        last, last_us = bet, ts_us
    _stopped(summary, last)
    return summary


def _stopped(summary: Summary, last: _Bet | None) -> None:
    if last is not None:
        after = summary.won if last.payout else summary.lost
        after.rounds += 1
        after.stops += 1


def simulated(level: Level, players: int, config: Config) -> Iterator[dict[str, float]]:
    """Figures of simulated slot players of one level, each watched for as long as the real ones.

    Players whose first deposit is declined for good never play, and are passed over.
    """
    per_euro = JURISDICTIONS[config.jurisdiction].per_euro
    slots = (PRODUCTS["casino_slot"],)
    found = number = 0
    while found < players:
        number += 1
        fate = draw_fate(config, number, level)
        fate = replace(fate, habits=replace(fate.habits, products=slots))
        end_us = fate.joined_us + SPAN_DAYS * DAY_US
        life = takewhile(lambda stamped, end=end_us: stamped[0] < end, fate.open(config).life())  # type: ignore[misc]
        summary = summarise(life)
        if summary.sessions:
            found += 1
            yield summary.figures(per_euro)


# -- distances -----------------------------------------------------------------------------------------


def quantile(ordered: Sequence[float], share: float) -> float:
    """A quantile of rising values, between the two nearest in proportion."""
    place = share * (len(ordered) - 1)
    below = int(place)
    rest = place - below
    return ordered[below] if not rest else ordered[below] * (1.0 - rest) + ordered[below + 1] * rest


def farthest(values: Iterable[float], shares: Sequence[float], quantiles: Sequence[float]) -> float:
    """Kolmogorov and Smirnov's distance between values and a table of quantiles, at the table's points.

    Where values are tied with a quantile, any share between those below and those not above it agrees. Steps
    count from their middle where the table repeats a value, as it does for counts and shares of nothing.
    """
    ordered = sorted(values)
    apart = 0.0
    for value in set(quantiles):
        at = [share for share, other in zip(shares, quantiles, strict=True) if other == value]
        below, upto = bisect_left(ordered, value) / len(ordered), bisect_right(ordered, value) / len(ordered)
        apart = max(apart, at[-1] - upto, below - at[0])
    return apart


def typically(values: Iterable[float], shares: Sequence[float], quantiles: Sequence[float]) -> float:
    """By what factor quantiles differ, typically: the mean distance of their logarithms, as a factor.

    It is Wasserstein's distance on a logarithmic scale between the table's ends. What is nearly nothing
    (below a hundredth of the table's median or a tenth of its unit) counts as that little.
    """
    ordered = sorted(values)
    little = max(quantile(sorted(quantiles), 0.5) / 100, 0.1)
    apart = [
        abs(log(max(quantile(ordered, share), little) / max(value, little)))
        for share, value in zip(shares, quantiles, strict=True)
    ]
    return exp(sum(apart) / len(apart))
