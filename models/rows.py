"""Answered predictions, kept for the report: a row a player and UTC day, in bounded memory.

The unit is the player-day: the highest score of the day, and whether harm followed. A busy player with forty
deposits on one day counts no more than one with a single deposit.

Memory is bounded by players, not by rows: each player has a fixed hash, and once there are too many rows all
players above a threshold are left out, for good and from the beginning (bottom-k sampling: Cohen & Kaplan
2007). Those who stay have all of their days, so that drawing whole players, lead times and the capacity a day
mean the same as on everybody.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from hashlib import blake2b
from math import nan

import numpy as np

from models.labels import DAY_US, Answer
from models.metrics import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class Table:
    """Player-days that were answered, by day and then player.

    Attributes
    ----------
    names
        The m scores that are compared.
    players
        Who there is, by number.
    player, day, at
        (n,) number, UTC day since the epoch, and the instant of the day's last sample in µs.
    scores
        (n, m) the day's highest; NaN where a score had nothing to say.
    harmed
        (n,) whether harm followed.
    hard
        (n,) whether the answer owes nothing to a verdict: what verdicts alone call harmed is not.
    weights
        (n,) how many each stands for, by inverse propensity.
    label_at
        (n,) the label of harm that answered it, µs, -1 without.
    birth_year
        (n,) -1 where it is not known.
    kept
        The share of players that is in it, by lot.
    """

    names: tuple[str, ...]
    players: tuple[str, ...]
    player: Ints
    day: Ints
    at: Ints
    scores: Floats
    harmed: Bools
    hard: Bools
    weights: Floats
    label_at: Ints
    birth_year: Ints
    kept: float

    def __len__(self) -> int:
        return len(self.player)

    def score(self, name: str) -> Floats:
        """Return one score, (n,)."""
        return self.scores[:, self.names.index(name)]

    def where(self, chosen: Bools) -> Table:
        """Return some of the rows, (n,)."""
        present, player = np.unique(self.player[chosen], return_inverse=True)
        return Table(
            names=self.names,
            players=tuple(self.players[number] for number in present.tolist()),
            player=player.astype(np.int64),
            day=self.day[chosen],
            at=self.at[chosen],
            scores=self.scores[chosen],
            harmed=self.harmed[chosen],
            hard=self.hard[chosen],
            weights=self.weights[chosen],
            label_at=self.label_at[chosen],
            birth_year=self.birth_year[chosen],
            kept=self.kept,
        )


class Rows:
    """Keeps what was answered.

    Parameters
    ----------
    names
        The scores that each sample was given, in their order.
    most
        Rows at most; one takes about 60 bytes and 8 a score.
    seed
        Decides who is kept when there are too many.
    """

    def __init__(self, names: tuple[str, ...], seed: int, most: int = 500_000) -> None:
        self.names = names
        self.seed = seed
        self.most = most
        self.threshold = 1.0
        self._numbers: dict[str, int] = {}
        self._places = array("d")  # of each player in [0, 1)
        self._whole = array("q")  # player, at, label_at, birth_year, harmed, hard: six a row
        self._parts = array("d")  # weight, then the scores

    def __len__(self) -> int:
        return len(self._whole) // 6

    def add(self, answer: Answer) -> None:
        """Keep one answered sample, unless its player is left out."""
        sample = answer.sample
        number = self._numbers.get(sample.player)
        if number is None:
            place = self._place(sample.player)
            if place >= self.threshold:
                return
            number = self._numbers[sample.player] = len(self._places)
            self._places.append(place)
        self._whole.extend(
            (
                number,
                sample.at,
                -1 if answer.label_at is None else answer.label_at,
                -1 if sample.birth_year is None else sample.birth_year,
                answer.harmed,
                answer.drawn is None or not answer.harmed,
            )
        )
        self._parts.append(answer.stands_for)
        self._parts.extend(sample.said)
        if len(self) > self.most:
            self._thin()

    def table(self, before_us: int | None = None) -> Table:
        """Return the player-days of all that is kept, of whole days before an instant.

        Harm is known at once and its absence only after the horizon, so that of the latest days the harmed
        alone are answered. They would make every measure wrong: leave them out by `before_us`.
        """
        width = 1 + len(self.names)
        whole = np.array(self._whole, dtype=np.int64).reshape(-1, 6)
        parts = np.array(self._parts, dtype=np.float64).reshape(-1, width)
        if before_us is not None:
            finished = whole[:, 1] // DAY_US < before_us // DAY_US
            whole, parts = whole[finished], parts[finished]
        day = whole[:, 1] // DAY_US
        order = np.lexsort((whole[:, 1], whole[:, 0], day))
        whole, parts, day = whole[order], parts[order], day[order]
        first = np.ones(len(whole), dtype=bool)
        first[1:] = (day[1:] != day[:-1]) | (whole[1:, 0] != whole[:-1, 0])
        starts = np.flatnonzero(first)

        def over(least: np.ufunc, values: Ints | Floats) -> Ints | Floats:
            return np.asarray(least.reduceat(values, starts, axis=0)) if len(starts) else values[:0]

        harmed = whole[:, 4] == 1
        # A day's answer is that of its harmed samples, where there are any.
        day_harmed = over(np.maximum, whole[:, 4]) == 1
        counts = harmed | ~day_harmed[np.cumsum(first) - 1]
        never = np.iinfo(np.int64).max
        label_at = over(np.minimum, np.where(harmed, whole[:, 2], never))
        return Table(
            names=self.names,
            players=tuple(self._numbers),
            player=whole[starts, 0],
            day=day[starts],
            at=over(np.maximum, whole[:, 1]).astype(np.int64),
            scores=over(np.fmax, parts[:, 1:]).astype(np.float64),
            harmed=day_harmed,
            hard=over(np.maximum, np.where(counts, whole[:, 5], 0)) == 1,
            weights=over(np.fmax, np.where(counts, parts[:, 0], nan)).astype(np.float64),
            label_at=np.where(label_at == never, -1, label_at).astype(np.int64),
            birth_year=over(np.maximum, whole[:, 3]).astype(np.int64),
            kept=self.threshold,
        )

    def _place(self, player: str) -> float:
        digest = blake2b(player.encode(), digest_size=8, key=str(self.seed).encode()).digest()
        return int.from_bytes(digest, "little") / 2**64

    def _thin(self) -> None:
        places = np.array(self._places)
        whole = np.array(self._whole, dtype=np.int64).reshape(-1, 6)
        parts = np.array(self._parts).reshape(len(whole), -1)
        while len(whole) > self.most // 2 and self.threshold > 2.0**-40:
            self.threshold /= 2
            stay = places[whole[:, 0]] < self.threshold
            whole, parts = whole[stay], parts[stay]
        names = [who for who, number in self._numbers.items() if places[number] < self.threshold]
        renumbered = np.full(len(places), -1, dtype=np.int64)
        for new, who in enumerate(names):
            renumbered[self._numbers[who]] = new
        self._places = array("d", (places[self._numbers[who]] for who in names))
        self._numbers = {who: new for new, who in enumerate(names)}
        whole[:, 0] = renumbered[whole[:, 0]]
        self._whole = array("q", whole.ravel().tobytes())
        self._parts = array("d", parts.ravel().tobytes())
