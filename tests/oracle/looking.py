"""What a condition looks at: the moment, its quantities and habits, and the fields of events."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.oracle.history import MONEY_FIELDS, SECOND, Arrival, History, Session
from tests.oracle.quantities import Quantity, exact_sum, measured
from tests.oracle.rates import Rates
from tests.oracle.summaries import DURATIONS as SUMMARY_DURATIONS
from tests.oracle.summaries import MONEY as SUMMARY_MONEY
from tests.oracle.summaries import TYPE as SUMMARY
from tests.oracle.summaries import order, summaries
from tests.oracle.values import Known, Value, truth


@dataclass
class Moment:
    """Where a condition is evaluated: a player at an instant, all later events out of sight.

    `session` is the one in question; `arrival` is set inside `where` alone and is then the event looked at.
    `closings` is the last closing in sight (see `summaries.order`).
    """

    history: History
    at: int
    session: Session | None
    currency: str | None
    rates: Rates
    arrival: Arrival | None = None
    by_time: bool = False  # a moment, where a correction stands from its own time on
    closings: tuple[float, float, float] = (0, 0, 0)

    def of(self, arrival: Arrival) -> Moment:
        """The same, one event being looked at."""
        return Moment(
            self.history,
            self.at,
            self.session,
            self.currency,
            self.rates,
            arrival,
            self.by_time,
            self.closings,
        )

    def seen(self, event_type: str) -> list[Arrival]:
        """What arrived, or the sessions that have closed; those of later times still among them."""
        if event_type != SUMMARY:
            return self.history.arrivals
        return [each for each in summaries(self.history, self.rates) if order(each) <= self.closings]


Term = Callable[[Moment], Known]


@dataclass(frozen=True)
class Let:
    """A name given to a text: its term, the quantities in it by their text, and itself some lengths ago.

    `before` is there only if the text is one quantity with a window in time.
    """

    term: Term
    quantities: Mapping[str, Term]
    before: Callable[[int], Term] | None = None
    reach: int = 0  # how long the first four lengths before it take, and itself, in µs


def looked_up(wanted: Quantity, where: Term | None) -> Term:
    """A quantity of those events for which `where` is true."""

    def accepts(moment: Moment, arrival: Arrival) -> bool:
        return where is None or where(moment.of(arrival)) == truth(True)

    def term(moment: Moment) -> Known:
        return measured(
            wanted,
            moment.seen(wanted.type),
            moment.at,
            moment.session,
            lambda arrival: accepts(moment, arrival),
            lambda arrival, name: event_field_of(moment, arrival, name),
            by_time=moment.by_time,
        )

    return term


def habit(let: Let, moment: Moment) -> list[Value] | None:
    """What it was in each of the four windows before; None unless all are known and the player was there."""
    assert let.before is not None, "no quantity with a window in time"
    there = age(moment)
    if there is None or there.real < let.reach:
        return None
    values = [let.before(lengths)(moment) for lengths in (1, 2, 3, 4)]
    known = [value for value in values if value is not None]
    return known if len(known) == 4 else None


def usual(let: Let) -> Term:
    """The mean of the four windows before."""

    def term(moment: Moment) -> Known:
        before = habit(let, moment)
        if before is None:
            return None
        # A sum of nothing does not know of what it is.
        kind = next((value.kind for value in before if value.amount != 0), before[0].kind)
        mean = exact_sum([value.real for value in before]) / 4
        return Value("number" if kind == "count" else kind, mean)

    return term


def unusual(let: Let) -> Term:
    """How many standard deviations of the four windows before it is above their mean."""

    def term(moment: Moment) -> Known:
        before, now = habit(let, moment), let.term(moment)
        if before is None or now is None:
            return None
        amounts = [value.real for value in before]
        mean = exact_sum(amounts) / 4
        spread = math.sqrt(math.fsum((x - mean) ** 2 for x in amounts) / 4)
        return None if spread == 0 else Value("number", (now.real - mean) / spread)

    return term


def age(moment: Moment) -> Known:
    seen = [a.ts for a in moment.history.arrivals if a.ts <= moment.at]
    return Value("duration", moment.at - min(seen)) if seen else None


def since(moment: Moment, event_type: str) -> Known:
    seen = [a.ts for a in moment.seen(event_type) if a.type == event_type and a.ts <= moment.at]
    return Value("duration", moment.at - max(seen)) if seen else None


def session_age(moment: Moment) -> Known:
    if moment.session is None:
        return None
    return Value("duration", moment.at - moment.session.start)


def event_field(moment: Moment, name: str) -> Known:
    assert moment.arrival is not None, f"{name!r} is no name here"
    return event_field_of(moment, moment.arrival, name)


def event_field_of(moment: Moment, arrival: Arrival, name: str) -> Known:
    """A field of one event, money in the rule's currency; unknown when absent, null or not convertible."""
    content = arrival.content
    if name == "gap":
        return None if arrival.gap is None else Value("duration", arrival.gap)
    if name == "local_hour":
        assert arrival.local is not None
        return Value("count", arrival.local.hour)
    if name == "local_date":
        assert arrival.local is not None
        return Value("text", arrival.local.date().isoformat())
    if name == "loosened":
        return loosened(content)
    summary = arrival.type == SUMMARY
    lost = name == "net_loss" and not summary
    raw = content["stake"] - content["payout"] if lost else content.get(name)
    if raw is None:
        return None
    if summary and name in SUMMARY_DURATIONS:
        return Value("duration", raw)
    limit_money = name in ("old", "new") and content["limit"] in ("deposit", "loss", "stake")
    if name in MONEY_FIELDS or limit_money or (summary and name in SUMMARY_MONEY):
        if summary and raw == 0:
            return Value("money", 0)  # nothing, in whatever currency
        day = datetime.fromtimestamp(arrival.ts // SECOND, UTC).date()
        amount = moment.rates.convert(raw, content["currency"], moment.currency, day)
        return None if amount is None else Value("money", amount)
    if isinstance(raw, str):
        return Value("text", raw)
    if isinstance(raw, bool):
        return truth(raw)
    return Value("number" if isinstance(raw, float) else "count", raw)


def loosened(content: Mapping[str, Any]) -> Known:
    """Was a limit raised or taken away? A null is no limit; unknown where either end is not told."""
    if "old" not in content or "new" not in content:
        return None
    old, new = content["old"], content["new"]
    return truth(old is not None and (new is None or new > old))
