"""What the rules and the classifier of harm make of a player together, in one number to rank by.

They know different things: rules what the literature says of single behaviours, from the first day on; the
classifier what labels of this very platform say of all of them, once there are some. Neither knows all, so
their evidence is added, as independent evidence adds up in log-odds (a logarithmic opinion pool: Genest &
Zidek 1986, Combining probability distributions, Statistical Science 1).
"""

from __future__ import annotations

from models.harm import logit

BAND = 25.0
"""So many points of the rules' score, a band of it, count as much as odds that are e times as high. Set
before anything was measured, and not fitted since."""


def combined(harm: float | None, rules: float) -> float:
    """Log-odds of harm, and a unit more for each band of the rules' score. It ranks; it is no probability.

    Parameters
    ----------
    harm
        The calibrated probability of harm, 0 to 1; None while nothing was learned, and the rules alone rank.
    rules
        `Sample.rules`: 0 to 100.

    >>> combined(0.5, 50.0)
    2.0
    >>> combined(None, 50.0)
    2.0
    """
    return (0.0 if harm is None else logit(harm)) + rules / BAND
