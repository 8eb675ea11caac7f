"""Episodes to be scored: by hand, and by chance."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from detector.language.rule import CATEGORIES, SEVERITIES
from detector.score.load import SCORES
from detector.score.scoring import Override, Scoring
from detector.score.standing import Standing

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
NOW_US = 1_767_268_800_000_000  # 2026-01-01T12:00:00Z

PACKAGED = SCORES.packaged
PROTECTED = replace(
    PACKAGED,
    rules={
        **PACKAGED.rules,
        "r1": Override((-30,) * 4, 2 * DAY_US),
        "r2": Override((-4,) * 4),
        "r3": Override((None, None, 40, 100), 6 * HOUR_US),
    },
)
"""As packaged, with two protective rules, and one that weighs more and fades faster."""


def standing(
    category: str,
    severity: str = "medium",
    *,
    rule: str | None = None,
    held_ago: int = 0,
    cooldown: int = 7 * DAY_US,
) -> Standing:
    """An episode that last held so long before NOW_US, by a rule named after its category unless said."""
    name = rule or f"some-{category}"
    held_us = NOW_US - held_ago
    return Standing(
        rule=f"{name}@3",
        title=f"Something about {category}",
        category=category,
        severity=SEVERITIES.index(severity),
        opened_us=held_us - HOUR_US,
        held_us=held_us,
        cooldown_us=cooldown,
    )


@st.composite
def any_standing(draw: st.DrawFn, number: int, longest: int = 40 * DAY_US) -> Standing:
    """An episode of the rule with this number, which may be over."""
    held_ago = draw(st.integers(0, 30 * DAY_US) | st.sampled_from([0, 1, DAY_US, 7 * DAY_US]))
    return standing(
        draw(st.sampled_from(CATEGORIES)),
        draw(st.sampled_from(SEVERITIES)),
        rule=f"r{number}",
        held_ago=min(held_ago, longest),
        cooldown=draw(st.integers(1, longest)),
    )


def any_standings(most: int = 9, longest: int = 40 * DAY_US) -> st.SearchStrategy[list[Standing]]:
    """Episodes of different rules."""
    return st.integers(0, most).flatmap(
        lambda count: st.tuples(*(any_standing(number, longest) for number in range(count))).map(list)
    )


any_scoring: st.SearchStrategy[Scoring] = st.sampled_from([PACKAGED, PROTECTED])
