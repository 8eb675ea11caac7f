"""Values of quantities along a log: by the plain loops, and once more by pandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from tests.oracle.expressions import Reader
from tests.oracle.history import Arrival, Book, History, Session, Zones
from tests.oracle.judge import EVENT, Turn
from tests.oracle.looking import Moment
from tests.oracle.quantities import TILES, Quantity
from tests.oracle.rates import Rates
from tests.oracle.values import Known


@dataclass(frozen=True)
class Reading:
    """The quantities after an accepted event: `at` is the player's clock (µs), `line` counts from 1."""

    line: int
    player: str
    at: int
    values: Mapping[str, Known]


def aggregates(
    lines: Sequence[bytes],
    quantities: Sequence[str],
    zones: Zones | None = None,
    rates: Rates | None = None,
    currency: str | None = None,
    lets: Mapping[str, str] | None = None,
) -> list[Reading]:
    """Each quantity's value after each accepted event, at that player's clock and in that event's session.

    `currency` is the one that money is told in; by default the player's first. `lets` are names for texts.
    A value is a pair of kind and amount (money in minor units, durations in µs), None where unknown.
    """
    names = {name: Reader(text).let() for name, text in (lets or {}).items()}
    terms = {text: Reader(text, names=names).whole() for text in quantities}
    book = Book(zones or Zones())
    readings = []
    for line in lines:
        arrival = book.read(line)
        if isinstance(arrival, Arrival):
            history = book.players[arrival.player]
            turn = Turn(history.clock, EVENT, arrival.session)
            moment = Moment(
                history,
                turn.at,
                turn.session,
                currency or history.currency,
                rates or Rates(),
                closings=turn.closings,
            )
            values = {text: term(moment) for text, term in terms.items()}
            readings.append(Reading(book.lines, arrival.player, history.clock, values))
    return readings


def frame_of(history: History, name: str | None) -> pd.DataFrame:
    """One row an arrival: type, ts, whether it came cancelled or was undone since, session, one field."""
    rows = [
        {
            "number": arrival.number,
            "type": arrival.type,
            "ts": arrival.ts,
            "cancelled": any(c.number < arrival.number for c in arrival.corrections),
            "undone": any(c.number > arrival.number for c in arrival.corrections),
            "session": None if arrival.session is None else arrival.session.opened,
            "value": arrival.content.get(name) if name is not None else 1,
        }
        for arrival in history.arrivals
    ]
    return pd.DataFrame(rows)


def measured_by_pandas(
    quantity: Quantity, history: History, at: int, session: Session | None
) -> float | int | str | None:
    """The amount of a quantity without `where`, over a plain field in one currency; None where unknown."""
    if quantity.scope == "session" and session is None:
        return None
    frame = frame_of(history, quantity.field)
    frame = frame[(frame["type"] == quantity.type) & ~frame["cancelled"] & frame["value"].notna()]
    if quantity.forgets_undone:
        frame = frame[~frame["undone"]]
    if session is not None and quantity.scope == "session":
        frame = frame[frame["session"] == session.opened]
    if quantity.scope == "over":
        newest = at - quantity.before
        oldest = newest - quantity.length
        if quantity.type == "bet":
            tile = frame["ts"] // (quantity.length // TILES)
            last = (newest if quantity.before else at) // (quantity.length // TILES)
            frame = frame[tile.between(oldest // (quantity.length // TILES), last)]
        else:
            frame = frame[frame["ts"].between(oldest, newest, inclusive="right")]
    column = frame.sort_values(["ts", "number"])["value"]
    match quantity.aggregate:
        case "count":
            return len(column)
        case "distinct":
            return int(column.nunique())
        case "sum":
            return int(column.sum()) if len(column) else 0
        case "std":
            return float(column.astype(float).std(ddof=0)) if len(column) > 1 else None
        case "last" | "first":
            picked = column.iloc[-1 if quantity.aggregate == "last" else 0] if len(column) else None
            return picked if picked is None or isinstance(picked, str) else int(picked)
        case _:
            return float(column.astype(float).agg(quantity.aggregate)) if len(column) else None
