"""Exact windows: every event of one type within reach, kept as running totals.

A `Series` holds the events of one type in order of their time. Each numeric column is kept as a running
total, so that a sum or a count over any stretch of time is the difference of two of its rows, found by
bisection: the cost does not grow with the number of events in the window, and the same rows answer "now"
and "as of a moment ago".
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

Numbers = Any
"""An array of 64-bit integers, or a list once a value did not fit (huge or converted money)."""


class Series:
    """The events of one type, oldest first.

    Parameters
    ----------
    width
        How many numeric columns a row has.
    """

    __slots__ = ("picks", "times", "totals", "width")

    def __init__(self, width: int) -> None:
        self.width = width
        self.times: Numbers = array("q")
        # Row r holds the totals of the first r events, so there is one row more than there are events.
        self.totals: Numbers = array("q", bytes(8 * width))
        self.picks: list[tuple[Any, ...]] | None = None

    def add(self, at_us: int, numbers: Sequence[float], picks: tuple[Any, ...] | None, keep_us: int) -> None:
        """Put an event where its time belongs, after those of the same instant.

        `numbers` has one value a column; `picks` are values that are chosen among rather than added up
        (None where the event has none); events at or before `keep_us` may be forgotten.
        """
        times, width = self.times, self.width
        if times and times[0] <= keep_us:
            self._forget(keep_us)
        if at_us <= keep_us:
            return
        place = len(times)
        if times and at_us < times[-1]:
            place = bisect_right(times, at_us)
        try:
            self._insert(place, at_us, numbers)
        except (OverflowError, TypeError):
            self.totals = list(self.totals)
            self._insert(place, at_us, numbers)
        times.insert(place, at_us)
        if picks is not None:
            if self.picks is None:
                self.picks = [(None,) * len(picks)] * (len(times) - 1)
            self.picks.insert(place, picks)
        assert len(self.totals) == (len(times) + 1) * width

    def _insert(self, place: int, at_us: int, numbers: Sequence[float]) -> None:
        totals, width = self.totals, self.width
        base = place * width
        row = [totals[base + column] + numbers[column] for column in range(width)]
        later = totals[base + width :]
        for index in range(len(later)):
            later[index] += numbers[index % width]
        fresh = row if isinstance(totals, list) else array("q", row)
        totals[base + width :] = fresh + later

    def remove(
        self,
        at_us: int,
        numbers: Sequence[float],
        picks: tuple[Any, ...] | None,
        firm: tuple[Sequence[int], Sequence[int]],
        *,
        loose: bool = False,
    ) -> bool:
        """Take one event out again, as it was put in; False when no such event is kept.

        `firm` are the columns and the picks by which it is known again. What hangs on the moment of arrival
        (`gap`, the place of the player) may have been something else then. `loose` says that it certainly
        came: then it is the row of its instant that agrees in most, for a correction may carry less than the
        event did, and a rule added since may ask for more.
        """
        best, place = -1, -1
        for candidate in range(bisect_left(self.times, at_us), bisect_right(self.times, at_us)):
            agreeing, whole = self._agreement(candidate, numbers, picks, firm)
            if whole:
                best, place = agreeing, candidate
                break
            if loose and agreeing > best:
                best, place = agreeing, candidate
        if place < 0:
            return False
        totals, width = self.totals, self.width
        base = place * width
        row = [totals[base + width + c] - totals[base + c] for c in range(width)]
        later = totals[base + 2 * width :]
        for index in range(len(later)):
            later[index] -= row[index % width]
        totals[base + width :] = later
        del self.times[place]
        if self.picks is not None:
            del self.picks[place]
        return True

    def _agreement(
        self,
        place: int,
        numbers: Sequence[float],
        picks: tuple[Any, ...] | None,
        firm: tuple[Sequence[int], Sequence[int]],
    ) -> tuple[int, bool]:
        """In how many of the firm columns and picks a row agrees, and whether in all."""
        totals, width, base = self.totals, self.width, place * self.width
        agreeing = 0
        for c in firm[0]:
            # Differences of running totals of converted money are exact only to their rounding.
            number = totals[base + width + c] - totals[base + c]
            agreeing += abs(number - numbers[c]) <= 1e-9 * (1 + abs(numbers[c]))
        known = self.picks[place] if self.picks is not None and picks is not None else None
        if known is not None and picks is not None:
            agreeing += sum(known[c] == picks[c] for c in firm[1])
        return agreeing, agreeing == len(firm[0]) + (len(firm[1]) if known is not None else 0)

    def _forget(self, keep_us: int) -> None:
        gone = bisect_right(self.times, keep_us)
        del self.times[:gone]
        del self.totals[: gone * self.width]
        if self.picks is not None:
            del self.picks[:gone]

    def total(self, column: int, after_us: int, upto_us: int) -> Any:
        """Sum of a column over (after_us, upto_us]."""
        times, totals, width = self.times, self.totals, self.width
        end = len(times)
        if end and times[-1] > upto_us:
            end = bisect_right(times, upto_us)
        if not end or times[0] > after_us:
            return totals[end * width + column] - totals[column]
        start = bisect_right(times, after_us, 0, end)
        return totals[end * width + column] - totals[start * width + column]

    def picked(self, pick: int, after_us: int, upto_us: int) -> list[Any]:
        """The values of a pick over (after_us, upto_us], oldest first, absent ones left out."""
        if self.picks is None:
            return []
        start, end = bisect_right(self.times, after_us), bisect_right(self.times, upto_us)
        return [row[pick] for row in self.picks[start:end] if row[pick] is not None]
