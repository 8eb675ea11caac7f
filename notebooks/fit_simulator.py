# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Fitting the simulator to real players
#
# The real players are those of Chen et al. 2022 (*PLoS ONE* 17(8): e0273359, CC0): per-player summaries of one
# slot game of one operator, with the operator's own risk level (0, or 3 to 5). Their data is not kept here;
# what is kept is `detector/simulator/fitted.json`: the figures fitted to them and their marginals as quantiles.
#
# - With `TILTWATCH_ZHANG2022=/path/to/the/csv/files` this notebook fits those figures anew and says whether they
#   are the committed ones; `TILTWATCH_FIT_OUT=FILE` writes them.
# - Without the data (in CI, say) it starts from the committed figures.
#
# Either way it then simulates players and holds their marginals against the real ones.

# %%
import os
from math import exp, log
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd

from detector.simulator import harm_score, marginals
from detector.simulator.config import Config
from detector.simulator.fitted import Fitted, committed

DATA = os.environ.get("TILTWATCH_ZHANG2022")
OUT = os.environ.get("TILTWATCH_FIT_OUT")
LEVELS = (0, 3, 4, 5)
QUANTILES = [0.01, 0.025, *(round(0.05 * n, 2) for n in range(1, 20)), 0.975, 0.99]

# %% [markdown]
# ## How the figures are fitted
#
# A player who played thirty rounds and never changed the stake does not *never* change it. So a share is not
# averaged over players: its distribution over players is log-normal, and what a player showed is a binomial
# draw from the player's own share; median and spread are found by expectation maximisation on a grid. The
# number of game sessions beyond the first is a Poisson draw from a log-normal mean in the same way.


