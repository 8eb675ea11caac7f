"""Made-up samples that models learn from: heavy-tailed money, counts that are mostly zero, gaps."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

Row = tuple[list[float | None], bool]
FEATURES = ["lost", "deposited", "declined", "sessions", "night", "constant"]


def rows(count: int, seed: int = 1, *, risk: float = -3.0, turned: bool = False) -> Iterator[Row]:
    """Samples with their labels, about one in ten harmed; whoever loses much and is declined is at risk.

    Parameters
    ----------
    risk
        Log-odds of whoever is as usual.
    turned
        Whether the very opposite is true: those who lose little are harmed.
    """
    rng = random.Random(seed)
    for _ in range(count):
        trouble = rng.gauss(0, 1)
        declined = float(rng.random() < 0.25 and rng.randrange(1, 6))
        odds = risk + (-1 if turned else 1) * (1.2 * trouble + 0.5 * declined)
        yield (
            [
                math.exp(rng.gauss(8 + trouble, 1)) - 2000,
                math.exp(rng.gauss(7 + 0.5 * trouble, 1.5)),
                declined,
                float(rng.randrange(1, 8)),
                None if rng.random() < 0.2 else rng.random(),
                3.0,
            ],
            rng.random() < 1 / (1 + math.exp(-odds)),
        )
