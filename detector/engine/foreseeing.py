"""Looking ahead: a player as everything due by the player's clock leaves them, judged on what has arrived.

The watermark may still be on its way there: what a rule or a score sees must not hang on how far it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from detector.engine.alarms import Alarms
from detector.engine.judging import Judged, Judges
from detector.engine.records import Records
from detector.engine.settling import Settler
from detector.engine.summing import Summaries
from detector.engine.surroundings import Counts
from detector.players.player import Player, Session


class Foresight:
    """Looks ahead for one engine; what comes of it is seen on a copy of the player alone."""

    def __init__(
        self,
        records: Records,
        settler: Settler,
        alarms: Alarms,
        judges: Judges,
        counts: Counts,
        grace_us: int,
    ) -> None:
        self.records = records
        self.settler = settler
        self.alarms = alarms
        self.judges = judges
        self.counts = counts
        self.grace_us = grace_us

    def of(self, p: Player) -> Player:
        """A copy for which all moments up to the player's clock have been judged."""
        self._catch_up(p)
        view = self.records.read(p.key, self.records.write(p))
        with self.judges.muted():
            unrated = self.counts.unrated
            self.settler.settle(view, p.clock, final=True)
            self.counts.unrated = unrated
        return view

    def closed(self, p: Player, session: Session | None) -> tuple[Player, Session | None]:
        """The player and the session with every session summed up that is over by the clock."""
        if not Summaries.any_closed(p, p.clock):
            return p, session
        view = self.of(p)
        return view, None if session is None else view.sessions.get(session.key)

    def seen(
        self, p: Player, session: Session | None, judges: Sequence[Judged]
    ) -> tuple[Player, Session | None]:
        """The player and the session as rules see them that ask for sessions closed by the clock."""
        for judged in judges:
            if judged.live_summaries and judged.functions.gate(p, p.clock, session) is not False:
                return self.closed(p, session)
        return p, session

    def _catch_up(self, p: Player) -> None:
        """Judge what is due a grace before the player's own clock, which the watermark has passed for sure.

        Ticks may be long in coming; without this each look ahead would begin where the last one left off.
        """
        safe_us = p.clock - self.grace_us
        if p.wake > safe_us:
            return
        made, self.judges.made = self.judges.made, []
        self.settler.settle(p, safe_us)
        self.judges.made = made
        self.alarms.arm(p)
