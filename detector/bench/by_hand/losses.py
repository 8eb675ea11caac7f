"""The rules on money lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detector.bench.by_hand.terms import CRITICAL, DAY_US, HIGH, LOW, MONTH_US, WEEK_US, Terms, at_least

if TYPE_CHECKING:
    from detector.bench.by_hand.player import ByHand
    from detector.bench.by_hand.session import Session

BONUS = Terms("bonus-after-loss@1", WEEK_US)
CHURN = Terms("losses-then-churn@1", MONTH_US)
NET_LOSS = Terms("net-loss@1", MONTH_US, MONTH_US)


def net_loss(p: ByHand, _: Any, at: int, __: Session | None) -> None:
    loss = p.play.loss
    day, month = loss(at, 1), loss(at, 30)
    week = min(loss(at, 7), loss(at, 7, WEEK_US), loss(at, 7, 2 * WEEK_US))
    if at_least(day, 100_000) or at_least(month, 300_000) or at_least(week, 95_000):
        p.held(NET_LOSS, at, HIGH)


def bonus_after_loss(p: ByHand, _: Any, at: int, __: Session | None) -> None:
    if p.asked.bonus.count(at - DAY_US) and at_least(p.play.loss(at, 1), 2_000):
        p.held(BONUS, at, CRITICAL if p.asked.bonus.count(at - WEEK_US) >= 2 else HIGH)


def losses_then_churn(p: ByHand, due: int) -> None:
    """A fortnight after the last activity."""
    if due - p.first < 49 * DAY_US:
        return
    lost, usual = p.play.loss(due, 7, 2 * WEEK_US), p.play.loss(due, 28, 3 * WEEK_US) / 4
    if at_least(lost, 10_000) and at_least(lost, 2 * usual):
        p.held(CHURN, due, LOW)
