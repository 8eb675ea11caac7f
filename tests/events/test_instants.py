"""Instants are exact, and a clock at the player's place is right across every change of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.events.instants import (
    DAY_US,
    MINUTE_US,
    known_zones,
    local_parts,
    micros,
    quarter_parts,
    rfc3339_ms,
    to_datetime,
    utc_day,
)

FIRST = datetime(1, 1, 2)  # noqa: DTZ001  (hypothesis wants naive bounds)
LAST = datetime(9999, 12, 30, 23, 59, 59, 999999)  # noqa: DTZ001
offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def at(text: str) -> int:
    return micros(datetime.fromisoformat(text))


@given(st.datetimes(FIRST, LAST, timezones=st.just(UTC)))
def test_micros_and_back(instant: datetime) -> None:
    us = micros(instant)
    assert to_datetime(us) == instant
    assert to_datetime(us).tzinfo is UTC
    assert micros(to_datetime(us + 1)) == us + 1 or instant == LAST.replace(tzinfo=UTC)


@given(st.datetimes(timezones=offsets))
def test_micros_does_not_depend_on_the_zone(instant: datetime) -> None:
    naive = instant.replace(tzinfo=UTC)
    offset = instant.utcoffset()
    assert offset is not None
    assert micros(instant) == micros(naive) - offset // timedelta(microseconds=1)


def test_beyond_the_calendar_time_stands_still() -> None:
    assert to_datetime(10**18) == to_datetime(10**30) == datetime(9999, 12, 30, 23, 59, 59, 999999, UTC)
    assert to_datetime(-(10**18)) == datetime(1, 1, 2, tzinfo=UTC)
    assert rfc3339_ms(10**30) == "9999-12-30T23:59:59.999Z"
    assert local_parts(10**30, "Pacific/Kiritimati") == (13, "9999-12-31")
    assert local_parts(-(10**30), "America/Toronto") == (18, "0001-01-01")


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (999, "1970-01-01T00:00:00.000Z"),
        (1_000, "1970-01-01T00:00:00.001Z"),
        (1_767_261_600_123_999, "2026-01-01T10:00:00.123Z"),
    ],
)
def test_rfc3339_ms(us: int, text: str) -> None:
    assert rfc3339_ms(us) == text


def test_utc_day() -> None:
    assert utc_day(0) == utc_day(DAY_US - 1) == 0
    assert utc_day(-1) == -1


@pytest.mark.parametrize(
    ("utc", "zone", "hour", "date"),
    [
        # Toronto: 2026-03-08 02:00 EST becomes 03:00 EDT; 2026-11-01 02:00 EDT becomes 01:00 EST.
        ("2026-03-08T06:59:59.999999Z", "America/Toronto", 1, "2026-03-08"),
        ("2026-03-08T07:00:00Z", "America/Toronto", 3, "2026-03-08"),
        ("2026-11-01T05:59:59.999999Z", "America/Toronto", 1, "2026-11-01"),
        ("2026-11-01T06:00:00Z", "America/Toronto", 1, "2026-11-01"),
        ("2026-11-01T07:00:00Z", "America/Toronto", 2, "2026-11-01"),
        ("2026-01-01T04:59:59.999999Z", "America/Toronto", 23, "2025-12-31"),
        ("2026-01-01T05:00:00Z", "America/Toronto", 0, "2026-01-01"),
        # Lord Howe moves its clock by half an hour: +11 in summer, +10:30 in winter.
        ("2026-04-04T14:59:59Z", "Australia/Lord_Howe", 1, "2026-04-05"),
        ("2026-04-04T15:00:00Z", "Australia/Lord_Howe", 1, "2026-04-05"),
        ("2026-04-04T15:29:59Z", "Australia/Lord_Howe", 1, "2026-04-05"),
        ("2026-04-04T15:30:00Z", "Australia/Lord_Howe", 2, "2026-04-05"),
        ("2026-10-03T15:29:59Z", "Australia/Lord_Howe", 1, "2026-10-04"),
        ("2026-10-03T15:30:00Z", "Australia/Lord_Howe", 2, "2026-10-04"),
        # Kathmandu is +5:45.
        ("2026-01-01T18:14:59Z", "Asia/Kathmandu", 23, "2026-01-01"),
        ("2026-01-01T18:15:00Z", "Asia/Kathmandu", 0, "2026-01-02"),
        # Newfoundland changed at one minute past midnight until 2011: not at a whole quarter.
        ("2010-03-14T03:30:59Z", "America/St_Johns", 0, "2010-03-14"),
        ("2010-03-14T03:31:00Z", "America/St_Johns", 1, "2010-03-14"),
        # Before 1972 Monrovia was 44 min 30 s behind.
        ("1971-06-01T00:44:29Z", "Africa/Monrovia", 23, "1971-05-31"),
        ("1971-06-01T00:44:30Z", "Africa/Monrovia", 0, "1971-06-01"),
        ("2026-01-01T00:00:00Z", "UTC", 0, "2026-01-01"),
    ],
)
def test_local_parts(utc: str, zone: str, hour: int, date: str) -> None:
    assert local_parts(at(utc), zone) == (hour, date)


@given(
    st.sampled_from(sorted(known_zones())),
    st.integers(at("1970-01-01T00:00:00Z"), at("2040-01-01T00:00:00Z")),
)
def test_local_parts_agrees_with_zoneinfo(zone: str, us: int) -> None:
    local = to_datetime(us).astimezone(ZoneInfo(zone))
    assert local_parts(us, zone) == (local.hour, local.date().isoformat())


def test_local_parts_around_every_change_of_odd_zones() -> None:
    for zone in ("America/St_Johns", "Antarctica/Casey", "Asia/Gaza", "Africa/Monrovia", "Pacific/Apia"):
        place = ZoneInfo(zone)
        before = None
        for day in range(utc_day(at("1971-01-01T00:00:00Z")), utc_day(at("2030-01-01T00:00:00Z"))):
            offset = to_datetime(day * DAY_US).astimezone(place).utcoffset()
            if before is not None and offset != before:
                for minute in range(-1440, 1, 7):
                    us = day * DAY_US + minute * MINUTE_US + 12_345
                    local = to_datetime(us).astimezone(place)
                    assert local_parts(us, zone) == (local.hour, local.date().isoformat())
            before = offset


def test_what_is_remembered_is_bounded() -> None:
    assert quarter_parts.cache_info().maxsize == 16_384
