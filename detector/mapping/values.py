"""From what a foreign feed writes to what an event holds: exactly, or not at all.

Nothing here goes through a double, and what is refused says how to mend it without repeating the value.
"""

from __future__ import annotations

import decimal
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from detector.events.vocabulary import MAX_MONEY

ROUNDINGS: Mapping[str, str] = {
    "half_even": decimal.ROUND_HALF_EVEN,
    "half_up": decimal.ROUND_HALF_UP,
    "down": decimal.ROUND_DOWN,
    "up": decimal.ROUND_UP,
}
SIGNS = ("drop", "flip")
EPOCHS: Mapping[str, int] = {"seconds": 0, "milliseconds": 3, "microseconds": 6}
TEXT_TIME = "rfc3339"
DIRECTIVES = "YmdHMSfzyjbBIp%"
"""What may follow a % in a time's pattern: nothing that depends on a week or the machine's language."""

_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?")
_MOST = 40  # digits before or behind the point that a number may have
_EXACT = decimal.Context(prec=120, traps=[])
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = datetime(1, 1, 2, tzinfo=UTC)
_LAST = datetime(9999, 12, 30, tzinfo=UTC)


class Unfit(Exception):  # noqa: N818  (it is about a value, and becomes a refusal)
    """A value that cannot become what it should: a reason of a refusal, and the mend."""

    def __init__(self, reason: str, mend: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.mend = mend


def text_of(value: Any) -> str:
    """A single value as text, a number as it was written; Unfit for an object or array."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return str(value)
    raise Unfit("wrong_field", "is an object or array; name a value within")


def number_of(value: Any) -> Decimal:
    """A number, or a text that is one, exactly; Unfit otherwise."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return Decimal(value.strip())
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**_MOST:
        return Decimal(value)
    if isinstance(value, Decimal):
        if not value:
            return Decimal(0)
        if value.adjusted() < _MOST and value.as_tuple().exponent >= -_MOST:  # type: ignore[operator]
            return value
        raise Unfit("wrong_field", f"has more than {_MOST} digits before or behind the point")
    raise Unfit("wrong_field", "must be a number, or a text of digits with a point at most")


@dataclass(frozen=True, slots=True)
class MoneyForm:
    """How a feed writes money.

    Parameters
    ----------
    unit
        "major" (12.50), "minor" (1250), or how many decimals of the major unit one unit is (3: thousandths).
    rounding
        A key of ROUNDINGS, or None: what is no whole number of minor units is refused.
    sign
        None: negative is refused; "drop": the sign means nothing; "flip": what is outgoing is negative.
    decimals
        Currency → decimals of the feed's own minor unit where they are not the currency's.
    """

    unit: str | int
    rounding: str | None = None
    sign: str | None = None
    decimals: Mapping[str, int] = field(default_factory=dict)


def minor_units(amount: Decimal, exponent: int, currency: str, form: MoneyForm) -> int:
    """An amount as a feed writes it in minor units of a currency with `exponent` decimals, exactly.

    Raises
    ------
    Unfit
        It is negative, too large, or no whole number of minor units where the file does not say how to round.
    """
    if form.sign == "flip":
        amount = amount.copy_negate()  # a minus would round to the context's precision
    elif form.sign == "drop":
        amount = amount.copy_abs()
    if amount < 0 and form.sign == "flip":
        raise Unfit("negative_money", "has not the minus that the mapping's `sign: flip` says it has")
    if amount < 0:
        raise Unfit(
            "negative_money", "is negative; the type says the direction, or say `sign` in the mapping"
        )
    if form.unit == "minor":
        shift = exponent - form.decimals.get(currency, exponent)
    else:
        shift = exponent - (form.unit if isinstance(form.unit, int) else 0)
    scaled = amount.scaleb(shift, _EXACT)
    whole = scaled.to_integral_value(ROUNDINGS[form.rounding or "down"])
    if whole != scaled and form.rounding is None:
        raise Unfit(
            "fractional_money", "is no whole number of minor units; say `round` in the mapping if it may be"
        )
    if whole > MAX_MONEY:
        raise Unfit("huge_money", f"comes to more than {MAX_MONEY} minor units")
    return int(whole)


@dataclass(frozen=True, slots=True)
class TimeForm:
    """How a feed writes times: TEXT_TIME, a key of EPOCHS or a pattern; `zone` is of those that say none."""

    format: str = TEXT_TIME
    zone: str | None = None


def instant(value: Any, form: TimeForm) -> datetime:
    """A time as a feed writes it, as an aware UTC datetime, cut to the microsecond.

    An hour that comes twice when clocks go back is taken for the first; one that never comes when they go
    forward, for as long after midnight as it says it is.

    Raises
    ------
    Unfit
        It is not written so, has no zone and the file gives none, or lies outside the years 1 to 9999.
    """
    try:
        if form.format in EPOCHS:
            micros = number_of(value).scaleb(6 - EPOCHS[form.format], _EXACT)
            found = _EPOCH + timedelta(microseconds=int(micros.to_integral_value(decimal.ROUND_FLOOR)))
        else:
            found = _written(value, form)
        found = found.astimezone(UTC)
    except OverflowError:
        raise Unfit("wrong_field", "lies outside the years 1 to 9999") from None
    if not _FIRST <= found <= _LAST:
        raise Unfit("wrong_field", "lies outside the years 1 to 9999")
    return found


def _written(value: Any, form: TimeForm) -> datetime:
    text = text_of(value).strip()
    if form.format == TEXT_TIME:
        try:
            found = msgspec.convert(text, datetime)
        except msgspec.ValidationError:
            raise Unfit("wrong_field", "must be an RFC 3339 time, such as 2026-01-01T10:00:00Z") from None
    else:
        try:
            found = datetime.strptime(text, form.format)  # noqa: DTZ007  (the zone follows)
        except ValueError:
            raise Unfit("wrong_field", f"is not written as {form.format}") from None
    if found.tzinfo is None:
        if form.zone is None:
            raise Unfit("no_zone", "does not say its zone; give it as `zone` in the mapping")
        found = found.replace(tzinfo=ZoneInfo(form.zone))
    return found


def whole(value: Any) -> int:
    """A whole number; Unfit otherwise."""
    number = number_of(value)
    if number != number.to_integral_value() or number.adjusted() > 18:
        raise Unfit("wrong_field", "must be a whole number")
    return int(number)


def truth(value: Any) -> bool:
    """True or false, as JSON or as text; Unfit otherwise."""
    text = text_of(value)
    if text not in ("true", "false"):
        raise Unfit("wrong_field", "must be true or false; give a `table` for other words")
    return text == "true"
