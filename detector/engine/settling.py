"""Taking a player through the moments that the watermark has passed, in strict order of time.

Rules on silence and on sessions are judged here: at each moment on the events up to it, whatever came
later, so that neither the order of arrival within the grace nor the spacing of ticks changes anything.
Events wait in `player.pending` until their turn. Events of one instant come before its moments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from detector.engine.judging import Judged, Judges
from detector.engine.kinds import Kind
from detector.engine.plan import Plan, is_closing
from detector.players.player import LONG_AGO, MINUTE_US, NEVER, SESSION_GAP_US, Pending, Player, Session
from detector.windows.exact import Series

_SILENCE, _MINUTE, _OVER, _CLOSING = range(4)


class Settler:
    """Settles players of one engine.

    Parameters
    ----------
    kinds
        Types of event by code.
    sum_up
        Called with (player, session, moment) when a session closes; None where no rule asks for summaries.
    judged
        Called with (player, moment) when all rules of a moment have been judged.
    sample
        Called with (player, moment, session) when a session has closed, before rules are judged; None
        without models.

    Attributes
    ----------
    silences
        For each length of silence in µs, ascending, the rules judged at it.
    session_rules
        The rules judged at each whole minute of a session.
    closing_rules
        The rules judged when a session closes.
    eager
        Whether an event may be folded on arrival where no moment before it is open: session rules then read
        no window but their session's, whose totals are kept for each minute still open.
    marking
        Whether session rules read their session's totals.
    first_minute
        The first minute of a session at which any rule can hold.
    """

    def __init__(
        self,
        kinds: Sequence[Kind],
        plan: Plan,
        judges: Judges,
        sum_up: Callable[[Player, Session, int], None] | None,
        judged: Callable[[Player, int], None],
        sample: Callable[[Player, int, Session], None] | None,
    ) -> None:
        self.kinds = kinds
        self.judge = judges.judge
        self.sum_up = sum_up
        self.judged = judged
        self.sample = sample
        rules = judges.rules
        self.silences = [
            (length_us, [each for each in rules if each.rule.trigger.silence_us == length_us])
            for length_us in plan.silences
        ]
        self.session_rules = [each for each in rules if each.rule.trigger.during_session]
        self.closing_rules = [each for each in rules if is_closing(each.rule)]
        self.eager = plan.eager
        self.marking = bool(plan.session_settled)
        self.first_minute = plan.first_minute
        self.start_code = next(code for code, kind in enumerate(kinds) if kind.type == "session_start")

    def settle(self, p: Player, upto_us: int, *, final: bool = False) -> None:
        """Judge what is due up to and including `upto_us`, and set when to look again (`p.wake`).

        `final` says that no further event comes: what is not known to belong to a session does not.
        """
        pending = p.pending
        done, count = 0, len(pending)
        p.blocked = False
        while True:
            moment, what, session = self._next_moment(p)
            turn = min(moment, upto_us)
            folded = done
            while done < count and pending[done][0] <= turn:
                event = pending[done]
                done += 1
                if not self._fold(p, event):
                    break
            # What was folded can only have put the moment off, unless it was more than a bet.
            if folded != done:
                continue
            if moment > upto_us:
                break
            if session is None:
                self._silence(p, moment)
            elif what == _OVER:
                self._close(p, session, moment)
            elif what == _CLOSING:
                self._closing(p, session, moment)
            elif moment <= session.settled_last:
                self._minute(p, session, moment)
            else:
                following, end = self._outlook(pending[done:], session)
                if following <= end and (following <= upto_us or final):
                    self._minute(p, session, moment)
                elif end < following and (end <= upto_us or final):
                    session.minute = NEVER // MINUTE_US  # it ended before; only its closing is left
                else:
                    # Whether this minute belongs to the session is known when it goes on or ends; what
                    # comes later has to wait, or its order would hang on the spacing of ticks.
                    p.blocked = True
                    p.wake = min(following, end)
                    break
        if done:
            del pending[:done]
        if p.started and p.started[0][0] <= upto_us:
            p.started = [each for each in p.started if each[0] > upto_us]
        if not p.blocked:
            p.wake = moment
            if pending:
                p.wake = min(p.wake, pending[0][0] + (0 if self.sum_up is not None else MINUTE_US))

    def _outlook(self, waiting: list[Pending], session: Session) -> tuple[int, int]:
        """(when its next event is, when it ends if there is none before), as far as one can see."""
        end = min(session.settled_last + SESSION_GAP_US, session.ends_by)
        for at, code, belongs, _, _ in waiting:
            if belongs is session and code >= 0:
                return at, end
            if code == self.start_code and belongs is not None and belongs.channel == session.channel:
                return NEVER, min(at, end)
        return NEVER, end

    def fold_now(self, p: Player, event: Pending) -> bool:
        """Put an event into the settled windows on arrival, if no moment before it can still come.

        False, and nothing done, where it has to wait for the watermark: moments at or before it are open, or
        an event that is on its way could change what it does.
        """
        at, code, session, _, _ = event
        kind = self.kinds[code]
        if not self.eager or p.pending or kind.is_away or at < p.active_at:
            return False
        running = p.active_at != LONG_AGO and p.silences < len(self.silences)
        if running and at > p.active_at + self.silences[p.silences][0]:
            return False
        if session is not None:
            if session.settled_start == NEVER:
                # Its start may still be on its way, and so may events of one that this would end.
                if kind.type != "session_start" or any(other.settled_open for other in p.running):
                    return False
            elif not (session.settled_open and 0 <= at - session.settled_last <= SESSION_GAP_US):
                return False
        if session is not None and kind.type == "session_start":
            # A session whose first event is still on its way, and began before, ends at this.
            p.started = [*p.started, (at, session.channel, session.key)]
        self._fold(p, event)
        return True

    def _judge(
        self,
        rules: Sequence[Judged],
        p: Player,
        moment: int,
        session: Session | None,
        sample: Callable[[Player, int, Session], None] | None = None,
    ) -> None:
        # What was corrected after the moment is, at the moment, still there.
        back = [row for row in p.retracted or () if row[0] > moment]
        for _, at, slot, numbers, picks in back:
            if p.slots[slot] is None:
                p.slots[slot] = Series(len(numbers))
            p.slots[slot].add(at, numbers, picks, LONG_AGO)
        if sample is not None and session is not None:
            sample(p, moment, session)
        for judged in rules:
            self.judge(judged, p, moment, session, None)
        for _, at, slot, numbers, picks in back:
            p.slots[slot].remove(at, numbers, picks, (range(len(numbers)), range(len(picks or ()))))
        self.judged(p, moment)

    def _minute(self, p: Player, session: Session, moment: int) -> None:
        session.minute += 1
        if self.marking:
            session.look(moment)
        self._judge(self.session_rules, p, moment, session)
        if not session.settled_open:
            self._retire(p, session)

    def _next_moment(self, p: Player) -> tuple[int, int, Session | None]:
        """(the next moment that could be due, what it is, the session it belongs to).

        At one instant silences come before minutes of sessions, and these before closings; of two sessions
        the one that began first.
        """
        moment, what, session = NEVER, _SILENCE, None
        if p.active_at != LONG_AGO and p.silences < len(self.silences):
            moment = p.active_at + self.silences[p.silences][0]
        for running in p.running:
            if running.settled_open:
                first, of = min(running.settled_last + SESSION_GAP_US, running.ends_by), _OVER
            else:
                first, of = running.closing, _CLOSING
            if self.session_rules:
                minute = running.settled_start + running.minute * MINUTE_US
                on = running.settled_open or minute <= running.settled_last
                if on and (minute < first or (minute == first and of == _CLOSING)):
                    first, of = minute, _MINUTE
            if first < moment or (
                first == moment
                and session is not None
                and (of, running.settled_start) < (what, session.settled_start)
            ):
                moment, what, session = first, of, running
        return moment, what, session

    def _silence(self, p: Player, moment: int) -> None:
        judges = self.silences[p.silences][1]
        p.silences += 1
        if p.break_open or moment < p.break_until or moment < p.excluded_until:
            return
        self._judge(judges, p, moment, None)

    def _close(self, p: Player, session: Session, at_us: int) -> None:
        """End a session at its last event, which is known at `at_us`."""
        session.settled_open = False
        if self.sum_up is not None and not session.summed:
            session.closing = at_us
        self._retire(p, session)

    def _retire(self, p: Player, session: Session) -> None:
        """Let a closed session go, unless minutes up to its last event or its summary are still to come."""
        minute = session.settled_start + session.minute * MINUTE_US
        if (not self.session_rules or minute > session.settled_last) and session.closing == NEVER:
            p.running.remove(session)

    def _closing(self, p: Player, session: Session, moment: int) -> None:
        assert self.sum_up is not None
        session.closing = NEVER
        self.sum_up(p, session, moment)
        session.view = session.settled
        self._judge(self.closing_rules, p, moment, session, self.sample)
        self._retire(p, session)

    def _fold(self, p: Player, event: Pending) -> bool:
        """Put an event into the settled windows; True when it can only have put the next moment off."""
        at, code, session, values, until = event
        if code < 0:
            return self._correct(p, event)
        kind = self.kinds[code]
        if self.marking and session is not None and session.settled_start < NEVER and at > session.edge:
            session.mark(at)
        if values is not None and kind.fold is not None:
            kind.fold(p, values, at, session, at, at)
        if (
            kind.is_bet
            and session is not None
            and session.settled_open
            and session.settled_start <= session.settled_last <= at
            and LONG_AGO < p.active_at <= at
            and not p.break_open
        ):
            # A bet that does nothing but go on with a session: by far the most do.
            session.settled_last = p.active_at = at
            p.silences = 0
            return True
        if session is not None:
            self._of_session(p, session, kind.type, at)
        for slot in kind.latest_settled:
            if p.slots[slot] is None or p.slots[slot] < at:
                p.slots[slot] = at
        if kind.is_activity and at >= p.active_at:
            p.active_at, p.silences = at, 0
            p.break_open = False
        elif kind.type == "break_start":
            self._away(p, at)
            if until == NEVER:
                # Without an end it lasts to the next activity, which may have come before it.
                p.break_open = p.active_at < at
            else:
                p.break_until = max(p.break_until, until)
        elif kind.type == "self_exclusion":
            self._away(p, at)
            p.excluded_until = max(p.excluded_until, until)
        elif kind.type == "self_exclusion_end":
            p.excluded_until = min(p.excluded_until, at)
        return False

    def _correct(self, p: Player, event: Pending) -> bool:
        """Take a target out of the settled windows, when its correction's turn has come."""
        at, code, session, values, target_at = event
        if self.marking and session is not None and session.settled_start < NEVER and at > session.edge:
            session.mark(at)
        unfold = self.kinds[-1 - code].unfold
        if values is not None and unfold is not None:
            unfold(p, values, target_at, session, target_at, at)
        if p.retracted is not None:
            p.retracted = [row for row in p.retracted if row[0] > at] or None
        return True

    @staticmethod
    def _away(p: Player, at: int) -> None:
        if p.active_at <= at:
            p.active_at = LONG_AGO

    def _begin(self, p: Player, session: Session, at: int) -> None:
        session.settled_start = at
        session.edge = at + self.first_minute * MINUTE_US
        ending = [
            since
            for since, channel, key in p.started
            if since > at and channel == session.channel and key != session.key
        ]
        session.ends_by = min(ending, default=NEVER)

    def _of_session(self, p: Player, session: Session, type_: str, at: int) -> None:
        if session.settled_start == NEVER:
            session.settled_last = at
            session.minute = self.first_minute
            self._begin(p, session, at)
            p.running.append(session)
        elif at < session.settled_start and session.minute == self.first_minute:
            self._begin(p, session, at)
        elif session.settled_open and at > session.settled_last:
            session.settled_last = at
        if type_ == "session_start":
            for other in [
                s
                for s in p.running
                if s is not session
                and s.settled_open
                and s.channel == session.channel
                and s.settled_start <= at
            ]:
                self._close(p, other, at)
        elif type_ == "session_end" and session.settled_open:
            session.settled_last = at  # what came after it, though sooner, is a straggler
            self._close(p, session, at)
