"""What waits for the watermark: events until it has passed them, players until a moment of theirs is due."""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter
from typing import Any

from detector.engine.alarms import Alarms
from detector.engine.kinds import Kind
from detector.engine.roster import Roster
from detector.engine.settling import Settler
from detector.events.instants import micros
from detector.events.vocabulary import AnyEvent
from detector.players.player import MINUTE_US, NEVER, Pending, Player, Session

_at = itemgetter(0)


class Waiting:
    """Has the players of one engine settled when it is time."""

    def __init__(self, roster: Roster, settler: Settler, alarms: Alarms) -> None:
        self.roster = roster
        self.settler = settler
        self.alarms = alarms

    def add(
        self,
        p: Player,
        event: AnyEvent,
        kind: Kind,
        at: int,
        session: Session | None,
        values: tuple[Any, ...] | None,
    ) -> None:
        """Let an event wait until the watermark passes it, if a moment's rule may ask for it."""
        if session is None and values is None and not kind.is_timed:
            return
        until = NEVER
        if kind.is_away and event.until is not None:  # type: ignore[union-attr]  # such have one
            until = micros(event.until)  # type: ignore[union-attr]  # as above
        waiting = (at, kind.code, session, values, until)
        if not self.settler.fold_now(p, waiting):
            self.line_up(p, waiting)
        wait = 0 if kind.is_closer else MINUTE_US
        if p.blocked or p.wake > at + wait:
            self.alarms.after(p, at, wait)

    def line_up(self, p: Player, waiting: Pending) -> None:
        """Put an event, or a correction, where its time belongs among those that wait."""
        pending, at = p.pending, waiting[0]
        if pending and at < pending[-1][0]:
            pending.insert(bisect_right(pending, at, key=_at), waiting)
        else:
            pending.append(waiting)
        if p.wake > at + MINUTE_US or p.blocked:
            self.alarms.after(p, at, MINUTE_US)

    def tick(self, watermark_us: int) -> None:
        """Settle every player for whom something is due up to a watermark."""
        self.alarms.ticked_us = watermark_us
        while (alarm := self.alarms.next()) is not None:
            due, key, stood = alarm
            p = self.roster[key]
            if p.wake > watermark_us:
                if stood:
                    self.alarms.arm(p)
                continue
            if p.wake != due and not stood:
                continue
            self.settler.settle(p, watermark_us)
            self.roster.touch(p)
            self.alarms.arm(p)

    def finish(self, watermark_us: int) -> None:
        """Settle those who still wait to know whether a session goes on: nothing comes any more."""
        for key in self.alarms.players():
            if self.roster.is_at_rest(key):
                continue
            p = self.roster[key]
            if p.blocked or p.wake <= watermark_us:
                self.settler.settle(p, watermark_us, final=True)
