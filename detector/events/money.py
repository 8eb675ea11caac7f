"""Money: currencies and their minor units, its text form, and conversion at dated rates."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import iso4217
import msgspec

from detector.errors import InputError, SettingsError, StateError
from detector.events.vocabulary import MAX_MONEY

_CODE = re.compile(r"[A-Z][A-Z0-9]{2,15}")
_AMOUNT = re.compile(r"0*([0-9]+)(?:\.([0-9]+))?")
_LEAST = Decimal("0.000000000001")  # no two currencies lie further apart
_EPOCH_DAY = date(1970, 1, 1).toordinal()
MAX_MISSING = 1_000
"""Days and pairs without a rate that are told apart; what is missing beyond them is counted nowhere."""


class Currencies:
    """ISO 4217 and a deployment's own currencies, with the number of decimals each is counted in.

    Parameters
    ----------
    own
        Code → decimals (0 to 18) of what ISO 4217 does not know, such as {"BTC": 8}. SettingsError if a code
        is not 3 to 16 capitals and digits, or gives an ISO currency other decimals than its own.

    Attributes
    ----------
    exponents
        Code → decimals of every known currency.

    >>> Currencies({"BTC": 8}).parse("0.5 BTC")
    (50000000, 'BTC')
    """

    def __init__(self, own: Mapping[str, int] | None = None) -> None:
        # Metals, funds and test codes of ISO 4217 have no minor unit: nobody plays in them.
        exponents = {each.code: each.exponent for each in iso4217.Currency if each.exponent is not None}
        for code, exponent in (own or {}).items():
            if not _CODE.fullmatch(code):
                raise SettingsError(f"currency {code!r}: a code is 3 to 16 capital letters and digits")
            if not 0 <= exponent <= 18:
                raise SettingsError(f"currency {code}: decimals must be a whole number from 0 to 18")
            if exponents.get(code, exponent) != exponent:
                raise SettingsError(f"currency {code}: ISO 4217 gives it {exponents[code]} decimals")
            exponents[code] = exponent
        self.exponents: Mapping[str, int] = MappingProxyType(exponents)

    def __contains__(self, code: object) -> bool:
        return code in self.exponents

    def parse(self, text: str) -> tuple[int, str]:
        """Read "200 CAD" as (20000, "CAD"); InputError if it is no amount, or too fine for its currency."""
        amount, _, code = text.strip().partition(" ")
        code = code.strip()
        match = _AMOUNT.fullmatch(amount)
        if not match:
            raise InputError(f"{text!r} is no amount of money; write it like 200 CAD or 0.50 EUR")
        if code not in self.exponents:
            raise InputError(f"{code!r} is no known currency; use an ISO 4217 code such as CAD")
        exponent = self.exponents[code]
        whole, decimals = match[1], (match[2] or "").rstrip("0")
        if len(decimals) > exponent:
            raise InputError(f"{text!r} is finer than {code} is counted: at most {exponent} decimals")
        if len(whole) > 16 or (minor := int(whole + decimals.ljust(exponent, "0"))) > MAX_MONEY:
            raise InputError(f"{text!r} is more than can be counted exactly")
        return minor, code

    def format_money(self, minor: float, code: str) -> str:
        """Write minor units as "200.00 CAD", rounded half to even where converted money has fractions."""
        exponent = self.exponents[code]
        return f"{Decimal(round(minor)).scaleb(-exponent):.{exponent}f} {code}"


DayPair: TypeAlias = tuple[int, str, str]
"""A UTC day's number since the epoch, and the currencies from and to."""


