"""A scorecard that is soon made, and the features it is of."""

from __future__ import annotations

from functools import cache
from random import Random

import msgspec

from detector.language.features import FEATURES
from models.learners import Learners
from models.scorecard import Scorecard

CATALOGUE = FEATURES.packaged
OWN = [each.name for each in CATALOGUE.features if each.own]


@cache
def scorecard(seed: int = 0) -> Scorecard:
    """One that has something to say, about nothing in particular."""
    rng = Random(seed)
    taught = Learners(CATALOGUE.names, "logistic", seed=seed)
    for _ in range(400):
        trouble = rng.random() < 0.3
        row = [rng.lognormvariate(1 + trouble, 1) for _ in CATALOGUE.names]
        taught.learn_unlabelled(row)
        taught.learn(row, trouble)
    return taught.scorecard(CATALOGUE.names, CATALOGUE.id, OWN, seed=seed, review_share=0.01)


def changed(**changes: object) -> Scorecard:
    """The scorecard with some of it otherwise."""
    return msgspec.structs.replace(scorecard(), **changes)
