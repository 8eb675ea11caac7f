"""How far is a player from what is usual for them? A baseline of their own, in a few dozen numbers.

Of each chosen feature the mean and variance of its signed logarithm are kept, the latest counting most, and
of how far all of them were off together an adaptive window. When that window finds that something changed for
good, the baseline forgets, and the new habit becomes the one to compare with.

The state is one flat list of floats, at most `MOST_NUMBERS` long, and everything here a pure function of it:
[updates, changes, updates since the last change, (count, mean, variance) of each feature, window…]. An empty
list is a player of whom nothing is known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from models import adwin
from models.scaling import exponential, signed_log

MOST_FEATURES = 5
FEWEST_UPDATES = 5
"""Nothing is told of fewer updates: there is no habit yet."""
RATE = 0.03
"""How much the latest update counts, once there are enough. Slow on purpose: a baseline that follows at once
hides what it is to show. Whoever changes for good is followed by forgetting instead."""
FLOOR = 0.1
"""No deviation is less, in logarithms: a tenth more of the same is no change of habit."""
OUTLIER = 3.0
"""A value is learned as if it lay no further off than this many deviations."""
FARTHEST = 10.0
"""No feature is told to be further off: how absurd a value is adds nothing from there on."""
_HEAD = 3
_EACH = 3
MOST_NUMBERS = _HEAD + _EACH * MOST_FEATURES + adwin.LENGTH


def contributions(state: Sequence[float], values: Sequence[float | None]) -> list[float | None]:
    """How far each feature is from its habit, in standard deviations, with its sign.

    None where the value is unknown or the feature has been seen less than `FEWEST_UPDATES` times.
    """
    offs: list[float | None] = []
    for index, value in enumerate(values):
        at = _HEAD + _EACH * index
        if value is None or not math.isfinite(value) or len(state) <= at or state[at] < FEWEST_UPDATES:
            offs.append(None)
            continue
        off = (signed_log(value) - state[at + 1]) / max(math.sqrt(state[at + 2]), FLOOR)
        offs.append(min(max(off, -FARTHEST), FARTHEST))
    return offs


def deviation(state: Sequence[float], values: Sequence[float | None]) -> float | None:
    """How far all features are off together: the root of their mean squared deviation.

    About 1 is what any moment is like. None until there were `FEWEST_UPDATES` updates, or where nothing is
    known.
    """
    if not state or state[0] < FEWEST_UPDATES:
        return None
    known = [off for off in contributions(state, values) if off is not None]
    return math.sqrt(sum(off * off for off in known) / len(known)) if known else None


def habitual(state: Sequence[float], index: int) -> float | None:
    """What is usual for the player in the feature at `index`, in its own unit; None where unknown."""
    at = _HEAD + _EACH * index
    return exponential(state[at + 1]) if len(state) > at and state[at] else None


def changes(state: Sequence[float]) -> int:
    """How often the player's habits have changed for good."""
    return int(state[1]) if state else 0


def updated(state: Sequence[float], values: Sequence[float | None]) -> list[float]:
    """The state after one moment more, of as many values as at all the others.

    Raises ValueError for more than `MOST_FEATURES` values, or a state of another number of features.
    """
    if len(values) > MOST_FEATURES:
        raise ValueError(f"a habit has at most {MOST_FEATURES} features, not {len(values)}")
    window_at = _HEAD + _EACH * len(values)
    if not state:
        state = [0.0] * window_at + adwin.fresh()
    window = list(state[window_at:])
    if len(window) < adwin.LEVELS or len(window) != adwin.LEVELS + 2 * int(sum(window[: adwin.LEVELS])):
        raise ValueError(f"this is not the habit of {len(values)} features")
    together = deviation(state, values)
    change = 0.0
    if together is not None:
        window, change = adwin.with_value(window, together)
    after = list(state[:window_at])
    after[0] += 1
    after[2] += 1
    if change > 0:
        # Farther off than before, and it stays: the counts are what makes means slow to follow.
        after[1] += 1
        after[2] = 0.0
        for at in range(_HEAD, window_at, _EACH):
            after[at] = min(after[at], float(FEWEST_UPDATES))
    for index, value in enumerate(values):
        if value is not None and math.isfinite(value):
            at = _HEAD + _EACH * index
            count, mean, variance = after[at : at + _EACH]
            after[at : at + _EACH] = _moved(count, mean, variance, signed_log(value))
    return after + window


def _moved(count: float, mean: float, variance: float, value: float) -> tuple[float, float, float]:
    """Count, mean and variance with one value more, taken in where it is an outlier."""
    if count >= FEWEST_UPDATES:
        reach = OUTLIER * max(math.sqrt(variance), FLOOR)
        value = min(max(value, mean - reach), mean + reach)
    count += 1
    # Until there are enough, all count the same.
    rate = max(RATE, 1 / count)
    off = value - mean
    mean += rate * off
    variance = (1 - rate) * (variance + rate * off * off)
    return min(count, 1 / RATE), mean, variance