class Rates:
    """Dated exchange rates: a day has its own rate, or none.

    Parameters
    ----------
    currencies
        What gives the decimals of either side.
    rates
        (day, from, to, rate): one major unit of `from` is worth `rate` major units of `to` on that UTC day.
        The inverse holds too unless given itself. InputError if a rate stands twice, is out of all
        bounds or names an unknown currency.

    Attributes
    ----------
    missing
        (day, from, to) → how often a rate was asked for that is not there.
    """

    def __init__(self, currencies: Currencies, rates: Iterable[tuple[date, str, str, Decimal]] = ()) -> None:
        self.missing: Counter[DayPair] = Counter()
        self._factors: dict[DayPair, float] = {}
        inverse: dict[DayPair, float] = {}
        for day, frm, to, rate in rates:
            where = f"rate of {day}, {frm} to {to}"
            if not {frm, to} <= currencies.exponents.keys():
                raise InputError(f"{where}: no such currency; use ISO 4217 codes")
            if not (rate.is_finite() and _LEAST <= rate <= 1 / _LEAST):
                raise InputError(f"{where}: must be a number from {_LEAST} to {1 / _LEAST}")
            key = (day.toordinal() - _EPOCH_DAY, frm, to)
            if frm == to or key in self._factors:
                raise InputError(f"{where}: stands twice, or between a currency and itself")
            shift = currencies.exponents[to] - currencies.exponents[frm]
            self._factors[key] = float(rate.scaleb(shift))
            inverse[key[0], to, frm] = float((1 / rate).scaleb(-shift))
        self._factors = inverse | self._factors

    @classmethod
    def read(cls, path: Path, currencies: Currencies) -> Rates:
        """Read a CSV file with the header date,from,to,rate; InputError names the line, or day and pair."""
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                lines = csv.reader(file, strict=True)
                if next(lines, None) != ["date", "from", "to", "rate"]:
                    raise InputError(f"{path}:1: the header must be date,from,to,rate")
                return cls(currencies, [_rate(path, lines.line_num, cells) for cells in lines if cells])
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path}: cannot be read as a table of rates: {error}") from error

    def convert(self, minor: int, frm: str, to: str, day: int) -> float | None:
        """Minor units of `frm` in minor units of `to`, not rounded.

        Parameters
        ----------
        day
            Number of the UTC day since 1970-01-01 (`instants.utc_day`).

        Returns
        -------
        The int itself when the currencies are the same; None when that day has no rate.
        """
        if frm == to:
            return minor
        factor = self._factors.get((day, frm, to))
        if factor is not None:
            return minor * factor
        if len(self.missing) < MAX_MISSING or (day, frm, to) in self.missing:
            self.missing[day, frm, to] += 1
        return None

    def renew(self, newer: Rates, closed_day: int) -> list[DayPair]:
        """Take the rates of a newer table, but for days on which money may have been converted already.

        What was reckoned with a day's rate could otherwise never be taken back exactly, nor be reproduced.

        Parameters
        ----------
        closed_day
            The last of those days. Up to it a rate that is here stays, whatever the newer table says, and
            also where it no longer has that day; one that was missing is taken.

        Returns
        -------
        What the newer table says otherwise, and was refused, each pair of currencies once; in order.
        """
        closed = {key: factor for key, factor in self._factors.items() if key[0] <= closed_day}
        # One way round is enough to tell of: the other changes with it.
        refused = {
            (day, min(frm, to), max(frm, to))
            for (day, frm, to), factor in closed.items()
            if newer._factors.get((day, frm, to), factor) != factor
        }
        self._factors = newer._factors | closed
        return sorted(refused)

    def dump(self) -> bytes:
        """The table as it stands, for `load`."""
        return msgspec.json.encode(sorted((*key, factor) for key, factor in self._factors.items()))

    @classmethod
    def load(cls, currencies: Currencies, dumped: bytes) -> Rates:
        """A table as `dump` wrote it, to the last bit; StateError for anything else."""
        rates = cls(currencies)
        try:
            rows = msgspec.json.decode(dumped, type=list[tuple[int, str, str, float]])
        except msgspec.DecodeError:
            raise StateError("the stored rates cannot be read") from None
        rates._factors = {(day, frm, to): factor for day, frm, to, factor in rows}
        return rates


def _rate(path: Path, line: int, cells: list[str]) -> tuple[date, str, str, Decimal]:
    try:
        day, frm, to, rate = (cell.strip() for cell in cells)
        return date.fromisoformat(day), frm, to, Decimal(rate)
    except (ValueError, InvalidOperation) as error:
        raise InputError(f"{path}:{line}: expected a date, two currencies and a rate") from error
