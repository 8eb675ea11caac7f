"""The risk score from open episodes, and the least response to it: by the book, in plain fractions of points.

What is rounded can fall either way where a hair is between: such a score says so (`close`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.oracle.history import DAY, HOUR

CATEGORIES = ("spend", "deposits", "losses", "time", "play", "withdrawals", "tools", "contact")
UNITS = {"h": HOUR, "d": DAY, "w": 7 * DAY}
HAIR = 1e-5


@dataclass(frozen=True)
class Standing:
    """An episode that may be open: `held` is when its rule last held, in µs."""

    rule: str
    category: str
    severity: str
    held: int
    cooldown: int


@dataclass(frozen=True)
class Score:
    score: int
    band: str
    contributions: Mapping[str, int]
    close: bool = False


def scored(standings: Iterable[Standing], at: int, book: Mapping[str, Any]) -> Score:
    """The score at an instant; `book` is score.yml as plain YAML makes it."""
    risks = dict.fromkeys(CATEGORIES, 0.0)
    reliefs = dict.fromkeys(CATEGORIES, 0.0)
    for each in standings:
        if at - each.held >= each.cooldown:
            continue
        points = worth(each, at, book)
        side = reliefs if points < 0 else risks
        side[each.category] += points
    for category in CATEGORIES:
        risks[category] = min(risks[category], book["caps"][category])
    shrink(risks, book["money"]["categories"], book["money"]["cap"])
    shrink(reliefs, CATEGORIES, -book["relief"])
    # Not above 100, not below 0: whichever side is too large gives way.
    shrink(risks, CATEGORIES, 100 - sum(reliefs.values()))
    shrink(reliefs, CATEGORIES, -sum(risks.values()))
    shares = {category: risks[category] + reliefs[category] for category in CATEGORIES}
    total = sum(risks.values()) + sum(reliefs.values())
    score = math.floor(total + 0.5)
    contributions, close = dealt(shares, score)
    band = [name for name, edge in [("low", 0), *book["bands"].items()] if score >= edge][-1]
    half = abs(total - math.floor(total) - 0.5)
    return Score(score, band, contributions, close or 0 < half < HAIR)


def worth(standing: Standing, at: int, book: Mapping[str, Any]) -> float:
    """Its points now: a weight by severity, halved in every half-life since the rule last held."""
    own = book.get("rules", {}).get(standing.rule, {})
    weight = own.get(standing.severity, book["weights"][standing.severity])
    halves = book["half_life"]
    half_life = own.get("half_life", halves.get(standing.category, halves["default"]))
    passed = (at - standing.held) / (float(half_life[:-1]) * UNITS[half_life[-1]])
    return float(weight * 2**-passed)


def shrink(points: dict[str, float], categories: Iterable[str], bound: float) -> None:
    """Where some categories add up to more than a bound, all of them give way in proportion."""
    whole = sum(points[category] for category in categories)
    if abs(whole) > abs(bound) or (whole != 0 and bound == 0):
        for category in categories:
            points[category] *= bound / whole


def dealt(shares: Mapping[str, float], score: int) -> tuple[dict[str, int], bool]:
    """Whole numbers that add up to the score, by the largest remainders; and whether a hair decided."""
    # What is whole but for the last bit of a double is whole.
    rounded = {name: round(share, 9) for name, share in shares.items() if share != 0}
    points = {name: math.floor(share) for name, share in rounded.items()}
    rest = {name: rounded[name] - points[name] for name in points}
    order = sorted(points, key=lambda name: (-rest[name], CATEGORIES.index(name)))
    short = score - sum(points.values())
    for name in order[:short]:
        points[name] += 1
    close = any(0 < r < HAIR or 1 - HAIR < r < 1 for r in rest.values())
    if 0 < short < len(order):
        close |= abs(rest[order[short - 1]] - rest[order[short]]) < HAIR
    return {name: n for name, n in points.items() if n}, close


def least(band: str, jurisdiction: str | None, ladder: Mapping[str, Any]) -> str:
    """The response to an alert of a rule on risk is at least this, by the player's band ("": none)."""
    names = [] if jurisdiction is None else [jurisdiction, jurisdiction.partition("-")[0]]
    own: Mapping[str, Any] = next((ladder[name] for name in names if name in ladder), {})
    found: str = own.get("least", ladder["default"]["least"]).get(band, "")
    return found
