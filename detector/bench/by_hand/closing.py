"""Sessions that are over: what they were like, and the rules that are judged then."""

from __future__ import annotations

from bisect import bisect_right
from math import sqrt
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from detector.bench.by_hand.terms import (
    CRITICAL,
    DAY_US,
    HIGH,
    HOUR_US,
    LOW,
    MEDIUM,
    MONTH_US,
    NEVER,
    WEEK_US,
    Terms,
    at_least,
)

if TYPE_CHECKING:
    from detector.bench.by_hand.player import ByHand
    from detector.bench.by_hand.session import Session

BINGE = Terms("binge@1", WEEK_US)
CHASING = Terms("chasing@1", WEEK_US)
DEPLETION = Terms("account-depletion@1", MONTH_US, MONTH_US)
ERRATIC = Terms("erratic-play@2", MONTH_US)
LOSS_HABIT = Terms("loss-against-habit@1", 3 * DAY_US)
SPEED = Terms("speed-after-losses@1", MONTH_US)
STAKES_RISE = Terms("stake-escalation@1", WEEK_US)
STAKES_VARY = Terms("stake-variability@2", MONTH_US)

_REACH_US = 39 * DAY_US
_MANY = 128
_HABIT_FROM = 5 * WEEK_US
_SECOND_US = 1_000_000


class Closed(NamedTuple):
    """A session that is over; money in minor units, times in µs."""

    lasted: int
    gap: int | None
    bets: int
    staked: int
    lost: int
    deviation: float | None
    is_climb: bool
    is_chase: bool
    depleted: bool | None
    after_loss: int | None
    after_win: int | None


