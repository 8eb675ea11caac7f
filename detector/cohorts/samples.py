"""What a cohort table is built from: one value a player and week of each quantity, and who is left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from detector.cohorts.place import edges_of
from detector.cohorts.tables import EDGES, LEAST_PLAYERS, Cohort, Measured
from detector.events.instants import DAY_US
from detector.language.syntax import Percentile

_MONDAY = 3
"""Days from the Monday before the epoch, which was a Thursday."""

_Who = tuple[str | None, str | None]


class Samples:
    """Values of quantities as rules saw them, the last of each player and UTC week.

    Whoever plays more is judged more often, and would count for more if every judgement did.
    """

    def __init__(self) -> None:
        # key → (player, week) → (at, value, (currency, product))
        self._values: dict[str, dict[tuple[str, int], tuple[int, float, _Who]]] = defaultdict(dict)

    def note(
        self, key: str, player: str, at_us: int, value: float, currency: str | None, product: str | None
    ) -> None:
        """Take a value in; of two in a week the later counts, of two at one time the one noted last."""
        known = self._values[key]
        week = (player, (at_us // DAY_US + _MONDAY) // 7)
        before = known.get(week)
        if before is None or before[0] <= at_us:
            known[week] = (at_us, value, (currency, product))

    def measured(self, asked: Iterable[Percentile], least: int) -> dict[str, Measured]:
        """The cohorts of quantities: by currency and product, and of each currency all products together.

        Parameters
        ----------
        least
            Cohorts of fewer players are left out, LEAST_PLAYERS at the least.
        """
        least = max(least, LEAST_PLAYERS)
        found: dict[str, Measured] = {}
        for each in asked:
            cohorts = [] if each.key in found else self._cohorts(each, least)
            found.setdefault(each.key, Measured(text=each.text, cohorts=cohorts))
        return dict(sorted(found.items()))

    def _cohorts(self, asked: Percentile, least: int) -> list[Cohort]:
        players: dict[_Who, set[str]] = defaultdict(set)
        values: dict[_Who, list[float]] = defaultdict(list)
        for (player, _), (_, value, (currency, product)) in self._values[asked.key].items():
            # A quantity that is about one product has no cohort of all of them.
            own = (
                {(currency, product)} if asked.pinned is not None else {(currency, product), (currency, None)}
            )
            for who in own:
                players[who].add(player)
                values[who].append(value)
        return [
            Cohort(
                currency=who[0],
                product=who[1],
                players=len(players[who]),
                edges=edges_of(values[who], EDGES),
            )
            for who in sorted(values, key=lambda who: (who[0] or "", who[1] is not None, who[1] or ""))
            if len(players[who]) >= least
        ]
