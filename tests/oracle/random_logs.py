"""Logs that go wrong in every way a platform's feed does, their times drawn so that boundaries are hit.

Every choice comes from the one `random.Random` handed in: a seed names a log, and hypothesis can shrink one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from random import Random
from typing import Any

from tests.oracle.history import DAY, GRACE, HOUR, MEMORY, MINUTE, SECOND, Arrival, Book, Zones, instant
from tests.oracle.rates import Rates

Fields = dict[str, Any]

ZONES = Zones(
    brands={"harbour": "America/Vancouver"},
    jurisdictions={"CA-ON": "America/Toronto", "CA-NL": "America/St_Johns"},
)
BASE = 1_772_841_600 * SECOND  # 2026-03-07 00:00 UTC: the clocks of Ontario change on the 8th at 07:00 UTC


def rates() -> Rates:
    """US dollars and yen in Canadian ones by the day, no euros at all, and no rate on every fifth day."""
    table: dict[tuple[date, str, str], float] = {}
    for number in range(120):
        day = date(2026, 3, 1) + timedelta(days=number)
        if number % 5:
            table[day, "USD", "CAD"] = 1.37 + number / 1000
            table[day, "JPY", "CAD"] = 0.0091
    return Rates(table)


STEPS = (
    *(0, 0, 1, SECOND, 10 * SECOND, MINUTE - 1, MINUTE, MINUTE, 90 * SECOND, 5 * MINUTE, 5 * MINUTE),
    *(10 * MINUTE, 30 * MINUTE - 1, 30 * MINUTE, 30 * MINUTE, 30 * MINUTE + 1, HOUR - 1, HOUR, HOUR + 1),
    *(5 * HOUR, DAY - 1, DAY, DAY + 1, 2 * DAY, 3 * DAY, 7 * DAY),
)
PLAY = (0, 0, 0, 0, 1, SECOND, 10 * SECOND, 10 * SECOND, MINUTE, 90 * SECOND, 5 * MINUTE, 30 * MINUTE)
LENGTHS = (MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 90 * MINUTE, DAY, 2 * DAY, 7 * DAY)
TILE_WIDTHS = (75 * SECOND, 30 * MINUTE, 210 * MINUTE)  # those of 1 h, 24 h and 7 d
SHORT_DELAYS = (1, SECOND, 5 * MINUTE, 10 * MINUTE, GRACE - 1)
LONG_DELAYS = (GRACE, GRACE + 1, HOUR, DAY, 47 * HOUR, 2 * DAY, 3 * DAY, 8 * DAY)
AMOUNTS = (0, 1, 4_999, 5_000, 10_000, 19_999, 20_000, 20_001, 22_000, 100_000)
KINDS = (
    ["bet"] * 12
    + ["deposit"] * 8
    + ["session_start"] * 5
    + ["session_end"] * 2
    + ["deposit_failed", "withdrawal_request", "withdrawal_cancel", "withdrawal", "refund", "bonus"] * 2
    + ["limit_change", "contact", "player_profile"] * 3
    + ["limit_reached", "break_start", "self_exclusion", "self_exclusion_end", "identity_check"]
)
SITTING = ["bet"] * 20 + ["deposit"] * 5 + ["session_end"] * 3 + ["session_start"] * 3 + ["contact"]


@dataclass
class Shape:
    """How rough a log is: shares of events out of 1."""

    events: int = 40
    players: int = 3
    delayed: float = 0.25
    beyond_grace: float = 0.3  # of those delayed
    corrected: float = 0.08  # asked thrice of each event
    sittings: float = 0.7  # of the starts, with play following at once
    repeated: float = 0.1
    foreign: float = 0.1  # money in another currency than the player's own
    ticks: float = 0.05


def likely(rng: Random, share: float) -> bool:
    """True in `share` of cases; the least draw means no, so that hypothesis shrinks towards plain logs."""
    return rng.random() >= 1 - share


IN_GRACE = Shape(beyond_grace=0)
ROUGH = Shape()


@dataclass
class Planned:
    """An event to be sent, and the instant (µs) that places it in the order of arrival."""

    content: Fields
    ts: int
    sent: int

    def line(self) -> bytes:
        return json.dumps(self.content, separators=(",", ":")).encode()


@dataclass
class Life:
    """One player's events, in order of their times."""

    rng: Random
    shape: Shape
    player: str
    planned: list[Planned] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    now: int = 0

    def __post_init__(self) -> None:
        rng = self.rng
        self.now = BASE + rng.choice([0, 1, 17 * HOUR, 20 * HOUR])
        self.place = rng.choice(
            [{}, *({"jurisdiction": name} for name in ("CA-ON", "CA-NL", "GB")), {"brand": "harbour"}]
        )
        self.home = rng.choice(["CAD", "CAD", "CAD", "USD"])
        playing = 0
        for _ in range(self.shape.events):
            if playing:
                self.now += rng.choice(PLAY)
                kind = rng.choice(SITTING)
            else:
                self.step()
                kind = rng.choice(KINDS)
            self.add(kind, self.now)
            playing = max(0, playing - 1)
            if kind == "session_start" and likely(rng, self.shape.sittings):
                playing = rng.randrange(4, 13)
        for target in list(self.planned):
            for _ in range(3):
                if likely(rng, self.shape.corrected):
                    self.correct(target)

    def step(self) -> None:
        """Move on: by a likely step, to a whole length after an earlier event, or to a tile's edge."""
        rng = self.rng
        way = rng.random()
        if way < 0.15 and self.planned:
            aimed = rng.choice(self.planned).ts + rng.choice(LENGTHS) + rng.choice([-1, 0, 0, 1])
            if 0 <= aimed - self.now < 8 * DAY:
                self.now = aimed
                return
        if way < 0.3:
            width = rng.choice(TILE_WIDTHS)
            self.now = (self.now // width + 1) * width + rng.choice([-1, 0, 0])
            return
        self.now += rng.choice(STEPS if way > 0.6 else STEPS[:16])

    def add(self, kind: str, ts: int) -> Planned:
        content: Fields = {
            "id": f"{self.player}.{len(self.planned)}",
            "type": kind,
            "source": self.rng.choice(["casino", "casino", "casino", "sports"]),
            "player": self.player,
            "ts": instant(ts),
            **self.place,
            **self.session(kind),
            **self.fields(kind, ts),
        }
        return self.send(content, ts)

    def send(self, content: Fields, ts: int) -> Planned:
        rng, delay = self.rng, 0
        if content["type"] == "session_start" and "session" in content:
            # A session stays on its channel, whoever starts it again.
            content.pop("channel", None)
            content |= ({}, {"channel": "web"}, {"channel": "mobile"})[int(content["session"][-1]) % 3]
        if likely(rng, self.shape.delayed):
            delay = rng.choice(LONG_DELAYS if likely(rng, self.shape.beyond_grace) else SHORT_DELAYS)
        self.planned.append(Planned(content, ts, ts + delay))
        return self.planned[-1]

    def session(self, kind: str) -> Fields:
        """A session's name, or none; starts often bring a new one, others mostly name a recent one."""
        rng = self.rng
        if kind == "session_start" and rng.random() < 0.7:
            self.sessions.append(f"{self.player}-s{len(self.sessions)}")
            return {"session": self.sessions[-1]}
        if kind == "session_start" or rng.random() < 0.5:
            return {}
        if not self.sessions or rng.random() < 0.03:
            self.sessions.append(f"{self.player}-s{len(self.sessions)}")
        return {"session": rng.choice(self.sessions[-2:])}

    def fields(self, kind: str, ts: int) -> Fields:
        rng = self.rng
        money: Fields = {"currency": self.home}
        if likely(rng, self.shape.foreign):
            money["currency"] = rng.choice(["USD", "JPY", "EUR", "CAD"])
        match kind:
            case "session_start":
                return self.some(channel=rng.choice(["web", "mobile"]))
            case "deposit" | "deposit_failed" | "withdrawal_request" | "withdrawal_cancel" | "withdrawal":
                optional = self.some(method=rng.choice(["card", "bank", "wallet"]))
                if kind == "deposit":
                    optional |= self.some(balance_after=rng.choice(AMOUNTS))
                return {"amount": rng.choice(AMOUNTS), **money, **optional}
            case "bet":
                placed = instant(ts - rng.choice([0, MINUTE, HOUR, 6 * HOUR]))
                return {
                    "stake": rng.choice(AMOUNTS),
                    "payout": rng.choice([0, 0, *AMOUNTS]),
                    **money,
                    **self.some(bonus_stake=rng.choice(AMOUNTS)),
                    **self.some(product=rng.choice(["casino_slot", "poker", "bingo"])),
                    **self.some(game=rng.choice(["a", "b"])),
                    **self.some(placed_at=placed),
                    **self.some(balance_after=rng.choice(AMOUNTS)),
                }
            case "refund" | "bonus":
                return {"amount": rng.choice(AMOUNTS), **money}
            case "limit_change" | "limit_reached":
                limit = rng.choice(["deposit", "deposit", "deposit_count", "loss"])
                ends: Fields = {}
                for end in ("old", "new"):
                    if rng.random() < 0.8:
                        amount = rng.choice([1, 3, 5] if limit == "deposit_count" else AMOUNTS)
                        nothing = kind == "limit_change" and rng.random() < 0.3
                        ends[end] = None if nothing else amount
                period = {"period": rng.choice(["24h", "7d", "month"])}
                return {"limit": limit, **period, **ends, **({} if limit == "deposit_count" else money)}
            case "break_start" | "self_exclusion":
                return self.some(until=instant(ts + rng.choice([0, MINUTE, HOUR, DAY, 3 * DAY])))
            case "contact":
                return {"topic": rng.choice(["distress", "bonus_request", "other"])}
            case "identity_check":
                return {"outcome": rng.choice(["passed", "failed"])}
            case "player_profile":
                zone = rng.choice(["Europe/London", "America/Toronto", "Asia/Kolkata"])
                return {**self.some(timezone=zone), **self.some(language=rng.choice(["en", "fr"]))}
        return {}

    def some(self, **optional: Any) -> Fields:
        return optional if self.rng.random() < 0.7 else {}

    def correct(self, target: Planned) -> None:
        """Void or replace it; the correction may bear an earlier time than its target, and may come first."""
        rng = self.rng
        ts = target.ts + rng.choice([-MINUTE, 0, 0, SECOND, MINUTE, 20 * MINUTE, HOUR, DAY, 2 * DAY, 3 * DAY])
        if rng.random() < 0.25:
            ts = target.ts + rng.choice([-MINUTE, 0, MINUTE, 10 * MINUTE])
            target.sent = target.ts + (DAY if likely(rng, self.shape.beyond_grace) else GRACE - 1)
        old = target.content
        left_out = ("id", "source", "player", "replaces", "replaced")
        carried = {name: value for name, value in old.items() if name not in left_out}
        common = {
            "id": f"{self.player}.{len(self.planned)}",
            "source": old["source"],
            "player": self.player,
            "ts": instant(ts),
            **self.place,
        }
        if rng.random() < 0.6:
            self.send({"type": "void", **common, "target": old["id"], "voided": carried}, ts)
            return
        kind = old["type"] if rng.random() < 0.8 else rng.choice(["deposit", "bet"])
        session = {"session": old["session"]} if "session" in old and rng.random() < 0.8 else {}
        fresh = {"type": kind, **common, **session, **self.fields(kind, ts)}
        replacement = self.send({**fresh, "replaces": old["id"], "replaced": carried}, ts)
        if rng.random() < 0.2:
            self.correct(replacement)


def random_log(rng: Random, shape: Shape = ROUGH) -> list[bytes]:
    """A log in order of arrival: valid events, some under an id that came before (same content or not)."""
    planned: list[Planned] = []
    for number in range(shape.players):
        planned += Life(rng, shape, f"p{number}").planned
    for event in list(planned):
        if likely(rng, shape.repeated):
            planned.append(repeated(rng, event, shape))
        if likely(rng, shape.ticks):
            # A tick may promise no more than what is yet to come within the grace can keep.
            at = event.sent - GRACE - rng.choice([0, 1, HOUR])
            planned.append(Planned({"type": "tick", "ts": instant(at)}, at, event.sent))
    planned.sort(key=lambda event: event.sent)
    end = max(event.sent for event in planned) + rng.choice([0, HOUR, 10 * DAY])
    planned.append(Planned({"type": "tick", "ts": instant(end)}, end, end))
    return settled([event.line() for event in planned])


def repeated(rng: Random, event: Planned, shape: Shape) -> Planned:
    """The same event again, written differently at times, or another under the same id."""
    content = dict(event.content)
    way = rng.random()
    if way < 0.3:
        content["note"] = "an unknown field"
    elif way < 0.5:
        elsewhere = timezone(timedelta(hours=5, minutes=30))
        content["ts"] = datetime.fromisoformat(content["ts"]).astimezone(elsewhere).isoformat()
    elif way < 0.7 and "amount" in content:
        content["amount"] += 1
    delays = [0, 1, MINUTE, HOUR, DAY, 40 * HOUR] + ([3 * DAY] if shape.beyond_grace else [])
    return Planned(content, event.ts, event.sent + rng.choice(delays))


def settled(lines: list[bytes]) -> list[bytes]:
    """Without the corrections that the memory of 48 h leaves open: see `unsettled`."""
    while True:
        book, numbers = Book(ZONES), set[int]()
        for line in lines:
            arrival = book.read(line)
            if isinstance(arrival, Arrival) and unsettled(book, arrival):
                numbers.add(arrival.number)
        if not numbers:
            return lines
        lines = [line for number, line in enumerate(lines, 1) if number not in numbers]


def unsettled(book: Book, arrival: Arrival) -> bool:
    """Does it correct what has left the memory in a way that only an endless memory could get right?

    That is: a target taken to have arrived which had not, or was undone before, or comes after its correction
    has been forgotten; and an id accepted twice. Nor can it be told to which session a target went that names
    none, nor what hour it was where a profile came late.
    """
    history = book.players[arrival.player]
    wanted = history.target_of(arrival)
    if arrival.type == "player_profile" and arrival.ts < history.clock:
        return True
    if wanted is not None:
        assert arrival.carried is not None
        if "session" not in arrival.carried:
            return True
        targets = [a for a in history.arrivals if (a.content["source"], a.content["id"]) == wanted]
        if len(targets) > 1:
            return True
        forgotten = arrival.carried["ts"] <= history.clock - MEMORY
        if forgotten and (not targets or targets[0].corrections != [arrival]):
            return True
    # An event that is asked for, under an id accepted before or later than whoever asked still waits.
    mine = (arrival.content["source"], arrival.content["id"])
    asked = [a for a in history.arrivals if history.target_of(a) == mine]
    again = any((a.content["source"], a.content["id"]) == mine for a in history.arrivals if a is not arrival)
    return bool(asked) and (again or asked[:1] != arrival.corrections)


def within_grace(lines: list[bytes]) -> bool:
    """Does every accepted event come less than the grace behind the high mark?"""
    book = Book(ZONES)
    for line in lines:
        high_mark, arrival = book.high_mark, book.read(line)
        if isinstance(arrival, Arrival) and arrival.ts <= high_mark - GRACE:
            return False
    return True
