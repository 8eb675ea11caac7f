"""The ten rules of the Ontario pack as a capable programmer would write them by hand: the peers' side.

Deques, running sums and dicts, one object a player, with the windows (tiles for bets), sessions, silences and
episodes of the engine: on a log in order it has to find the same alerts, and a test sees to that.

Left out is what such a log does not need: repeats, late events, corrections, money in several currencies,
and putting the minutes of a player's simultaneous sessions in one order. So are the text and evidence of
alerts. Moments (silences, minutes of a session) are judged on the player's next event, and at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from msgspec import UnsetType

from detector.bench.by_hand_windows import WEEK_US, Losses, Nights, Recent, Weeks
from detector.engine.places import Places
from detector.events.instants import DAY_US, HOUR_US, MINUTE_US, QUARTER_US, local_parts, micros, rfc3339_ms
from detector.events.vocabulary import (
    AnyEvent,
    Bet,
    BreakStart,
    Contact,
    Deposit,
    DepositFailed,
    LimitChange,
    PlayerProfile,
    SelfExclusion,
    SelfExclusionEnd,
    SessionEnd,
    SessionStart,
    Withdrawal,
    WithdrawalCancel,
    WithdrawalRequest,
)
from detector.language.rule import SEVERITIES

LOW, MEDIUM, HIGH, CRITICAL = range(len(SEVERITIES))
NEVER = 2**62
GAP_US = 30 * MINUTE_US
SILENCE_US = 14 * DAY_US
ACTIVITIES = frozenset({SessionStart, Deposit, WithdrawalRequest, WithdrawalCancel, Withdrawal, Bet})

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_zone = Places().zone


class Terms(NamedTuple):
    """A rule's id and version, and when it speaks again; times in µs."""

    rule: str
    severity: int
    cooldown_us: int
    remind_us: int


CANCELLED = Terms("cancelled-withdrawals@2", HIGH, WEEK_US, WEEK_US)
ESCALATION = Terms("deposit-escalation@2", HIGH, WEEK_US, NEVER)
FREQUENCY = Terms("deposit-frequency@2", MEDIUM, WEEK_US, NEVER)
IN_SESSION = Terms("deposits-within-session@2", HIGH, DAY_US, WEEK_US)
DISTRESS = Terms("distress-contact@1", CRITICAL, 2 * DAY_US, HOUR_US)
FAILED = Terms("failed-deposits@2", HIGH, DAY_US, WEEK_US)
LONG = Terms("long-session@2", LOW, WEEK_US, WEEK_US)
CHURN = Terms("losses-then-churn@1", LOW, 30 * DAY_US, NEVER)
NIGHT = Terms("night-play@2", MEDIUM, WEEK_US, 30 * DAY_US)
EXCLUSION = Terms("self-exclusion-request@1", CRITICAL, 15 * MINUTE_US, NEVER)

RULES = frozenset(
    terms.rule
    for terms in (
        CANCELLED,
        ESCALATION,
        FREQUENCY,
        IN_SESSION,
        DISTRESS,
        FAILED,
        LONG,
        CHURN,
        NIGHT,
        EXCLUSION,
    )
)
"""The rules, and the versions of them, that are written out here."""
TIMED = frozenset({LONG.rule, CHURN.rule})
"""Those judged at moments rather than at events."""


class Found(NamedTuple):
    """What an alert is known by; `opened_us` in µs since the epoch."""

    player: str
    rule: str
    kind: str
    severity: int
    opened_us: int


Told = tuple[str, str, str, str, str]
"""The same as an alert's JSON has it: player, rule, kind, severity, opened_at."""


@dataclass(slots=True)
class End:
    """Stands after a player's last event: time has passed up to here (µs since the epoch)."""

    watermark_us: int


@dataclass(slots=True)
class Episode:
    """A rule that holds, or held less than its cooldown ago."""

    held_at: int
    alerted_at: int
    severity: int


@dataclass(slots=True)
class Session:
    """A session; `minute` is the next moment at which it may be a long one."""

    start: int
    last: int
    minute: int
    channel: str | None = None
    open: bool = True
    bets: int = 0
    deposits: int = 0


