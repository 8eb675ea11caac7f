"""What can be played: how often a round wins, what it pays, and how long it takes.

The paytables are small and made up, chosen so that hit rates and returns look like the product's; no real
game is copied. Lotteries are left out: they return about half of the stakes, once a week.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Product:
    """A product type and how its rounds go.

    Parameters
    ----------
    name
        The product type, as events name it.
    games
        Names of games; a session stays with one.
    pays
        Pairs of (payout in hundredths of the stake, probability); what is left of 1 pays nothing.
    gap_s
        Shortest and longest time between rounds, seconds.
    rounds
        Fewest and most rounds of an ordinary session.
    settles_s
        Shortest and longest time from placing to settling, seconds; None where a round settles at once.
    """

    name: str
    games: tuple[str, ...]
    pays: tuple[tuple[int, float], ...]
    gap_s: tuple[float, float]
    rounds: tuple[int, int] = (20, 400)
    settles_s: tuple[float, float] | None = None
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
            (
                (50, 0.100),
                (100, 0.090),
                (200, 0.060),
                (500, 0.030),
                (1000, 0.013),
                (2500, 0.006),
                (10000, 0.0015),
                (50000, 0.0002),
            ),
            gap_s=(4, 9),
        ),
        Product(
            "casino_table",
            ("blackjack", "roulette-eu", "baccarat"),
            ((100, 0.060), (200, 0.440), (250, 0.012)),
            gap_s=(12, 30),
            rounds=(20, 250),
        ),
        Product(
            "live_casino",
            ("live-blackjack", "live-roulette", "live-wheel"),
            ((100, 0.080), (200, 0.430), (900, 0.003)),
            gap_s=(25, 50),
            rounds=(20, 150),
        ),
        Product(
            "sports_prematch",
            ("hockey", "soccer", "basketball", "tennis"),
            ((160, 0.280), (250, 0.120), (500, 0.030), (1200, 0.003)),
            gap_s=(60, 300),
            rounds=(1, 8),
            settles_s=(2 * 3600, 40 * 3600),
        ),
        Product(
            "sports_live",
            ("hockey", "soccer", "basketball", "tennis"),
            ((150, 0.320), (300, 0.110), (800, 0.014)),
            gap_s=(40, 200),
            rounds=(2, 20),
            settles_s=(60, 1500),
        ),
        Product(
            "poker",
            ("sit-and-go", "turbo-six"),
            ((200, 0.200), (300, 0.150), (1000, 0.010)),
            gap_s=(60, 180),
            rounds=(20, 60),
        ),
        Product(
            "bingo",
            ("bingo-90", "bingo-75"),
            ((500, 0.100), (2000, 0.015), (10000, 0.001)),
            gap_s=(30, 60),
            rounds=(20, 90),
        ),
    )
}

STAKES: tuple[int, ...] = (10, 20, 40, 50, 100, 200, 300, 500, 1000, 2000, 3000, 5000, 10000, 20000)
"""The stakes on offer, minor units, rising."""
