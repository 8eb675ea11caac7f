"""What can be played: how often a round wins, what it pays, how long it takes and how long people stay.

The slots' paytable is made up to have the share of wins, the mean win and the return of the game that the
real players played (`fitted.json`); the other products' tables are made up to look like the product's. No
real game is copied. Lotteries are left out: they return about half of the stakes, once a week.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

SPIN_S: Final = 2.5
"""How long a slot's round lasts before the player can start the next, seconds. Not in the data (start)."""


@dataclass(frozen=True, slots=True)
class Product:
    """A product type and how its rounds go.

    Parameters
    ----------
    name
        The product type, as events name it.
    games
        Names of games.
    pays
        Pairs of (payout in hundredths of the stake, probability); what is left of 1 pays nothing.
    lasts_s
        Shortest and longest duration of a round, seconds; the player's own response time comes on top.
    stakes
        Its stakes as a multiple of those of the slots.
    stays
        Rounds in a row as a multiple of what the player plays at slots.
    wagers
        Fewest and most wagers a session, where wagers settle later; else None.
    settles_s
        Shortest and longest time from placing to settling, seconds; None where a round settles at once.
    risk
        Rank of how fast the product takes money: a move upwards is one to a riskier product.
    """

    name: str
    games: tuple[str, ...]
    pays: tuple[tuple[int, float], ...]
    lasts_s: tuple[float, float]
    stakes: int = 1
    stays: float = 1.0
    wagers: tuple[int, int] | None = None
    settles_s: tuple[float, float] | None = None
    risk: int = 1
    _edges: tuple[float, ...] = field(init=False, repr=False)
    _outcomes: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        losing = 1.0 - sum(share for _, share in self.pays)
        # The last edge is left out so that rounding in the sum can never push a draw past the table.
        edges = tuple(accumulate([losing, *(share for _, share in self.pays)]))[:-1]
        object.__setattr__(self, "_edges", edges)
        object.__setattr__(self, "_outcomes", (0, *(hundredths for hundredths, _ in self.pays)))

    def outcome(self, draw: float) -> int:
        """The payout, in hundredths of the stake, for a uniform draw from [0, 1)."""
        return self._outcomes[bisect_right(self._edges, draw)]

    @property
    def losing(self) -> float:
        """Share of rounds that pay nothing: a draw below it need not be looked up."""
        return self._edges[0]

    @property
    def hit_rate(self) -> float:
        """Share of rounds that pay anything."""
        return sum(share for _, share in self.pays)

    @property
    def rtp(self) -> float:
        """Return to player: mean payout as a share of the stake."""
        return sum(hundredths * share for hundredths, share in self.pays) / 100


PRODUCTS: dict[str, Product] = {
    product.name: product
    for product in (
        Product(
            "casino_slot",
            ("golden-fjord", "sugar-comet", "nile-echo", "wild-prairie", "seven-lanterns", "moose-lake"),
            ((200, 0.120), (300, 0.060), (500, 0.030), (1000, 0.0145), (2500, 0.0055), (10000, 0.001)),
            lasts_s=(SPIN_S, SPIN_S),
            risk=4,
        ),
        Product(
            "casino_table",
            ("blackjack", "roulette-eu", "baccarat"),
            ((100, 0.060), (200, 0.440), (250, 0.012)),
            lasts_s=(10, 25),
            stakes=5,
            stays=1.2,
            risk=3,
        ),
        Product(
            "live_casino",
            ("live-blackjack", "live-roulette", "live-wheel"),
            ((100, 0.080), (200, 0.430), (900, 0.003)),
            lasts_s=(25, 50),
            stakes=5,
            stays=1.0,
            risk=4,
        ),
        Product(
            "sports_prematch",
            ("hockey", "soccer", "basketball", "tennis"),
            ((160, 0.280), (250, 0.120), (500, 0.030), (1200, 0.003)),
            lasts_s=(60, 300),
            stakes=10,
            wagers=(1, 12),
            settles_s=(2 * 3600, 40 * 3600),
        ),
        Product(
            "sports_live",
            ("hockey", "soccer", "basketball", "tennis"),
            ((150, 0.320), (300, 0.110), (800, 0.014)),
            lasts_s=(40, 200),
            stakes=10,
            wagers=(2, 24),
            settles_s=(60, 1500),
            risk=3,
        ),
        Product(
            "poker",
            ("sit-and-go", "turbo-six"),
            ((200, 0.200), (300, 0.150), (1000, 0.010)),
            lasts_s=(60, 120),
            stakes=2,
            stays=0.8,
        ),
        Product(
            "bingo",
            ("bingo-90", "bingo-75"),
            ((500, 0.100), (2000, 0.015), (10000, 0.001)),
            lasts_s=(30, 60),
            stakes=1,
            stays=0.7,
        ),
    )
}
