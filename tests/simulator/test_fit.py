"""Simulated players against the real ones, by the committed quantiles, and the yardsticks themselves."""

from __future__ import annotations

from math import exp
from random import Random
from statistics import NormalDist, fmean

import pytest

from detector.simulator import Config
from detector.simulator.fitted import LEVELS, Level, committed
from detector.simulator.games import PRODUCTS
from detector.simulator.habits import draw_habits, stakes_of
from detector.simulator.marginals import farthest, quantile, simulated, summarise, typically
from detector.simulator.places import JURISDICTIONS
from detector.simulator.writer import EventWriter

SHARES = [0.1, 0.25, 0.5, 0.75, 0.9]
PLACE = JURISDICTIONS["CA-ON"]

# -- simulated against real ----------------------------------------------------------------------------

PLAYERS: dict[Level, int] = {0: 150, 3: 100, 4: 80, 5: 80}

APART = {
    # The simulated game wins alike for everybody; the real one did not.
    "win_share": 0.30,
    # Most players never stop after a win, so that few decide how far apart the shares are.
    "stop_after_win": 0.30,
    "stake_max": 0.25,
}
"""Bounds of Kolmogorov and Smirnov's distance; others 0.2. By chance alone 80 players are 0.15 apart from
those they are drawn from (in one case of twenty), 150 are 0.11."""


@pytest.fixture(scope="module")
def players() -> dict[Level, list[dict[str, float]]]:
    config = Config(days=90, seed=2)
    return {level: list(simulated(level, count, config)) for level, count in PLAYERS.items()}


@pytest.mark.parametrize("level", LEVELS)
def test_marginals_are_near_the_real_ones(players: dict[Level, list[dict[str, float]]], level: Level) -> None:
    fitted = committed()
    far = {}
    for name, quantiles in fitted.marginals[level].items():
        values = [player[name] for player in players[level] if name in player]
        assert len(values) >= 30, name
        apart = farthest(values, fitted.quantiles, quantiles)
        if apart > APART.get(name, 0.2):
            far[name] = apart
    assert far == {}


def test_levels_differ_as_the_real_ones_do(players: dict[Level, list[dict[str, float]]]) -> None:
    def middle(level: Level, name: str) -> float:
        return quantile(sorted(player[name] for player in players[level] if name in player), 0.5)

    real = committed()
    half = real.quantiles.index(0.5)
    for name in ("sessions", "rounds_a_session", "stake_mean", "response_after_loss", "main_share"):
        simulated_step = middle(3, name) / middle(0, name)
        real_step = real.marginals[3][name][half] / real.marginals[0][name][half]
        assert (simulated_step > 1) == (real_step > 1), name
        assert 0.5 < simulated_step / real_step < 2, name


def test_the_wrong_level_would_be_noticed(players: dict[Level, list[dict[str, float]]]) -> None:
    fitted = committed()
    for name in ("sessions", "stake_mean", "response_after_loss"):
        values = [player[name] for player in players[0] if name in player]
        assert farthest(values, fitted.quantiles, fitted.marginals[5][name]) > 0.25, name


def test_the_slots_win_as_the_real_game_does() -> None:
    slot = PRODUCTS["casino_slot"]
    assert slot.hit_rate == pytest.approx(committed().win_share, abs=0.01)
    # The source counts a win without its stake.
    assert slot.rtp / slot.hit_rate - 1 == pytest.approx(committed().win_multiple, abs=0.15)


def test_stakes_are_the_real_ones_in_local_money() -> None:
    assert stakes_of(JURISDICTIONS["DE"]) == (25, 50, 100, 150, 200, 250, 500, 1000, 1500, 2000)
    assert stakes_of(PLACE) == (40, 80, 160, 240, 320, 400, 800, 1600, 2400, 3200)


def test_what_goes_together_in_the_data_goes_together_in_the_players() -> None:
    drawn = [draw_habits(Random(seed), PLACE, 2026, 3) for seed in range(3000)]

    def ranks(values: list[float]) -> list[int]:
        order = sorted(range(len(values)), key=values.__getitem__)
        place = [0] * len(values)
        for rank, index in enumerate(order):
            place[index] = rank
        return place

    stops = ranks([habits.stop_after_loss for habits in drawn])
    changes = ranks([habits.change_after_loss for habits in drawn])
    n = len(drawn)
    rho = 1 - 6 * sum((a - b) ** 2 for a, b in zip(stops, changes, strict=True)) / (n * (n * n - 1))
    names = committed().correlated
    assert rho == pytest.approx(
        committed().correlations[names.index("stop")][names.index("change")], abs=0.06
    )
    women = fmean(habits.gender == "female" for habits in drawn)
    assert women == pytest.approx(committed().levels[3].women, abs=0.04)


