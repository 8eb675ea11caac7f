"""Why is a score what it is? One number a feature."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from models.habit import contributions, deviation
from models.harm import LogisticCard, additions


class Reason(msgspec.Struct, frozen=True, gc=False):
    """What one feature adds to a score.

    Parameters
    ----------
    feature
        Its name.
    value
        None where it is unknown, which may itself be the reason.
    adds
        Above 0 where it makes the score higher; its unit is the score's (see `Scorecard.reasons`).
    """

    feature: str
    value: float | None
    adds: float


def added(features: Sequence[str], values: Sequence[float | None], card: LogisticCard) -> list[Reason]:
    """The terms of a sum of log-odds."""
    return _sorted(features, values, additions(card, values))


def put_back(
    features: Sequence[str],
    values: Sequence[float | None],
    usual: Sequence[float | None],
    score: Callable[[Sequence[float | None]], float],
) -> list[Reason]:
    """By how much the score falls when one feature at a time is put back to what is usual.

    What two features only say together shows in both, so that these need not add up to anything.
    """
    whole = score(values)
    changed = list(values)
    adds = []
    for index, value in enumerate(values):
        changed[index] = usual[index]
        adds.append(whole - score(changed))
        changed[index] = value
    return _sorted(features, values, adds)


def shared(features: Sequence[str], values: Sequence[float | None], state: Sequence[float]) -> list[Reason]:
    """What each feature has of a deviation, by its square: they add up to it."""
    together = deviation(state, values)
    if not together:
        return []
    offs = contributions(state, values)
    known = sum(off is not None for off in offs)
    return _sorted(features, values, [0.0 if off is None else off * off / known / together for off in offs])


def _sorted(features: Sequence[str], values: Sequence[float | None], adds: Sequence[float]) -> list[Reason]:
    """The weightiest first, equals in the order of features; what adds nothing is left out."""
    reasons = [
        Reason(feature, value, add)
        for feature, value, add in zip(features, values, adds, strict=True)
        if add != 0
    ]
    return sorted(reasons, key=lambda reason: -abs(reason.adds))
