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
# # Do models and rules together find simulated harm earlier than either alone?
#
# **These players are simulated.** Their harm is an invention of `detector.simulator`, and so is what it does
# to their play: what is found here was put there. It can show that everything works together, in order of
# time, from scarce and partly wrong labels; it cannot show how well real harm is found.
#
# - Players leave a log; the detector replays it with the packaged rules and computes features.
# - Simulated agents look at alerts of at least medium risk, as many a day as they have the time for, and at a
#   few players drawn by lot. They see how a player fares on that day, and one verdict in ten is wrong.
# - Models predict at each moment by what they have learned until then, and learn from these verdicts,
#   self-exclusions and words of distress. **The truth they never see**: predictions are held against it.
# - The first half of the log is for learning. What is measured is the second.
#
# A small house is simulated unless the environment says otherwise: `STUDY_SEEDS` (as `1-10`),
# `STUDY_PLAYERS`, `STUDY_DAYS`, `STUDY_PROCESSES`, and `STUDY_KINDS` for challengers beside the champion (as
# `logistic,forest`).

# %%
import multiprocessing
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice, takewhile
from math import nan
from random import Random

import numpy as np
import pandas as pd
from scipy.stats import t as student

from detector.drivers.detection import Detection
from detector.drivers.learning import heard_of
from detector.events.instants import micros
from detector.events.money import Currencies
from detector.language.features import FEATURES
from detector.language.pack import default_pack, load_pack
from detector.simulator import Config, Truth, arrivals, truths
from detector.simulator.harm import MODERATE
from models import habit, metrics
from models.capacity import PAUSE_DAYS, flags, lead
from models.combined import combined
from models.labels import DAY_US, LabelTerms
from models.ordering import SETTLED_US, Heard, InOrder
from models.rows import Table
from models.sample import Flag, Label, Sample
from models.scorecard import draw
from models.trainer import IN_FORCE, Trainer

SEEDS = os.environ.get("STUDY_SEEDS", "1-1")
PLAYERS = int(os.environ.get("STUDY_PLAYERS", "300"))
DAYS = int(os.environ.get("STUDY_DAYS", "80"))
PROCESSES = int(os.environ.get("STUDY_PROCESSES", "1"))
KINDS = tuple(os.environ.get("STUDY_KINDS", "logistic").split(","))

TERMS = LabelTerms()
EASY = 0.9  # a ROC AUC above says that the simulator is easy
HORIZON = 30  # days in which harm is to be foreseen
CAPACITY = 20.0  # players that can be looked at a day, of 1,000 who play on it
REVIEWED = 0.005  # share of players' days with play that are looked at by lot
ERROR = 0.1  # share of verdicts that are wrong
COMBINED, HABIT, LOT = "combined", "habit", "by lot"
ALONE = {
    "net loss alone": "net_loss_30d",
    "deposits alone": "deposits_7d",
    "sessions alone": "sessions_30d",
}

# %% [markdown]
# ## The truth
#
# A player has a level of harm each day; from 0.3 on it is moderate. A day with play is *harmed* if the level
# is moderate or worse on it or on any of the 30 days after it. An *onset* is the first day ever at which it
# is. The courses of harm are drawn for 30 days more than there is a log, so that all of the horizon is known.


# %%
@dataclass
class Course:
    """One player's level of harm on each day since `joined_us`, in hundredths."""

    joined_us: int
    levels: list[int]

    @classmethod
    def of(cls, truth: Truth) -> "Course":
        return cls(micros(datetime.fromisoformat(truth.joined)), truth.days)

    def _worst(self, at_us: int, days: int) -> int:
        day = (at_us - self.joined_us) // DAY_US
        return max(self.levels[max(day, 0) : day + days + 1], default=0)

    def harmed(self, at_us: int, within: int = 0) -> bool:
        """Whether harm is moderate on the day of an instant, or on one of those `within` which follow."""
        return self._worst(at_us, within) >= 100 * MODERATE

    @property
    def onset_us(self) -> int | None:
        """The beginning of the first day at which it is, µs since the epoch."""
        first = next((day for day, level in enumerate(self.levels) if level >= 100 * MODERATE), None)
        return None if first is None else self.joined_us + first * DAY_US


# %% [markdown]
# ## Agents
#
# At the end of a day (UTC) its alerts wait, of each player the worst. The next day the agents look at the
# worst of all, up to their capacity, and give their verdicts at its end. Whom they looked at because of an
# alert they leave alone for a week. The random review comes on top, whatever the rules say.


