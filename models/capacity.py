"""Who would have been flagged, if agents can look at so many players a day, and how early.

Every score gets the same treatment: each day its highest c players are flagged, c being so many per 1,000
players of that day. The fraction of a player that is left over is carried to the next day. Whom agents
looked at they leave alone for a week: a player who ranks highest for a month takes five of their places,
not thirty. Whoever a score has nothing to say of (NaN) is never flagged, even if places stay free.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise

import numpy as np

from models.labels import DAY_US
from models.metrics import Bools, Floats, Ints
from models.rows import Table

PAUSE_DAYS = 7
"""For so many days whoever was flagged is not flagged again: the week that a verdict speaks of, as well."""


def flags(table: Table, name: str, per_thousand: float, seed: int, *, pause_days: int = PAUSE_DAYS) -> Bools:
    """Return which player-days a score flags, (n,).

    Equal scores are told apart by a hash of player and day, so that neither names nor the order in the file
    decide who is seen.
    """
    scores = table.score(name)
    flagged = np.zeros(len(table), dtype=np.bool_)
    lots = _lots(table, seed)
    free_from = np.full(len(table.players), np.iinfo(np.int64).min)
    bounds = np.flatnonzero(np.diff(table.day, prepend=-1, append=np.iinfo(np.int64).max))
    carried = 0.0
    for start, end in pairwise(bounds.tolist()):
        carried += (end - start) * per_thousand / 1000
        places = int(carried + 1e-9)
        carried -= places
        day = int(table.day[start])
        who = table.player[start:end]
        today = np.where(free_from[who] <= day, scores[start:end], np.nan)
        order = np.lexsort((lots[start:end], -today))  # NaN sorts last
        chosen = order[:places]
        chosen = chosen[~np.isnan(today[chosen])]
        flagged[start + chosen] = True
        free_from[who[chosen]] = day + pause_days
    return flagged


@dataclass(frozen=True, slots=True)
class Lead:
    """How early those who came to harm were flagged, in days; NaN where none was.

    Attributes
    ----------
    cases
        Labels of harm, verdicts left out: they follow an alert, and would measure the agents.
    reached
        The share of cases whose player was flagged in the 30 days before.
    """

    cases: int
    reached: float
    lower: float
    median: float
    upper: float


def lead(table: Table, flagged: Bools) -> Lead:
    """Return the days from the first flag to the label, over the days that the label answered."""
    of_case = table.harmed & table.hard
    cases = {(int(who), int(when)) for who, when in _pairs(table, of_case)}
    first: dict[tuple[int, int], int] = {}
    for (who, when), at in zip(
        _pairs(table, of_case & flagged), table.at[of_case & flagged].tolist(), strict=True
    ):
        key = (int(who), int(when))
        first[key] = min(at, first.get(key, at))
    days = np.array([(when - at) / DAY_US for (_, when), at in first.items()], dtype=np.float64)
    lower, median, upper = np.quantile(days, [0.25, 0.5, 0.75]) if len(days) else (np.nan,) * 3
    share = len(first) / len(cases) if cases else float("nan")
    return Lead(len(cases), share, float(lower), float(median), float(upper))


def weighted_share(among: Bools, harmed: Bools, weights: Floats) -> float:
    """Return the share harmed among some rows, by weight; NaN among none."""
    mass = float(weights[among].sum())
    return float(weights[among & harmed].sum()) / mass if mass > 0 else float("nan")


def _pairs(table: Table, rows: Bools) -> Ints:
    return np.stack([table.player[rows], table.label_at[rows]], axis=1)


def _lots(table: Table, seed: int) -> Ints:
    key = str(seed).encode()
    salts = [
        int.from_bytes(blake2b(who.encode(), digest_size=7, key=key).digest(), "little")
        for who in table.players
    ]
    # Mixed with the day, or the same players would lose every draw.
    mixed = np.array(salts, dtype=np.uint64)[table.player] if salts else np.zeros(0, dtype=np.uint64)
    mixed ^= table.day.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    return (mixed >> np.uint64(1)).astype(np.int64)
