"""One player's state: time passing, sessions and episodes, and which rules each event asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

from detector.bench.by_hand import closing, deposits, losses, play, tools
from detector.bench.by_hand.closing import Past, reckon
from detector.bench.by_hand.deposits import Paid
from detector.bench.by_hand.session import GAP_US, Session
from detector.bench.by_hand.terms import DAY_US, HOUR_US, MINUTE_US, NEVER, Found, Terms
from detector.bench.by_hand.tools import Asked
from detector.bench.by_hand.windows import Dates, Nights, Play
from detector.engine.places import Places
from detector.events.instants import QUARTER_US, local_parts, micros
from detector.events.vocabulary import (
    AnyEvent,
    Bet,
    BreakStart,
    Contact,
    Deposit,
    DepositFailed,
    LimitChange,
    LimitReached,
    PlayerProfile,
    SelfExclusion,
    SelfExclusionEnd,
    SessionEnd,
    SessionStart,
    Withdrawal,
    WithdrawalCancel,
    WithdrawalRequest,
)

SILENCE_US = 14 * DAY_US
ACTIVITIES = frozenset({SessionStart, Deposit, WithdrawalRequest, WithdrawalCancel, Withdrawal, Bet})

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_zone = Places().zone


@dataclass(slots=True)
class Episode:
    """A rule that holds, or held less than its cooldown ago."""

    held_at: int
    alerted_at: int
    severity: int


class ByHand:
    """One player's state; call `on` with each event in order, and take what `found` then holds."""

    __slots__ = (
        "asked",
        "break_until",
        "closes",
        "count_limits",
        "days",
        "episodes",
        "excluded_until",
        "first",
        "found",
        "here",
        "home",
        "nights",
        "open",
        "paid",
        "past",
        "play",
        "player",
        "sessions",
        "silence_due",
        "stopped",
        "zone",
    )

    asked: Asked
    days: Dates
    nights: Nights
    paid: Paid
    past: Past
    play: Play

    def __init__(self, player: str, first: int) -> None:
        self.player = player
        self.first = first
        self.found: list[Found] = []
        self.episodes: dict[str, Episode] = {}
        self.sessions: dict[str, Session] = {}
        self.open: list[Session] = []
        self.closes = NEVER  # no open session closes before this
        self.silence_due = NEVER
        self.break_until = self.excluded_until = -NEVER
        self.stopped = False  # by a break or an exclusion, some time
        self.zone: str | None = None
        self.home: str | None = None
        self.here: tuple[int, int, str] = (-1, 0, "")  # (quarter of an hour, local hour, local date)
        self.count_limits: dict[str, int | None] = {}

    def __getattr__(self, name: str) -> Any:
        """Make what most players need little of when it is first used."""
        try:
            made = _MADE_LATE[name]()
        except KeyError:
            raise AttributeError(name) from None
        setattr(self, name, made)
        return made

    def on(self, event: AnyEvent) -> None:
        """Take the player's next event in."""
        since = event.ts - _EPOCH
        at = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        if self.silence_due < at:
            self._silence()
        if self.closes < at:
            self._close(at - 1)
        kind = type(event)
        session = self._session(event, kind, at)
        if kind in ACTIVITIES:
            self.silence_due = at + SILENCE_US
            if self.break_until == NEVER:
                self.break_until = at
        take, rules = _ON.get(kind, _NOTHING)
        if take is not None:
            take(self, event, at, session)
        for rule in rules:
            rule(self, event, at, session)

    def end(self, watermark_us: int) -> None:
        """Let time pass up to the watermark, without an event."""
        if self.silence_due <= watermark_us:
            self._silence()
        self._close(watermark_us)

    # Sessions and silences

    def _session(self, event: AnyEvent, kind: type[Any], at: int) -> Session | None:
        """The session the event belongs to, its minutes up to the event judged."""
        key = event.session
        if key is not None:
            session = self.sessions.get(key)
        elif kind is SessionStart:
            key, session = f"\0{event.id}", None
        else:
            session = max(self.open, key=attrgetter("start"), default=None)
        if session is None:
            if key is None:
                return None
            session = self._opened(key, at)
        elif session.open and at >= session.minute:
            self._minutes(session, at, kind is Bet)
        session.last = at
        if kind is SessionStart:
            session.channel = event.channel  # type: ignore[union-attr]
            for other in self.open:
                if other is not session and other.channel == session.channel:
                    other.ended = self.closes = at
        elif kind is SessionEnd and session.open:
            session.ended = session.until = self.closes = at
        return session

    def _opened(self, key: str, at: int) -> Session:
        for old in [k for k, s in self.sessions.items() if s.last <= at - 2 * DAY_US]:
            del self.sessions[old]
        session = self.sessions[key] = Session(at, at, at + HOUR_US)
        self.open.append(session)
        self.closes = min(self.closes, at + GAP_US)
        return session

    def _minutes(self, session: Session, at: int, is_bet: bool) -> None:
        """Each minute up to an event; the minute of the event itself comes after it."""
        while session.minute <= at:
            moment = session.minute
            session.minute += MINUTE_US
            play.long_session(self, session, moment, session.bets + (is_bet and moment == at))

    def _close(self, upto: int) -> None:
        """Close the sessions that are over by an instant, one after the other."""
        self.open.sort(key=attrgetter("closes"))
        while self.open and self.open[0].closes <= upto:
            session = self.open.pop(0)
            at = session.closes
            session.open = False
            gap = at - self.past.at[-1] if self.past.at else None
            closed = reckon(session, min(session.until, session.last), gap)
            self.past.add(at, closed)
            for rule in _AT_CLOSING:
                rule(self, closed, at)
        self.closes = self.open[0].closes if self.open else NEVER

    def _silence(self) -> None:
        """A fortnight after the last activity."""
        due, self.silence_due = self.silence_due, NEVER
        if due >= self.break_until and due >= self.excluded_until:
            losses.losses_then_churn(self, due)

    # What the player is told of

    def _profile(self, event: PlayerProfile, _: int, __: Session | None) -> None:
        self.zone, self.home = event.timezone, event.jurisdiction
        self.here = (-1, 0, "")

    def look_around(self, event: AnyEvent, at: int) -> tuple[int, int, str]:
        """Hour and date where the player is; remembered for the quarter of an hour."""
        zone = self.zone or _zone(event.brand, event.jurisdiction or self.home)
        self.here = here = (at // QUARTER_US, *local_parts(at, zone))
        return here

    def _break(self, event: BreakStart, at: int, _: Session | None) -> None:
        self.asked.breaks.add(at)
        self.stopped = True
        self.silence_due = NEVER
        self.break_until = max(self.break_until, NEVER if event.until is None else micros(event.until))

    def _exclusion(self, event: SelfExclusion, at: int, _: Session | None) -> None:
        self.asked.excluded = at
        self.stopped = True
        self.silence_due = NEVER
        self.excluded_until = max(self.excluded_until, NEVER if event.until is None else micros(event.until))

    def _exclusion_end(self, _: SelfExclusionEnd, at: int, __: Session | None) -> None:
        self.asked.returned = at
        self.stopped = True
        self.excluded_until = min(self.excluded_until, at)

    # Episodes

    def held(self, terms: Terms, at: int, severity: int) -> None:
        """A rule holds: open an episode, or go on with the one that is open."""
        episode = self.episodes.get(terms.rule)
        if episode is None or at - episode.held_at >= terms.cooldown_us:
            kind = "open"
            self.episodes[terms.rule] = episode = Episode(at, at, severity)
        elif severity > episode.severity:
            kind = "escalate"
            episode.severity = severity
        elif at - episode.alerted_at >= terms.remind_us:
            kind = "remind"
        else:
            episode.held_at = at
            return
        episode.held_at = episode.alerted_at = at
        self.found.append(Found(self.player, terms.rule, kind, episode.severity, at))


_MADE_LATE: Mapping[str, Callable[[], Any]] = {
    "asked": Asked,
    "days": Dates,
    "nights": Nights,
    "paid": Paid,
    "past": Past,
    "play": Play,
}

_Rule = Callable[[ByHand, Any, int, Session | None], None]
_NOTHING: tuple[_Rule | None, tuple[_Rule, ...]] = (None, ())

_ON: Mapping[type[Any], tuple[_Rule | None, tuple[_Rule, ...]]] = {
    Bet: (play.take_bet, (play.night_play, tools.return_after_break)),
    BreakStart: (ByHand._break, ()),
    Contact: (tools.take_contact, (tools.distress_contact, losses.bonus_after_loss)),
    Deposit: (
        deposits.take_deposit,
        (
            deposits.deposit_frequency,
            deposits.deposit_escalation,
            deposits.deposits_within_session,
            deposits.net_deposit,
            deposits.deposit_withdrawal_ratio,
            deposits.payment_methods,
            deposits.early_intensity,
            losses.net_loss,
            play.active_days,
            tools.return_after_break,
        ),
    ),
    DepositFailed: (deposits.take_failed, (deposits.failed_deposits,)),
    LimitChange: (tools.take_limit, (tools.limit_raises,)),
    LimitReached: (tools.take_reached, (tools.limit_reached,)),
    PlayerProfile: (ByHand._profile, ()),
    SelfExclusion: (ByHand._exclusion, (tools.self_exclusion_request,)),
    SelfExclusionEnd: (ByHand._exclusion_end, ()),
    SessionEnd: (None, (losses.net_loss, play.product_breadth, play.riskier_product)),
    SessionStart: (
        None,
        (losses.net_loss, play.product_breadth, play.riskier_product, play.active_days),
    ),
    Withdrawal: (deposits.take_withdrawal, ()),
    WithdrawalCancel: (deposits.take_cancelled, (deposits.cancelled_withdrawals,)),
}

_AT_CLOSING = (
    closing.account_depletion,
    closing.binge,
    closing.chasing,
    closing.erratic_play,
    closing.loss_against_habit,
    closing.speed_after_losses,
    closing.stake_escalation,
    closing.stake_variability,
    play.daily_play_time,
)
