"""One player's life on the platform, from registration on, without end.

Not modelled here: recovery and relapse, habits that drift on their own, weekdays, what others play at the
same time, and any fit to real players; the figures are plausible and no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import partial
from heapq import heapify, heappop, heappush
from math import exp
from random import Random
from typing import Final

from detector.events.instants import DAY_US, MINUTE_US, micros, rfc3339_ms, to_datetime
from detector.simulator.account import Account
from detector.simulator.agenda import Action, Agenda
from detector.simulator.habits import JURISDICTIONS, Habits
from detector.simulator.session import Sessions
from detector.simulator.trouble import Trouble
from detector.simulator.writer import SECOND_US, EventWriter, Stamped

_EXCLUSION_DAYS: Final = (182, 182, 365, 1826)
_BREAK_DAYS: Final = (1, 7, 30)


class Player:
    """A player who registers at `joined_us` and plays on.

    Parameters
    ----------
    player
        The player's id.
    jurisdiction
        Where the player plays, a key of `JURISDICTIONS`.
    habits, trouble
        Ordinary ways, and what becomes of them.
    joined_us
        Registration, microseconds since the epoch.
    rng
        The player's own generator; nothing else may draw from it.
    visits
        Starts of sessions beyond those the habits bring, microseconds since the epoch.
    """

    def __init__(
        self,
        player: str,
        jurisdiction: str,
        habits: Habits,
        trouble: Trouble,
        joined_us: int,
        rng: Random,
        visits: tuple[int, ...] = (),
    ) -> None:
        self._trouble = trouble
        self._joined_us = joined_us
        self._habits = habits
        self._rng = rng
        self._writer = EventWriter(player, jurisdiction)
        self._agenda = Agenda()
        money = JURISDICTIONS[jurisdiction].currency
        self._account = Account(habits, trouble, money, self._writer, self._agenda, rng)
        self._sessions = Sessions(habits, trouble, money, self._writer, self._agenda, self._account, rng)
        self._left = False
        # People register in order to play: the first session follows at once.
        first_us = joined_us + int(habits.pace * (60 + 240 * rng.random()) * SECOND_US)
        self._visits = [first_us, *visits]
        heapify(self._visits)
        self._chances: tuple[tuple[Action, float], ...] = (
            (self._account.grant_bonus, 0.02),
            (self._account.tighten_limit, 0.004),
            (partial(self._account.loosen_limit, False), 0.003),
            (partial(self._contact, "other"), 0.004),
            (partial(self._contact, "bonus_request"), 0.001),
            (partial(self._contact, "financial_strain"), 0.0001),
            (self._account.refund, 0.0015),
            (self._break, 0.001),
        )
        for ts_us, topic in trouble.contacts:
            self._agenda.add(ts_us, partial(self._contact, topic))
        for ts_us in trouble.raises:
            self._agenda.add(ts_us, partial(self._account.loosen_limit, ts_us == trouble.raises[-1]))
        if "self_exclusion" in trouble.markers:
            self._agenda.add(trouble.ends_us, self._exclude)

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
            if start_us >= self._sessions.away_until_us:
                yield from self._sessions.play(start_us)
                self._maybe_leave()

    # -- days --------------------------------------------------------------------------------------

    def _next_day(self, today: date) -> date:
        """Plan the next day on which the player may play, in the player's own zone; returns it."""
        away_until_us = self._sessions.away_until_us
        today += timedelta(days=1)
        if away_until_us > self._local(today, 0.0):
            today = max(today, to_datetime(away_until_us).astimezone(self._habits.zone).date())
        rng, trouble = self._rng, self._trouble
        dawn_us = self._local(today, 0.0)
        progress = trouble.progress(dawn_us)
        rate = self._habits.sessions_a_day
        night = self._habits.night
        if progress:
            rate = rate + progress * (max(rate, 0.6) * 2.2 - rate)
            rate *= 1.0 + 1.5 * trouble.strength("frequent_deposits", dawn_us)
            night = max(night, 0.8 * trouble.strength("night_play", dawn_us))
        # Poisson by Knuth's product of uniforms: rates are small, and it needs nothing but random().
        left = rng.random()
        floor = exp(-rate)
        while left > floor:
            left *= rng.random()
            # Most play is in the evening: the later of two draws.
            hour = (
                4.5 * rng.random() if rng.random() < night else 7.0 + 17.0 * max(rng.random(), rng.random())
            )
            heappush(self._visits, self._local(today, hour))
        self._chance(today)
        return today

    def _chance(self, today: date) -> None:
        """What may happen to anybody on any day, at most one thing."""
        draw = self._rng.random()
        for action, share in self._chances:
            if draw < share:
                self._agenda.add(self._local(today, 8.0 + 14.0 * self._rng.random()), action)
                return
            draw -= share

    def _local(self, day: date, hour: float) -> int:
        """The moment of a local time of day, microseconds since the epoch."""
        return micros(datetime.combine(day, time(), self._habits.zone) + timedelta(hours=hour))

    # -- single events -----------------------------------------------------------------------------

    def _register(self) -> Iterator[Stamped]:
        habits, write = self._habits, self._writer.write
        step_us = int(2 * SECOND_US * habits.pace)
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

    def _contact(self, topic: str, ts_us: int) -> Iterator[Stamped]:
        yield self._writer.write("contact", ts_us, None, topic=topic)

    def _break(self, ts_us: int) -> Iterator[Stamped]:
        days = _BREAK_DAYS[int(self._rng.random() * len(_BREAK_DAYS))]
        yield self._leave("break_start", ts_us, ts_us + days * DAY_US)

    def _exclude(self, ts_us: int) -> Iterator[Stamped]:
        days = _EXCLUSION_DAYS[int(self._rng.random() * len(_EXCLUSION_DAYS))]
        until_us = ts_us + days * DAY_US
        yield self._leave("self_exclusion", ts_us, until_us)
        self._agenda.add(until_us, self._return)

    def _return(self, ts_us: int) -> Iterator[Stamped]:
        yield self._writer.write("self_exclusion_end", ts_us, None)

    def _leave(self, kind: str, ts_us: int, until_us: int) -> Stamped:
        self._sessions.away_until_us = max(self._sessions.away_until_us, until_us)
        return self._writer.write(kind, ts_us, None, until=rfc3339_ms(until_us))

    def _maybe_leave(self) -> None:
        """A player who is to churn goes silent after the first losing session of the last three days."""
        trouble = self._trouble
        now_us = self._writer.last_us
        if (
            "losses_then_churn" in trouble.markers
            and not self._left
            and now_us >= trouble.ends_us - 3 * DAY_US
            and self._sessions.lost > 0
        ):
            self._left = True
            self._sessions.away_until_us = now_us + int((35 + 85 * self._rng.random()) * DAY_US)
