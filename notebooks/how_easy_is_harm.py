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
# # Is simulated harm too easy to see?
#
# Anything above an AUC of 0.90 on simulated players says that the simulator is easy, not that a detector is
# good. So a plain logistic regression is given a summary of each player's whole life, which no detector has
# in time. It must not do better than that; studies of real players report 0.72 to 0.88.

# %%
from itertools import pairwise, takewhile
from math import log

import msgspec
import numpy as np
import pandas as pd

from detector.events.instants import DAY_US, micros
from detector.simulator import Config
from detector.simulator.harm import MODERATE, SEVERE
from detector.simulator.population import fates

# %% [markdown]
# ## A summary of each life

# %%
MARKED = [
    *(b"session_start", b"deposit", b"deposit_failed", b"withdrawal_request", b"withdrawal_cancel", b"bonus"),
    *(b"limit_change", b"limit_reached", b"contact", b"break_start", b"self_exclusion"),
]


def summary(life: list[tuple[int, bytes]]) -> list[float]:
    """Counts of events, days of play, money in, won and lost, stakes, ways to pay, products, nights."""
    kinds = [line.split(b'"type":"', 1)[1].split(b'"', 1)[0] for _, line in life]
    bets = [msgspec.json.decode(line) for kind, (_, line) in zip(kinds, life, strict=True) if kind == b"bet"]
    paid = [
        msgspec.json.decode(line) for kind, (_, line) in zip(kinds, life, strict=True) if kind == b"deposit"
    ]
    lost = sum(bet["stake"] - bet["payout"] for bet in bets)
    stakes = [bet["stake"] for bet in bets]
    changes = sum(one != other for one, other in pairwise(stakes))
    sessions = max(1, kinds.count(b"session_start"))
    by_session = pd.Series([each["session"] for each in paid], dtype=object).value_counts()
    # The hours in which it is night in Ontario, more or less; its players' clocks are UTC-5 and UTC-4.
    night = sum(bet["ts"][11:13] in ("05", "06", "07", "08") for bet in bets)
    return [
        *(log(1 + kinds.count(kind)) for kind in MARKED),
        log(1 + len(bets)),
        log(1 + len({bet["ts"][:10] for bet in bets})),
        log(1 + sum(stakes)),
        log(1 + max(0, lost)),
        log(1 + max(0, -lost)),
        log(1 + sum(each["amount"] for each in paid)),
        log(1 + max(stakes, default=0)),
        len(bets) / sessions,
        len(paid) / sessions,
        float(by_session.max()) if paid else 0.0,
        float(len({each["method"] for each in paid})),
        float(len({bet["product"] for bet in bets})),
        changes / max(1, len(bets)),
        night / max(1, len(bets)),
    ]


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve, by ranks."""
    ranks = pd.Series(scores).rank().to_numpy()
    count = int(positive.sum())
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(positive) - count)))


def cross_validated(features: np.ndarray, positive: np.ndarray, folds: int = 5) -> np.ndarray:
    """Scores of a logistic regression for players it was not fitted to, by Newton's method with a ridge."""
    fold = np.arange(len(positive)) % folds
    scores = np.zeros(len(positive))
    for held in range(folds):
        known = fold != held
        mean, spread = features[known].mean(axis=0), features[known].std(axis=0) + 1e-9
        scaled = np.c_[np.ones(len(positive)), (features - mean) / spread]
        ridge = 5.0 * np.eye(scaled.shape[1])
        ridge[0, 0] = 1e-6
        weights = np.zeros(scaled.shape[1])
        for _ in range(25):
            likely = 1 / (1 + np.exp(-np.clip(scaled[known] @ weights, -30, 30)))
            slope = scaled[known].T @ (likely - positive[known]) + ridge @ weights
            curve = (scaled[known] * (likely * (1 - likely))[:, None]).T @ scaled[known] + ridge
            weights -= np.linalg.solve(curve, slope)
        scores[~known] = scaled[~known] @ weights
    return scores


# %% [markdown]
# ## Players, and how well they can be told apart

# %%
config = Config(players=600, days=90, seed=3, troubled=0.2)
end_us = micros(config.start) + config.days * DAY_US
features, peaks = [], []
for fate in fates(config):
    life = list(takewhile(lambda stamped: stamped[0] < end_us, fate.open(config).life()))
    features.append(summary(life))
    days = range((end_us - fate.joined_us) // DAY_US)
    peaks.append(max((fate.ways.course.level(fate.joined_us + day * DAY_US) for day in days), default=0.0))
table_of_players, worst = np.array(features), np.array(peaks)
areas = {}
for name, harmed in (("moderate or worse", worst >= MODERATE), ("severe", worst >= SEVERE)):
    sessions = table_of_players[:, MARKED.index(b"session_start")]
    areas[name] = {
        "players": int(harmed.sum()),
        "everything": auc(cross_validated(table_of_players, harmed), harmed),
        "number of sessions alone": auc(sessions, harmed),
    }
print(pd.DataFrame(areas).T.round(3).to_string())
assert areas["moderate or worse"]["everything"] < 0.9, "harm is too easy to see"
