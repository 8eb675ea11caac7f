"""What is known of one player: plain data, changed only by the engine."""

from __future__ import annotations

from array import array
from typing import Any

from detector.players.seen import Seen
from detector.players.summary import Rounds

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
SESSION_GAP_US = 30 * MINUTE_US
"""A session without an end is over once more than this passed since its last event."""
SESSION_MEMORY_US = 48 * 60 * MINUTE_US
"""How long a session is known after its last event, for stragglers and corrections."""
NEVER = 2**62
LONG_AGO = -(2**62)


class Session:
    """One session, seen twice: as events arrive (live) and as the watermark passes them (settled).

    The live view answers rules judged at an event; the settled one is taken through its moments in strict
    order of time.
    """

    __slots__ = (
        "channel",
        "closed_at",
        "closing",
        "edge",
        "ends_by",
        "key",
        "last",
        "marks",
        "minute",
        "rounds",
        "settled",
        "settled_last",
        "settled_open",
        "settled_start",
        "start",
        "summed",
        "totals",
        "unrated",
        "view",
    )

    def __init__(self, key: str, channel: str | None, start_us: int) -> None:
        self.key = key
        self.channel = channel
        self.start = start_us
        self.last = start_us
        self.closed_at = NEVER
        self.totals: list[Any] | None = None
        # (measure, time, when a correction took it back) of money that no rate could convert.
        self.unrated: list[tuple[int, int, int]] | None = None
        self.settled_start = NEVER
        self.settled_last = LONG_AGO
        self.settled_open = True
        self.minute = 0  # the next whole minute of its age to be judged, once it has begun
        self.settled: list[Any] | None = None
        # Totals as they were before the event at each instant, as long as a minute before it may be judged.
        self.marks: list[tuple[int, list[Any] | None]] = []
        self.edge = LONG_AGO  # the first minute still to be judged at or after the latest settled event
        self.view: list[Any] | None = None  # the totals as of the minute that is being judged
        self.ends_by = NEVER  # a start on its channel that was taken in before it had begun
        self.closing = NEVER  # when it closed, from then until its summary is made
        self.summed = False  # its summary is made, and nothing that comes for it changes it any more
        self.rounds: Rounds | None = None  # what the summary will be made of

    def mark(self, at_us: int) -> None:
        """Keep the totals as they are, before an event beyond the edge changes them."""
        self.marks.append((at_us, _copied(self.settled)))
        self.edge = at_us + (self.settled_start - at_us) % MINUTE_US

    def look(self, moment_us: int) -> None:
        """Set `view` to the totals as of a minute; earlier ones are not needed any more."""
        marks = self.marks
        while marks and marks[0][0] <= moment_us:
            del marks[0]
        self.view = marks[0][1] if marks else self.settled

    def views(self, at_us: int, fresh: list[Any]) -> list[list[Any]]:
        """All totals that an event of this instant belongs in; `fresh` is what nothing looks like."""
        for place, (until, totals) in enumerate(self.marks):
            if totals is None and until > at_us:
                self.marks[place] = (until, _copied(fresh))
        now = [] if self.settled is None else [self.settled]
        return [*now, *(totals for until, totals in self.marks if until > at_us and totals is not None)]


def _copied(totals: list[Any] | None) -> list[Any] | None:
    if totals is None:
        return None
    return [each.copy() if isinstance(each, (dict, list)) else each for each in totals]


class Episode:
    """A rule that holds, or held less than its cooldown ago.

    Attributes
    ----------
    history
        (since, opened at, severity): the episode as it stood from a time on, oldest first. There is an entry
        for each alert, and for the first judgement of each hour (UTC) at which the rule held, of each minute
        where the cooldown is shorter than a day: so the score of a moment can be told when later events have
        been judged already.
    """

    __slots__ = ("alert", "alerted_at", "held_at", "history", "opened_at", "severity")

    def __init__(self, opened_at: int, severity: int, alert: str) -> None:
        self.opened_at = opened_at
        self.held_at = opened_at
        self.alerted_at = opened_at
        self.severity = severity
        self.alert = alert
        self.history: list[tuple[int, int, int]] = [(opened_at, opened_at, severity)]

    def note(self, at_us: int, *, alerted: bool, cooldown_us: int, needed_us: int) -> bool:
        """Tell the history that the rule holds; what only matters before `needed_us` is dropped.

        Returns whether this is any news to it.
        """
        history = self.history
        grain_us = MINUTE_US if cooldown_us < DAY_US else HOUR_US
        known = history[-1]
        if at_us // grain_us == known[0] // grain_us and not alerted:
            return False
        if known == (at_us, self.opened_at, self.severity):
            return True
        history.append((at_us, self.opened_at, self.severity))
        self._forget(needed_us)
        return True

    def follow(self, before: Episode, needed_us: int) -> None:
        """Take over the history of the rule's episode before."""
        self.history[:0] = before.history
        self._forget(needed_us)

    def _forget(self, needed_us: int) -> None:
        history = self.history
        while len(history) > 1 and history[1][0] <= needed_us:
            del history[0]

    def at(self, moment_us: int) -> tuple[int, int, int] | None:
        """(held at, to the hour; opened at; severity) as it stood at a moment."""
        for entry in reversed(self.history):
            if entry[0] <= moment_us:
                return entry
        return None


