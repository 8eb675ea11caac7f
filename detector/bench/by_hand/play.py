"""The rules on when, how long and on what somebody plays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detector.bench.by_hand.terms import (
    DAY_US,
    HIGH,
    HOUR_US,
    LOW,
    MEDIUM,
    MONTH_US,
    WEEK_US,
    Terms,
    at_least,
)
from detector.events.instants import QUARTER_US, micros

if TYPE_CHECKING:
    from detector.bench.by_hand.closing import Closed
    from detector.bench.by_hand.player import ByHand
    from detector.bench.by_hand.session import Session
    from detector.events.vocabulary import Bet

ACTIVE_DAYS = Terms("active-days@1", MONTH_US, MONTH_US)
BREADTH = Terms("product-breadth@1", MONTH_US)
DAILY = Terms("daily-play-time@1", WEEK_US, WEEK_US)
LONG = Terms("long-session@2", WEEK_US, WEEK_US)
NIGHT = Terms("night-play@2", WEEK_US, MONTH_US)
RISKIER = Terms("riskier-product@1", MONTH_US)


def take_bet(p: ByHand, event: Bet, at: int, session: Session | None) -> None:
    """Remember a bet."""
    if session is not None:
        session.bet(event, at)
    p.play.add(at, event.stake - event.payout, event.product)
    placed = at if event.placed_at is None else micros(event.placed_at)
    here = p.here
    if here[0] != placed // QUARTER_US:
        here = p.look_around(event, placed)
    p.nights.add(at, event.stake, here[1], here[2])
    p.days.add(at, here[2])


def night_play(p: ByHand, _: Any, at: int, __: Session | None) -> None:
    nights = p.nights
    count = len(nights.dates)
    if count >= 6 and at_least(nights.night, 0.3 * nights.staked):
        p.held(NIGHT, at, HIGH if count >= 12 else MEDIUM)


def product_breadth(p: ByHand, _: Any, at: int, __: Session | None) -> None:
    if len(p.play.products) < 3 or at - p.first < 37 * DAY_US:
        return
    kinds, habit = p.play.kinds(at, 7), p.play.kinds(at, 30, WEEK_US)
    if habit >= 1 and kinds >= habit + 2:
        p.held(BREADTH, at, HIGH if kinds >= habit + 4 else MEDIUM)


def riskier_product(p: ByHand, _: Any, at: int, __: Session | None) -> None:
    play = p.play
    if at - p.first < 31 * DAY_US or play.fast_bets(at, 1) < 10 or play.fast_bets(at, 30, DAY_US):
        return
    if at_least(play.slow_loss(at, 7), 2_000):
        p.held(RISKIER, at, MEDIUM)


def long_session(p: ByHand, session: Session, moment: int, bets: int) -> None:
    """At each whole minute of a session from its first hour on."""
    if bets:
        playing = moment - session.start
        level = HIGH if playing >= 6 * HOUR_US else MEDIUM if playing >= 3 * HOUR_US else LOW
        p.held(LONG, moment, level)


def daily_play_time(p: ByHand, _: Closed, at: int) -> None:
    played = [each.lasted for each in p.past.within(at - DAY_US) if each.bets]
    if len(played) >= 2 and sum(played) > 6 * HOUR_US:
        p.held(DAILY, at, HIGH if sum(played) > 12 * HOUR_US else MEDIUM)


def active_days(p: ByHand, _: Any, at: int, __: Session | None) -> None:
    if p.days.count(at) >= 25:
        p.held(ACTIVE_DAYS, at, MEDIUM)
