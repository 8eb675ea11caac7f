"""The rules on money paid in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detector.bench.by_hand.terms import (
    CRITICAL,
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
from detector.bench.by_hand.windows import History, Named

if TYPE_CHECKING:
    from detector.bench.by_hand.player import ByHand
    from detector.bench.by_hand.session import Session
    from detector.events.vocabulary import Deposit, DepositFailed, Withdrawal

CANCELLED = Terms("cancelled-withdrawals@2", WEEK_US, WEEK_US)
EARLY = Terms("early-intensity@2", WEEK_US)
ESCALATION = Terms("deposit-escalation@2", WEEK_US)
FAILED = Terms("failed-deposits@2", DAY_US, WEEK_US)
FREQUENCY = Terms("deposit-frequency@2", WEEK_US)
METHODS = Terms("payment-methods@1", MONTH_US, MONTH_US)
NET_DEPOSIT = Terms("net-deposit@1", MONTH_US, MONTH_US)
RATIO = Terms("deposit-withdrawal-ratio@1", 90 * DAY_US, 90 * DAY_US)
WITHIN_SESSION = Terms("deposits-within-session@2", DAY_US, WEEK_US)


class Paid:
    """A player's payments, made with the first of them."""

    __slots__ = ("cancelled", "failed", "failed_methods", "ins", "methods", "outs")

    def __init__(self) -> None:
        self.ins = History(90 * DAY_US)
        self.outs = History(90 * DAY_US)
        self.methods = Named(MONTH_US)
        self.failed = History(DAY_US)
        self.failed_methods = Named(HOUR_US)
        self.cancelled = History(WEEK_US)


def take_deposit(p: ByHand, event: Deposit, at: int, session: Session | None) -> None:
    """Remember a deposit."""
    p.paid.ins.add(at, event.amount)
    if event.method is not None:
        p.paid.methods.add(at, event.method)
    if session is not None:
        session.deposit(event)


def take_failed(p: ByHand, event: DepositFailed, at: int, _: Session | None) -> None:
    """Remember a deposit that failed."""
    p.paid.failed.add(at)
    if event.method is not None:
        p.paid.failed_methods.add(at, event.method)


def take_withdrawal(p: ByHand, event: Withdrawal, at: int, _: Session | None) -> None:
    """Remember money paid out."""
    p.paid.outs.add(at, event.amount)


def take_cancelled(p: ByHand, _: Any, at: int, __: Session | None) -> None:
    """Remember a withdrawal taken back."""
    p.paid.cancelled.add(at)


def cancelled_withdrawals(p: ByHand, _: Any, at: int, __: Session | None) -> None:
    count = p.paid.cancelled.count(at - WEEK_US)
    if count >= 2:
        p.held(CANCELLED, at, CRITICAL if count >= 4 else HIGH)


def failed_deposits(p: ByHand, _: Any, at: int, __: Session | None) -> None:
    declined = p.paid.failed.count(at - DAY_US)
    if declined >= 3:
        p.held(FAILED, at, CRITICAL if declined >= 6 else HIGH)


def deposit_frequency(p: ByHand, _: Any, at: int, __: Session | None) -> None:
    count = p.paid.ins.count
    day = count(at - DAY_US)
    beyond = any(
        limit is not None and count(at - _PERIODS[period]) > limit for period, limit in p.count_limits.items()
    )
    if day >= 5 or beyond:
        p.held(FREQUENCY, at, HIGH if day >= 5 and beyond else MEDIUM)


_PERIODS = {"24h": DAY_US, "7d": WEEK_US, "month": MONTH_US}


def deposit_escalation(p: ByHand, _: Any, at: int, __: Session | None) -> None:
    if at - p.first < 35 * DAY_US:
        return
    recent, *before = p.paid.ins.sums(at, WEEK_US, 5)
    bar = max(20_000, 2.0 * (sum(before) / 4), 1.5 * max(before))
    if at_least(recent, bar):
        p.held(ESCALATION, at, CRITICAL if at_least(recent, 2 * bar) else HIGH)


def deposits_within_session(p: ByHand, _: Any, at: int, session: Session | None) -> None:
    if session is None or session.deposits < 3:
        return
    within = min(session.deposits, p.paid.ins.count(at - DAY_US))
    if within >= 3:
        p.held(WITHIN_SESSION, at, CRITICAL if within >= 6 else HIGH)


def early_intensity(p: ByHand, _: Any, at: int, session: Session | None) -> None:
    if at - p.first >= WEEK_US:
        return
    after = at - WEEK_US
    count, paid = p.paid.ins.count(after), p.paid.ins.sum(after)
    if count < 6 or not at_least(paid, 30_000):
        return
    within = 0 if session is None else session.deposits
    if within >= 3 or at_least(sum(each.lost for each in p.past.within(after)), 20_000):
        p.held(EARLY, at, CRITICAL if count >= 12 and at_least(paid, 150_000) else HIGH)


def net_deposit(p: ByHand, _: Any, at: int, __: Session | None) -> None:
    net = p.paid.ins.sum(at - MONTH_US) - p.paid.outs.sum(at - MONTH_US)
    if at_least(net, 110_000):
        p.held(NET_DEPOSIT, at, HIGH if at_least(net, 220_000) else MEDIUM)


def deposit_withdrawal_ratio(p: ByHand, _: Any, at: int, __: Session | None) -> None:
    after = at - 90 * DAY_US
    count = p.paid.ins.count(after)
    if count < 26 or at - p.first < MONTH_US:
        return
    if at_least(p.paid.ins.sum(after), 10 * p.paid.outs.sum(after)):
        p.held(RATIO, at, HIGH if count >= 52 else MEDIUM)


def payment_methods(p: ByHand, _: Any, at: int, __: Session | None) -> None:
    paid = p.paid
    methods = paid.methods.distinct(at - MONTH_US)
    if methods < 3:
        earlier = paid.methods.distinct(at - MONTH_US, at - HOUR_US)
        used, declined = paid.methods.last(at - HOUR_US), paid.failed_methods.last(at - HOUR_US)
        if not (1 <= earlier < methods) or used is None or declined is None or used == declined:
            return
    p.held(METHODS, at, HIGH if methods >= 6 else MEDIUM if methods >= 3 else LOW)
