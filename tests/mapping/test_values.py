"""Money and times come through exactly, or not at all."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.events.money import Currencies
from detector.events.vocabulary import MAX_MONEY
from detector.mapping.message import read_message
from detector.mapping.values import (
    MoneyForm,
    TimeForm,
    Unfit,
    instant,
    minor_units,
    number_of,
    text_of,
    truth,
    whole,
)

MAJOR = MoneyForm("major")
EXPONENTS = Currencies({"BTC": 8, "WEI": 18}).exponents

exponents = st.sampled_from([0, 2, 3, 8, 18])
amounts = st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places), st.integers(0, 10**24), st.integers(0, 20)
)


def written(amount: Decimal) -> str:
    return f"{amount:f}"


def reason(call: object, *arguments: object) -> str:
    with pytest.raises(Unfit) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value.reason


# Money


@given(amounts, exponents, st.booleans())
def test_an_amount_is_its_minor_units_or_refused(amount: Decimal, exponent: int, as_text: bool) -> None:
    text = written(amount)
    value = text if as_text else read_message(text.encode())
    exact = Fraction(text) * 10**exponent
    if exact.denominator != 1:
        assert reason(minor_units, number_of(value), exponent, "X", MAJOR) == "fractional_money"
    elif exact > MAX_MONEY:
        assert reason(minor_units, number_of(value), exponent, "X", MAJOR) == "huge_money"
    else:
        assert minor_units(number_of(value), exponent, "X", MAJOR) == exact


@given(st.integers(0, MAX_MONEY), st.sampled_from(sorted(EXPONENTS)))
def test_there_and_back(minor: int, currency: str) -> None:
    exponent = EXPONENTS[currency]
    text = written(Decimal(minor).scaleb(-exponent))
    assert minor_units(number_of(text), exponent, currency, MAJOR) == minor
    assert minor_units(number_of(minor), exponent, currency, MoneyForm("minor")) == minor


@given(st.floats(1e-9, 1e12), exponents)
def test_a_float_is_what_was_written_and_not_what_a_double_makes_of_it(amount: float, exponent: int) -> None:
    text = json.dumps(amount)
    exact = Fraction(Decimal(text)) * 10**exponent
    value = number_of(read_message(text.encode()))
    assert Fraction(value) == Fraction(Decimal(text))
    if exact.denominator == 1 and exact <= MAX_MONEY:
        assert minor_units(value, exponent, "X", MAJOR) == exact


def test_cents_that_doubles_get_wrong() -> None:
    # 1.15 * 100 is 114.99999999999999 and 0.1 + 0.2 is no 0.3.
    assert minor_units(number_of(read_message(b"1.15")), 2, "CAD", MAJOR) == 115
    summed = number_of(read_message(json.dumps(0.1 + 0.2).encode()))
    assert reason(minor_units, summed, 2, "CAD", MAJOR) == "fractional_money"
    assert minor_units(summed, 2, "CAD", MoneyForm("major", rounding="half_even")) == 30


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [
        ("half_even", [100, 102, 102]),
        ("half_up", [101, 102, 102]),
        ("down", [100, 101, 101]),
        ("up", [101, 102, 102]),
    ],
)
def test_rounding_is_what_the_file_says(rounding: str, expected: list[int]) -> None:
    form = MoneyForm("major", rounding=rounding)
    assert [minor_units(Decimal(x), 2, "CAD", form) for x in ("1.005", "1.015", "1.0151")] == expected


@given(st.integers(1, 10**12), st.integers(0, 6))
def test_units_of_so_many_decimals(count: int, decimals: int) -> None:
    exact = Fraction(count) * Fraction(100, 10**decimals)
    form = MoneyForm(decimals)
    if exact.denominator == 1:
        assert minor_units(Decimal(count), 2, "CAD", form) == exact
    else:
        assert reason(minor_units, Decimal(count), 2, "CAD", form) == "fractional_money"


def test_a_feed_may_count_a_currency_in_other_minor_units() -> None:
    form = MoneyForm("minor", decimals={"ISK": 2, "CVE": 0})
    assert minor_units(Decimal(50_000), 0, "ISK", form) == 500
    assert reason(minor_units, Decimal(50_001), 0, "ISK", form) == "fractional_money"
    assert minor_units(Decimal(5), 2, "CVE", form) == 500
    assert minor_units(Decimal(1250), 2, "CAD", form) == 1250


def test_signs() -> None:
    assert reason(minor_units, Decimal("-0.01"), 2, "CAD", MAJOR) == "negative_money"
    assert minor_units(Decimal("-5"), 2, "CAD", MoneyForm("major", sign="drop")) == 500
    assert minor_units(Decimal("5"), 2, "CAD", MoneyForm("major", sign="drop")) == 500
    assert minor_units(Decimal("-5"), 2, "CAD", MoneyForm("major", sign="flip")) == 500
    assert reason(minor_units, Decimal("5"), 2, "CAD", MoneyForm("major", sign="flip")) == "negative_money"
    assert minor_units(Decimal("-0"), 2, "CAD", MAJOR) == 0
    exact = Decimal("-12345678901234567890.123456789012345678")
    assert reason(minor_units, exact, 18, "WEI", MoneyForm("major", sign="drop")) == "huge_money"
    assert (
        minor_units(Decimal("-0.001000000000000001"), 18, "WEI", MoneyForm("major", sign="drop"))
        == 10**15 + 1
    )


@pytest.mark.parametrize(
    "value",
    [
        "",
        "abc",
        "1,50",
        "1 000",
        "0x10",
        "1e3",
        "NaN",
        "Infinity",
        "١٢",
        "1.",
        ".5",
        True,
        None,
        [],
        {},
        "9" * 41,
    ],
)
def test_what_is_no_number(value: object) -> None:
    assert reason(number_of, value) == "wrong_field"


@pytest.mark.parametrize("literal", [b"1e999999999", b"1e-999999999", b"-1E+400000", b"9" * 4000])
def test_a_number_out_of_all_bounds_costs_nothing(literal: bytes) -> None:
    assert reason(number_of, read_message(literal)) == "wrong_field"


@given(st.integers(-(10**30), 10**30), st.integers(-30, 30))
def test_an_exponent_says_the_same(digits: int, shift: int) -> None:
    value = read_message(f"{digits}e{shift}".encode())
    try:
        number = number_of(value)
    except Unfit:
        assert abs(Fraction(digits) * Fraction(10) ** shift) >= 10**39 or shift < -10
    else:
        assert Fraction(number) == Fraction(digits) * Fraction(10) ** shift


def test_texts_and_whole_numbers() -> None:
    assert [text_of(x) for x in ("a", 12, Decimal("1.50"), True, False)] == [
        "a",
        "12",
        "1.50",
        "true",
        "false",
    ]
    assert reason(text_of, {}) == "wrong_field"
    assert [whole(x) for x in (3, "3", Decimal("3.0"), "-7")] == [3, 3, 3, -7]
    assert reason(whole, "3.5") == "wrong_field"
    assert [truth(x) for x in (True, "true", False, "false")] == [True, True, False, False]
    assert reason(truth, "yes") == "wrong_field"


# Times

naive = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001
zones = st.sampled_from(
    ["Europe/Malta", "America/Toronto", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]
)


@given(naive, zones)
def test_a_time_without_zone_is_of_the_zone_that_the_file_says(local: datetime, zone: str) -> None:
    text = local.isoformat(sep=" ")
    pattern = "%Y-%m-%d %H:%M:%S.%f" if local.microsecond else "%Y-%m-%d %H:%M:%S"
    expected = local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    assert instant(text, TimeForm(pattern, zone)) == expected
    assert instant(local.isoformat(), TimeForm(zone=zone)) == expected


@given(naive, st.integers(-14 * 60, 14 * 60), zones)
def test_a_zone_in_the_text_counts_more(local: datetime, minutes: int, zone: str) -> None:
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    text = f"{local.isoformat()}{sign}{hours:02}:{rest:02}"
    assert instant(text, TimeForm(zone=zone)) == local.replace(tzinfo=UTC) - timedelta(minutes=minutes)


@given(st.integers(-(10**15), 10**16))
def test_epochs(us: int) -> None:
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    assert instant(us, TimeForm("microseconds")) == expected
    assert instant(str(us), TimeForm("microseconds")) == expected
    assert instant(us // 1000, TimeForm("milliseconds")) == expected - timedelta(microseconds=us % 1000)
    assert instant(us // 10**6, TimeForm("seconds")) == expected - timedelta(microseconds=us % 10**6)
    assert instant(Decimal(us).scaleb(-6), TimeForm("seconds")) == expected


def test_the_hour_that_comes_twice_is_the_first_and_the_one_that_never_comes_runs_on() -> None:
    malta = TimeForm("%d/%m/%Y %H:%M", "Europe/Malta")
    assert instant("25/10/2026 02:30", malta) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # still summer
    assert instant("25/10/2026 03:00", malta) == datetime(2026, 10, 25, 2, 0, tzinfo=UTC)
    assert instant("29/03/2026 02:30", malta) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # 03:30 on the wall
    assert instant("29/03/2026 03:30", malta) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_nanoseconds_are_taken() -> None:
    found = instant("2026-03-01T10:00:00.123456789Z", TimeForm())
    assert abs(found - datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC)) <= timedelta(microseconds=1)
    assert instant(Decimal("1.9999999"), TimeForm("seconds")) == datetime(
        1970, 1, 1, 0, 0, 1, 999999, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("value", "form", "expected"),
    [
        ("2026-03-01T10:00:00", TimeForm(), "no_zone"),
        ("yesterday", TimeForm(), "wrong_field"),
        ("2026-13-01T10:00:00Z", TimeForm(), "wrong_field"),
        ("01/03/2026", TimeForm("%Y-%m-%d", "UTC"), "wrong_field"),
        (10**30, TimeForm("seconds"), "wrong_field"),
        (-(10**17), TimeForm("microseconds"), "wrong_field"),
        ("0001-01-01T00:00:00+14:00", TimeForm(), "wrong_field"),
        ("9999-12-31T23:59:59-12:00", TimeForm(), "wrong_field"),
        (True, TimeForm("seconds"), "wrong_field"),
        ({}, TimeForm(), "wrong_field"),
        (1772359200, TimeForm(), "wrong_field"),
    ],
)
def test_what_is_no_time(value: object, form: TimeForm, expected: str) -> None:
    assert reason(instant, value, form) == expected
