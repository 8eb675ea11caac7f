"""One player's life on the platform, from registration on, without end.

Not modelled here: what others play at the same time, habits that drift without harm, big wins that change a
life, and closing an account; `docs/simulator.md` says what rests on data and what does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from functools import partial
from heapq import heapify, heappop, heappush
from math import exp
from random import Random
from typing import Final

from detector.events.instants import DAY_US, MINUTE_US, micros, rfc3339_ms, to_datetime
from detector.simulator.account import Account
from detector.simulator.agenda import Action, Agenda
from detector.simulator.habits import Habits
from detector.simulator.markers import Marker, Ways
from detector.simulator.places import JURISDICTIONS
from detector.simulator.session import Sessions
from detector.simulator.writer import SECOND_US, EventWriter, Stamped

_WEEKDAYS: Final = (0.85, 0.85, 0.85, 0.95, 1.15, 1.25, 1.1)
"""Sessions by weekday, Monday first, as multiples of the mean (start)."""

_HARMED_PLAYS: Final = 0.12
"""Sessions a day that harm at its worst brings with it (start)."""

_LEAVES_AFTER: Final = 0.02
"""Probability of a silence of weeks after a session that lost more than three deposits (start)."""


class Player:
    """A player who registers at `joined_us` and plays on.

    Parameters
    ----------
    player
        The player's id.
    jurisdiction
        Where the player plays, a key of `JURISDICTIONS`.
    habits, ways
        What the player plays, and which behaviours show when.
    joined_us
        Registration, microseconds since the epoch.
    rng
        The player's own generator; nothing else may draw from it.
    visits
        Starts of sessions beyond those the habits bring, microseconds since the epoch.
    fixed
        What happens for certain: pairs of (microseconds since the epoch, "distress" or "exclude").
    returning
        Whether the player comes back from a self-exclusion instead of being new.
    """

    def __init__(
        self,
        player: str,
        jurisdiction: str,
        habits: Habits,
        ways: Ways,
        joined_us: int,
        rng: Random,
        *,
        visits: tuple[int, ...] = (),
        fixed: tuple[tuple[int, str], ...] = (),
        returning: bool = False,
    ) -> None:
        place = JURISDICTIONS[jurisdiction]
        self._ways = ways
        self._joined_us = joined_us
        self._returning = returning
        self._habits = habits
        self._place = place
        self._rng = rng
        self._writer = EventWriter(player, jurisdiction)
        self._agenda = Agenda()
        self._account = Account(habits, ways, place.currency, self._writer, self._agenda, rng)
        self._sessions = Sessions(habits, ways, place, self._writer, self._agenda, self._account, rng)
        # People register in order to play: the first session follows at once.
        first_us = joined_us + int(habits.pace * (60 + 240 * rng.random()) * SECOND_US)
        self._visits = [first_us, *visits]
        heapify(self._visits)
        self._binge_from = self._binge_to = 0
        account = self._account
        # On a day with play, for anybody and on top of it with the marker in full (all (start)).
        self._chances: tuple[tuple[Action, float, Marker | None, float], ...] = (
            (account.grant_bonus, 0.03, "bonus_requests", 0.08),
            (account.tighten_limit, 0.004, None, 0.0),
            (account.loosen_limit, 0.003, "limit_raises", 0.25),
            (partial(self.contact, "other"), 0.005, None, 0.0),
            (partial(self.contact, "bonus_request"), 0.0007, "bonus_requests", 0.01),
            (partial(self.contact, "financial_strain"), 0.0003, "distress_contact", 0.02),
            (partial(self.contact, "distress"), 0.00005, "distress_contact", 0.025),
            (partial(self.contact, "threat"), 0.00002, "distress_contact", 0.002),
            (account.refund, 0.005, None, 0.0),
            (self.rest, 0.0015, "breaks", 0.015),
            (self.exclude, 0.001, "self_exclusion", 0.04),
        )
        doers: dict[str, Callable[[int], Iterator[Stamped]]] = {
            "distress": partial(self.contact, "distress"),
            "exclude": self.exclude,
        }
        for ts_us, what in fixed:
            self._agenda.add(ts_us, doers[what])

    def life(self) -> Iterator[Stamped]:
        """Everything the player does, in order of time, without end."""
        yield from self._register()
        today = to_datetime(self._joined_us).astimezone(self._habits.zone).date()
        tomorrow_us = self._local(today + timedelta(days=1), 0.0)
        while True:
            while not self._visits or self._visits[0] >= tomorrow_us:
                # A day is over before the next is planned, so that what is to come cannot reach back.
                yield from self._agenda.due(tomorrow_us - 1)
                today = self._next_day(today)
                tomorrow_us = self._local(today + timedelta(days=1), 0.0)
            start_us = heappop(self._visits)
            pause_us = int(MINUTE_US * self._habits.pace)
            if start_us < self._writer.last_us + pause_us:
                start_us = self._writer.last_us + int(pause_us * (1 + 14 * self._rng.random()))
            yield from self._agenda.due(start_us)
            if start_us >= self._account.away_until_us:
                yield from self._sessions.play(start_us)
                self._afterwards()

    # -- days --------------------------------------------------------------------------------------

    def _next_day(self, today: date) -> date:
        """Plan the next day on which the player may play, in the player's own zone; returns it."""
        away_until_us = self._account.away_until_us
        today += timedelta(days=1)
        if away_until_us > self._local(today, 0.0):
            today = max(today, to_datetime(away_until_us).astimezone(self._habits.zone).date())
        rng = self._rng
        dawn_us = self._local(today, 0.0)
        rate = self._habits.sessions_a_day * _WEEKDAYS[today.weekday()]
        # Harm from play means play, in those who played little too; in some far more of it.
        rate += _HARMED_PLAYS * self._ways.course.level(dawn_us)
        rate += self._ways.strength("frequent_play", dawn_us) * (0.12 + 0.8 * rate)
        if "binger" in self._ways.styles:
            rate = self._binging(today, rate)
        night = max(self._habits.night, 0.8 * self._ways.strength("night_play", dawn_us))
        # Poisson by Knuth's product of uniforms: rates are small, and it needs nothing but random().
        left = rng.random()
        floor = exp(-min(rate, 20.0))
        if left <= floor:
            return today
        while left > floor:
            left *= rng.random()
            # Most play is in the evening: the later of two draws.
            hour = (
                4.5 * rng.random() if rng.random() < night else 7.0 + 17.0 * max(rng.random(), rng.random())
            )
            heappush(self._visits, self._local(today, hour))
        self._chance(today, dawn_us)
        return today

    def _binging(self, today: date, rate: float) -> float:
        """Quiet weeks, and every month or two a few days, a holiday or a tournament, full of play."""
        day = today.toordinal()
        if day >= self._binge_to:
            self._binge_from = day + 20 + int(40 * self._rng.random())
            self._binge_to = self._binge_from + 2 + int(5 * self._rng.random())
        return max(4 * rate, 1.2) if day >= self._binge_from else 0.4 * rate

    def _chance(self, today: date, dawn_us: int) -> None:
        """What may happen to anybody on a day with play, at most one thing."""
        draw = self._rng.random()
        for action, share, marker, more in self._chances:
            if marker is not None:
                share += more * self._ways.strength(marker, dawn_us)
            if draw < share:
                self._agenda.add(self._local(today, 8.0 + 15.0 * self._rng.random()), action)
                return
            draw -= share

    def _local(self, day: date, hour: float) -> int:
        """The moment of a local time of day, microseconds since the epoch."""
        return micros(datetime.combine(day, time(), self._habits.zone) + timedelta(hours=hour))

    # -- single events -----------------------------------------------------------------------------

    def _register(self) -> Iterator[Stamped]:
        habits, write = self._habits, self._writer.write
        step_us = int(2 * SECOND_US * habits.pace)
        if self._returning:
            yield write("self_exclusion_end", self._joined_us, None)
        yield write(
            "player_profile",
            self._joined_us,
            None,
            timezone=habits.zone.key,
            birth_year=habits.birth_year,
            language=habits.language,
        )
        if self._rng.random() < 0.05:
            yield write("identity_check", self._writer.last_us + step_us, None, outcome="failed")
        yield write(
            "identity_check",
            self._writer.last_us + step_us,
            None,
            outcome="passed",
            over_age=True,
            birth_year=habits.birth_year,
        )
        if habits.limit is not None:
            yield from self._account.set_limit(habits.limit, self._writer.last_us + step_us)

    def contact(self, topic: str, ts_us: int) -> Iterator[Stamped]:
        """The player writes to support."""
        yield self._writer.write("contact", ts_us, None, topic=topic)

    def rest(self, ts_us: int) -> Iterator[Stamped]:
        """The player takes a break."""
        days = self._one_of(self._place.breaks)
        yield self._leave("break_start", ts_us, ts_us + days * DAY_US)

    def exclude(self, ts_us: int) -> Iterator[Stamped]:
        """The player asks to be excluded."""
        until_us = ts_us + self._one_of(self._place.exclusions) * DAY_US
        yield self._leave("self_exclusion", ts_us, until_us)
        self._agenda.add(until_us, self._return)

    def _one_of(self, days: tuple[int, ...]) -> int:
        return days[int(self._rng.random() * len(days))]

    def _return(self, ts_us: int) -> Iterator[Stamped]:
        yield self._writer.write("self_exclusion_end", ts_us, None)

    def _leave(self, kind: str, ts_us: int, until_us: int) -> Stamped:
        self._account.away_until_us = max(self._account.away_until_us, until_us)
        return self._writer.write(kind, ts_us, None, until=rfc3339_ms(until_us))

    def _afterwards(self) -> None:
        """What a session leaves behind: a return for a withdrawal, a letter, or a silence of weeks."""
        sessions, rng, strength = self._sessions, self._rng, self._ways.strength
        now_us = self._writer.last_us
        if sessions.back_us is not None:
            heappush(self._visits, sessions.back_us)
            sessions.back_us = None
        if sessions.lost <= self._habits.deposit:
            return
        draw = rng.random()
        for topic, chance in (
            ("bonus_request", 0.001 + 0.12 * strength("bonus_requests", now_us)),
            ("distress", 0.03 * strength("distress_contact", now_us)),
        ):
            if draw < chance:
                soon_us = now_us + int((1 + 40 * rng.random()) * MINUTE_US)
                self._agenda.add(soon_us, partial(self.contact, topic))
                return
            draw -= chance
        if sessions.lost > 3 * self._habits.deposit:
            hurt = _LEAVES_AFTER + 0.1 * strength("depletion", now_us)
            if rng.random() < hurt:
                away_us = int((15 + 60 * rng.random()) * DAY_US)
                self._account.away_until_us = max(self._account.away_until_us, now_us + away_us)