# %%
class Agents:
    """Look at players and say whether they are harmed.

    Parameters
    ----------
    courses
        The truth, of which they see the day of the alert alone.
    seed
        Of their errors, and of the lot.
    """

    def __init__(self, courses: dict[str, Course], seed: int) -> None:
        self.courses = courses
        self._random = Random(f"{seed}/agents")  # noqa: S311  (a simulation, no secret)
        self._played: dict[int, dict[str, int]] = {}
        self._alerts: dict[int, dict[str, Flag]] = {}
        self._looked: dict[str, int] = {}
        self._carried = 0.0

    def hear(self, heard: Heard) -> Iterator[Label]:
        """Take in what the detector tells; the verdicts on days that are over."""
        day = heard.at // DAY_US
        if isinstance(heard, Sample):
            played = self._played.setdefault(day, {})
            played[heard.player] = max(heard.at, played.get(heard.player, 0))
        elif isinstance(heard, Flag) and heard.score >= TERMS.alerted:
            alerts = self._alerts.setdefault(day, {})
            if heard.player not in alerts or heard.score > alerts[heard.player].score:
                alerts[heard.player] = heard
        for over in [each for each in self._played if (each + 1) * DAY_US + SETTLED_US <= heard.at]:
            yield from self._look(over, self._played.pop(over), self._alerts.pop(over, {}))

    def _look(self, day: int, played: dict[str, int], alerts: dict[str, Flag]) -> Iterator[Label]:
        self._carried += len(played) * CAPACITY / 1000
        fresh = [
            each for each in alerts.values() if self._looked.get(each.player, -PAUSE_DAYS) + PAUSE_DAYS <= day
        ]
        for alert in sorted(fresh, key=lambda each: (-each.score, each.at, each.player)):
            if self._carried < 1:
                break
            self._carried -= 1
            self._looked[alert.player] = day
            yield self._verdict(alert.player, alert.at, day, 0.0)
        self._carried %= 1  # time that nobody needed is not saved up
        for player in sorted(played):
            if self._random.random() < REVIEWED:
                yield self._verdict(player, played[player], day, REVIEWED)

    def _verdict(self, player: str, about: int, day: int, drawn: float) -> Label:
        mistaken = self._random.random() < ERROR
        return Label(
            player=player,
            at=(day + 2) * DAY_US - 1,
            source="verdict",
            harmed=self.courses[player].harmed(about) != mistaken,
            about=about,
            drawn=drawn,
        )


# %% [markdown]
# ## One house, from its first event on
#
# All scores of a moment are taken before anything is learned from it; of a day with play the highest counts.


# %%
class Simulated:
    """The log of simulated players, made while it is read."""

    def __init__(self, config: Config, end_us: int) -> None:
        self._config, self._end_us = config, end_us

    def chunks(self) -> Iterator[list[bytes]]:
        stream = takewhile(lambda stamped: stamped[0] < self._end_us, arrivals(self._config))
        while chunk := [line for _, line in islice(stream, 2_000)]:
            yield chunk


class Scores:
    """Learns from what the detector and the agents tell, and keeps what was said of each day with play.

    Parameters
    ----------
    catalogue
        Whose features they are; each of them alone is a score, too.
    seed
        Of all that draws in learning.
    """

    def __init__(self, catalogue: object, seed: int) -> None:
        self.own = [place for place, feature in enumerate(catalogue.features) if feature.own]
        self.trainer = Trainer(
            catalogue.names,
            catalogue.id,
            seed=seed,
            kinds=KINDS,
            baselines={name: name for name in catalogue.names},
        )
        self.names = (*self.trainer.names, COMBINED, HABIT, LOT)
        self.days: dict[tuple[str, int], tuple[int, np.ndarray]] = {}
        self.sought: dict[str, list[int]] = {}
        self._habits: dict[str, list[float]] = {}

    def take(self, each: Sample | Label) -> None:
        if isinstance(each, Label):
            self.trainer.label(each)
            if each.source != "verdict":
                self.sought.setdefault(each.player, []).append(each.at)
            return
        self.trainer.take(each)
        waiting = next(one for one in reversed(self.trainer.room.of(each.player)) if one.at == each.at)
        harm = waiting.said[0]  # the champion's, the highest of the day so far
        both = combined(None if np.isnan(harm) else harm, each.rules)
        said = np.array([*waiting.said, both, self._off(each), draw(self.trainer.seed, each.player, each.at)])
        key = each.player, each.at // DAY_US
        before = self.days.get(key, (0, np.full(len(said), nan)))[1]
        self.days[key] = each.at, np.fmax(before, said)

    def _off(self, sample: Sample) -> float:
        """How far the player is from their own habits; NaN while there are none."""
        state = self._habits.get(sample.player, [])
        own = [sample.values[place] for place in self.own]
        if sample.moment == "session_end":
            self._habits[sample.player] = habit.updated(state, own)
        off = habit.deviation(state, own)
        return nan if off is None else off

    def table(self, courses: dict[str, Course], from_us: int) -> Table:
        """What was said of each day with play from an instant on, with the truth; see `House.days`."""
        kept = sorted(
            ((day, player, at, said) for (player, day), (at, said) in self.days.items() if at >= from_us),
            key=lambda row: row[:2],
        )
        players = tuple(sorted({player for _, player, _, _ in kept}))
        numbers = {player: number for number, player in enumerate(players)}
        sought = np.array(
            [next_within(self.sought.get(player, ()), at) for _, player, at, _ in kept], np.int64
        )
        return Table(
            names=self.names,
            players=players,
            player=np.array([numbers[player] for _, player, _, _ in kept]),
            day=np.array([day for day, *_ in kept]),
            at=np.array([at for _, _, at, _ in kept]),
            scores=np.array([said for *_, said in kept]),
            harmed=np.array([courses[player].harmed(at, HORIZON) for _, player, at, _ in kept]),
            hard=sought >= 0,
            weights=np.ones(len(kept)),
            label_at=sought,
            birth_year=np.full(len(kept), -1),
            kept=1.0,
        )


