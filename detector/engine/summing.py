"""Session summaries: what goes into them as events arrive, and into which windows they go at a closing."""

from __future__ import annotations

from typing import Any

from detector.engine.kinds import Kind
from detector.engine.surroundings import Surroundings
from detector.events.vocabulary import AnyEvent, Bet, Deposit
from detector.players.player import SESSION_GAP_US, Player, Session
from detector.players.summary import NO_BALANCE, NO_BET, NO_STAKE, Rounds


class Summaries:
    """Makes the summaries of one engine; `kind` is that of the derived event, `around` gives the rates."""

    def __init__(self, kind: Kind, around: Surroundings) -> None:
        self.kind = kind
        self.around = around

    def note(self, p: Player, event: AnyEvent, at: int, session: Session, settled_us: int) -> None:
        """Keep an event for the summary of its session."""
        if not isinstance(event, (Bet, Deposit)):
            self.note_time(at, session, settled_us)
            return
        rounds = session.rounds
        if rounds is None:
            rounds = session.rounds = Rounds()
        balance = NO_BALANCE if event.balance_after is None else event.balance_after
        if event.currency == p.currency:
            if isinstance(event, Bet):
                rounds.add(at, event.stake, event.payout, balance, settled_us)
            else:
                rounds.add(at, NO_STAKE, event.amount, balance, settled_us)
            return
        if event.balance_after is not None:
            balance = self.around.convert(balance, event.currency, p.currency, at)  # type: ignore[assignment]
        rounds.add(at, *self._converted(p, event, at), balance, settled_us)

    @staticmethod
    def note_time(at: int, session: Session, settled_us: int) -> None:
        """Keep that the session was on at an instant."""
        if session.rounds is None:
            session.rounds = Rounds()
        session.rounds.add(at, NO_BET, 0, NO_BALANCE, settled_us)

    def take_back(
        self, p: Player, event: Bet | Deposit, at: int, session: Session | None, turn_us: int
    ) -> None:
        """Let the summary lose a bet or a deposit from a correction's own time on."""
        if session is None or session.summed:
            return
        if session.rounds is None:
            session.rounds = Rounds()
        session.rounds.taken.append((max(turn_us, at), at, *self._converted(p, event, at)))

    def _converted(self, p: Player, event: Bet | Deposit, at: int) -> tuple[Any, Any]:
        """Stake and payout, or NO_STAKE and the amount, in the player's first currency."""

        def convert(amount: int) -> float | None:
            if event.currency == p.currency:
                return amount
            return self.around.convert(amount, event.currency, p.currency, at)

        if isinstance(event, Deposit):
            return NO_STAKE, convert(event.amount)
        stake, payout = convert(event.stake), convert(event.payout)
        if stake is None or payout is None:
            return None, (event.stake > event.payout) - (event.stake < event.payout)
        return stake, payout

    def close(self, p: Player, session: Session, closed_us: int) -> None:
        """Make the summary of a session and put it into every window that wants it."""
        rounds = session.rounds or Rounds()
        summary = rounds.summary(p.currency, session.start, closed_us)
        session.summed, session.rounds = True, None
        if self.kind.take is not None:
            self.kind.take(p, summary, closed_us, session, closed_us, self.around)
        for slot in (*self.kind.latest_live, *self.kind.latest_settled):
            if p.slots[slot] is None or p.slots[slot] < closed_us:
                p.slots[slot] = closed_us

    @staticmethod
    def any_closed(p: Player, clock_us: int) -> bool:
        """Whether a session is over by the player's clock that has no summary yet."""
        # One that was forgotten, or whose name is another's by now, may still wait for the watermark.
        waiting = {event[2] for event in p.pending if event[2] is not None}
        on = [s for s in {*p.sessions.values(), *p.running, *waiting} if not s.summed]
        if any(s.closed_at <= clock_us or clock_us - s.last >= SESSION_GAP_US for s in on):
            return True
        # Of two on one channel the later start ends the earlier, in whatever order they arrived.
        return len({session.channel for session in on}) < len(on)
