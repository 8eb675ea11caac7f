"""What the numbers in a record mean, and how what was held under an older layout moves into a plan's slots.

What the plan has no use for is left behind; what only it asks for starts empty.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from typing import Any

from detector.engine.kinds import TYPES
from detector.engine.packing import as_array, unpack, unpack_all, unpack_numbers
from detector.engine.plan import PICKS, Plan
from detector.players.player import Player, Retraction
from detector.windows.exact import Numbers, Series

_TYPES = list(TYPES)


def layout(plan: Plan) -> dict[str, Any]:
    """What slots, measures and codes of types mean under a plan, as it is stored beside the records."""
    return {**plan.layout, "types": _TYPES}


class Move:
    """Takes what a record holds under the layout `old` into the slots of a plan."""

    def __init__(self, plan: Plan, old: Mapping[str, Any]) -> None:
        new = layout(plan)
        self.plan = plan
        self.same = new == old
        self._old = old
        self._slots = {key: number for number, (_, key, _, _) in enumerate(new["slots"])}
        self._measures = {key: number for number, key in enumerate(new["measures"])}
        self._new = new

    def code(self, code: int) -> int:
        """The code of a type; it is an error for a type to vanish from the vocabulary."""
        return code if self.same else _TYPES.index(self._old["types"][code])

    def measures(self, numbers: list[int]) -> list[int]:
        if self.same:
            return numbers
        keys = [self._old["measures"][number] for number in numbers]
        return [self._measures[key] for key in keys if key in self._measures]

    def silences(self, p: Player, judged: int) -> int:
        """How many of the plan's silences the running one has passed."""
        if self.same:
            return judged
        passed = self._old["silences"][judged - 1] if judged else 0
        return sum(1 for length in self.plan.silences if length <= passed)

    def values(self, code: int, values: list[Any] | None) -> tuple[Any, ...] | None:
        """The values that wait for settled windows."""
        if values is None or self.same:
            return None if values is None else tuple(values)
        type_ = _TYPES[code]
        held = dict(zip(self._old["settled"].get(type_, ()), values, strict=True))
        wanted = self._new["settled"].get(type_)
        return None if wanted is None else tuple(held.get(key) for key in wanted)

    def session_live(self, totals: list[Any] | None) -> list[Any] | None:
        return self._totals(totals, self._old["session_live"], self._new["session_live"])

    def session_settled(self, totals: list[Any] | None) -> list[Any] | None:
        return self._totals(totals, self._old["session_settled"], self._new["session_settled"])

    def _totals(self, totals: list[Any] | None, old: list[str], new: list[str]) -> list[Any] | None:
        if totals is None or self.same:
            return totals
        held = dict(zip(old, totals, strict=True))
        return [held.get(key, None if key.split(" ", 1)[0] in PICKS else 0) for key in new]

    def retracted(self, rows: list[Any] | None) -> list[Retraction] | None:
        """Rows that moments before a correction still have to see; another layout has other rows."""
        if rows is None or not self.same:
            return None
        return [(turn, at, slot, tuple(n), None if p is None else tuple(p)) for turn, at, slot, n, p in rows]

    def slot(self, p: Player, number: int, data: Any) -> None:
        """Put the content of an old slot where the plan keeps the same thing, if it does."""
        kind, key, columns, picks = self._old["slots"][number]
        place = self._slots.get(key)
        if place is None:
            return
        _, _, new_columns, new_picks = self._new["slots"][place]
        p.slots[place] = _READERS[kind](self, data, (columns, picks), (new_columns, new_picks))

    def _exact(self, data: Any, old: Any, new: Any) -> Series:
        series = Series(len(new[0]))
        series.times = as_array("q", data[0])
        series.totals = _columns(unpack_numbers(data[1]), old[0], new[0], lead=0)
        picks = data[2]
        if picks is not None and new[1]:
            places = [old[1].index(key) if key in old[1] else None for key in new[1]]
            series.picks = [tuple(None if i is None else row[i] for i in places) for row in picks]
        elif new[1]:
            series.picks = [(None,) * len(new[1])] * len(series.times)
        return series

    def _tiles(self, data: Any, old: Any, new: Any) -> Numbers:
        return _columns(unpack_numbers(data), old[0], new[0], lead=1)

    def _best(self, data: Any, _old: Any, _new: Any) -> dict[int, Any]:
        return {tile: unpack(value) for tile, value in data}

    def _lifetime(self, data: Any, old: Any, new: Any) -> list[Any] | None:
        return self._totals(unpack_all(data), old[0], new[0])

    def _latest(self, data: Any, _old: Any, _new: Any) -> Any:
        return data


_READERS: dict[str, Callable[[Move, Any, Any, Any], Any]] = {
    "exact": Move._exact,
    "tiles": Move._tiles,
    "best": Move._best,
    "totals": Move._lifetime,
    "latest": Move._latest,
}


def _columns(rows: Numbers, old: list[str], new: list[str], lead: int) -> Numbers:
    """Rows of totals with the columns of another layout; columns that are new there count from zero."""
    if old == new:
        return rows
    stride = len(old) + lead
    places = [old.index(key) + lead if key in old else None for key in new]
    moved: list[Any] = []
    for base in range(0, len(rows), stride):
        moved.extend(rows[base : base + lead])
        moved.extend(0 if place is None else rows[base + place] for place in places)
    return moved if isinstance(rows, list) else array("q", moved)
