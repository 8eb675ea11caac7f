"""The rules on limits, breaks and what somebody writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UnsetType

from detector.bench.by_hand.terms import (
    CRITICAL,
    DAY_US,
    HIGH,
    HOUR_US,
    LOW,
    MEDIUM,
    MINUTE_US,
    MONTH_US,
    NEVER,
    WEEK_US,
    Terms,
)
from detector.bench.by_hand.windows import History

if TYPE_CHECKING:
    from detector.bench.by_hand.player import ByHand
    from detector.bench.by_hand.session import Session
    from detector.events.vocabulary import Contact, LimitChange, LimitReached

DISTRESS = Terms("distress-contact@1", 2 * DAY_US, HOUR_US)
EXCLUSION = Terms("self-exclusion-request@2", MONTH_US, 15 * MINUTE_US)
RAISES = Terms("limit-raises@1", MONTH_US, MONTH_US)
REACHED = Terms("limit-reached@1", MONTH_US, MONTH_US)
RETURN = Terms("return-after-break@1", 90 * DAY_US)

_HALF_YEAR_US = 180 * DAY_US


class Asked:
    """What a player wrote, limited and asked for, made with the first of it."""

    __slots__ = ("bonus", "breaks", "distress", "excluded", "nearly", "raised", "reached", "returned")

    def __init__(self) -> None:
        self.bonus = History(WEEK_US)
        self.breaks = History(_HALF_YEAR_US)
        self.distress = History(2 * DAY_US)
        self.nearly = History(MONTH_US)
        self.raised = History(MONTH_US)
        self.reached = History(MONTH_US)
        self.excluded = self.returned = -NEVER


_DISTRESS = ("distress", "financial_strain", "threat")


def take_contact(p: ByHand, event: Contact, at: int, _: Session | None) -> None:
    """Remember what was written about."""
    if event.topic in _DISTRESS:
        p.asked.distress.add(at)
    elif event.topic == "bonus_request":
        p.asked.bonus.add(at)


def take_limit(p: ByHand, event: LimitChange, at: int, _: Session | None) -> None:
    """Remember a limit on the number of deposits, and whether a limit was raised or removed."""
    old, new = event.old, event.new
    if event.limit == "deposit_count" and event.period is not None and not isinstance(new, UnsetType):
        p.count_limits[event.period] = new
    if isinstance(old, int) and not (isinstance(new, int) and new <= old):
        p.asked.raised.add(at)


def take_reached(p: ByHand, event: LimitReached, at: int, _: Session | None) -> None:
    """Remember a limit reached, or nearly."""
    share = 1.0 if event.share is None else event.share
    if share >= 0.8 - 1e-9 * 0.8:
        p.asked.nearly.add(at)
    if share >= 1.0 - 1e-9:
        p.asked.reached.add(at)


def distress_contact(p: ByHand, _: Any, at: int, __: Session | None) -> None:
    if p.asked.distress.count(at - 2 * DAY_US):
        p.held(DISTRESS, at, CRITICAL)


def self_exclusion_request(p: ByHand, _: Any, at: int, __: Session | None) -> None:
    p.held(EXCLUSION, at, CRITICAL)


def limit_raises(p: ByHand, _: Any, at: int, __: Session | None) -> None:
    if p.asked.raised.count(at - MONTH_US) >= 2:
        p.held(RAISES, at, HIGH)


def limit_reached(p: ByHand, _: Any, at: int, __: Session | None) -> None:
    if p.asked.nearly.count(at - MONTH_US) >= 3:
        p.held(REACHED, at, MEDIUM if p.asked.reached.count(at - MONTH_US) >= 5 else LOW)


def return_after_break(p: ByHand, _: Any, at: int, __: Session | None) -> None:
    if not p.stopped:
        return
    asked, paid = p.asked, p.paid.ins.times
    deposit = paid[-1] if paid else -NEVER
    began = asked.breaks.times[-1] if asked.breaks.times else -NEVER
    has_stopped = at - began < _HALF_YEAR_US and (at - began >= DAY_US or deposit > began)
    excluded = asked.excluded
    is_excluded = excluded > asked.returned and (at - excluded >= DAY_US or deposit > excluded)
    if is_excluded or at - asked.returned < 90 * DAY_US:
        is_breach = is_excluded and at - excluded < _HALF_YEAR_US and deposit > excluded
        p.held(RETURN, at, CRITICAL if is_breach else HIGH)
    elif has_stopped:
        p.held(RETURN, at, MEDIUM if asked.breaks.count(at - _HALF_YEAR_US) >= 2 else LOW)
