"""What `tiltwatch run --demo` feeds: weeks of history at once, then a busy house in real time.

The house is busier and its trouble denser than any real one's, so that within half a minute alerts of several
rules can be seen, and a new one every few seconds from then on.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, count, cycle, takewhile
from random import Random
from typing import Final

from detector.events.instants import DAY_US, HOUR_US, MINUTE_US, micros
from detector.simulator.config import Config
from detector.simulator.disturb import disturbed
from detector.simulator.games import PRODUCTS
from detector.simulator.habits import Habits, Limit, draw_habits, stakes_of
from detector.simulator.harm import Course
from detector.simulator.markers import Marker, Ways
from detector.simulator.places import JURISDICTIONS
from detector.simulator.player import Player
from detector.simulator.population import together
from detector.simulator.writer import SECOND_US, Stamped

_CODE: Final = "CA-ON"
_PLACE: Final = JURISDICTIONS[_CODE]
_HISTORY_US: Final = 45 * DAY_US
_REGULARS: Final = 40
_GUEST_EVERY_US: Final = 4 * SECOND_US
_GUEST_STAYS_US: Final = 10 * MINUTE_US


@dataclass(frozen=True, slots=True)
class _Scene:
    """What a guest has come to show, in seconds after registration instead of days."""

    markers: Set[Marker]
    deposit_stakes: int = 6
    limit: Limit | None = None
    contact_s: float | None = None
    excluded_s: float | None = None


_KINDS: Final[tuple[Set[Marker], ...]] = (
    {"deposits_in_session", "escalating_deposits", "failed_deposits", "stake_escalation"},
    {"night_play", "long_sessions", "depletion"},
    {"failed_deposits", "cancelled_withdrawals", "payment_methods"},
    {"frequent_deposits", "limit_raises", "deposits_in_session"},
)
"""What becomes of the regulars who have long been in trouble."""

_SCENES: Final = (
    _Scene({"deposits_in_session", "escalating_deposits"}),
    _Scene({"failed_deposits"}),
    _Scene(set(), contact_s=15),
    _Scene({"cancelled_withdrawals"}, deposit_stakes=60),
    _Scene({"deposits_in_session"}, excluded_s=40),
    _Scene({"frequent_deposits", "deposits_in_session"}, limit=Limit("deposit_count", "24h", 2)),
    _Scene({"cancelled_withdrawals", "failed_deposits"}, deposit_stakes=60),
)


def demo(start: datetime, seed: int = 0) -> Iterator[Stamped]:
    """A small population's last 45 days up to `start`, and from there on its present, without end.

    The caller sends what has arrived: everything up to `start` as fast as it likes, then each line when its
    moment comes. A few lines are repeated, late, broken or corrected, as on any real bus.

    Parameters
    ----------
    start
        Now, an aware datetime.
    seed
        The same start and seed give the same lines.

    Yields
    ------
    tuple[int, bytes]
        Time of arrival, microseconds since the epoch and never falling, and one line of JSON without its end.
    """
    start_us = micros(start)
    usual = Config(
        seed=seed, repeats=0.01, late=0.01, late_by=timedelta(minutes=2), corrupt=0.003, corrections=0.002
    )
    regulars = sorted(_regulars(start_us, start.year, seed), key=lambda opening: opening[0])
    return disturbed(together(chain(regulars, _guests(start_us, start.year, seed))), usual)


def _regulars(start_us: int, year: int, seed: int) -> Iterator[tuple[int, Iterator[Stamped]]]:
    """Players with weeks behind them: some calm, some long in trouble, some for whom it begins today."""
    for number in range(1, _REGULARS + 1):
        rng = Random(f"{seed}/regular/{number}")  # noqa: S311  (a simulation, no secret)
        habits = replace(
            draw_habits(rng, _PLACE, year),
            sessions_a_day=0.2 + 0.6 * rng.random(),
            games_a_session=1.0,
            stop_after_loss=0.06,
        )
        joined_us = start_us - _HISTORY_US + int(5 * DAY_US * rng.random())
        ways = Ways()
        visits: tuple[int, ...] = ()
        fixed: tuple[tuple[int, str], ...] = ()
        if number % 4 == 1:
            onset_us = start_us - int((6 + 14 * rng.random()) * DAY_US)
            markers = _KINDS[number // 4 % len(_KINDS)]
            ways = _ways({*markers, "frequent_play"}, onset_us, (0.3, 0.6, 0.9))
            soon_us = start_us + int(5 * MINUTE_US * rng.random())
            fixed = ((soon_us, "exclude" if number % 8 == 1 else "distress"),)
        elif number % 4 == 2:
            ways, visits, habits = _today(number, start_us, habits)
        life = Player(f"p{number:05}", _CODE, habits, ways, joined_us, rng, visits=visits, fixed=fixed).life()
        yield joined_us, life


def _ways(markers: Set[Marker], from_us: int, days: tuple[float, ...] = (1.0,)) -> Ways:
    """Harm that shows in these behaviours and no others, from a moment on."""
    return Ways(Course(from_us, days), {}, dict.fromkeys(markers, 0.9))


def _today(number: int, start_us: int, habits: Habits) -> tuple[Ways, tuple[int, ...], Habits]:
    """Trouble that has just begun: half have sat at a live table for an hour, half are about to deposit."""
    if number % 8 == 2:
        # The hour is told once the grace of a quarter of an hour is over, which is about now.
        since_us = start_us - int((73 + number % 7) * MINUTE_US)
        patient = replace(
            habits,
            products=(PRODUCTS["live_casino"],),
            sessions_a_day=0.05,
            stop_after_loss=0.004,
            stop_after_win=0.0,
            deposit=300 * habits.stake,
        )
        return _ways({"long_sessions"}, since_us - HOUR_US), (since_us,), patient
    chasing = _ways({"deposits_in_session", "escalating_deposits"}, start_us - HOUR_US)
    return chasing, (start_us + number * SECOND_US,), habits


def _guests(start_us: int, year: int, seed: int) -> Iterator[tuple[int, Iterator[Stamped]]]:
    """Newcomers, one every few seconds from shortly before the start on, each in one kind of haste."""
    for number, scene in zip(count(1), cycle(_SCENES), strict=False):
        joined_us = start_us - 3 * MINUTE_US + number * _GUEST_EVERY_US
        yield joined_us, _visit(Random(f"{seed}/guest/{number}"), f"g{number:05}", scene, joined_us, year)  # noqa: S311


def _visit(rng: Random, player: str, scene: _Scene, joined_us: int, year: int) -> Iterator[Stamped]:
    """The few minutes a guest stays."""

    def after(seconds: float) -> int:
        return joined_us + int(seconds * (0.7 + 0.6 * rng.random()) * SECOND_US)

    drawn = draw_habits(rng, _PLACE, year)
    habits = replace(
        drawn,
        step=max(2, drawn.step),
        stake=stakes_of(_PLACE)[max(2, drawn.step)],
        deposit=max(1000, stakes_of(_PLACE)[max(2, drawn.step)] * scene.deposit_stakes),
        products=(PRODUCTS["casino_slot"],),
        games_a_session=1.0,
        stop_after_loss=1 / 20,
        response_s=0.4,
        pace=0.15,
        limit=scene.limit,
    )
    ways = _ways(scene.markers, joined_us - DAY_US)
    fixed = tuple(
        (after(seconds), what)
        for seconds, what in ((scene.contact_s, "distress"), (scene.excluded_s, "exclude"))
        if seconds is not None
    )
    visits = tuple(after(40 * nth) for nth in range(1, 5))
    life = Player(player, _CODE, habits, ways, joined_us, rng, visits=visits, fixed=fixed).life()
    return takewhile(lambda stamped: stamped[0] < joined_us + _GUEST_STAYS_US, life)
