"""Money: exponents, texts, and dated rates."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.errors import InputError, SettingsError, StateError
from detector.events.instants import micros, to_datetime, utc_day
from detector.events.money import MAX_MISSING, Currencies, Rates
from detector.events.vocabulary import MAX_MONEY

currencies = Currencies({"BTC": 8, "CHIP": 0})
DAY = utc_day(micros(to_datetime(0)) + 20_454 * 86_400_000_000)  # 2026-01-01


def test_exponents() -> None:
    assert [currencies.exponents[code] for code in ("CAD", "JPY", "KWD", "CLF", "BTC", "CHIP")] == [
        2,
        0,
        3,
        4,
        8,
        0,
    ]
    assert "XAU" not in currencies
    assert "BTC" not in Currencies()
    assert "cad" not in currencies


@pytest.mark.parametrize(
    "own",
    [{"btc": 8}, {"B": 8}, {"": 8}, {"BTC": -1}, {"BTC": 19}, {"CAD": 3}, {"A" * 17: 2}, {"BT-C": 2}],
)
def test_a_deployments_own_are_checked(own: dict[str, int]) -> None:
    with pytest.raises(SettingsError):
        Currencies(own)


def test_an_iso_currency_may_be_repeated() -> None:
    assert Currencies({"CAD": 2}).exponents["CAD"] == 2


@pytest.mark.parametrize(
    ("text", "minor", "code"),
    [
        ("200 CAD", 20_000, "CAD"),
        ("200.5 CAD", 20_050, "CAD"),
        ("0.01 CAD", 1, "CAD"),
        ("1.500 CAD", 150, "CAD"),
        ("0 CAD", 0, "CAD"),
        ("007.00 CAD", 700, "CAD"),
        ("  5   EUR ", 500, "EUR"),
        ("0.5 BTC", 50_000_000, "BTC"),
        ("300 JPY", 300, "JPY"),
        ("7 CHIP", 7, "CHIP"),
        ("90071992547409.91 CAD", MAX_MONEY, "CAD"),
    ],
)
def test_parse(text: str, minor: int, code: str) -> None:
    assert currencies.parse(text) == (minor, code)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CAD",
        "200",
        "200CAD",
        "200 ZZZ",
        "200 cad",
        "-1 CAD",
        "+1 CAD",
        "1e3 CAD",
        ".5 CAD",
        "1. CAD",
        "1,000 CAD",
        "NaN CAD",
        "Infinity CAD",
        "0.001 CAD",
        "0.5 JPY",
        "1 XAU",
        "٣ CAD",
        "90071992547409.92 CAD",
        "1.0000000000000000000000000000000000000000001 CAD",
        "9" * 5_000 + " CAD",
        "1 CAD EUR",
    ],
)
def test_parse_refuses(text: str) -> None:
    with pytest.raises(InputError):
        currencies.parse(text)


@pytest.mark.parametrize(
    ("minor", "code", "text"),
    [
        (20_000, "CAD", "200.00 CAD"),
        (-5, "CAD", "-0.05 CAD"),
        (300, "JPY", "300 JPY"),
        (1, "BTC", "0.00000001 BTC"),
        (20_000.4, "CAD", "200.00 CAD"),
        (MAX_MONEY, "CAD", "90071992547409.91 CAD"),
    ],
)
def test_format_money(minor: float, code: str, text: str) -> None:
    assert currencies.format_money(minor, code) == text


@given(st.integers(0, MAX_MONEY), st.sampled_from(["CAD", "JPY", "KWD", "BTC", "CLF"]))
def test_parse_reads_what_format_writes(minor: int, code: str) -> None:
    assert currencies.parse(currencies.format_money(minor, code)) == (minor, code)


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rates.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rates(tmp_path: Path) -> None:
    path = table(tmp_path, "date,from,to,rate\n2026-01-01,EUR,CAD,1.6\n\n2026-01-01,BTC,CAD,120000\n")
    rates = Rates.read(path, currencies)
    assert rates.convert(100, "EUR", "CAD", DAY) == 160.0
    assert rates.convert(160, "CAD", "EUR", DAY) == 100.0
    assert rates.convert(50_000_000, "BTC", "CAD", DAY) == 6_000_000.0
    assert rates.convert(6_000_000, "CAD", "BTC", DAY) == pytest.approx(50_000_000.0)
    assert rates.convert(100, "EUR", "CAD", DAY + 1) is None
    assert rates.convert(100, "EUR", "USD", DAY) is None


def test_the_same_currency_needs_no_rate_and_stays_whole() -> None:
    converted = Rates(currencies).convert(MAX_MONEY, "CAD", "CAD", DAY)
    assert converted == MAX_MONEY
    assert isinstance(converted, int)


def test_a_given_inverse_goes_before_a_derived_one() -> None:
    day = date(2026, 1, 1)
    rates = Rates(currencies, [(day, "EUR", "CAD", Decimal("1.6")), (day, "CAD", "EUR", Decimal("0.6"))])
    assert rates.convert(1_000, "CAD", "EUR", DAY) == 600.0
    assert rates.convert(1_000, "EUR", "CAD", DAY) == 1_600.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", ":1: the header"),
        ("day,from,to,rate\n", ":1: the header"),
        ("date,from,to,rate\n2026-13-01,EUR,CAD,1.6\n", ":2: "),
        ("date,from,to,rate\n2026-01-01,EUR,CAD,\n", ":2: "),
        ("date,from,to,rate\n2026-01-01,EUR,CAD\n", ":2: "),
        ("date,from,to,rate\n2026-01-01,EUR,CAD,1.6,x\n", ":2: "),
        ("date,from,to,rate\n2026-01-01,EUR,ZZZ,1.6\n", "no such currency"),
        ("date,from,to,rate\n2026-01-01,EUR,CAD,0\n", "must be a number"),
        ("date,from,to,rate\n2026-01-01,EUR,CAD,NaN\n", "must be a number"),
        ("date,from,to,rate\n2026-01-01,EUR,CAD,-1\n", "must be a number"),
        ("date,from,to,rate\n2026-01-01,EUR,CAD,1e400\n", "must be a number"),
        ("date,from,to,rate\n2026-01-01,EUR,EUR,1\n", "and itself"),
        ("date,from,to,rate\n2026-01-01,EUR,CAD,1\n2026-01-01,EUR,CAD,1\n", "twice"),
        ('date,from,to,rate\n"2026-01-01,EUR,CAD,1\n', "cannot be read"),
    ],
)
def test_a_bad_table_says_where(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Rates.read(table(tmp_path, text), currencies)


def test_a_table_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot be read"):
        Rates.read(path, currencies)
    with pytest.raises(InputError, match="cannot be read"):
        Rates.read(tmp_path / "none.csv", currencies)


def test_a_stored_table_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    rates = Rates.read(table(tmp_path, "date,from,to,rate\n2026-01-01,EUR,CAD,1.6180339887\n"), currencies)
    again = Rates.load(currencies, rates.dump())
    for frm, to in (("EUR", "CAD"), ("CAD", "EUR")):
        assert again.convert(MAX_MONEY, frm, to, DAY) == rates.convert(MAX_MONEY, frm, to, DAY)
    assert again.dump() == rates.dump()


@pytest.mark.parametrize("stored", [b"", b"{}", b'[[1,"EUR","CAD"]]', b"\xff"])
def test_a_stored_table_that_is_none(stored: bytes) -> None:
    with pytest.raises(StateError):
        Rates.load(currencies, stored)


def test_missing_rates_are_told_apart_up_to_a_bound() -> None:
    rates = Rates(currencies)
    for day in range(MAX_MISSING + 7):
        assert rates.convert(1, "EUR", "CAD", day) is None
        assert rates.convert(1, "EUR", "CAD", 0) is None
    assert len(rates.missing) == MAX_MISSING
    assert rates.missing[0, "EUR", "CAD"] == MAX_MISSING + 8
