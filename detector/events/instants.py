"""Instants as whole microseconds since the Unix epoch, and what a wall clock at the player's place shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

QUARTER_US = 15 * MINUTE_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(instant: datetime) -> int:
    """Microseconds since the epoch of an aware datetime, exact (no double is involved)."""
    return (instant - _EPOCH) // _MICROSECOND


_FIRST_US = micros(datetime(1, 1, 2, tzinfo=UTC))
_LAST_US = micros(datetime(9999, 12, 31, tzinfo=UTC)) - 1


def to_datetime(us: int) -> datetime:
    """The aware UTC datetime of `us`, exact from 0001-01-02 to 9999-12-30 and held at these ends beyond them.

    So no event, however absurd its time, brings down what adds a window to it or asks for a local hour.
    """
    return _EPOCH + timedelta(microseconds=min(max(us, _FIRST_US), _LAST_US))


def rfc3339_ms(us: int) -> str:
    """`us` in UTC as "2026-01-01T10:00:00.000Z", cut (not rounded) to the millisecond.

    >>> rfc3339_ms(1_767_261_600_123_999)
    '2026-01-01T10:00:00.123Z'
    """
    return to_datetime(us).isoformat(timespec="milliseconds")[:-6] + "Z"


def utc_day(us: int) -> int:
    """Number of the UTC day that holds `us`, counted from 1970-01-01."""
    return us // DAY_US


@cache
def known_zones() -> frozenset[str]:
    """Names of every IANA time zone that this machine can read."""
    return frozenset(available_timezones())


def local_parts(us: int, zone: str) -> tuple[int, str]:
    """Hour (0 to 23) and date ("YYYY-MM-DD") that a clock in `zone`, a name in `known_zones`, shows at `us`.

    >>> local_parts(1_767_240_000_000_000, "America/Toronto")
    (23, '2025-12-31')
    """
    return quarter_parts(us // QUARTER_US, zone) or _local_parts(us, zone)


def _local_parts(us: int, zone: str) -> tuple[int, str]:
    local = to_datetime(us).astimezone(ZoneInfo(zone))
    return local.hour, local.date().isoformat()


# Clocks mostly change at a whole quarter of an hour in UTC, but not always: Newfoundland did so at 00:01
# until 2011, Casey in 2022. A quarter is therefore remembered only when both its ends show the same.
@lru_cache(maxsize=16_384)
def quarter_parts(number: int, zone: str) -> tuple[int, str] | None:
    """`local_parts` of a whole quarter of an hour, by its number since the epoch; None where it changes."""
    start = number * QUARTER_US
    parts = _local_parts(start, zone)
    return parts if parts == _local_parts(start + QUARTER_US - 1, zone) else None