Pending = tuple[int, int, Session | None, tuple[Any, ...] | None, int]
"""An event that the watermark has not passed yet: (at, type code, session, values for the settled windows,
until when a break lasts). A tuple, because every bet can make one.

A correction waits likewise, at its own time: its code is -1 less the code of its target's type, the values
are the target's, and in the place of `until` stands the target's time."""

Retraction = tuple[int, int, int, tuple[float, ...], tuple[Any, ...] | None]
"""A row already gone from an exact window that moments before its correction still have to see:
(time of the correction, time of the row, slot, numbers, picks)."""


Here = tuple[int, str | None, str | None, int, str]
"""(quarter of an hour since the epoch, brand, jurisdiction, local hour, local date)"""


class Player:
    """Everything kept of one player.

    `slots` holds the windows of the rule set, by the numbers its plan gave them, created when first used.
    Times are µs since the epoch.
    """

    __slots__ = (
        "active_at",
        "awaited",
        "birth_year",
        "blocked",
        "break_open",
        "break_until",
        "clock",
        "currency",
        "episodes",
        "excluded_until",
        "first",
        "fresh",
        "habit",
        "here",
        "home",
        "key",
        "pending",
        "profile",
        "recent",
        "retracted",
        "running",
        "sampled",
        "scores",
        "seen",
        "sessions",
        "silences",
        "slots",
        "started",
        "touched",
        "undone",
        "unrated",
        "wake",
    )

    def __init__(self, key: str, slots: int, fresh: list[Any]) -> None:
        self.key = key
        self.fresh = fresh  # [from, until, sums of the bets in between that are in no tile yet …]
        self.clock = LONG_AGO
        self.first = NEVER
        self.currency: str | None = None
        self.profile: list[tuple[int, str | None, str | None]] | None = None  # (since, zone, jurisdiction)
        # (time, jurisdiction) of the first event, by arrival, that says where the player is
        self.home: tuple[int, str] | None = None
        self.here: Here | None = None  # where the latest bet was settled; rebuilt when it is needed
        self.seen = Seen()
        self.slots: list[Any] = [None] * slots
        self.sessions: dict[str, Session] = {}
        self.episodes: dict[str, Episode] = {}
        # (at, type code, id, when a correction took it back) of the latest events but bets.
        self.recent: list[tuple[int, int, str, int]] | None = None
        self.undone: dict[int, int] | None = None  # identity → time of targets already taken back
        self.awaited: dict[int, int] | None = None  # identity → time of targets taken back before they came
        # measure → (time, when a correction took it back) of money that no rate could convert
        self.unrated: dict[int, list[tuple[int, int]]] | None = None
        # The settled side.
        self.pending: list[Pending] = []
        self.active_at = LONG_AGO  # start of the running silence
        self.silences = 0  # how many of the rule set's silences, shortest first, this one has passed
        self.break_until = LONG_AGO
        self.break_open = False  # a break without an end lasts to the next activity
        self.retracted: list[Retraction] | None = None
        self.excluded_until = LONG_AGO
        # (time, channel, session) of starts that were taken in before the watermark had come so far
        self.started: list[tuple[int, str | None, str]] = []
        self.running: list[Session] = []  # sessions begun and not yet over
        self.blocked = False  # a session moment waits to know whether its session goes on
        self.wake = NEVER  # when the engine looks at this player again, at the latest
        self.touched = False
        # What models look back on. The rest holds for the rules that are judged next and is not stored: the
        # scores, and the models, features and habit behind them.
        self.habit: array[float] | None = None
        self.birth_year: int | None = None
        self.scores: dict[str, float | None] | None = None
        self.sampled: tuple[Any, tuple[float | None, ...], list[float] | None] | None = None
