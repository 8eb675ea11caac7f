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
# # A first look at a log
#
# Simulate players, replay their events with the packaged rules, and see who is flagged, how often and how
# early. To look at a log of your own, leave the simulation out and name your file in `LogReader`.
#
# The players are made to resemble real ones where figures exist, and no further. Numbers that look good here
# show that the detector works, not how well it finds real harm.

# %%
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from detector.drivers.lines import LogReader
from detector.drivers.replay import replay
from detector.language.pack import default_pack, load_rules
from detector.simulator import Config, events, truths

DAYS = 60
PLAYERS = 80
UNTIL = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() + DAYS * 86_400) * 1_000_000

# %% [markdown]
# ## Simulate and replay
#
# The log goes into a file, as a platform's would.

# %%
config = Config(players=PLAYERS, days=DAYS, seed=7, troubled=0.25, late=0.02, corrupt=0.001)
rules = load_rules(default_pack())
with TemporaryDirectory() as folder:
    path = Path(folder) / "log.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in events(config)))
    with LogReader(str(path)) as log:
        replayed = replay(log, rules)

refused = sum(replayed.refused.values())
print(f"{replayed.counts.accepted:,} events of {replayed.players} players, {refused} lines refused")
print(pd.Series(replayed.refused, name="refused").sort_index().to_string())

# %% [markdown]
# ## Alerts by rule

# %%
alerts = pd.DataFrame(
    [(a.rule, a.severity, a.kind, a.player, a.opened_at) for a in replayed.alerts],
    columns=["rule", "severity", "kind", "player", "opened_at"],
)
alerts["opened_at"] = pd.to_datetime(alerts["opened_at"], utc=True)
by_rule = alerts.pivot_table(index="rule", columns="kind", values="player", aggfunc="size", fill_value=0)
by_rule["players"] = alerts.groupby("rule")["player"].nunique()
print(by_rule.to_string())
print(f"\n{len(alerts) / (PLAYERS * DAYS) * 1000:.1f} alerts per 1,000 player-days")

# %% [markdown]
# ## Who came to harm?
#
# The simulator knows each player's hidden level of harm, day by day. A calm player with an alert is no
# mistake by itself: a reminder after an hour of play is meant for everybody. Alerts of high severity and
# above are what an agent would act on. For players who came to harm, only alerts from then on count.

# %%
truth = pd.DataFrame(
    [(t.player, t.level, t.harmed, t.peak) for t in truths(config, UNTIL)],
    columns=["player", "level", "harmed", "peak"],
)
truth["harmed"] = pd.to_datetime(truth["harmed"], utc=True)
truth["harm"] = pd.cut(
    truth["peak"], [0, 0.3, 0.6, 1.01], labels=["none or mild", "moderate", "severe"], right=False
)
severe = alerts[alerts["severity"].isin(["high", "critical"])]
timely = severe.merge(truth, on="player")
timely = timely[timely["harmed"].isna() | (timely["opened_at"] >= timely["harmed"])]
first = timely.groupby("player")["opened_at"].min().rename("first_alert").reset_index()
seen = truth.merge(first, on="player", how="left")
seen["days_to_alert"] = (seen["first_alert"] - seen["harmed"]).dt.total_seconds() / 86_400
by_harm = seen.groupby("harm", observed=True).agg(
    players=("player", "size"), flagged=("first_alert", "count"), median_days=("days_to_alert", "median")
)
print(by_harm.round(1).to_string())

# %% [markdown]
# ## One alert, in full

# %%
alert = next(a for a in replayed.alerts if a.severity == "critical")
print(alert.title, "·", alert.severity, "·", alert.opened_at)
print(alert.explanation)
print(
    pd.DataFrame([(e.quantity, e.value, e.unit, e.operator, e.threshold) for e in alert.evidence]).to_string(
        header=False
    )
)
