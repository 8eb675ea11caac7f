"""The deployment's rates file, read again when it changes, so that a new day needs no restart.

What the detector reckons with is kept in Redis beside its state: a restart must not be a way for a rate to
change under money that was converted with it.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import structlog

from detector.errors import InputError
from detector.events.instants import utc_day
from detector.events.money import Currencies, DayPair, Rates

log = structlog.get_logger()

_MOST_TOLD = 5
_NONE_CLOSED = -(2**62)
_Stamp = tuple[int, int, int] | None


class WatchedRates:
    """A file of dated rates.

    Parameters
    ----------
    path
        A CSV file as `Rates.read` reads it; InputError if it cannot be read now.

    Attributes
    ----------
    rates
        What holds. The same object for good: an engine may keep it.
    """

    def __init__(self, path: Path, currencies: Currencies) -> None:
        self._path = path
        self._currencies = currencies
        self._read_as = self._seen_as = self._stamp()
        self._file = Rates.read(path, currencies)
        self._missed: set[DayPair] = set()
        self.rates = Rates(currencies)

    def start(self, stored: bytes | None, high_us: int) -> bytes:
        """Begin with what the stored state was reckoned with, and the file for all days after it.

        Parameters
        ----------
        stored
            What this returned before, if ever; StateError if it is not that.
        high_us
            The latest event time seen, in µs. Its day and those before it are closed.

        Returns
        -------
        What to store from now on.
        """
        if stored is not None:
            self.rates.renew(Rates.load(self._currencies, stored), _NONE_CLOSED)
        self._take(high_us)
        return self.rates.dump()

    def look(self, high_us: int) -> bytes | None:
        """Read the file again if it has changed; to be called every few seconds.

        Returns
        -------
        What to store before money is converted again, or None if nothing changed.
        """
        self._tell_missing()
        stamp = self._stamp()
        # A file is read once it has stood still from one look to the next: it may be half written.
        settled, self._seen_as = stamp == self._seen_as, stamp
        if stamp == self._read_as or not settled:
            return None
        self._read_as = stamp
        try:
            self._file = Rates.read(self._path, self._currencies)
        except InputError as error:
            log.error("the rates file cannot be used; the rates read before hold", why=str(error))
            return None
        self._take(high_us)
        log.info("rates were read again")
        return self.rates.dump()

    def _take(self, high_us: int) -> None:
        refused = self.rates.renew(self._file, utc_day(high_us))
        if refused:
            log.error(
                "rates of past days were changed: the old ones hold",
                rates=[_told(each) for each in refused[:_MOST_TOLD]],
                count=len(refused),
            )

    def _tell_missing(self) -> None:
        new = self.rates.missing.keys() - self._missed
        if new:
            self._missed |= new
            log.warning(
                "money could not be converted: there is no rate",
                rates=[_told(each) for each in sorted(new)[:_MOST_TOLD]],
                count=len(self._missed),
            )

    def _stamp(self) -> _Stamp:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


def _told(each: DayPair) -> str:
    day, frm, to = each
    return f"{date(1970, 1, 1) + timedelta(days=day)} {frm} to {to}"
