"""Windows as a capable programmer would write them by hand: deques and running sums."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from detector.events.instants import DAY_US

WEEK_US = 7 * DAY_US
NIGHTS_US = 30 * DAY_US
NIGHTS_TILE_US = NIGHTS_US // 48
LOSS_TILE_US = WEEK_US // 48


class Recent:
    """How many events there were in a stretch of time up to now."""

    __slots__ = ("length_us", "times")

    def __init__(self, length_us: int) -> None:
        self.length_us = length_us
        self.times: deque[int] = deque()

    def add(self, at: int) -> int:
        """Add one and count."""
        times, edge = self.times, at - self.length_us
        times.append(at)
        while times[0] <= edge:
            times.popleft()
        return len(times)


class Weeks:
    """Sums of the last week and of the four weeks before it."""

    __slots__ = ("sums", "weeks")

    def __init__(self) -> None:
        self.weeks: list[deque[tuple[int, int]]] = [deque() for _ in range(5)]
        self.sums = [0] * 5

    def add(self, at: int, amount: int) -> list[int]:
        """Add an amount; the five sums, the last week's first."""
        self.weeks[0].append((at, amount))
        self.sums[0] += amount
        for number, week in enumerate(self.weeks):
            edge = at - WEEK_US * (number + 1)
            while week and week[0][0] <= edge:
                gone = week.popleft()
                self.sums[number] -= gone[1]
                if number < 4:
                    self.weeks[number + 1].append(gone)
                    self.sums[number + 1] += gone[1]
        return self.sums


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
        tile, tiles = at // NIGHTS_TILE_US, self.tiles
        if not tiles or tiles[-1][0] != tile:
            tiles.append([tile, 0, 0, None])
            first = (at - NIGHTS_US) // NIGHTS_TILE_US
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


class Losses:
    """Net losses of seven weeks, by tiles."""

    __slots__ = ("tiles",)

    def __init__(self) -> None:
        self.tiles: deque[list[int]] = deque()  # [tile, net loss]

    def add(self, at: int, loss: int) -> None:
        """Add a bet."""
        tile, tiles = at // LOSS_TILE_US, self.tiles
        if tiles and tiles[-1][0] == tile:
            tiles[-1][1] += loss
            return
        tiles.append([tile, loss])
        oldest = tile - (7 * WEEK_US // LOSS_TILE_US + 5)
        while tiles[0][0] < oldest:
            tiles.popleft()

    def before(self, due: int) -> tuple[int, float]:
        """The loss of the week that ended a fortnight before, and a usual week's of the four before that."""
        start, stop = (due - 3 * WEEK_US) // LOSS_TILE_US, (due - 2 * WEEK_US) // LOSS_TILE_US
        lost = sum(loss for tile, loss in self.tiles if start <= tile <= stop)
        # The tiles of 28 days are four times as wide.
        start, stop = (due - 7 * WEEK_US) // (4 * LOSS_TILE_US), (due - 3 * WEEK_US) // (4 * LOSS_TILE_US)
        usual = sum(loss for tile, loss in self.tiles if start <= tile // 4 <= stop) / 4
        return lost, usual