class ByHand:
    """One player's state; call `on` with each event in order, and take what `found` then holds."""

    __slots__ = (
        "break_until",
        "cancelled",
        "contacts",
        "episodes",
        "excluded_until",
        "failed",
        "first",
        "found",
        "here",
        "home",
        "limits",
        "losses",
        "month",
        "nights",
        "player",
        "sessions",
        "silence_due",
        "today",
        "week",
        "weeks",
        "zone",
    )

    def __init__(self, player: str, first: int) -> None:
        self.player = player
        self.first = first
        self.found: list[Found] = []
        self.episodes: dict[str, Episode] = {}
        self.sessions: dict[str, Session] = {}
        self.silence_due = NEVER
        self.break_until = self.excluded_until = -NEVER
        self.zone: str | None = None
        self.home: str | None = None
        self.here: tuple[int, int, str] = (-1, 0, "")  # (quarter of an hour, local hour, local date)
        self.limits: dict[str, int | None] = {}
        # Most players need few of these: they are made when first used.
        self.cancelled: Recent | None = None
        self.contacts: Recent | None = None
        self.failed: Recent | None = None
        self.today: Recent | None = None
        self.week: Recent | None = None
        self.month: Recent | None = None
        self.weeks: Weeks | None = None
        self.nights: Nights | None = None
        self.losses: Losses | None = None

    def on(self, event: AnyEvent) -> None:
        """Take the player's next event in."""
        since = event.ts - _EPOCH
        at = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        if self.silence_due < at:
            self._silence()
        kind = type(event)
        session = self._session(event, kind, at)
        if kind in ACTIVITIES:
            self.silence_due = at + SILENCE_US
            if self.break_until == NEVER:
                self.break_until = at
        handle = _HANDLERS.get(kind)
        if handle is not None:
            handle(self, event, at, session)

    def end(self, watermark_us: int) -> None:
        """Let time pass up to the watermark, without an event."""
        if self.silence_due <= watermark_us:
            self._silence()

    # Sessions and silences

    def _session(self, event: AnyEvent, kind: type[Any], at: int) -> Session | None:
        """The session the event belongs to, its minutes up to the event judged."""
        key = event.session
        if key is not None:
            session = self.sessions.get(key)
        elif kind is SessionStart:
            key, session = f"\0{event.id}", None
        else:
            running = [s for s in self.sessions.values() if s.open and at - s.last <= GAP_US]
            session = max(running, key=lambda s: s.start, default=None)
        if session is None:
            if key is None:
                return None
            for old in [k for k, s in self.sessions.items() if s.last <= at - 2 * DAY_US]:
                del self.sessions[old]
            session = self.sessions[key] = Session(at, at, at + HOUR_US)
        elif session.open:
            if at - session.last > GAP_US:
                session.open = False
            elif at >= session.minute:
                self._minutes(session, at, kind is Bet)
        session.last = at
        if kind is SessionStart:
            session.channel = event.channel  # type: ignore[union-attr]
            for other in self.sessions.values():
                if other is not session and other.channel == session.channel:
                    other.open = False
        elif kind is SessionEnd:
            session.open = False
        return session

    def _minutes(self, session: Session, at: int, is_bet: bool) -> None:
        """long-session, at each minute up to an event; the minute of the event itself comes after it."""
        while session.minute <= at:
            moment = session.minute
            session.minute += MINUTE_US
            if session.bets + (is_bet and moment == at):
                playing = moment - session.start
                level = HIGH if playing >= 6 * HOUR_US else MEDIUM if playing >= 3 * HOUR_US else LOW
                self._held(LONG, moment, level)

    def _silence(self) -> None:
        """losses-then-churn, a fortnight after the last activity."""
        due, self.silence_due = self.silence_due, NEVER
        if self.losses is None or due - self.first < 49 * DAY_US:
            return
        if due < self.break_until or due < self.excluded_until:
            return
        lost, usual = self.losses.before(due)
        if _at_least(lost, 10_000) and _at_least(lost, 2 * usual):
            self._held(CHURN, due, LOW)

    # What each type of event brings

    def _bet(self, event: Bet, at: int, session: Session | None) -> None:
        if session is not None:
            session.bets += 1
        if self.losses is None or self.nights is None:
            self.losses, self.nights = Losses(), Nights()
        self.losses.add(at, event.stake - event.payout)
        nights = self.nights
        placed = at if event.placed_at is None else micros(event.placed_at)
        here = self.here
        if here[0] != placed // QUARTER_US:
            zone = self.zone or _zone(event.brand, event.jurisdiction or self.home)
            here = self.here = (placed // QUARTER_US, *local_parts(placed, zone))
        nights.add(at, event.stake, here[1], here[2])
        count = len(nights.dates)
        if count >= 6 and _at_least(nights.night, 0.3 * nights.staked):
            self._held(NIGHT, at, HIGH if count >= 12 else MEDIUM)

    def _deposit(self, event: Deposit, at: int, session: Session | None) -> None:
        if self.today is None or self.week is None or self.month is None or self.weeks is None:
            self.today, self.week, self.month = Recent(DAY_US), Recent(WEEK_US), Recent(30 * DAY_US)
            self.weeks = Weeks()
        day = self.today.add(at)
        counts = {"24h": day, "7d": self.week.add(at), "month": self.month.add(at)}
        beyond = any(limit is not None and counts[period] > limit for period, limit in self.limits.items())
        if day >= 5 or beyond:
            self._held(FREQUENCY, at, HIGH if day >= 5 and beyond else MEDIUM)
        recent, *before = self.weeks.add(at, event.amount)
        if at - self.first >= 35 * DAY_US:
            bar = max(20_000, 2.0 * (sum(before) / 4), 1.5 * max(before))
            if _at_least(recent, bar):
                self._held(ESCALATION, at, CRITICAL if _at_least(recent, 2 * bar) else HIGH)
        if session is not None:
            session.deposits += 1
            within = min(session.deposits, day)
            if within >= 3:
                self._held(IN_SESSION, at, CRITICAL if within >= 6 else HIGH)

    def _deposit_failed(self, _: DepositFailed, at: int, __: Session | None) -> None:
        if self.failed is None:
            self.failed = Recent(DAY_US)
        declined = self.failed.add(at)
        if declined >= 3:
            self._held(FAILED, at, CRITICAL if declined >= 6 else HIGH)

    def _withdrawal_cancel(self, _: WithdrawalCancel, at: int, __: Session | None) -> None:
        if self.cancelled is None:
            self.cancelled = Recent(WEEK_US)
        cancelled = self.cancelled.add(at)
        if cancelled >= 2:
            self._held(CANCELLED, at, CRITICAL if cancelled >= 4 else HIGH)

    def _contact(self, event: Contact, at: int, _: Session | None) -> None:
        if self.contacts is None:
            self.contacts = Recent(2 * DAY_US)
        times = self.contacts.times
        if event.topic in ("distress", "financial_strain", "threat"):
            self.contacts.add(at)
        elif not times or times[-1] <= at - 2 * DAY_US:
            return
        self._held(DISTRESS, at, CRITICAL)

    def _limit_change(self, event: LimitChange, _: int, __: Session | None) -> None:
        if (
            event.limit == "deposit_count"
            and event.period is not None
            and not isinstance(event.new, UnsetType)
        ):
            self.limits[event.period] = event.new

    def _profile(self, event: PlayerProfile, _: int, __: Session | None) -> None:
        self.zone, self.home = event.timezone, event.jurisdiction
        self.here = (-1, 0, "")

    def _break(self, event: BreakStart, _: int, __: Session | None) -> None:
        self.silence_due = NEVER
        self.break_until = max(self.break_until, NEVER if event.until is None else micros(event.until))

    def _exclusion(self, event: SelfExclusion, at: int, _: Session | None) -> None:
        self.silence_due = NEVER
        self.excluded_until = max(self.excluded_until, NEVER if event.until is None else micros(event.until))
        self._held(EXCLUSION, at, CRITICAL)

    def _exclusion_end(self, _: SelfExclusionEnd, at: int, __: Session | None) -> None:
        self.excluded_until = min(self.excluded_until, at)

    # Episodes

    def _held(self, terms: Terms, at: int, severity: int) -> None:
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


_HANDLERS: Mapping[type[Any], Callable[[ByHand, Any, int, Session | None], None]] = {
    Bet: ByHand._bet,
    BreakStart: ByHand._break,
    Contact: ByHand._contact,
    Deposit: ByHand._deposit,
    DepositFailed: ByHand._deposit_failed,
    LimitChange: ByHand._limit_change,
    PlayerProfile: ByHand._profile,
    SelfExclusion: ByHand._exclusion,
    SelfExclusionEnd: ByHand._exclusion_end,
    WithdrawalCancel: ByHand._withdrawal_cancel,
}


def _at_least(value: float, threshold: float) -> bool:
    """Money compared as the rules do: what differs by no more than rounding is equal."""
    return value >= threshold or abs(value - threshold) <= 1e-9 * max(abs(value), abs(threshold))


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
