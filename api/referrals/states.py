"""Where a referral can go from where it stands: one table, and one function that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from api.referrals.protocol import Standing

State = Literal["offered", Standing]
STATES: tuple[State, ...] = get_args(State)

Step = Literal["moves", "behind", "contradicts"]

_ENDS: frozenset[State] = frozenset(("withdrawn", "expired"))


def _then(*states: State, may_end: bool = True) -> frozenset[State]:
    return frozenset(states) | (_ENDS if may_end else frozenset())


LEGAL: Mapping[State, frozenset[State]] = {
    "offered": _then("consented"),
    "consented": _then("delivered"),
    "delivered": _then("acknowledged"),
    "acknowledged": _then("contacted", "unreachable", "declined"),
    "contacted": _then("closed"),
    "unreachable": _then("contacted", "closed"),
    "declined": _then("closed"),
    "closed": _then(may_end=False),
    "withdrawn": _then(may_end=False),
    "expired": _then(may_end=False),
}
"""From each state, the ones that follow it. The referral is `offered` as long as its prompt is open."""

FINAL: frozenset[State] = frozenset(state for state, after in LEGAL.items() if not after)


def _all_after(state: State) -> frozenset[State]:
    found: set[State] = set()
    waiting = list(LEGAL[state])
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting.extend(LEGAL[each])
    return frozenset(found)


AFTER: Mapping[State, frozenset[State]] = {state: _all_after(state) for state in STATES}
"""From each state, all that can ever follow."""


def step(now: State, said: State) -> Step:
    """What it means that a referral which is `now` is said to be `said`.

    Messages get lost and overtake one another. One that is further on implies what lies between, and
    `moves`; one about what has been passed, or is so already, is `behind`. What has ended stays as it ended.
    Only what can be neither before nor after (`declined` after `contacted`) `contradicts`.

    >>> step("consented", "contacted"), step("contacted", "acknowledged"), step("declined", "contacted")
    ('moves', 'behind', 'contradicts')
    """
    if said in AFTER[now]:
        return "moves"
    if now == said or now in AFTER[said] or now in FINAL:
        return "behind"
    return "contradicts"
