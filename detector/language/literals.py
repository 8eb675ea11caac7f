"""Constants as they are written: 7d, 200 CAD, 30%, 3, 2.5, "text"."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from detector.errors import InputError
from detector.events.money import Currencies
from detector.language.syntax import NOWHERE, Kind, Literal, Place

DAY_US = 86_400_000_000
MAX_DURATION_US = 36_500 * DAY_US
_UNITS_US = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": DAY_US, "w": 7 * DAY_US}
_MAX_DIGITS = 15  # up to here a double holds every whole number, and no text turns into a huge integer

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhdw])")
_MONEY = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s+([A-Z][A-Z0-9]{2,15})")
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)%")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_TEXT = re.compile(r'"([^"\n]*)"')
_TEXT_OR_MONEY = re.compile(rf'"[^"\n]*"|(?<![A-Za-z0-9_.]){_MONEY.pattern}\b')


def read_literal(
    text: str, currencies: Currencies, place: Place = NOWHERE, param: str | None = None
) -> Literal | None:
    """Return the constant that a text spells, or None where it spells none.

    Raises
    ------
    ValueError
        Where it is too large, of an unknown currency, or finer than its unit can hold.
    """
    if match := _TEXT.fullmatch(text):
        return Literal(match[1], Kind.TEXT, param=param, place=place)
    if sum(map(str.isdigit, text)) > _MAX_DIGITS:
        if any(form.fullmatch(text) for form in (_DURATION, _MONEY, _PERCENT, _NUMBER)):
            raise ValueError("a number has at most 15 digits")
        return None
    if match := _DURATION.fullmatch(text):
        return Literal(_micros(match[1], match[2]), Kind.DURATION, param=param, place=place)
    if match := _MONEY.fullmatch(text):
        minor, currency = read_money(match[1], match[2], currencies)
        return Literal(minor, Kind.MONEY, currency, param, place)
    if match := _PERCENT.fullmatch(text):
        share = float(Decimal(match[1]) / 100)
        return Literal(share, Kind.NUMBER, param=param, place=place, share=True)
    if _NUMBER.fullmatch(text):
        if "." in text:
            return Literal(float(text), Kind.NUMBER, param=param, place=place)
        return Literal(int(text), Kind.COUNT, param=param, place=place)
    return None


def read_money(amount: str, currency: str, currencies: Currencies) -> tuple[int, str]:
    """Return minor units and currency; raise ValueError if the currency is unknown or the amount too fine."""
    try:
        return currencies.parse(f"{amount} {currency}")
    except InputError as error:
        raise ValueError(str(error)) from None


def first_currency(text: str) -> str | None:
    """Return the currency of the first money written in a condition, None where there is none."""
    return next((match[2] for match in _TEXT_OR_MONEY.finditer(text) if match[2]), None)


def read_duration_us(text: str) -> int | None:
    """Return a duration literal in µs, or None; raise ValueError where it is out of bounds."""
    match = _DURATION.fullmatch(text)
    return _micros(match[1], match[2]) if match else None


def write_duration(value_us: float) -> str:
    """Return a duration as the language writes it, in its largest whole unit: 604800000000 is `1w`."""
    for unit in ("w", "d", "h", "m", "s"):
        if value_us and value_us % _UNITS_US[unit] == 0:
            return f"{value_us // _UNITS_US[unit]:.0f}{unit}"
    return f"{value_us / 1_000_000:g}s"


def _micros(number: str, unit: str) -> int:
    try:
        micros = Decimal(number) * _UNITS_US[unit]
    except InvalidOperation:
        raise ValueError("not a duration") from None
    if micros != int(micros):
        raise ValueError("a duration has whole microseconds")
    if micros > MAX_DURATION_US:
        raise ValueError("a duration is at most 36500d")
    return int(micros)