# %%
def _em(likelihood: np.ndarray, grid: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of a normal over `grid` (log shares or log means), from players × grid."""
    mean, spread = float(grid.mean()), 1.5
    for _ in range(400):
        weights = likelihood * np.exp(-0.5 * ((grid - mean) / spread) ** 2)
        weights /= weights.sum(axis=1, keepdims=True)
        first, second = weights @ grid, weights @ grid**2
        mean = float(first.mean())
        spread = float(np.sqrt(second.mean() - mean**2))
    return mean, spread


def share(hits: pd.Series, trials: pd.Series) -> dict[str, float]:
    """A log-normal share over players, from binomial counts."""
    k, n = hits.to_numpy(float)[:, None], trials.to_numpy(float)[:, None]
    grid = np.linspace(log(1e-6), log(0.8), 400)
    table = k * grid + (n - k) * np.log1p(-np.exp(grid))
    mean, spread = _em(np.exp(table - table.max(axis=1, keepdims=True)), grid)
    return {"median": round(exp(mean), 6), "sigma": round(spread, 3)}


def count(beyond_first: pd.Series) -> dict[str, float]:
    """A log-normal mean over players, from Poisson counts."""
    k = beyond_first.to_numpy(float)[:, None]
    grid = np.linspace(log(0.01), log(4000), 500)
    table = k * grid - np.exp(grid)
    mean, spread = _em(np.exp(table - table.max(axis=1, keepdims=True)), grid)
    return {"median": round(exp(mean), 4), "sigma": round(spread, 3)}


def lognormal(values: pd.Series) -> dict[str, float]:
    logs = np.log(values.to_numpy(float))
    return {"median": round(exp(float(logs.mean())), 4), "sigma": round(float(logs.std()), 3)}


def table(values: pd.Series, digits: int) -> list[float]:
    return [round(float(value), digits) for value in values.quantile(QUANTILES)]


# %%
def players_of(folder: Path) -> pd.DataFrame:
    """One row a real player: everything of the six files that is compared or fitted."""
    players = pd.read_csv(folder / "descriptive_data.csv").set_index("id_player")
    # Some players' level changed while they were watched: the highest one counts.
    players["level"] = 0
    for name in sorted(name for name in players.columns if name.startswith("risk_")):
        players.loc[players[name] == 1, "level"] = int(name[-1])
    stakes = pd.read_csv(folder / "bets_count.csv")
    top = stakes.sort_values("n_round").groupby("id_player").tail(1).set_index("id_player")
    players["main_stake"], players["main_share"] = top["stake"], top["prop"]
    files = {
        "stop": ("stop", "outcome", {"total_count": "n", "stop_count": "k"}),
        "break": ("stop_breaks", "outcome", {"stop_count": "k"}),
        "change": ("stake_change", "prev_outcome", {"n_round": "n", "n_round_change": "k", "stake_change_level": "by"}),
        "response": ("rt", "prev_outcome", {"n_round": "n", "rt_mean": "ms"}),
    }  # fmt: skip
    for what, (file, by, columns) in files.items():
        wide = pd.read_csv(folder / f"{file}.csv").pivot(index="id_player", columns=by, values=list(columns))
        for column, short in columns.items():
            for outcome in ("loss", "win"):
                players[f"{what}_{outcome}_{short}"] = wide[column][outcome]
    return players


def fit(folder: Path) -> Fitted:
    players = players_of(folder)
    stakes = sorted(pd.read_csv(folder / "bets_count.csv")["stake"].unique())
    step = {stake: number for number, stake in enumerate(stakes)}

    def of_level(level: int) -> dict[str, object]:
        chosen = players[players["level"] == level]
        # Fewer than 300 players: what is rare in a life is pooled over all that the operator watches closely.
        pooled = chosen if len(chosen) >= 300 else players[players["level"] >= 3]
        figures: dict[str, object] = {
            "players": len(chosen),
            "further_sessions": count(chosen["n_session"] - 1),
            "main_stake": [round(float((chosen["main_stake"] == stake).mean()), 4) for stake in stakes],
            "women": round(float((chosen["gender"] == "Female").mean()), 3),
            "age": [int(age) for age in chosen["age"].quantile([0, 0.25, 0.5, 0.75, 0.95, 1])],
        }
        for outcome in ("loss", "win"):
            for what, of in (("stop", chosen), ("change", pooled)):
                known = of[of[f"{what}_{outcome}_n"] > 0]
                figures[f"{what}_after_{outcome}"] = share(
                    known[f"{what}_{outcome}_k"], known[f"{what}_{outcome}_n"]
                )
        busy = chosen[(chosen["response_win_n"] >= 30) & (chosen["response_loss_n"] >= 30)]
        figures["response_ms_after_loss"] = lognormal(busy["response_loss_ms"])
        figures["response_win_to_loss"] = lognormal(busy["response_win_ms"] / busy["response_loss_ms"])
        often = chosen[chosen["n_session"] >= 30]["main_share"] / 100
        figures["main_share"] = {"mean": round(float(often.mean()), 3), "sd": round(float(often.std()), 3)}
        return figures

    regular = players[players["n_session"] >= 20]
    counts = pd.read_csv(folder / "bets_count.csv")
    counts = counts[counts["id_player"].isin(regular.index)]
    offset = counts["stake"].map(step) - counts["id_player"].map(regular["main_stake"].map(step))
    beside = counts["prop"].groupby(offset.clip(-2, 4)).sum().drop(0)
    many = players[players["n_round_total"] >= 5000]
    paused = sum(players[f"break_{o}_k"].sum() - players[f"stop_{o}_k"].sum() for o in ("loss", "win"))
    changed = {o: players[players[f"change_{o}_k"] > 0] for o in ("loss", "win")}
    drawn = players[players["n_round_total"] >= 200]
    hidden = pd.DataFrame(
        {
            "further_sessions": drawn["n_session"],
            "main_stake": drawn["main_stake"],
            "stop": drawn["stop_loss_k"] / drawn["stop_loss_n"],
            "change": drawn["change_loss_k"] / drawn["change_loss_n"],
            "response": drawn["response_loss_ms"],
        }
    )
    within = hidden.groupby(drawn["level"]).rank(pct=True)
    return msgspec.convert(
        {
            "source": "Chen et al. 2022, PLoS ONE 17(8): e0273359 (CC0); 1,628 of 2,713 players",
            "stakes_eur": [float(stake) for stake in stakes],
            "win_share": round(float((many["win_prob"] / 100).mean()), 4),
            "win_multiple": round(float((many["win_mean"] / many["bet_mean"]).mean()), 3),
            "pauses_to_stops": round(float(paused / (players["stop_loss_k"].sum() + players["stop_win_k"].sum())), 4),
            "up_after": {
                o: round(
                    float(0.5 + 0.5 * np.average(rows[f"change_{o}_by"].clip(-1, 1), weights=rows[f"change_{o}_k"])), 3
                )
                for o, rows in changed.items()
            },
            "beside_main": {int(by): round(float(part / beside.sum()), 3) for by, part in beside.items()},
            "correlated": list(within.columns),
            "correlations": [[round(float(value), 2) for value in row] for row in within.corr().to_numpy()],
            "levels": {str(level): of_level(level) for level in LEVELS},
            "quantiles": QUANTILES,
            "marginals": {
                str(level): marginals_of(players[players["level"] == level]) for level in LEVELS
            },
        },
        Fitted,
        str_keys=True,
    )  # fmt: skip


def marginals_of(players: pd.DataFrame) -> dict[str, list[float]]:
    """Quantiles of what simulated players are compared by; shares only of players with rounds enough."""
    enough = players[players["n_round_total"] >= marginals.ENOUGH_ROUNDS]
    tables = {
        "sessions": table(players["n_session"], 1),
        "rounds_a_session": table(players["n_round_mean"], 2),
        "stake_mean": table(players["bet_mean"], 3),
        "stake_max": table(players["bet_max"], 2),
        "main_share": table(enough["main_share"], 2),
        "win_share": table(enough["win_prob"], 2),
    }
    for outcome in ("loss", "win"):
        tables[f"response_after_{outcome}"] = table(enough[f"response_{outcome}_ms"].dropna(), 1)
        for what in ("stop", "change"):
            part = 100 * enough[f"{what}_{outcome}_k"] / enough[f"{what}_{outcome}_n"]
            tables[f"{what}_after_{outcome}"] = table(part.dropna(), 3)
    return tables


fitted = committed()
if DATA:
    found = fit(Path(DATA))
    print("fitted anew;", "as committed" if found == fitted else "NOT as committed")
    if OUT:
        Path(OUT).write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    fitted = found
