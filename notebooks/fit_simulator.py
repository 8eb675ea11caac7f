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
# The real players are those of Chen et al. 2022 (*PLoS ONE* 17(8): e0273359, CC0): per-player summaries of
# one slot game of one operator, with the operator's own risk level (0, or 3 to 5). Their data is not kept
# here; what is kept is `detector/simulator/fitted.json`: the figures fitted to them, and their marginals as
# quantiles.
#
# - With `TILTWATCH_ZHANG2022=/path/to/the/csv/files` this notebook fits those figures anew and says whether
#   they are the committed ones; `TILTWATCH_FIT_OUT=FILE` writes them.
# - `TILTWATCH_FIT_PLOTS=FILE.svg` writes the plots.
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

from detector.simulator import Config, marginals
from detector.simulator.fitted import Fitted, Level, committed

DATA = os.environ.get("TILTWATCH_ZHANG2022")
OUT = os.environ.get("TILTWATCH_FIT_OUT")
PLOTS = os.environ.get("TILTWATCH_FIT_PLOTS")
LEVELS: tuple[Level, ...] = (0, 3, 4, 5)
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
        "change": (
            "stake_change",
            "prev_outcome",
            {"n_round": "n", "n_round_change": "k", "stake_change_level": "by"},
        ),
        "response": ("rt", "prev_outcome", {"n_round": "n", "rt_mean": "ms"}),
    }
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
    stops = players["stop_loss_k"].sum() + players["stop_win_k"].sum()
    paused = sum(players[f"break_{o}_k"].sum() - players[f"stop_{o}_k"].sum() for o in ("loss", "win"))
    changes = players.filter(like="change_").rename(columns=lambda name: name.removeprefix("change_"))
    changed = {o: changes[changes[f"{o}_k"] > 0] for o in ("loss", "win")}
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
            "pauses_to_stops": round(float(paused / stops), 4),
            "up_after": {
                # Changes are of one step, mostly, so that their mean says how many of them go up.
                o: round(float(0.5 + 0.5 * np.average(by[f"{o}_by"].clip(-1, 1), weights=by[f"{o}_k"])), 3)
                for o, by in changed.items()
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


def text_of(figures: Fitted) -> str:
    """The figures as JSON, one list or distribution a line."""
    lines: list[str] = []
    for line in msgspec.json.format(msgspec.json.encode(figures), indent=1).decode().splitlines():
        flat = lines and lines[-1].rstrip().endswith(("[", ",")) and "[" in lines[-1] and '":' not in line
        closes = lines and line.strip() in ("]", "],") and "[" in lines[-1]
        if (flat and "[" not in line) or closes:
            lines[-1] += line.strip() if lines[-1].endswith("[") or closes else f" {line.strip()}"
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


fitted = committed()
if DATA:
    found = fit(Path(DATA))
    assert msgspec.json.decode(text_of(found), type=Fitted) == found
    print("fitted anew:", "as committed" if found == fitted else "NOT as committed")
    if OUT:
        Path(OUT).write_text(text_of(found), "utf-8")
    fitted = found
else:
    print("no data at hand: the committed figures are used")

# %%
print(
    pd.DataFrame(
        {
            level: {
                "real players": of.players,
                "game sessions, median": 1 + of.further_sessions.median,
                "stop after a loss, %": 100 * of.stop_after_loss.median,
                "stop after a win, %": 100 * of.stop_after_win.median,
                "stake changed after a loss, %": 100 * of.change_after_loss.median,
                "stake changed after a win, %": 100 * of.change_after_win.median,
                "response after a loss, ms": of.response_ms_after_loss.median,
                "response after a win, times": of.response_win_to_loss.median,
                "rounds at the main stake": of.main_share.mean,
                "women": of.women,
            }
            for level, of in fitted.levels.items()
        }
    ).round(3).to_string()
)  # fmt: skip

# %% [markdown]
# ## Simulated against real
#
# Slot players of each level, watched for as long as the real ones are taken to have been, one in ten of them
# in a course of harm (the data says nothing of harm). `apart` is Kolmogorov and Smirnov's distance at the
# quantiles known of the real players; `factor` says by how much a quantile is typically off (Wasserstein's
# distance of the logarithms, as a factor).

# %%
PLAYERS: dict[Level, int] = {0: 200, 3: 100, 4: 60, 5: 60}
config = Config(days=90, seed=1, troubled=0.1)
simulated = {level: list(marginals.simulated(level, PLAYERS[level], config)) for level in LEVELS}

rows = []
for level in LEVELS:
    for name, quantiles in fitted.marginals[level].items():
        values = sorted(player[name] for player in simulated[level] if name in player)
        shown = [fitted.quantiles.index(share) for share in (0.1, 0.5, 0.9)]
        rows.append(
            {
                "figure": name,
                "level": level,
                **{f"real {fitted.quantiles[at]:.0%}": quantiles[at] for at in shown},
                **{
                    f"simulated {fitted.quantiles[at]:.0%}": marginals.quantile(values, fitted.quantiles[at])
                    for at in shown
                },
                "players": len(values),
                "apart": marginals.farthest(values, fitted.quantiles, quantiles),
                "factor": marginals.typically(values, fitted.quantiles, quantiles),
            }
        )  # fmt: skip
distances = pd.DataFrame(rows).sort_values(["figure", "level"], kind="stable").set_index(["figure", "level"])
print(distances.round(2).to_string())
print("\nfarthest apart:", distances["apart"].max().round(2), "at", distances["apart"].idxmax())

# %% [markdown]
# The same as plots: quantiles of the real players (grey, broad) and of the simulated ones (blue), on a
# logarithmic scale, from the 1st percentile at the left to the 99th at the right.


# %%
class Plots:
    """Small plots in a grid, which Jupyter shows and a browser opens."""

    WIDTH, HEIGHT, LEFT, TOP = 190, 92, 150, 24

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def _repr_svg_(self) -> str:
        width, height = self.LEFT + len(LEVELS) * self.WIDTH, self.TOP + len(self.names) * self.HEIGHT
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
            f' font-size="11"><rect width="{width}" height="{height}" fill="white"/>'
        ]
        parts += [
            f'<text x="{self.LEFT + column * self.WIDTH + 8}" y="16">level {level}</text>'
            for column, level in enumerate(LEVELS)
        ]
        for row, name in enumerate(self.names):
            top = self.TOP + row * self.HEIGHT
            parts.append(f'<text x="6" y="{top + 40}">{name.replace("_", " ")}</text>')
            parts += [
                self._panel(name, level, self.LEFT + n * self.WIDTH, top) for n, level in enumerate(LEVELS)
            ]
        return "\n".join([*parts, "</svg>\n"])

    def _panel(self, name: str, level: Level, left: int, top: int) -> str:
        real = fitted.marginals[level][name]
        values = sorted(player[name] for player in simulated[level] if name in player)
        drawn = [marginals.quantile(values, share) for share in fitted.quantiles]
        floor = max(real[len(real) // 2] / 50, 0.05)
        logs = [log(max(value, floor)) for value in (*real, *drawn)]
        low, high = min(logs), max(max(logs), min(logs) + 0.1)

        def line(points: list[float], style: str) -> str:
            at = " ".join(
                f"{left + 6 + share * (self.WIDTH - 16):.1f},"
                f"{top + 78 - 70 * (log(max(value, floor)) - low) / (high - low):.1f}"
                for share, value in zip(fitted.quantiles, points, strict=True)
            )
            return f'<polyline points="{at}" fill="none" {style}/>'

        frame = f'<rect x="{left + 2}" y="{top + 4}" width="{self.WIDTH - 8}" height="{self.HEIGHT - 10}"'
        return "\n".join(
            [
                f'{frame} fill="none" stroke="#ddd"/>',
                line(real, 'stroke="#bbb" stroke-width="5"'),
                line(drawn, 'stroke="#1565c0" stroke-width="1.5"'),
                f'<text x="{left + 8}" y="{top + 16}" fill="#777">{exp(high):.3g}</text>',
                f'<text x="{left + 8}" y="{top + 84}" fill="#777">{exp(low):.2g}</text>',
            ]
        )


plots = Plots(list(fitted.marginals[0]))
if PLOTS:
    Path(PLOTS).write_text(plots._repr_svg_(), "utf-8")
print(f"{len(plots.names)} figures at {len(LEVELS)} levels")
plots  # noqa: B018  (the last expression of a cell is what Jupyter shows)