class Past:
    """A player's sessions that are over, in the order in which they closed."""

    __slots__ = ("at", "sessions")

    def __init__(self) -> None:
        self.at: list[int] = []
        self.sessions: list[Closed] = []

    def add(self, at: int, closed: Closed) -> None:
        """Add one."""
        if len(self.at) >= _MANY and self.at[_MANY // 2] <= at - _REACH_US:
            del self.at[: _MANY // 2], self.sessions[: _MANY // 2]
        self.at.append(at)
        self.sessions.append(closed)

    def within(self, after: int, upto: int = NEVER) -> list[Closed]:
        """Those that closed later than an instant, and up to another one."""
        stop = len(self.at) if upto == NEVER else bisect_right(self.at, upto)
        return self.sessions[bisect_right(self.at, after) : stop]

    def weeks(self, at: int) -> list[list[Closed]]:
        """Those of each of the last five weeks, the latest first."""
        return [self.within(at - WEEK_US * (n + 1), at - WEEK_US * n) for n in range(5)]


def reckon(session: Session, ended: int, gap: int | None) -> Closed:
    """What a session was like; `gap` is the time since the one before closed."""
    bets, first, highest = session.bets_in, session.stake_first, session.stake_max
    deviation = None
    if bets >= 2:
        deviation = sqrt(max(0, bets * session.squares - session.staked * session.staked)) / bets
    # The sign of the least-squares slope is that of its numerator.
    is_rising = bets * session.weighted > session.times * session.staked and first > 0
    is_rising = is_rising and at_least(highest, 5.0 * first)
    depleted = None if session.balance is None or not bets else session.balance < session.stake
    after_loss = int(median(session.gaps_lost)) if session.gaps_lost else None
    after_win = int(median(session.gaps_won)) if session.gaps_won else None
    is_hurrying = after_loss is not None and after_win is not None and after_loss <= 0.5 * after_win
    return Closed(
        lasted=ended - session.start,
        gap=gap,
        bets=bets,
        staked=session.staked,
        lost=session.lost,
        deviation=deviation,
        is_climb=bets >= 10 and is_rising and highest >= 500,
        is_chase=bets >= 5 and session.deposits_in >= 3 and depleted is True and (is_rising or is_hurrying),
        depleted=depleted,
        after_loss=after_loss,
        after_win=after_win,
    )


def account_depletion(p: ByHand, now: Closed, at: int) -> None:
    if not now.depleted:
        return
    known = [each.depleted for each in p.past.within(at - MONTH_US) if each.depleted is not None]
    emptied = sum(known)
    if emptied >= 5 and emptied >= 0.5 * len(known):
        p.held(DEPLETION, at, HIGH if emptied >= 10 else MEDIUM)


def binge(p: ByHand, _: Closed, at: int) -> None:
    past = p.past
    burst = sum(each.lasted for each in past.within(at - 3 * DAY_US) if each.bets)
    if burst < 3 * HOUR_US or any(each.bets for each in past.within(at - 10 * DAY_US, at - 3 * DAY_US)):
        return
    before = [each for each in past.within(at - 38 * DAY_US, at - 10 * DAY_US) if each.bets]
    if len(before) >= 3:
        bouts = sum(each.gap is None or each.gap >= 3 * DAY_US for each in before)
        days = sum(each.gap is None or each.gap >= 12 * HOUR_US for each in before)
        habit = sum(each.lasted for each in before) / max(1, bouts, days / 3)
        if burst >= 3.0 * habit:
            p.held(BINGE, at, HIGH if burst >= 9 * HOUR_US and burst >= 6.0 * habit else MEDIUM)


def chasing(p: ByHand, now: Closed, at: int) -> None:
    if now.is_chase:
        again = sum(each.is_chase for each in p.past.within(at - 2 * WEEK_US)) >= 2
        p.held(CHASING, at, CRITICAL if again else HIGH)


def stake_escalation(p: ByHand, now: Closed, at: int) -> None:
    if now.is_climb:
        climbs = sum(each.is_climb for each in p.past.within(at - WEEK_US))
        if climbs >= 2:
            p.held(STAKES_RISE, at, CRITICAL if climbs >= 6 else HIGH)


def loss_against_habit(p: ByHand, now: Closed, at: int) -> None:
    lost = now.lost
    if not at_least(lost, 10_000):
        return
    upto = at - _SECOND_US
    before = [each.lost for each in p.past.within(upto - 28 * DAY_US, upto) if each.bets]
    count = len(before)
    if count >= 10:
        total = sum(before)
        habit, spread = (
            total / count,
            sqrt(count * sum(each * each for each in before) - total * total) / count,
        )
        if spread and at_least(lost, habit + 3.0 * spread):
            twice = at_least(lost, 50_000) and at_least(lost, habit + 6.0 * spread)
            p.held(LOSS_HABIT, at, HIGH if twice else MEDIUM)


def stake_variability(p: ByHand, _: Closed, at: int) -> None:
    if at - p.first < _HABIT_FROM:
        return
    week = [each.staked for each in p.past.within(at - WEEK_US) if each.bets]
    if len(week) < 3:
        return
    before = [each.staked for each in p.past.within(at - 5 * WEEK_US, at - WEEK_US) if each.bets]
    if len(before) < 6:
        return
    spread, habit = _spread(week), _spread(before)
    if habit > 0 and at_least(spread, 3.0 * habit):
        p.held(STAKES_VARY, at, HIGH if at_least(spread, 6.0 * habit) else MEDIUM)


def erratic_play(p: ByHand, _: Closed, at: int) -> None:
    if at - p.first < _HABIT_FROM:
        return
    weeks = p.past.weeks(at)
    if sum(each.bets >= 10 for each in weeks[0]) < 3:
        return
    jumps, *before = [_mean([each.deviation for each in week]) for week in weeks]
    known = [each for each in before if each is not None]
    if jumps is None or len(known) < len(before):
        return
    habit = sum(known) / len(known)
    deviation = sqrt(sum((each - habit) ** 2 for each in known) / len(known))
    if deviation and at_least(jumps, 2.0 * habit) and at_least((jumps - habit) / deviation, 3.0):
        p.held(ERRATIC, at, MEDIUM)


def speed_after_losses(p: ByHand, _: Closed, at: int) -> None:
    hasty = known = 0
    for each in p.past.within(at - MONTH_US):
        if each.bets >= 20 and each.after_loss is not None and each.after_win is not None:
            known += 1
            hasty += each.after_loss <= 0.9 * each.after_win
    if hasty >= 2 and hasty >= 0.5 * known:
        p.held(SPEED, at, LOW)


def _mean(values: list[float | None]) -> float | None:
    """The mean of what is known."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _spread(values: list[int]) -> float:
    """The standard deviation of some values."""
    count, total = len(values), sum(values)
    return sqrt(count * sum(value * value for value in values) - total * total) / count
