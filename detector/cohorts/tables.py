"""Cohort tables as they are written, and as the engine looks them up."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from detector.cohorts.place import place_in
from detector.events.instants import micros, rfc3339_ms

LEAST_PLAYERS = 10
"""A cohort is of at least so many: of fewer, a table would tell what single players do."""
EDGES = 101
"""Quantiles of a cohort in a table that is built here: one a hundredth."""

Edges = Annotated[list[float], Meta(min_length=2, max_length=1_001)]
Key = Annotated[str, Meta(pattern="^[0-9a-f]{16}$")]
Instant = Annotated[datetime, Meta(tz=True)]


class Cohort(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Players who are compared with one another.

    `currency` is None for what is no money, `product` for all products together; `edges` are evenly spaced
    quantiles from the least value to the greatest, money in minor units, durations in µs.
    """

    currency: Annotated[str, Meta(min_length=3, max_length=16)] | None = None
    product: Annotated[str, Meta(max_length=64)] | None = None
    players: Annotated[int, Meta(ge=LEAST_PLAYERS)]
    edges: Edges


class Measured(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The cohorts of one thing that rules ask `percentile` of; `text` is it, to be read."""

    text: str
    cohorts: Annotated[list[Cohort], Meta(max_length=10_000)]


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The log that a table was built from: xxh3-128 of its text, events taken, the latest of their times."""

    log: str
    events: int
    until: str


class Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Cohorts that are in force from an event time on."""

    effective_from: Instant
    built_from: Source | None = None
    built_at: Instant | None = None
    quantities: Annotated[dict[Key, Measured], Meta(max_length=1_000)]

    @property
    def from_us(self) -> int:
        """When it comes into force, in µs."""
        return micros(self.effective_from)


def table_id(table: Table) -> str:
    """Sixteen hex digits that change with anything in the table."""
    return hashlib.sha256(msgspec.json.encode(table, order="deterministic")).hexdigest()[:16]


class Written(Struct, frozen=True, forbid_unknown_fields=True):
    """A cohorts.json."""

    tables: Annotated[list[Table], Meta(min_length=1, max_length=1_000)]


@dataclass(frozen=True, slots=True)
class Found:
    """The cohort that somebody was compared with, and the table that it stands in."""

    table: str
    effective_from: str
    cohort: Cohort

    def told(self, *, by_product: bool) -> str:
        """Both in one line; `by_product` where players are told apart by what they play."""
        cohort = self.cohort
        product = (cohort.product or "all products") if by_product else None
        who = filter(None, (product, cohort.currency, f"{cohort.players} players"))
        return f"cohorts {self.table} from {self.effective_from}: {', '.join(who)}"


_Of = dict[tuple[str | None, str | None], Cohort]


class Ranks:
    """The cohorts of one quantity, in every table.

    Parameters
    ----------
    starts
        When each table comes into force, in µs, ascending.
    tables
        The cohorts of each by (currency, product); none where the table lacks the quantity.
    """

    __slots__ = ("_starts", "_tables")

    def __init__(self, starts: Sequence[int], tables: Sequence[_Of]) -> None:
        self._starts = starts
        self._tables = tables

    def place(self, at_us: int, currency: str | None, product: str | None, value: float) -> float | None:
        """The place of a value at an instant; None without a cohort."""
        cohort = self.cohort(at_us, currency, product)
        return None if cohort is None else place_in(cohort.edges, value)

    def cohort(self, at_us: int, currency: str | None, product: str | None) -> Cohort | None:
        """The cohort of a product, of all products together where that one has none."""
        number = bisect_right(self._starts, at_us) - 1
        if number < 0:
            return None
        cohorts = self._tables[number]
        return cohorts.get((currency, product)) or cohorts.get((currency, None))


class Cohorts:
    """Cohort tables, of which at any instant the latest that has come into force counts."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self.tables = sorted(tables, key=lambda table: table.from_us)
        self._starts = [table.from_us for table in self.tables]
        self._ranks: dict[str, Ranks | None] = {}

    @cached_property
    def ids(self) -> list[str]:
        """The id of each table."""
        return [table_id(table) for table in self.tables]

    def ranks(self, key: str) -> Ranks | None:
        """The cohorts of a quantity; None where no table has any."""
        if key not in self._ranks:
            found: list[_Of] = []
            for table in self.tables:
                measured = table.quantities.get(key)
                cohorts = [] if measured is None else measured.cohorts
                found.append({(each.currency, each.product): each for each in cohorts})
            self._ranks[key] = Ranks(self._starts, found) if any(found) else None
        return self._ranks[key]

    def found(self, key: str, at_us: int, currency: str | None, product: str | None) -> Found | None:
        """With whom somebody is compared at an instant; None without a cohort."""
        ranks = self.ranks(key)
        cohort = None if ranks is None else ranks.cohort(at_us, currency, product)
        if cohort is None:
            return None
        number = bisect_right(self._starts, at_us) - 1
        return Found(self.ids[number], rfc3339_ms(self._starts[number]), cohort)
