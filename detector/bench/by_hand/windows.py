"""Windows as a capable programmer would write them by hand: lists, running totals and bisection.

All of them take a player's events in order.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, deque
from typing import Any

from detector.events.instants import DAY_US

WEEK_US = 7 * DAY_US
MONTH_US = 30 * DAY_US
MONTH_TILE_US = MONTH_US // 48
TILE_US = DAY_US // 48
"""The tile of a day's window; those of 7, 28 and 30 days are 7, 28 and 30 times as wide."""
PLAY_TILES = 51 * 48
"""How many tiles back play is kept: the furthest window ends seven weeks ago, at the edge of a wide tile."""
_MANY = 256


class History:
    """Events with an amount each, exact: how many and how much since any instant up to `reach_us` ago."""

    __slots__ = ("reach_us", "times", "total", "totals")

    def __init__(self, reach_us: int) -> None:
        self.reach_us = reach_us
        self.times: list[int] = []
        self.totals: list[int] = []  # before each event
        self.total = 0

    def add(self, at: int, amount: int = 0) -> None:
        """Add an event."""
        times = self.times
        if len(times) >= _MANY and times[_MANY // 2] <= at - self.reach_us:
            del times[: _MANY // 2], self.totals[: _MANY // 2]
        times.append(at)
        self.totals.append(self.total)
        self.total += amount

    def count(self, after: int) -> int:
        """Events later than an instant."""
        return len(self.times) - bisect_right(self.times, after)

    def sum(self, after: int) -> int:
        """Amounts of the events later than an instant."""
        place = bisect_right(self.times, after)
        return self.total - self.totals[place] if place < len(self.times) else 0

    def sums(self, at: int, length_us: int, windows: int) -> list[int]:
        """Amounts of so many windows of one length, the latest first, which ends now."""
        times, totals = self.times, self.totals
        found, above = [], self.total
        for number in range(windows):
            place = bisect_right(times, at - length_us * (number + 1))
            below = totals[place] if place < len(times) else self.total
            found.append(above - below)
            above = below
        return found


class Named:
    """Events with a text each, exact."""

    __slots__ = ("names", "reach_us", "times")

    def __init__(self, reach_us: int) -> None:
        self.reach_us = reach_us
        self.times: list[int] = []
        self.names: list[str] = []

    def add(self, at: int, name: str) -> None:
        """Add an event."""
        if len(self.times) >= _MANY and self.times[_MANY // 2] <= at - self.reach_us:
            del self.times[: _MANY // 2], self.names[: _MANY // 2]
        self.times.append(at)
        self.names.append(name)

    def distinct(self, after: int, upto: int | None = None) -> int:
        """How many different texts there were later than an instant, and up to another one."""
        start = bisect_right(self.times, after)
        stop = len(self.times) if upto is None else bisect_right(self.times, upto)
        return len(set(self.names[start:stop]))

    def last(self, after: int) -> str | None:
        """The latest text, if it is later than an instant."""
        return self.names[-1] if self.times and self.times[-1] > after else None


class Dates:
    """The dates of thirty days' bets, by tiles."""

    __slots__ = ("tiles",)

    def __init__(self) -> None:
        self.tiles: deque[tuple[int, set[str]]] = deque()

    def add(self, at: int, date: str) -> None:
        """Add a bet."""
        tile, tiles = at // MONTH_TILE_US, self.tiles
        if not tiles or tiles[-1][0] != tile:
            tiles.append((tile, {date}))
            self._drop(at)
        else:
            tiles[-1][1].add(date)

    def count(self, at: int) -> int:
        """How many there are now."""
        self._drop(at)
        return len(set().union(*(dates for _, dates in self.tiles)))

    def _drop(self, at: int) -> None:
        first = (at - MONTH_US) // MONTH_TILE_US
        while self.tiles and self.tiles[0][0] < first:
            self.tiles.popleft()


class Nights:
    """Stakes of thirty days, those of the night, and on how many dates, by tiles."""

    __slots__ = ("dates", "night", "staked", "tiles")

    def __init__(self) -> None:
        self.tiles: deque[list[Any]] = deque()  # [tile, staked, of them at night, dates]
        self.staked = 0
        self.night = 0
        self.dates: Counter[str] = Counter()  # date → tiles that hold it

    def add(self, at: int, stake: int, hour: int, date: str) -> None:
        """Add a bet."""
        tile, tiles = at // MONTH_TILE_US, self.tiles
        if not tiles or tiles[-1][0] != tile:
            tiles.append([tile, 0, 0, None])
            first = (at - MONTH_US) // MONTH_TILE_US
            while tiles[0][0] < first:
                self._drop(tiles.popleft())
        row = tiles[-1]
        row[1] += stake
        self.staked += stake
        if hour < 5:
            row[2] += stake
            self.night += stake
            if row[3] is None:
                row[3] = {date}
                self.dates[date] += 1
            elif date not in row[3]:
                row[3].add(date)
                self.dates[date] += 1

    def _drop(self, row: list[Any]) -> None:
        self.staked -= row[1]
        self.night -= row[2]
        for date in row[3] or ():
            self.dates[date] -= 1
            if not self.dates[date]:
                del self.dates[date]


FAST = frozenset({"casino_slot", "casino_table", "live_casino", "sports_live"})
SLOW = frozenset({"sports_prematch", "poker", "bingo", "lottery"})


class Play:
    """What was lost, on which products, by tiles; a window of D takes whole tiles of D/48."""

    __slots__ = ("fast", "fasts", "lost", "losts", "products", "sets", "slow", "slows", "tiles")

    def __init__(self) -> None:
        self.tiles: list[int] = []
        # What there was before each tile, and is by now: net loss, of it on slow products, fast bets.
        self.losts: list[int] = []
        self.slows: list[int] = []
        self.fasts: list[int] = []
        self.lost = self.slow = self.fast = 0
        self.sets: list[int] = []  # the products of each tile, a bit each
        self.products: dict[str, int] = {}

    def add(self, at: int, loss: int, product: str | None) -> None:
        """Add a bet."""
        tile, tiles = at // TILE_US, self.tiles
        if not tiles or tiles[-1] != tile:
            if len(tiles) >= _MANY and tiles[_MANY // 2] < tile - PLAY_TILES:
                for each in (tiles, self.losts, self.slows, self.fasts, self.sets):
                    del each[: _MANY // 2]
            tiles.append(tile)
            self.losts.append(self.lost)
            self.slows.append(self.slow)
            self.fasts.append(self.fast)
            self.sets.append(0)
        self.lost += loss
        if product is not None:
            bit = self.products.get(product)
            if bit is None:
                bit = self.products[product] = 1 << len(self.products)
            self.sets[-1] |= bit
            if product in FAST:
                self.fast += 1
            elif product in SLOW:
                self.slow += loss

    def places(self, at: int, days: int, before_us: int = 0) -> tuple[int, int]:
        """From which tile, and up to but without which, a window reaches; both ends by its own wide tiles."""
        width = days * TILE_US
        first = (at - before_us - days * DAY_US) // width * days
        start = bisect_left(self.tiles, first)
        if not before_us:
            return start, len(self.tiles)
        return start, bisect_left(self.tiles, ((at - before_us) // width + 1) * days)

    def loss(self, at: int, days: int, before_us: int = 0) -> int:
        """Net loss in a window."""
        start, stop = self.places(at, days, before_us)
        return _between(self.losts, self.lost, start, stop)

    def slow_loss(self, at: int, days: int) -> int:
        """Net loss on slow products in a window."""
        return _between(self.slows, self.slow, *self.places(at, days))

    def fast_bets(self, at: int, days: int, before_us: int = 0) -> int:
        """Bets on fast products in a window."""
        return _between(self.fasts, self.fast, *self.places(at, days, before_us))

    def kinds(self, at: int, days: int, before_us: int = 0) -> int:
        """How many products there were in a window."""
        start, stop = self.places(at, days, before_us)
        found = 0
        for bits in self.sets[start:stop]:
            found |= bits
        return found.bit_count()


def _between(before: list[int], now: int, start: int, stop: int) -> int:
    """What lies in some tiles, given what there was before each of them."""
    if start >= stop:
        return 0
    return (before[stop] if stop < len(before) else now) - before[start]
