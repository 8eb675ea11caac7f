"""Corrections: taking a target out of everything that still reaches it, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from detector.engine.judging import Judges
from detector.engine.kinds import Kind
from detector.engine.plan import Plan
from detector.engine.summing import Summaries
from detector.engine.surroundings import Surroundings
from detector.events.identity import identity
from detector.events.instants import micros
from detector.events.vocabulary import AnyEvent, Event
from detector.players.player import Pending, Player, Session
from detector.players.seen import MEMORY_US
from detector.players.sessions import session_went_to

MANY = 64
"""From how many targets on those that nothing reaches any more are forgotten."""


class Corrections:
    """Undoes targets for one engine.

    Parameters
    ----------
    kinds
        What is known of each type of event.
    line_up
        Called with (player, what waits), to let the settled side follow at the correction's own time.
    """

    def __init__(
        self,
        kinds: Mapping[type[Event], Kind],
        plan: Plan,
        around: Surroundings,
        summaries: Summaries | None,
        judges: Judges,
        line_up: Callable[[Player, Pending], None],
    ) -> None:
        self.kinds = kinds
        self.plan = plan
        self.around = around
        self.summaries = summaries
        self.judges = judges
        self.line_up = line_up

    def undo(
        self, p: Player, carrier: AnyEvent, target: str, carried: AnyEvent, turn: int, low_us: int
    ) -> None:
        """Take a target out of the windows that still reach it, once.

        `turn` is the correction's own time, `low_us` how far back moments may still be judged.
        """
        counts = self.around.counts
        name = identity(carrier.source, target)
        at = micros(carried.ts)
        if p.undone is None:
            p.undone = {}
        if name in p.undone:
            counts.undone_twice += 1
            return
        self._forget(p)
        p.undone[name] = at
        # One older than what is remembered is taken to have arrived.
        self.around.arrived = at <= p.clock - MEMORY_US or p.seen.knows(name, p.clock)
        if not self.around.arrived:
            if p.awaited is None:
                p.awaited = {}
            p.awaited[name] = turn
            return
        counts.undone += 1
        kind = self.kinds[type(carried)]
        session = session_went_to(p, carried, at)
        if kind.is_summed and self.summaries is not None:
            self.summaries.take_back(p, carried, at, session, turn)  # type: ignore[arg-type]
        if kind.undo is not None:
            self.around.turn_us = max(turn, at)
            missed, kept = kind.undo(p, carried, at, session, min(p.clock, low_us), self.around)
            counts.undo_missed += missed
            counts.not_undoable += kept
            self.retract(p, kind, carried, at, session, turn)
        if p.recent is not None:
            p.recent = [(*known[:3], turn) if known[2] == target else known for known in p.recent]
        self.judges.note(p, kind.type, carrier.id)

    def _forget(self, p: Player) -> None:
        if p.undone is None or len(p.undone) < MANY or self.plan.lifetime:
            return
        limit = p.clock - max(self.plan.reach_us, MEMORY_US)
        p.undone = {known: when for known, when in p.undone.items() if when > limit}
        if p.awaited:
            p.awaited = {known: when for known, when in p.awaited.items() if when > limit}

    def retract(
        self, p: Player, kind: Kind, target: AnyEvent, at: int, session: Session | None, turn: int
    ) -> None:
        """Let the settled side lose a target when the correction's own time has come, and not before."""
        if not self.plan.timed or kind.weigh is None:
            return
        turn = max(turn, at)
        values, numbers, picks = kind.weigh(p, target, at, session, self.around)
        if numbers is not None and kind.exact is not None:
            p.retracted = [*(p.retracted or ()), (turn, at, kind.exact, numbers, picks)]
        elif values is None:
            return
        self.line_up(p, (turn, -1 - kind.code, session, values, at))
