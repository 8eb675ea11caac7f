"""Everything about one type of event that the engine looks up when such an event comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from detector.engine.compile_events import EventFunctions, Weight
from detector.engine.judging import SUMMED, Judged
from detector.engine.plan import Plan
from detector.events.vocabulary import EVENT_TYPES, FIELDS, SESSION_SUMMARY

ACTIVITIES = ("session_start", "deposit", "withdrawal_request", "withdrawal_cancel", "withdrawal", "bet")
TYPES = (*EVENT_TYPES, SESSION_SUMMARY)
"""Every type that rules know, by code."""
AWAY = ("break_start", "self_exclusion", "self_exclusion_end")


@dataclass(slots=True)
class Kind:
    """One type of event; its functions are None where no quantity reads it."""

    type: str
    code: int
    apply: Callable[..., tuple[Any, ...] | None] | None = None
    undo: Callable[..., tuple[bool, bool]] | None = None
    weigh: Callable[..., Weight] | None = None
    exact: int | None = None  # the slot of its exact window
    fold: Callable[..., None] | None = None
    unfold: Callable[..., None] | None = None
    take: Callable[..., Any] | None = None
    judges: list[Judged] = field(default_factory=list)
    latest_live: list[int] = field(default_factory=list)
    latest_settled: list[int] = field(default_factory=list)
    is_activity: bool = False
    is_bet: bool = False
    is_away: bool = False  # a break, an exclusion or its end
    is_timed: bool = False  # silences or settled `since` depend on it, whatever its session
    is_tick: bool = False
    is_shown: bool = False
    has_currency: bool = False
    is_closer: bool = False  # it ends sessions
    is_summed: bool = False  # it goes into the summary of its session
    is_sampled: bool = False  # models are asked where rules on it are judged
    is_labelling: bool = False  # it may say that a player is in trouble
    reads_summaries: bool = False  # some rule judged at it asks for closed sessions


def make_kinds(plan: Plan, functions: Mapping[str, EventFunctions], rules: Sequence[Judged]) -> list[Kind]:
    """Every type that rules know, by its code."""
    shown = {slot.type for slot in plan.slots if slot.kind == "exact"}
    kinds = [Kind(type_, code) for code, type_ in enumerate(TYPES)]
    for kind in kinds:
        made = functions.get(kind.type)
        if made is not None:
            kind.apply, kind.undo, kind.weigh = made.apply, made.undo, made.weigh
            kind.fold, kind.unfold, kind.take = made.fold, made.unfold, made.take
        kind.judges = [judged for judged in rules if kind.type in judged.rule.trigger.events]
        kind.reads_summaries = any(judged.live_summaries for judged in kind.judges)
        kind.is_activity = kind.type in ACTIVITIES
        kind.is_bet = kind.type == "bet"
        kind.is_closer = plan.summaries and kind.type in ("session_start", "session_end")
        kind.is_summed = plan.summaries and kind.type in ("bet", "deposit")
        kind.is_away = kind.type in AWAY
        kind.is_tick = kind.type == "tick"
        kind.is_sampled = kind.type == "deposit"
        kind.is_labelling = kind.type in ("contact", "self_exclusion")
        kind.is_shown = kind.type in shown or (bool(kind.judges) and not kind.is_bet)
        if plan.summaries and kind.type in SUMMED and not kind.is_bet:
            kind.is_shown = True
        kind.has_currency = "currency" in FIELDS.get(kind.type, ())
        for number, slot in enumerate(plan.slots):
            if slot.type != kind.type:
                continue
            if slot.kind == "exact":
                kind.exact = number
            elif slot.kind == "latest":
                (kind.latest_settled if slot.settled else kind.latest_live).append(number)
        kind.is_timed = kind.is_activity or kind.is_away or bool(kind.latest_settled)
    return kinds
