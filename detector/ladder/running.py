"""What a player's platform has been asked for already, so that it is not asked again and again.

Alerts come in crowds: a second rule holds minutes after the first, a third escalates. Each would ask for the
same things once more, and the player would be shown as many messages. What is decided here depends on the
alerts alone, in their order, so that it comes out the same after a restart; whether the platform has done
what it was asked for is not its business, for what is undone stays due anyway.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from detector.ladder.actions import HOLDING
from detector.ladder.interventions import Intervention
from detector.ladder.ladder import Ladder


class Running(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The latest intervention of an action: its level, when it was asked for, how long it holds.

    `ends_us` is 0 for what is done and over: a message is not in force until it may no longer be shown.
    """

    level: str
    asked_us: int
    ends_us: int


def settle(
    proposed: Iterable[Intervention], running: dict[str, Running], ladder: Ladder
) -> list[Intervention]:
    """Return those of one player's interventions, in the order of their alerts, that the platform is sent.

    An action is sent if it was not asked for lately (the ladder's `again`) or is not in force any longer; if
    it comes at a higher level than the one in force; or if it would hold longer than the one in force, but no
    sooner than `again` after it.

    Parameters
    ----------
    running
        Action → what is running; brought up to date.
    """
    sent = []
    for intervention in proposed:
        before = running.get(intervention.action)
        again_us = ladder.jurisdiction(intervention.jurisdiction).again_us
        if before is None or _is_news(intervention, before, again_us):
            sent.append(intervention)
            running[intervention.action] = Running(
                intervention.level, intervention.opened_us, _holds_until_us(intervention)
            )
    return sent


def _holds_until_us(intervention: Intervention) -> int:
    return (intervention.ends_us or 0) if intervention.action in HOLDING else 0


def _is_news(intervention: Intervention, before: Running, again_us: int) -> bool:
    at_us = intervention.opened_us
    lately = at_us - before.asked_us < again_us
    if lately or at_us < before.ends_us:
        if intervention.level > before.level:
            return True
        return not lately and _holds_until_us(intervention) > before.ends_us
    return True


def forget(running: dict[str, Running], now_us: int, again_us: int) -> None:
    """Drop what is over and was not asked for lately: it decides nothing any more."""
    for action, each in list(running.items()):
        if each.ends_us <= now_us and now_us - each.asked_us >= again_us:
            del running[action]
