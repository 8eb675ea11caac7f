"""A model that is easy to follow, and what it makes of a log."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from detector.engine.alerts import Alert
from detector.engine.engine import Engine
from detector.engine.sampling import Scorer
from detector.events.instants import to_datetime
from detector.language.features import FEATURES, Catalogue
from detector.language.pack import load_rules
from detector.language.rule import Rule
from models.sample import Sample
from tests.engine.laws import CURRENCIES, PLACES, RATES, feed

LAWS = settings(max_examples=16, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SEEDS = st.integers(0, 10_000)
DAY_US = 86_400_000_000
MINUTE_US = 60_000_000
NOON_US = 1_772_884_800_000_000  # 2026-03-07T12:00:00Z
CATALOGUE = FEATURES.packaged
PLACE = {name: place for place, name in enumerate(CATALOGUE.names)}


@dataclass(frozen=True)
class Said:
    """What a made-up model said."""

    scores: dict[str, float | None]
    habit: list[float] | None


@dataclass(frozen=True)
class Because:
    feature: str
    adds: float


@dataclass(frozen=True)
class Counts:
    """A model that is easy to follow: harm is a week's deposits, a habit what was played and lost."""

    id: str = "counts"
    catalogue: str = CATALOGUE.id

    def judge(
        self,
        player: str,
        at_us: int,
        values: Sequence[float | None],
        habit: list[float] | None,
        ends_session: bool,
    ) -> Said:
        sessions, lost = habit or [0.0, 0.0]
        scores = {"harm": values[PLACE["deposits_7d"]], "habit": sessions, "unusual": lost}
        return Said(
            scores, [sessions + 1, lost + (values[PLACE["last_loss"]] or 0)] if ends_session else habit
        )

    def reasons(self, name: str, values: Sequence[float | None], habit: list[float] | None) -> list[Because]:
        return [Because("deposits_7d", 2.0), Because("known_for", -0.5), Because("last_loss", 0.0)]


RULE = """\
id: {id}
version: 1
status: live
title: A score
category: play
audience: risk
severity: low
why: Told by hand.
sources: ["none"]
trigger: {trigger}
let:
  level: {score}
when: level >= {least}
cooldown: 1m
explain: "{{level}}"
respond: L1
"""


@cache
def asking() -> tuple[Rule, ...]:
    """Rules that ask for scores, at deposits and at session ends."""
    with tempfile.TemporaryDirectory() as folder:
        for id_, trigger, score, least in (
            ("at-deposits", "deposit", "score(harm)", 2),
            ("own-at-deposits", "deposit", "score(habit)", 1),
            ("at-ends", "session_summary", "score(unusual)", "0 - 999999999"),
        ):
            text = RULE.format(id=id_, trigger=trigger, score=score, least=least)
            (Path(folder) / f"{id_}.yml").write_text(text)
        return tuple(load_rules(folder))


def engine(
    rules: Sequence[Rule] = (),
    scorers: Sequence[tuple[int, Scorer]] = ((-(2**62), Counts()),),
    catalogue: Catalogue | None = CATALOGUE,
    keep_samples: bool = True,
) -> Engine:
    return Engine(
        rules, PLACES, RATES, CURRENCIES, catalogue=catalogue, scorers=scorers, keep_samples=keep_samples
    )


Seen = tuple[list[Sample], list[bytes]]


def in_order(found: Iterable[Sample], told: Iterable[Alert]) -> Seen:
    return (
        sorted(found, key=lambda each: (each.at, each.player, each.moment, repr(each.values))),
        sorted(alert.to_json() for alert in told),
    )


def taken(target: Engine, lines: Sequence[bytes], every: int | None = None) -> Seen:
    """All samples and alerts of a log, ticked after every so many events, or at its end alone."""
    samples: list[Sample] = []
    told: list[Alert] = []
    every = every or len(lines) or 1
    for start in range(0, len(lines), every):
        feed(target, lines[start : start + every])
        if every < len(lines):
            target.tick(target.watermark_us)
        effects = target.take()
        samples += effects.samples
        told += effects.alerts
    target.finish()
    effects = target.take()
    return in_order([*samples, *effects.samples], [*told, *effects.alerts])


def line(id_: str, minute: float, type_: str = "deposit", player: str = "p", **more: Any) -> bytes:
    ts = to_datetime(NOON_US + int(minute * MINUTE_US)).isoformat()
    fields: dict[str, Any] = {"type": type_, "id": id_, "source": "t", "player": player, "ts": ts}
    if type_ == "deposit":
        fields |= {"amount": 1_000, "currency": "CAD"}
    if type_ == "bet":
        fields |= {"stake": 500, "payout": 0, "currency": "CAD"}
    return json.dumps(fields | more).encode()


def values(sample: Sample, *names: str) -> tuple[float | None, ...]:
    return tuple(sample.values[PLACE[name]] for name in names)