# -- the committed figures -----------------------------------------------------------------------------


def test_the_figures_are_whole() -> None:
    fitted = committed()
    assert tuple(fitted.levels) == tuple(fitted.marginals) == LEVELS
    assert sum(of.players for of in fitted.levels.values()) == 1628
    assert fitted.quantiles == sorted(fitted.quantiles)
    assert sum(fitted.beside_main.values()) == pytest.approx(1, abs=0.002)
    for level, of in fitted.levels.items():
        assert sum(of.main_stake) == pytest.approx(1, abs=0.002)
        assert len(of.main_stake) == len(fitted.stakes_eur)
        for table in fitted.marginals[level].values():
            assert len(table) == len(fitted.quantiles)
            assert table == sorted(table)


# -- the yardsticks ------------------------------------------------------------------------------------


def test_distance_to_a_table_of_quantiles() -> None:
    normal = NormalDist()
    table = [normal.inv_cdf(share) for share in SHARES]
    same = [normal.inv_cdf((n + 0.5) / 1000) for n in range(1000)]
    assert farthest(same, SHARES, table) < 0.002
    shifted = [value + 1 for value in same]
    assert farthest(shifted, SHARES, table) == pytest.approx(normal.cdf(0.5) - normal.cdf(-0.5), abs=0.05)
    assert farthest([9.0] * 5, SHARES, table) == 0.9


def test_ties_with_a_quantile_are_no_distance() -> None:
    # Half of the real players have none, a quarter one; the table repeats itself.
    table = [0.0, 0.0, 0.0, 1.0, 5.0]
    assert farthest([0.0] * 6 + [1.0] * 2 + [4.0, 6.0], SHARES, table) == 0.0
    assert farthest([0.0] * 2 + [1.0] * 2 + [4.0, 6.0], SHARES, table) == pytest.approx(0.5 - 1 / 3)
    assert farthest([1.0] * 4, SHARES, table) == 0.5


def test_the_factor_by_which_quantiles_are_off() -> None:
    table = [1.0, 2.0, 4.0, 8.0, 16.0]
    values = [exp(n / 50) for n in range(200)]
    same = [quantile(values, share) for share in SHARES]
    assert typically(values, SHARES, same) == pytest.approx(1.0)
    assert typically([3 * value for value in values], SHARES, same) == pytest.approx(3.0)
    assert typically([0.0, 0.0], SHARES, [0.0] * 5) == 1.0
    assert typically(table, [0.0, 0.5, 1.0], [1.0, 4.0, 16.0]) == 1.0


def test_a_life_summed_up() -> None:
    write = EventWriter("p1", "CA-ON")
    life = []

    def bet(second: float, session: str, game: str, stake: int, payout: int) -> None:
        about = f'"currency":"CAD","product":"casino_slot","game":"{game}"'
        life.append(write.bet(int(second * 1e6), session, stake, payout, about, 0))

    life.append(write.write("session_start", 0, "s1"))
    bet(10, "s1", "a", 160, 0)
    bet(13, "s1", "a", 160, 320)  # 0.5 s after a lost round of 2.5 s
    bet(17, "s1", "a", 320, 0)  # 1.5 s after a won one, at another stake
    bet(99, "s1", "a", 320, 0)  # a pause, which is no response
    bet(103, "s1", "b", 160, 0)  # another game: the first game session has ended after a loss
    bet(500, "s2", "b", 160, 480)
    summary = summarise(life)
    assert summary.sessions == 3
    assert (summary.lost.rounds, summary.lost.stops, summary.lost.changes) == (4, 2, 0)
    assert (summary.won.rounds, summary.won.stops, summary.won.changes) == (2, 1, 1)
    assert (summary.lost.answered, summary.lost.response_us) == (1, 500_000)
    assert (summary.won.answered, summary.won.response_us) == (1, 1_500_000)
    assert summary.figures(1.6) == {
        "sessions": 3.0,
        "rounds_a_session": 2.0,
        "stake_mean": pytest.approx(1280 / 6 / 160),
        "stake_max": 2.0,
    }
