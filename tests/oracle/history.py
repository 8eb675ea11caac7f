"""What arrived, and how it hangs together: clock, repeats, corrections, sessions, profile.

Every accepted event is kept for ever and nothing is ever summed up ahead: whoever wants a number walks the
whole list. That is what makes this the reference and not the product.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

MEMORY = 48 * HOUR  # ids, waiting corrections and closed sessions are remembered this long
SESSION_GAP = 30 * MINUTE
GRACE = 15 * MINUTE

COMMON = {"id", "type", "source", "player", "ts", "brand", "jurisdiction", "session", "replaces", "replaced"}
PAYMENT = {"amount", "currency", "method", "payment"}
FIELDS: dict[str, set[str]] = {
    "session_start": {"channel"},
    "session_end": {"reason"},
    "deposit": PAYMENT | {"balance_after"},
    "deposit_failed": PAYMENT | {"balance_after", "reason"},
    "withdrawal_request": PAYMENT,
    "withdrawal_cancel": PAYMENT,
    "withdrawal": PAYMENT,
    "bet": {"stake", "payout", "currency", "bonus_stake", "product", "game", "placed_at", "balance_after"},
    "void": {"target", "voided"},
    "tick": set(),
    "refund": {"amount", "currency", "payment"},
    "bonus": {"amount", "currency", "payment", "wagering_required"},
    "limit_change": {"limit", "period", "old", "new", "currency", "share"},
    "limit_reached": {"limit", "period", "old", "new", "currency", "share"},
    "break_start": {"until"},
    "self_exclusion": {"until"},
    "self_exclusion_end": {"until"},
    "contact": {"topic"},
    "identity_check": {"outcome", "over_age", "birth_year"},
    "player_profile": {"timezone", "birth_year", "jurisdiction", "language"},
}
MONEY_FIELDS = {"amount", "balance_after", "stake", "payout", "bonus_stake", "net_loss", "wagering_required"}
ACTIVITY = {"session_start", "deposit", "withdrawal_request", "withdrawal_cancel", "withdrawal", "bet"}


def micros(text: str) -> int:
    """Microseconds since the Unix epoch of an RFC 3339 instant with a zone."""
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def instant(us: int) -> str:
    """The RFC 3339 text of an instant in µs, to the microsecond."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class Zones:
    """Time zones of the deployment's brands and of its jurisdictions."""

    brands: Mapping[str, str] = field(default_factory=dict)
    jurisdictions: Mapping[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Arrival:
    """One accepted event, and what became of it.

    `number` is its place in the log. `corrections` holds the void or the replacement that undoes it, whether
    that came before it (it was then cancelled on arrival) or after.
    """

    number: int
    content: dict[str, Any]
    player: str
    type: str
    ts: int
    session: Session | None = None
    gap: int | None = None
    local: datetime | None = None
    clock: int = 0  # the player's, with this event
    corrections: list[Arrival] = field(default_factory=list)

    def cancelled(self, at: int, *, by_time: bool = False) -> bool:
        """Did a correction known at `at` stand before it came?

        At a moment (`by_time`) what counts is not who arrived first: an event stands until the time of its
        correction, unless that is no later than its own.
        """
        known = [c for c in self.corrections if c.number < self.number and c.ts <= at]
        return any(not by_time or c.ts <= self.ts for c in known)

    def undone(self, at: int) -> bool:
        """Was it undone, by what is known at `at`?"""
        return any(c.ts <= at for c in self.corrections)

    @property
    def carried(self) -> dict[str, Any] | None:
        """The event that this one voids or replaces."""
        found: dict[str, Any] | None = self.content.get("voided" if self.type == "void" else "replaced")
        return found

    @property
    def judged_as(self) -> list[str]:
        """The types whose rules look at it: a void counts as what it voids, a replacement as both."""
        own = [] if self.type == "void" else [self.type]
        return own + ([self.carried["type"]] if self.carried is not None else [])


@dataclass(eq=False)
class Session:
    """A sitting: the events that belong to it, in order of arrival; voids never do."""

    name: str | None
    opened: int  # the place in the log of the event that opened it
    channel: str | None = None
    closed: bool = False  # by an end, by a start on its channel or by more than 30 min before an event
    arrivals: list[Arrival] = field(default_factory=list)

    @property
    def times(self) -> list[int]:
        return sorted(a.ts for a in self.arrivals)

    @property
    def start(self) -> int:
        return self.times[0]

    @property
    def first(self) -> tuple[int, int]:
        """Time and place in the log of its first event."""
        return min((a.ts, a.number) for a in self.arrivals)

    @property
    def last(self) -> int:
        return self.times[-1]

    def closing(self, starts: Iterable[Arrival]) -> tuple[int, int]:
        """(its last event up to its end, the moment it closed).

        What ends it is a session_end, the next of `starts` on its channel, or the first silence of more than
        30 min. It closes at the end's or the start's time, else when the 30 min have passed. Stragglers after
        that belong to it and make it no longer.
        """
        mine = sorted(self.arrivals, key=lambda a: (a.ts, a.number))
        cuts = [
            (a.ts, a.number)
            for a in starts
            if a.session is not self
            and a.content.get("channel") == self.channel
            and (a.ts, a.number) > self.first
        ]
        cut = min(cuts, default=(2**62, 0))
        end = self.start
        for arrival in mine:
            if arrival.ts - end > SESSION_GAP or (arrival.ts, arrival.number) > cut:
                break
            end = arrival.ts
            if arrival.type == "session_end":
                return end, end
        return end, min(cut[0], end + SESSION_GAP)

    def open_at(self, ts: int) -> bool:
        return not self.closed and ts - self.last <= SESSION_GAP

    def join(self, arrival: Arrival) -> None:
        self.closed |= bool(self.arrivals) and arrival.ts - self.last > SESSION_GAP
        self.arrivals.append(arrival)


@dataclass(eq=False)
class History:
    """All of one player."""

    player: str
    zones: Zones
    arrivals: list[Arrival] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    told: tuple[int, list[Arrival]] = (-1, [])  # the summaries as of so many arrivals: see there

    @property
    def clock(self) -> int:
        return max((a.ts for a in self.arrivals), default=-(2**62))

    @property
    def currency(self) -> str | None:
        """The player's first: that of the first arrival which bears one."""
        return next((a.content["currency"] for a in self.arrivals if "currency" in a.content), None)

    def add(self, number: int, content: dict[str, Any]) -> Arrival | str:
        """Take one event in; "repeated" or "conflict" when its id is known, and then nothing has moved."""
        new = Arrival(number, content, self.player, content["type"], content["ts"])
        clock = max(self.clock, new.ts)
        known = self.remembered(content["source"], content["id"], clock)
        if known is not None:
            return "repeated" if known.content == content else "conflict"
        self.settle_corrections(new, clock)
        new.clock = clock
        new.session = self.session_of(new, clock)
        new.gap = self.gap_of(new)
        new.local = self.local_time(new)
        self.arrivals.append(new)
        return new

    def remembered(self, source: str, event_id: str, clock: int) -> Arrival | None:
        for old in self.arrivals:
            same = (old.content["source"], old.content["id"]) == (source, event_id)
            if same and old.clock > clock - MEMORY:
                return old
        return None

    def settle_corrections(self, new: Arrival, clock: int) -> None:
        """Tie corrections to targets: one that waited for `new`, then the one that `new` asks for.

        Whoever asks first undoes a target; who asks again is not heard.
        """
        for waiting in self.arrivals:
            if self.target_of(waiting) == (new.content["source"], new.content["id"]):
                assert waiting.carried is not None
                settled = any(waiting in old.corrections for old in self.arrivals)
                if not settled and not new.corrections and waiting.carried["ts"] > clock - MEMORY:
                    new.corrections.append(waiting)
        wanted = self.target_of(new)
        if wanted is None or new.carried is None:
            return
        target = self.remembered(*wanted, clock)
        if target is None and new.carried["ts"] <= clock - MEMORY:
            arrived = [a for a in self.arrivals if (a.content["source"], a.content["id"]) == wanted]
            target = arrived[-1] if arrived else None
        if target is not None and not target.corrections:
            target.corrections.append(new)

    @staticmethod
    def target_of(arrival: Arrival) -> tuple[str, str] | None:
        target = arrival.content.get("target" if arrival.type == "void" else "replaces")
        return None if target is None else (arrival.content["source"], target)

    def session_of(self, new: Arrival, clock: int) -> Session | None:
        """The session that `new` belongs to, after it has opened, extended or closed what it does."""
        name = new.content.get("session")
        if new.type == "void":
            assert new.carried is not None
            name = new.carried.get("session")
            return self.latest_open(new.ts, clock) if name is None else self.named(name, clock)
        if name is not None:
            mine = self.named(name, clock)
        elif new.type == "session_start":
            mine = None
        else:
            mine = self.latest_open(new.ts, clock)
            if mine is None:
                return None
        if mine is None:
            mine = Session(name, new.number)
            self.sessions.append(mine)
        mine.join(new)
        if new.type == "session_start":
            mine.channel = new.content.get("channel")
            for other in self.sessions:
                if other is not mine and other.channel == mine.channel and other.start <= new.ts:
                    other.closed = True
        if new.type == "session_end":
            mine.closed = True
        return mine

    def named(self, name: str, clock: int) -> Session | None:
        found = [s for s in self.sessions if s.name == name and s.last > clock - MEMORY]
        return found[-1] if found else None

    def latest_open(self, ts: int, clock: int) -> Session | None:
        running = [s for s in self.sessions if s.open_at(ts) and s.last > clock - MEMORY]
        return max(running, key=lambda s: (s.start, s.opened), default=None)

    def gap_of(self, new: Arrival) -> int | None:
        before = [a.ts for a in self.arrivals if a.type == new.type]
        return new.ts - max(before) if before and max(before) <= new.ts else None

    def local_time(self, new: Arrival) -> datetime:
        """The player's wall clock at the event; a bet's at its placing."""
        profile: dict[str, Any] = {}
        seen = [a for a in [*self.arrivals, new] if a.type == "player_profile" and a.ts <= new.ts]
        if seen:
            profile = max(seen, key=lambda a: (a.ts, a.number)).content
        jurisdiction = new.content.get("jurisdiction", profile.get("jurisdiction"))
        zone = (
            profile.get("timezone")
            or self.zones.brands.get(new.content.get("brand", ""))
            or self.zones.jurisdictions.get(jurisdiction or "")
            or "UTC"
        )
        at = new.content.get("placed_at", new.ts) if new.type == "bet" else new.ts
        return datetime.fromtimestamp(at // SECOND, ZoneInfo(zone))


def decoded(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event's content: known fields, times in µs; absent and null are one, save for a limit's ends."""
    known = COMMON | FIELDS[event["type"]]
    content: dict[str, Any] = {}
    for name, value in event.items():
        if name not in known or (value is None and name not in ("old", "new")):
            continue
        if name in ("voided", "replaced"):
            content[name] = decoded(value)
        elif name in ("ts", "placed_at", "until"):
            content[name] = micros(value)
        else:
            content[name] = value
    return content


@dataclass(eq=False)
class Book:
    """All players of one log, and its high mark."""

    zones: Zones = field(default_factory=Zones)
    grace: int = GRACE
    players: dict[str, History] = field(default_factory=dict)
    high_mark: int = -(2**62)
    lines: int = 0

    def read(self, line: bytes) -> Arrival | str:
        """Take one line in; a tick moves the high mark alone and answers "tick"."""
        self.lines += 1
        content = decoded(json.loads(line))
        if content["type"] == "tick":
            self.high_mark = max(self.high_mark, content["ts"] + self.grace)
            return "tick"
        history = self.players.setdefault(content["player"], History(content["player"], self.zones))
        answer = history.add(self.lines, content)
        if isinstance(answer, Arrival):
            self.high_mark = max(self.high_mark, answer.ts)
        return answer
