"""Closed sessions told as events: when each closed, and what it had been by then.

A summary is an `Arrival` that nobody sent, of type "session_summary", its `ts` the closing. Its content holds
what is known; a field that nothing could be said about is absent, one of money that no rate converts is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from typing import Any

from tests.oracle.history import HOUR, MINUTE, SECOND, Arrival, History, Session
from tests.oracle.quantities import Quantity, measured
from tests.oracle.rates import Rates
from tests.oracle.values import Known, Value

TYPE = "session_summary"
MONEY = ("deposited", "staked", "net_loss", "stake_first", "stake_max", "stake_std", "stake_trend")
DURATIONS = ("gap_after_loss", "gap_after_win")

# The fields that are nothing but what a rule could have asked of the session.
ASKED = {
    "deposits": ("count", "deposit", None),
    "deposited": ("sum", "deposit", "amount"),
    "bets": ("count", "bet", None),
    "staked": ("sum", "bet", "stake"),
    "net_loss": ("sum", "bet", "net_loss"),
    "stake_std": ("std", "bet", "stake"),
}


def summaries(history: History, rates: Rates) -> list[Arrival]:
    """One for every session, as it closes unless something else comes; in the order of their closings."""
    if history.told[0] == len(history.arrivals):
        return history.told[1]
    starts = [a for a in history.arrivals if a.type == "session_start"]
    found = []
    for session in history.sessions:
        _, closed = session.closing(starts)
        found.append(
            Arrival(
                number=session.opened,
                content=Closing(history, session, closed, rates).fields(),
                player=history.player,
                type=TYPE,
                ts=closed,
                session=session,
            )
        )
    found.sort(key=order)
    for number, summary in enumerate(found):
        summary.number = number  # of two at one instant the later is the last
    history.told = len(history.arrivals), found
    return found


def order(summary: Arrival) -> tuple[float, float, float]:
    """Of closings at one instant that of the session which began first comes first."""
    assert summary.session is not None
    return summary.ts, *summary.session.first


class Closing:
    """One session as of the moment it closes."""

    def __init__(self, history: History, session: Session, at: int, rates: Rates) -> None:
        self.history, self.session, self.at, self.rates = history, session, at, rates
        self.currency = history.currency

    def fields(self) -> dict[str, Any]:
        # Events of the very instant come before the closing, whenever they arrived.
        end = max(ts for ts in self.session.times if ts <= self.at)
        content: dict[str, Any] = {"currency": self.currency, "minutes": (end - self.session.start) / MINUTE}
        for name, (aggregate, event_type, of) in ASKED.items():
            content[name] = self.asked(Quantity(aggregate, event_type, of, "session"))
        # The spread of one stake is not there; that of money which no rate converts is, and is unknown.
        if content["bets"] < 2:
            del content["stake_std"]
        content |= self.picked() | self.trend() | self.depleted() | self.gaps()
        return content

    def asked(self, quantity: Quantity) -> float | str | None:
        value = measured(
            quantity,
            self.history.arrivals,
            self.at,
            self.session,
            lambda _: True,
            self.money,
            by_time=True,
        )
        return None if value is None else value.amount

    def money(self, arrival: Arrival, name: str) -> Known:
        """A field in the player's first currency, at the rate of the event's day."""
        content = arrival.content
        raw = content["stake"] - content["payout"] if name == "net_loss" else content[name]
        day = datetime.fromtimestamp(arrival.ts // SECOND, UTC).date()
        amount = self.rates.convert(raw, content["currency"], self.currency, day)
        return None if amount is None else Value("money", amount)

    def standing(self, *kinds: str) -> list[Arrival]:
        """The session's events up to its closing, in order of time, corrected since or not."""
        mine = [
            a
            for a in self.history.arrivals
            if a.session is self.session
            and a.type in kinds
            and a.ts <= self.at
            and not a.cancelled(self.at, by_time=True)
        ]
        return sorted(mine, key=lambda a: (a.ts, a.number))

    def picked(self) -> dict[str, Any]:
        """The earliest stake and the greatest: no correction takes a bet back here."""
        stakes = [self.money(bet, "stake") for bet in self.standing("bet")]
        if not stakes:
            return {}
        known = [stake.real for stake in stakes if stake is not None]
        greatest = max(known) if len(known) == len(stakes) else None
        return {"stake_first": None if stakes[0] is None else stakes[0].amount, "stake_max": greatest}

    def trend(self) -> dict[str, Any]:
        """The slope of the least-squares line through the stakes, per hour."""
        bets = [bet for bet in self.standing("bet") if not bet.undone(self.at)]
        if len({bet.ts for bet in bets}) < 2:
            return {}
        points = []
        for bet in bets:
            stake = self.money(bet, "stake")
            if stake is None:
                return {"stake_trend": None}
            points.append((Fraction(bet.ts, HOUR), Fraction(round(stake.real))))
        middle = mean([when for when, _ in points])
        usual = mean([stake for _, stake in points])
        slope = sum((when - middle) * (stake - usual) for when, stake in points) / sum(
            (when - middle) ** 2 for when, _ in points
        )
        return {"stake_trend": float(slope)}

    def depleted(self) -> dict[str, Any]:
        """Was what was left less than what had last been staked?"""
        bets = self.standing("bet")
        left = [a for a in self.standing("bet", "deposit") if "balance_after" in a.content]
        if not bets or not left:
            return {}
        balance, stake = self.money(left[-1], "balance_after"), self.money(bets[-1], "stake")
        if balance is None or stake is None:
            return {}
        return {"depleted": balance.real < stake.real}

    def gaps(self) -> dict[str, Any]:
        """How long it usually took to the next bet."""
        bets = self.standing("bet")
        after: dict[str, list[int]] = {"gap_after_loss": [], "gap_after_win": []}
        for bet, following in pairwise(bets):
            won = bet.content["payout"] - bet.content["stake"]
            if won != 0:
                after["gap_after_win" if won > 0 else "gap_after_loss"].append(following.ts - bet.ts)
        return {name: median(gaps) for name, gaps in after.items() if gaps}


def mean(numbers: Sequence[Fraction]) -> Fraction:
    return sum(numbers, Fraction(0)) / len(numbers)


def median(gaps: Sequence[int]) -> int:
    """The middle one, or whole µs between the middle two."""
    ordered = sorted(gaps)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) // 2
