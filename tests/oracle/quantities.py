"""`AGG(type[.field]) … over WINDOW`, from the definition: pick the events, read the field, add up."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.oracle.history import Arrival, Session
from tests.oracle.values import Known, Value

SUMMING = ("count", "sum", "mean", "std")  # what a correction can always take back
TILES = 48


@dataclass(frozen=True)
class Quantity:
    """`scope` is "over" (with `length` and `before` in µs), "session" or "lifetime"."""

    aggregate: str
    type: str
    field: str | None
    scope: str
    length: int = 0
    before: int = 0

    @property
    def forgets_undone(self) -> bool:
        """Extremes and picks can be taken back only where every event is kept: in exact windows."""
        return self.aggregate in SUMMING or (self.scope == "over" and self.type != "bet")

    def reaches(self, ts: int, at: int) -> bool:
        """Is an event of `ts` inside the window when one looks at `at`? (`over` only)"""
        newest = at - self.before
        oldest = newest - self.length
        if self.type != "bet":
            return oldest < ts <= newest
        width = self.length // TILES
        if self.before == 0:
            return oldest // width <= ts // width and ts <= at
        return oldest // width <= ts // width <= newest // width and ts <= at


def measured(
    quantity: Quantity,
    arrivals: Sequence[Arrival],
    at: int,
    session: Session | None,
    accepts: Callable[[Arrival], bool],
    reads: Callable[[Arrival, str], Known],
    *,
    by_time: bool = False,
) -> Known:
    """The quantity's value at `at`, on the events up to then; None is unknown.

    `accepts` is the `where`; `reads` gives a field's value, unknown if absent, null or not convertible.
    """
    if quantity.scope == "session" and session is None:
        return None
    picked: list[Arrival] = []
    for arrival in arrivals:
        if arrival.type != quantity.type or arrival.ts > at:
            continue
        if arrival.cancelled(at, by_time=by_time):
            continue
        if quantity.forgets_undone and arrival.undone(at):
            continue
        if quantity.scope == "session" and arrival.session is not session:
            continue
        if quantity.scope == "over" and not quantity.reaches(arrival.ts, at):
            continue
        if quantity.field is not None and not bears(arrival, quantity.field):
            continue
        if accepts(arrival):
            picked.append(arrival)
    picked.sort(key=lambda arrival: (arrival.ts, arrival.number))
    if quantity.aggregate == "count":
        return Value("count", len(picked))
    assert quantity.field is not None, "only a count goes without a field"
    return folded(quantity, picked, at, reads)


def bears(arrival: Arrival, name: str) -> bool:
    """Does the event have the field, be it null?"""
    if name in ("local_hour", "local_date", "net_loss"):
        return True
    if name == "gap":
        return arrival.gap is not None
    return name in arrival.content


def is_null(arrival: Arrival, name: str) -> bool:
    return name in ("old", "new") and arrival.content.get(name) is None


def folded(
    quantity: Quantity, picked: list[Arrival], at: int, reads: Callable[[Arrival, str], Known]
) -> Known:
    name = quantity.field
    assert name is not None
    # What cannot be converted never got into an extreme, so that undoing it leaves nothing there.
    picked = [a for a in picked if not a.undone(at) or is_null(a, name) or reads(a, name) is not None]
    values = [None if is_null(arrival, name) else reads(arrival, name) for arrival in picked]
    # What is neither null nor known is money that no rate converts: it makes the whole quantity unknown.
    if any(v is None and not is_null(a, name) for v, a in zip(values, picked, strict=True)):
        return None
    if quantity.aggregate in ("last", "first"):
        if not values:
            return None
        return values[-1] if quantity.aggregate == "last" else values[0]
    known = [v for v in values if v is not None]
    if quantity.aggregate == "distinct":
        return Value("count", len({v.amount for v in known}))
    amounts = [v.real for v in known]
    kind = known[0].kind if known else "money"
    if quantity.aggregate == "sum":
        return Value(kind, exact_sum(amounts))
    if not amounts:
        return None
    if quantity.aggregate == "max":
        return Value(kind, max(amounts))
    if quantity.aggregate == "min":
        return Value(kind, min(amounts))
    mean = exact_sum(amounts) / len(amounts)
    if quantity.aggregate == "mean":
        return Value("number" if kind == "count" else kind, mean)
    assert quantity.aggregate == "std"
    if len(amounts) < 2:
        return None
    spread = math.sqrt(math.fsum((x - mean) ** 2 for x in amounts) / len(amounts))
    return Value("number" if kind == "count" else kind, spread)


def exact_sum(amounts: Sequence[float]) -> float:
    """Whole numbers stay whole; the rest is added without rounding on the way."""
    return sum(amounts) if all(isinstance(x, int) for x in amounts) else math.fsum(amounts)
