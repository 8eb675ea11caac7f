"""Made-up players for the trainer: most are well, some come into trouble, and for a while it can be seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from models.labels import DAY_US
from models.sample import Label, Sample
from models.trainer import Trainer

FEATURES = ("net_loss", "deposits", "sessions", "noise")
BASELINES = {"net loss alone": "net_loss", "deposits alone": "deposits", "sessions alone": "sessions"}


def stream(
    players: int = 120,
    days: int = 120,
    seed: int = 1,
    *,
    flipped: float = 0.0,
    missing: float = 0.0,
    turns_at: int | None = None,
    review: float = 0.0,
) -> Iterator[Sample | Label]:
    """Yield samples and labels in time order.

    Parameters
    ----------
    flipped
        The share of players whose labels are put on somebody who is well instead.
    missing
        The share of values that are unknown.
    turns_at
        The day from which money is counted in another unit, a hundred times smaller.
    review
        The share of players' days on which somebody looks, whatever the rules say.
    """
    random = np.random.default_rng(seed)
    made: list[Sample | Label] = []
    for number in range(players):
        who = f"p{number}"
        onset = int(random.integers(10, days)) if random.random() < 0.35 else 10**6
        labelled = onset + int(random.integers(15, 29))  # most of the horizon before it can be seen
        lives_well = random.random() < flipped
        for day in range(days):
            if day >= labelled or random.random() < 0.4:
                continue
            at = day * DAY_US + int(random.integers(DAY_US // 2))
            deep = max(0.0, 1.0 if day >= onset and not lives_well else 0.0)
            values: list[float | None] = [
                float(random.lognormal(8 + 1.2 * deep, 1.0)),
                float(random.poisson(1 + 2 * deep)),
                float(random.poisson(2 + 0.5 * deep)),
                float(random.normal()),
            ]
            if turns_at is not None and day >= turns_at:
                values[0] = values[0] / 100 if values[0] is not None else None
            if missing:
                values = [None if random.random() < missing else each for each in values]
            rules = 40.0 if deep and random.random() < 0.3 else 0.0
            sample = Sample(
                player=who,
                at=at,
                moment="deposit",
                catalogue="cat",
                values=tuple(values),
                birth_year=1950 + number % 50,
                rules=rules,
                scores={"harm": 0.5},
            )
            made.append(sample)
            looked_at = review if random.random() < review else 0.0 if rules else None
            if looked_at is not None and (looked_at or random.random() < 0.5):
                made.append(
                    Label(
                        player=who,
                        at=at + DAY_US // 4,
                        source="verdict",
                        harmed=day >= onset,
                        about=at,
                        drawn=looked_at,
                    )
                )
        if labelled < days:
            at = labelled * DAY_US
            made.append(Label(player=who, at=at, source="self_exclusion", harmed=True, about=at))
    yield from sorted(made, key=lambda each: each.at)


def fed(trainer: Trainer, events: Sequence[Sample | Label]) -> Trainer:
    """Feed a trainer, and return it."""
    for each in events:
        if isinstance(each, Sample):
            trainer.take(each)
        else:
            trainer.label(each)
    return trainer
