"""The risk score of a player at an instant, from the episodes that are open then.

Everything is reckoned in whole numbers (parts of a point, see `decay`), so that the same log gives the same
score, byte for byte, on every machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from detector.language.rule import CATEGORIES
from detector.score.decay import BITS, WHOLE, left
from detector.score.scoring import HIGHEST, Scoring
from detector.score.standing import Standing

_ORDER = {category: place for place, category in enumerate(CATEGORIES)}


class Part(msgspec.Struct, frozen=True, gc=False):
    """What one open episode puts into the score, as signed whole points."""

    rule: str
    category: str
    points: int


class Score(msgspec.Struct, frozen=True, gc=False):
    """A score from 0 to 100, its band, and where it comes from.

    `contributions` holds the categories that are not 0 and adds up to `score`. `parts` are all open
    episodes, the weightiest first; those of one category add up to its contribution.
    """

    score: int
    band: str
    contributions: dict[str, int]
    parts: list[Part]


def score(standings: Sequence[Standing], at_us: int, scoring: Scoring) -> Score:
    """Return the score as of an instant; the order of `standings` does not matter."""
    # Sorted by what no chance decides, so that ties between equal remainders come out alike every time.
    standing = [each for each in standings if at_us - each.held_us < each.cooldown_us]
    if len(standing) > 1:
        standing.sort(key=lambda each: (_ORDER[each.category], each.rule, each.held_us))
    gained: dict[str, int] = {}
    eased: dict[str, int] = {}
    members: dict[str, list[tuple[str, int]]] = {}
    for each in standing:
        category = each.category
        weight, half_life_us = scoring.terms(each.rule.partition("@")[0], category, each.severity)
        points = weight * left(at_us - each.held_us, half_life_us)
        side = eased if points < 0 else gained
        side[category] = side.get(category, 0) + points
        members.setdefault(category, []).append((each.rule, points))
    total, ups, downs = _bounded(gained, eased, scoring)
    whole = (total + WHOLE // 2) >> BITS
    dealt = _dealt([ups.get(category, 0) + downs.get(category, 0) for category in members], whole)
    contributions: dict[str, int] = {}
    parts: list[Part] = []
    for (category, mine), contribution in zip(members.items(), dealt, strict=True):
        if contribution:
            contributions[category] = contribution
        if len(mine) == 1:
            parts.append(Part(mine[0][0], category, contribution))
            continue
        up, down = gained.get(category) or 1, eased.get(category, 0)
        shares = [
            points * downs[category] // down if points < 0 else points * ups.get(category, 0) // up
            for _, points in mine
        ]
        for (rule, _), share in zip(mine, _dealt(shares, contribution), strict=True):
            parts.append(Part(rule, category, share))
    parts.sort(key=lambda part: (-part.points, part.rule))
    return Score(whole, scoring.band(whole), contributions, parts)


def _bounded(
    gained: dict[str, int], eased: dict[str, int], scoring: Scoring
) -> tuple[int, dict[str, int], dict[str, int]]:
    """Return the total, and by category what is kept of its positive and of its negative points.

    The total is exact. What is kept of each category may lack a few parts of it, which rounding makes good.
    """
    ups = {category: min(points, scoring.caps[category] * WHOLE) for category, points in gained.items()}
    money = [category for category in ups if category in scoring.money]
    up = sum(ups.values())
    over = sum(ups[category] for category in money) - scoring.money_cap * WHOLE
    if over > 0:
        _scale(ups, money, scoring.money_cap * WHOLE)
        up -= over
    down = sum(eased.values())
    downs = dict(eased)
    if down < -scoring.relief * WHOLE:
        down = -scoring.relief * WHOLE
        _scale(downs, downs, down)
    if up + down > HIGHEST * WHOLE:
        up = HIGHEST * WHOLE - down
        _scale(ups, ups, up)
    elif up + down < 0:
        down = -up
        _scale(downs, downs, down)
    return up + down, ups, downs


def _scale(points: dict[str, int], categories: Iterable[str], upto: int) -> None:
    """Shrink those of some categories in proportion, so that they add up to `upto` (rounded down)."""
    chosen = list(categories)
    whole = sum(points[category] for category in chosen)
    for category in chosen:
        points[category] = points[category] * upto // whole


def _dealt(shares: Sequence[int], whole: int) -> list[int]:
    """Round shares to whole points that add up to `whole`, by the largest remainders, the first of equals.

    `shares` add up to `whole` but for rounding, so that each ends up as one of its two neighbours.
    """
    points = [share >> BITS for share in shares]
    short = whole - sum(points)
    by_remainder = sorted(range(len(shares)), key=lambda place: -(shares[place] & (WHOLE - 1)))
    for place in by_remainder[:short]:
        points[place] += 1
    return points
