"""What a session was like, told when it closes: the derived event `session_summary`.

While a session is open its events are kept as rows, in order of arrival; what the summary says
hangs on their order in time, and on how much of them lies before the closing, which is known only then.
Rows that the watermark has passed are reckoned up, so that no session grows without bound.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from fractions import Fraction
from math import sqrt
from operator import itemgetter
from statistics import median
from typing import Any

from detector.events.vocabulary import UNRATED, SessionSummary, SummedMoney

WIDTH = 4
"""Numbers in a row: time in µs, stake (NO_STAKE for a deposit), payout or amount deposited, balance after.

A bet that no rate could convert has None for its stake and, for its payout, the sign of what was lost."""
NO_STAKE = -1  # in the place of a stake: a deposit
NO_BET = -2  # in the place of a stake: some other event of the session, of which only the time counts
NO_BALANCE = -1
MANY = 256 * WIDTH
"""From how many numbers on what is settled is reckoned up."""
MAX_GAPS = 4_096
"""How many gaps of a kind a session remembers for its median."""
HOUR_US = 3_600_000_000
FINENESS = 2**30
"""Into how many parts of a minor unit converted money is cut."""

_at = itemgetter(0)

Rows = Any
"""An array of 64-bit integers, or a list once there was money that had to be converted (None: no rate)."""


class Rounds:
    """The events of one session that is not over, as far as its summary needs them.

    Attributes
    ----------
    rows
        What has not been reckoned up, in order of arrival.
    tally
        The reckoning of what came before.
    taken
        (turn, time, stake or NO_STAKE, payout or amount) of what corrections took back, `turn` being when.
    """

    __slots__ = ("rows", "taken", "tally")

    def __init__(self) -> None:
        self.rows: Rows = array("q")
        self.tally = Tally()
        self.taken: list[tuple[int, int, Any, Any]] = []

    def add(self, at_us: int, stake: Any, paid: Any, balance: Any, settled_us: int) -> None:
        """Take an event in; rows up to `settled_us` get nothing before them any more."""
        rows = self.rows
        try:
            rows.extend((at_us, stake, paid, balance))
        except (TypeError, OverflowError):
            del rows[len(rows) - len(rows) % WIDTH :]
            rows = self.rows = [*rows, at_us, stake, paid, balance]
        if len(rows) % MANY == 0:
            self._reckon(settled_us)

    def _reckon(self, settled_us: int) -> None:
        rows = _in_order(self.rows)
        settled = bisect_right(rows, settled_us, key=_at)
        self.tally.add(rows[:settled])
        later = [number for row in rows[settled:] for number in row]
        self.rows = later if isinstance(self.rows, list) else array("q", later)

    def summary(self, currency: str | None, start_us: int, closed_us: int) -> SessionSummary:
        """The session as of its closing: what came or was corrected later is not in it."""
        tally = self.tally.copy()
        rows = _in_order(self.rows)
        tally.add(rows[: bisect_right(rows, closed_us, key=_at)])
        for turn, at_us, stake, paid in self.taken:
            if turn <= closed_us and at_us <= closed_us:
                tally.take_back(at_us, stake, paid)
        return tally.summary(currency, start_us)


def _in_order(rows: Rows) -> list[tuple[Any, ...]]:
    """Rows in order of their time, those of one instant in order of arrival."""
    numbers = iter(rows)
    return sorted(zip(*[numbers] * WIDTH, strict=True), key=_at)


class Tally:
    """Running figures of a session's bets and deposits, taken in order of time.

    Of money that could not be converted only the number is known, and what it hides.
    """

    __slots__ = (
        "balance",
        "bet_at",
        "bets",
        "bets_ever",
        "deposited",
        "deposits",
        "fine",
        "gaps_lost",
        "gaps_won",
        "last_at",
        "lost",
        "outcome",
        "squares",
        "stake_first",
        "stake_last",
        "stake_max",
        "staked",
        "times",
        "times_squared",
        "unrated_bets",
        "unrated_deposits",
        "unrated_ever",
        "weighted",
        "whole",
    )

    def __init__(self) -> None:
        self.deposits = self.bets = self.unrated_bets = self.unrated_deposits = 0
        self.bets_ever = self.unrated_ever = False
        self.deposited: Any = 0
        self.staked: Any = 0
        self.lost: Any = 0
        # Stakes and their squares in the parts that converted money is cut into, so that they are whole.
        self.fine = self.squares = 0
        self.stake_first: Any = None
        self.stake_max: Any = None
        self.stake_last: Any = None
        self.balance: Any = NO_BALANCE
        # For the trend, in whole minor units and µs: sums of t, t², stake and t × stake.
        self.times = self.times_squared = self.whole = self.weighted = 0
        self.bet_at = self.last_at = 0
        self.outcome: int | None = None  # of the bet before: 1 lost, -1 won
        self.gaps_lost = array("q")
        self.gaps_won = array("q")

    def copy(self) -> Tally:
        """Another with the same figures."""
        made = Tally()
        for name in self.__slots__:
            value = getattr(self, name)
            setattr(made, name, value[:] if isinstance(value, array) else value)
        return made

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Take the next events in, in order of time."""
        # Sums in local names: this runs for every bet there is.
        bets = staked = lost = squares = times = times_squared = whole = weighted = 0
        for at_us, stake, paid, balance in rows:
            self.last_at = at_us
            if stake == NO_BET:
                continue
            if balance != NO_BALANCE:
                self.balance = balance
            if stake == NO_STAKE:
                self._pay_in(paid, 1)
                continue
            if self.outcome:
                gaps = self.gaps_lost if self.outcome > 0 else self.gaps_won
                if len(gaps) < MAX_GAPS:
                    gaps.append(at_us - self.bet_at)
            self.bet_at = at_us
            if not self.bets_ever:
                self.bets_ever, self.stake_first = True, stake
            self.stake_last = stake
            if type(stake) is not int or type(paid) is not int:
                self._convert_in(at_us, stake, paid)
                continue
            self.outcome = (stake > paid) - (stake < paid)
            if self.stake_max is None or stake > self.stake_max:
                self.stake_max = stake
            bets += 1
            staked += stake
            lost += stake - paid
            squares += stake * stake
            times += at_us
            times_squared += at_us * at_us
            whole += stake
            weighted += at_us * stake
        self.bets += bets
        self.staked += staked
        self.lost += lost
        self.fine += staked * FINENESS
        self.squares += squares * FINENESS * FINENESS
        self.times += times
        self.times_squared += times_squared
        self.whole += whole
        self.weighted += weighted

    def _convert_in(self, at_us: int, stake: Any, paid: Any) -> None:
        """Take in a bet in another currency."""
        if stake is None:
            self.unrated_ever = True
            self.outcome = paid
        else:
            self.outcome = (stake > paid) - (stake < paid)
            if self.stake_max is None or stake > self.stake_max:
                self.stake_max = stake
        self._weigh(at_us, stake, paid, 1)

    def take_back(self, at_us: int, stake: Any, paid: Any) -> None:
        """Take a bet or a deposit out of what is summed up; what is picked among cannot be undone."""
        if stake == NO_STAKE:
            self._pay_in(paid, -1)
        else:
            self._weigh(at_us, stake, paid, -1)

    def _pay_in(self, paid: Any, sign: int) -> None:
        self.deposits += sign
        if paid is None:
            self.unrated_deposits += sign
        else:
            self.deposited += sign * paid

    def _weigh(self, at_us: int, stake: Any, paid: Any, sign: int) -> None:
        self.bets += sign
        self.times += sign * at_us
        self.times_squared += sign * at_us * at_us
        if stake is None:
            self.unrated_bets += sign
            return
        self.staked += sign * stake
        self.lost += sign * (stake - paid)
        fine = int(stake * FINENESS)
        self.fine += sign * fine
        self.squares += sign * fine * fine
        whole = round(stake)
        self.whole += sign * whole
        self.weighted += sign * at_us * whole

    def summary(self, currency: str | None, start_us: int) -> SessionSummary:
        """The figures as an event."""
        return SessionSummary(
            currency=currency,
            minutes=max(0, self.last_at - start_us) / 60_000_000,
            deposits=self.deposits,
            deposited=UNRATED if self.unrated_deposits else self.deposited,
            bets=self.bets,
            staked=UNRATED if self.unrated_bets else self.staked,
            net_loss=UNRATED if self.unrated_bets else self.lost,
            stake_first=UNRATED if self.bets_ever and self.stake_first is None else self.stake_first,
            stake_max=UNRATED if self.unrated_ever else self.stake_max,
            stake_std=self._deviation(),
            stake_trend=self._trend(),
            depleted=self._depleted(),
            gap_after_loss=_middle(self.gaps_lost),
            gap_after_win=_middle(self.gaps_won),
        )

    def _deviation(self) -> SummedMoney:
        if self.bets < 2:
            return None
        if self.unrated_bets:
            return UNRATED
        return sqrt(max(0, self.bets * self.squares - self.fine * self.fine)) / self.bets / FINENESS

    def _trend(self) -> SummedMoney:
        """Least-squares slope of the stake over time, in minor units an hour, exact until the last step."""
        spread = self.bets * self.times_squared - self.times * self.times
        if spread <= 0:
            return None
        if self.unrated_bets:
            return UNRATED
        return float(Fraction((self.bets * self.weighted - self.times * self.whole) * HOUR_US, spread))

    def _depleted(self) -> bool | None:
        if self.stake_last is None or self.balance is None or self.balance == NO_BALANCE:
            return None
        return bool(self.balance < self.stake_last)


def _middle(gaps: array[int]) -> int | None:
    return int(median(gaps)) if gaps else None