def next_within(times: Iterable[int], at_us: int) -> int:
    """The first of some instants that comes after another one and within the horizon of it, or -1."""
    return min((each for each in times if at_us < each <= at_us + HORIZON * DAY_US), default=-1)


@dataclass
class House:
    """What was said in the second half of a house's log.

    Attributes
    ----------
    days
        A row a day with play. `harmed` is the truth; `label_at` is the next time that help was sought, within
        the horizon, -1 without; `hard` says whether there is one.
    onset_at
        The same of the player's onset, (n,).
    counts
        What came about, by name.
    """

    days: Table
    onset_at: np.ndarray
    counts: dict[str, int]


def house(seed: int, players: int = PLAYERS, days: int = DAYS) -> House:
    """Simulate, replay, look, learn and score."""
    config = Config(players=players, days=days + HORIZON, seed=seed)
    start_us = micros(config.start)
    end_us = start_us + days * DAY_US
    known_us = end_us + HORIZON * DAY_US
    courses = {truth.player: Course.of(truth) for truth in truths(config, known_us)}
    catalogue, currencies = FEATURES.packaged, Currencies()
    rules = [rule for rule in load_pack(default_pack(), currencies).rules if rule.status == "live"]
    agents, scores, order = Agents(courses, seed), Scores(catalogue, seed), InOrder()
    for heard in heard_of(Simulated(config, end_us), Detection(rules, currencies, catalogue=catalogue)):
        order.hear(heard)
        for verdict in agents.hear(heard):
            order.hear(verdict)
        for each in order.settled():
            scores.take(each)
    for each in order.until(end_us):
        scores.take(each)
    table = scores.table(courses, start_us + days * DAY_US // 2)
    onsets = [courses[table.players[who]].onset_us for who in table.player]
    onset_at = [next_within([] if o is None else [o], at) for o, at in zip(onsets, table.at, strict=True)]
    bias = scores.trainer.bias.report(scores.trainer.terms, scores.trainer.room.counts)
    counts = {
        "samples": scores.trainer.room.counts.taken,
        **scores.trainer.room.counts.labels,
        "on alerts": bias.on_alerts.verdicts,
        "in review": bias.reviewed.verdicts,
        "days": len(table),
        "harmed": int(table.harmed.sum()),
    }
    return House(table, np.array(onset_at, dtype=np.int64), counts)


# %% [markdown]
# ## How well each score does
#
# - **ROC AUC**, **PR AUC**: over days with play.
# - **precision**: the share harmed among the days that are flagged, each day the highest scores, 20 of 1,000.
#   Whoever was flagged is left alone for a week. The trainer's report flags in the same way.
# - **warned**: of all times that *help was sought*, by self-exclusion or words of distress, the share whose
#   player was flagged in the 30 days before; of players who played in them, since nobody else can be flagged.
#   **lead**: the median of the days from the first of these flags, over those. **warning**: its mean over all
#   times, 0 where nobody was flagged: a score that warns of a few, early, must not look better than one that
#   warns of them and others. The trainer's report measures lead in the same way.
# - **onsets**, **onset lead**, **onset warning**: the same of onsets, which nobody on the platform knows of.


# %%
MEASURES = [
    "ROC AUC", "PR AUC", "precision", "warned", "lead", "warning", "onsets", "onset lead", "onset warning"
]  # fmt: skip


def warning(table: Table, flagged: np.ndarray) -> float:
    """Mean over all cases of the days from the first flag to the case; 0 without a flag."""
    first: dict[tuple[int, int], float] = {}
    for place in np.flatnonzero(table.hard).tolist():
        days = (table.label_at[place] - table.at[place]) / DAY_US if flagged[place] else 0.0
        case = int(table.player[place]), int(table.label_at[place])
        first[case] = max(days, first.get(case, 0.0))
    return sum(first.values()) / len(first) if first else nan


def early(days: Table, case_at: np.ndarray, flagged: np.ndarray) -> list[float]:
    """Share of cases with a flag before, median of days ahead among these, mean of days ahead of all."""
    before = replace(days, harmed=case_at >= 0, hard=case_at >= 0, label_at=case_at)
    found = lead(before, flagged)
    return [found.reached, found.median, warning(before, flagged)]


def measured(house: House, seed: int) -> pd.DataFrame:
    """Every score of a house by `MEASURES`."""
    rows, days = {}, house.days
    for name in days.names:
        ranks = metrics.Ranking.of(days.score(name)).mass(days.harmed, days.weights)
        flagged = flags(days, name, CAPACITY, seed)
        precision = float(days.harmed[flagged].mean()) if flagged.any() else nan
        rows[name] = [
            metrics.roc_auc(*ranks), metrics.pr_auc(*ranks), precision,
            *early(days, days.label_at, flagged), *early(days, house.onset_at, flagged),
        ]  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index", columns=MEASURES)


def cases(players: np.ndarray, case_at: np.ndarray) -> int:
    """How many there are to be early for."""
    near = case_at >= 0
    return len(set(zip(players[near].tolist(), case_at[near].tolist(), strict=True)))


def study(seed: int) -> tuple[int, pd.DataFrame, dict[str, int]]:
    """One house, measured."""
    one = house(seed)
    who = one.days.player
    found = {"help sought": cases(who, one.days.label_at), "onsets": cases(who, one.onset_at)}
    return seed, measured(one, seed), one.counts | found


def seeds_of(text: str) -> list[int]:
    """Both ends and what lies between: `3-5` is 3, 4, 5."""
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def all_of(seeds: list[int]) -> Iterator[tuple[int, pd.DataFrame, dict[str, int]]]:
    """Each house by itself, in as many processes as were asked for."""
    if PROCESSES == 1:
        yield from map(study, seeds)
        return
    with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
        yield from pool.imap(study, seeds)


# %% [markdown]
# ## Over all seeds
#
# Each seed is another house with other players, on which all scores are held against each other. The interval
# is Student's, over seeds.


# %%
def compared(by_seed: dict[int, pd.DataFrame], measure: str) -> pd.DataFrame:
    """By how much the combined score is ahead of each other one, and in how many of the seeds."""
    values = pd.DataFrame({seed: each[measure] for seed, each in by_seed.items()})
    gaps = values.loc[COMBINED] - values.drop(index=COMBINED)
    count = gaps.notna().sum(axis=1)
    reach = student.ppf(0.975, np.maximum(count - 1, 1)) * gaps.std(axis=1, ddof=1) / np.sqrt(count)
    return pd.DataFrame(
        {
            "ahead by": gaps.mean(axis=1),
            "from": gaps.mean(axis=1) - reach,
            "to": gaps.mean(axis=1) + reach,
            "seeds ahead": (gaps > 0).sum(axis=1),
            "level": (gaps == 0).sum(axis=1),
            "of": count,
        }
    )


def named(names: list[str]) -> dict[str, str]:
    """The scores that tables show, by the name of the feature that some of them are."""
    said = {name: name for name in names if name not in (*COLUMNS, IN_FORCE)}
    return said | {feature: title for title, feature in ALONE.items()}


COLUMNS = list(FEATURES.packaged.names)


def report(results: dict[int, tuple[pd.DataFrame, dict[str, int]]]) -> None:
    """Print what was simulated, how each score did on average, and by how much the combined one is ahead."""
    counts = pd.DataFrame({seed: counts for seed, (_, counts) in results.items()}).T.fillna(0).astype(int)
    print(f"SIMULATED players: {PLAYERS:,} of each seed, {DAYS} days\n\n{counts.to_string()}")
    by_seed = {seed: table for seed, (table, _) in results.items()}
    mean = pd.concat(by_seed.values()).groupby(level=0, sort=False).mean()
    shown = named(list(mean.index))
    print(f"\nmeans over seeds\n\n{mean.loc[list(shown)].rename(shown).round(3).to_string()}")
    for measure in MEASURES:
        gaps = compared(by_seed, measure)
        best = mean.loc[COLUMNS, measure].fillna(-np.inf).idxmax()
        rows = {name: title for name, title in shown.items() if name != COMBINED}
        rows |= {best: f"{best}, the best feature in hindsight"} if best not in rows else {}
        print(f"\n{measure}: combined less\n\n{gaps.loc[list(rows)].rename(rows).round(3).to_string()}")
    if counts["onsets"].sum() >= 20:  # of fewer it would say nothing
        assert mean["ROC AUC"].max() < EASY, "simulated harm is too easy to see"


results = {}
for seed, table, counts in all_of(seeds_of(SEEDS)):
    results[seed] = table, counts
report(results)
