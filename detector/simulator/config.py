"""What can be asked of the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from detector.errors import SettingsError
from detector.simulator.places import JURISDICTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What to simulate. The same values give the same bytes.

    Parameters
    ----------
    players
        How many players join, at least 1.
    days
        Span in which they join and come to harm, 1 to 3660; the log stops at its end unless `events`
        is given.
    start
        Beginning of the log, an aware datetime.
    seed
        Any integer.
    events
        Stop after exactly this many lines, however many days it takes; None: after `days`.
    troubled
        Share of the players who come to harm at some time in the span, 0 to 1: three in ten of them
        severely. Harm at any one time is rarer, since it grows and passes.
    jurisdiction
        A key of `JURISDICTIONS`.
    repeats
        Exact repeats, as a share of the good events; each follows its event within two minutes.
    late
        Share of the events that arrive late, by a uniform time of up to `late_by`.
    late_by
        The longest lateness; beyond a quarter of an hour the detector's usual grace is exceeded.
    corrupt
        Broken lines, as a share of the good events. They come beside the events they were made from, which
        arrive whole as well: what the detector should conclude is the same with and without them.
    corrections
        Share of bets and deposits that are voided or replaced within a day.

    Raises
    ------
    SettingsError
        For a value out of its range.
    """

    players: int = 1000
    days: int = 75
    start: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    seed: int = 0
    events: int | None = None
    troubled: float = 0.08
    jurisdiction: str = "CA-ON"
    repeats: float = 0.0
    late: float = 0.0
    late_by: timedelta = timedelta(minutes=10)
    corrupt: float = 0.0
    corrections: float = 0.0

    def __post_init__(self) -> None:
        if self.players < 1:
            raise SettingsError("players must be at least 1")
        if not 1 <= self.days <= 3660:
            raise SettingsError("days must be 1 to 3660")
        if self.start.tzinfo is None:
            raise SettingsError("start must have a zone")
        if not 1971 <= self.start.year <= 2099:
            raise SettingsError("start must lie in the years 1971 to 2099")
        if self.events is not None and self.events < 0:
            raise SettingsError("events must not be negative")
        if self.late_by < timedelta(0):
            raise SettingsError("late_by must not be negative")
        for name in ("troubled", "repeats", "late", "corrupt", "corrections"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise SettingsError(f"{name} must be a share from 0 to 1")
        if self.jurisdiction not in JURISDICTIONS:
            known = ", ".join(JURISDICTIONS)
            raise SettingsError(
                f"no simulated players in jurisdiction {self.jurisdiction!r}; there are {known}"
            )
