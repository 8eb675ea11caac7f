"""Taking a player through the moments that the watermark has passed, in strict order of time.

Rules on silence and on sessions are judged here: at each moment on the events up to it, whatever came
later, so that neither the order of arrival within the grace nor the spacing of ticks changes anything.
Events wait in `player.pending` until their turn. Events of one instant come before its moments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from detector.engine.judging import Judged
from detector.players.player import LONG_AGO, MINUTE_US, NEVER, SESSION_GAP_US, Pending, Player, Session


class Kind(Protocol):
    """What settling needs to know of an event's type."""

    type: str
    is_activity: bool
    fold: Callable[..., None] | None
    latest_settled: Sequence[int]


class Settler:
    """Settles players of one engine.

    Parameters
    ----------
    kinds
        Types of event by code.
    silences
        For each length of silence in µs, ascending, the rules judged at it.
    session_rules
        The rules judged at each whole minute of a session.
    judge
        Called with (rule, player, moment, session).
    """

    def __init__(
        self,
        kinds: Sequence[Kind],
        silences: Sequence[tuple[int, Sequence[Judged]]],
        session_rules: Sequence[Judged],
        judge: Callable[[Judged, Player, int, Session | None, None], None],
    ) -> None:
        self.kinds = kinds
        self.silences = silences
        self.session_rules = session_rules
        self.judge = judge

    def settle(self, p: Player, upto_us: int) -> None:
        """Judge what is due up to and including `upto_us`, and set when to look again (`p.wake`)."""
        pending = p.pending
        done, count = 0, len(pending)
        p.blocked = False
        while True:
            moment, session = self._next_moment(p)
            if done < count and pending[done].at <= moment:
                if pending[done].at > upto_us:
                    break
                self._fold(p, pending[done])
                done += 1
                continue
            if moment > upto_us:
                break
            if session is None:
                self._silence(p, moment)
            elif moment >= session.settled_last + SESSION_GAP_US:
                self._close(p, session)
            else:
                following = next((e.at for e in pending[done:] if e.session is session), NEVER)
                closing = session.settled_last + SESSION_GAP_US
                if following <= closing:
                    session.minute += 1
                    for judged in self.session_rules:
                        self.judge(judged, p, moment, session, None)
                elif closing <= upto_us:
                    session.minute = NEVER // MINUTE_US  # it ended before; only its closing is left
                else:
                    # Whether this minute belongs to the session is known when it goes on or closes;
                    # what comes later has to wait, or its order would hang on the spacing of ticks.
                    p.blocked = True
                    p.wake = closing
                    break
        if done:
            del pending[:done]
        if not p.blocked:
            p.wake = self._next_moment(p)[0]
            if pending:
                p.wake = min(p.wake, pending[0].at + MINUTE_US)

    def _next_moment(self, p: Player) -> tuple[int, Session | None]:
        """The next moment that could be due, and the session it belongs to (None: a silence)."""
        moment, session = NEVER, None
        if p.active_at != LONG_AGO and p.silences < len(self.silences):
            moment = p.active_at + self.silences[p.silences][0]
        for running in p.running:
            closing = running.settled_last + SESSION_GAP_US
            if self.session_rules:
                minute = running.settled_start + running.minute * MINUTE_US
                closing = min(minute, closing)
            if closing < moment:
                moment, session = closing, running
        return moment, session

    def _silence(self, p: Player, moment: int) -> None:
        judges = self.silences[p.silences][1]
        p.silences += 1
        if moment < p.break_until or moment < p.excluded_until:
            return
        for judged in judges:
            self.judge(judged, p, moment, None, None)

    @staticmethod
    def _close(p: Player, session: Session) -> None:
        session.settled_open = False
        p.running.remove(session)

    def _fold(self, p: Player, event: Pending) -> None:
        kind = self.kinds[event.code]
        at, session = event.at, event.session
        if session is not None:
            self._of_session(p, session, kind.type, at)
        if kind.fold is not None and event.values is not None:
            kind.fold(p, event.values, at, session, at, 1)
        for slot in kind.latest_settled:
            if p.slots[slot] is None or p.slots[slot] < at:
                p.slots[slot] = at
        if kind.is_activity and at >= p.active_at:
            p.active_at, p.silences = at, 0
            if p.break_until == NEVER:
                p.break_until = at
        elif kind.type == "break_start":
            self._away(p, at)
            p.break_until = max(p.break_until, event.until)
        elif kind.type == "self_exclusion":
            self._away(p, at)
            p.excluded_until = max(p.excluded_until, event.until)
        elif kind.type == "self_exclusion_end":
            p.excluded_until = min(p.excluded_until, at)

    @staticmethod
    def _away(p: Player, at: int) -> None:
        if p.active_at <= at:
            p.active_at = LONG_AGO

    def _of_session(self, p: Player, session: Session, type_: str, at: int) -> None:
        if session.settled_start == NEVER:
            session.settled_start = session.settled_last = at
            p.running.append(session)
        elif session.settled_open and at > session.settled_last:
            session.settled_last = at
        if type_ == "session_start":
            for other in [s for s in p.running if s is not session and s.channel == session.channel]:
                self._close(p, other)
        elif type_ == "session_end" and session.settled_open:
            self._close(p, session)
