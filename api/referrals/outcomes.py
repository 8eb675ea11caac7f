"""What became of referrals, counted by month and organisation."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from statistics import median

from sqlalchemy.ext.asyncio import AsyncSession

from api.problems import wrong
from api.referrals import repository
from api.referrals.protocol import Outcome
from api.referrals.schemas import Outcomes, OutcomesQuery, OutcomesRow
from api.store.database import Store
from detector.events.instants import HOUR_US, micros, to_datetime

MOST_MONTHS = 36


class OutcomesService:
    """Counts referrals.

    Parameters
    ----------
    clock
        Tells the wall clock, in µs since the epoch.
    """

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    async def report(self, query: OutcomesQuery) -> Outcomes:
        """The months asked for, the earliest first; a month in which nothing was offered has no row."""
        now = to_datetime(self._clock())
        last = query.until or f"{now:%Y-%m}"
        first = query.since or _month(_number(last) - 11)
        count = _number(last) - _number(first) + 1
        if not 1 <= count <= MOST_MONTHS:
            raise wrong("since", f"Ask for 1 to {MOST_MONTHS} months")
        items = []
        async with self._store.read(snapshot=True) as session:
            for month, since_us, until_us in _months(_number(first), count):
                items += await _of_month(session, month, since_us, until_us)
        return Outcomes(items=items)


async def _of_month(session: AsyncSession, month: str, since_us: int, until_us: int) -> list[OutcomesRow]:
    offered = await repository.offered(session, since_us, until_us)
    states: dict[str, Counter[str]] = defaultdict(Counter)
    outcomes: dict[str, Counter[Outcome]] = defaultdict(Counter)
    hours: dict[str, list[float]] = defaultdict(list)
    for partner, state, outcome, reached, taken_us, in_time in await repository.reached(
        session, since_us, until_us
    ):
        counts = states[partner]
        counts["consented"] += 1
        counts.update(reached)
        if state in ("closed", "withdrawn", "expired"):
            counts[state] += 1
        if outcome is not None:
            outcomes[partner][outcome] += 1
        if taken_us is not None:
            counts["in_time" if in_time else "late"] += 1
            hours[partner].append(taken_us / HOUR_US)
    return [
        OutcomesRow(
            month=month,
            partner=partner,
            offered=sum(said.values()),
            refused=said[False],
            unanswered=said[None],
            consented=states[partner]["consented"],
            delivered=states[partner]["delivered"],
            acknowledged_in_time=states[partner]["in_time"],
            acknowledged_late=states[partner]["late"],
            contacted=states[partner]["contacted"],
            unreachable=states[partner]["unreachable"],
            declined=states[partner]["declined"],
            closed=states[partner]["closed"],
            closed_by_outcome=dict(outcomes[partner]),
            withdrawn=states[partner]["withdrawn"],
            expired=states[partner]["expired"],
            median_hours_to_acknowledgement=round(median(hours[partner]), 2) if hours[partner] else None,
        )
        for partner, said in sorted(offered.items())
    ]


def _number(month: str) -> int:
    """A month as a number that grows by one from each to the next."""
    year, _, of_year = month.partition("-")
    return int(year) * 12 + int(of_year) - 1


def _month(number: int) -> str:
    return f"{number // 12:04}-{number % 12 + 1:02}"


def _begin_us(number: int) -> int:
    return micros(datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC))


def _months(first: int, count: int) -> Iterator[tuple[str, int, int]]:
    for number in range(first, first + count):
        yield _month(number), _begin_us(number), _begin_us(number + 1)
