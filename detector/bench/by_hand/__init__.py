"""The Ontario pack as a capable programmer would write it by hand: the peers' side.

Lists, running totals and dicts, one object a player, with the windows (tiles for bets), sessions, silences,
closings and episodes of the engine: on a log in order it has to find the same alerts, and a test sees to
that. A rule is a function here.

Left out is what such a log does not need: repeats, late events, corrections, money in several currencies,
and putting the minutes of a player's simultaneous sessions in one order. So are the score, the text and the
evidence of alerts. Moments (silences, minutes and closings of sessions) are judged on the player's next
event, and at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from detector.bench.by_hand import closing, deposits, losses, play, tools
from detector.bench.by_hand.player import ByHand
from detector.bench.by_hand.terms import Found, Terms
from detector.events.instants import micros, rfc3339_ms
from detector.events.vocabulary import AnyEvent
from detector.language.rule import SEVERITIES

__all__ = ["RULES", "ByHand", "End", "Found", "Rules", "Told", "settled"]

RULES = frozenset(
    terms.rule
    for module in (closing, deposits, losses, play, tools)
    for terms in vars(module).values()
    if isinstance(terms, Terms)
)
"""The rules, and the versions of them, that are written out here."""
TIMED = frozenset(
    terms.rule
    for terms in (
        closing.BINGE,
        closing.CHASING,
        closing.DEPLETION,
        closing.ERRATIC,
        closing.LOSS_HABIT,
        closing.SPEED,
        closing.STAKES_RISE,
        closing.STAKES_VARY,
        losses.CHURN,
        play.DAILY,
        play.LONG,
    )
)
"""Those judged at moments rather than at events."""

Told = tuple[str, str, str, str, str]
"""What an alert is known by, as its JSON has it: player, rule, kind, severity, opened_at."""


@dataclass(slots=True)
class End:
    """Stands after a player's last event: time has passed up to here (µs since the epoch)."""

    watermark_us: int


class Rules:
    """The rules over all players, in the shape that a stream engine wants them.

    Attributes
    ----------
    players
        Everyone who has a state: each is owed an `End`.
    """

    def __init__(self) -> None:
        self.players: list[str] = []

    def step(self, state: ByHand | None, event: AnyEvent | End) -> tuple[ByHand, Sequence[Found]]:
        """A player's state and what comes next in, the state and what was found out."""
        if type(event) is End:
            assert state is not None
            state.end(event.watermark_us)
        else:
            if state is None:
                state = ByHand(event.player, micros(event.ts))  # type: ignore[union-attr]
                self.players.append(state.player)
            state.on(event)  # type: ignore[arg-type]
        if not state.found:
            return state, ()
        found, state.found = state.found, []
        return state, found


def settled(found: Iterable[Found], watermark_us: int) -> list[Told]:
    """What stands once time has come to the watermark, sorted: moments beyond it are not yet to be judged."""
    return sorted(
        (each.player, each.rule, each.kind, SEVERITIES[each.severity], rfc3339_ms(each.opened_us))
        for each in found
        if each.rule not in TIMED or each.opened_us <= watermark_us
    )
