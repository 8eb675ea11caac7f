"""What the windows ask of the world beyond a player: rates of exchange, time zones, and a place to count."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from detector.engine.places import Places
from detector.events.instants import QUARTER_US, local_parts, quarter_parts, utc_day
from detector.events.money import Rates
from detector.players.player import LONG_AGO, NEVER, Here, Player, Session
from detector.players.summary import FINENESS

_since = itemgetter(0)


@dataclass(slots=True)
class Counts:
    """What the engine did; all numbers are of events unless said otherwise."""

    accepted: int = 0
    repeated: int = 0
    conflicts: int = 0
    late: int = 0
    cancelled: int = 0  # taken back before they came
    undone: int = 0
    undone_twice: int = 0  # a second correction of the same target: ignored
    undo_missed: int = 0  # the window that should have held the target did not
    not_undoable: int = 0  # counted by max min distinct first last, which keep it
    unrated: int = 0  # money without a rate


class Surroundings:
    """Places, rates and counts of one engine; compile_events.Outside is what event functions see of it."""

    def __init__(self, places: Places, rates: Rates) -> None:
        self.places = places
        self.rates = rates
        self.counts = Counts()
        self.arrived = False  # whether the target of the correction at hand is known to have come
        self.turn_us = LONG_AGO  # the time of the correction at hand

    def convert(self, amount: int, currency: str, to: str | None, at_us: int) -> float | None:
        """Money at the rate of its UTC day; None without one."""
        if to is None:
            return None
        money = self.rates.convert(amount, currency, to, utc_day(at_us))
        # Multiples of a power of two add up, and go away again, without a remainder.
        return money if money is None else round(money * FINENESS) / FINENESS

    def local(self, player: Player, event: Any, ts: int, at_us: int) -> Here:
        """Hour and date where the player is; remembered where they are sure to hold for the quarter hour."""
        jurisdiction, zone, since = event.jurisdiction, None, LONG_AGO
        if player.profile is not None:
            since, zone, home = player.profile[-1]
            if since > ts:
                placed = bisect_right(player.profile, ts, key=_since)
                _, zone, home = player.profile[placed - 1] if placed else (0, None, None)
            jurisdiction = jurisdiction or home
        zone = zone or self.places.zone(event.brand, jurisdiction)
        quarter = at_us // QUARTER_US
        parts = quarter_parts(quarter, zone)
        hour, date = parts or local_parts(at_us, zone)
        here = (quarter, event.brand, event.jurisdiction, hour, date)
        if parts is not None and since <= quarter * QUARTER_US:
            player.here = here
        return here

    def unrated(self, player: Player, measure: int, at_us: int, session: Session | None, sign: int) -> None:
        """Note (1) money that no rate could convert, take it back at `turn_us` (-1), or ignore it (0)."""
        if sign == 0:
            return
        if player.unrated is None:
            player.unrated = {}
        times = player.unrated.setdefault(measure, [])
        if sign > 0:
            self.counts.unrated += 1
            times.append((at_us, NEVER))
            if session is not None:
                session.unrated = [*(session.unrated or ()), (measure, at_us, NEVER)]
            return
        if (at_us, NEVER) in times:
            times[times.index((at_us, NEVER))] = (at_us, self.turn_us)
        if session is not None and session.unrated and (measure, at_us, NEVER) in session.unrated:
            place = session.unrated.index((measure, at_us, NEVER))
            session.unrated[place] = (measure, at_us, self.turn_us)
