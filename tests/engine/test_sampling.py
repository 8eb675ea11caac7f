"""What models see: told by the events alone, whatever batches, ticks and restarts they came in."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from random import Random
from statistics import fmean, pstdev
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from detector.engine.alerts import Alert
from detector.engine.engine import Engine
from detector.engine.sampling import Scorer
from detector.events.instants import micros, to_datetime
from detector.language.features import FEATURES, Catalogue
from detector.language.pack import load_rules
from detector.language.rule import Rule
from models.sample import Sample
from tests.engine.laws import CURRENCIES, PLACES, RATES, alerts, feed, run, written
from tests.oracle.history import Book
from tests.oracle.random_logs import IN_GRACE, ZONES, Shape, random_log, rates
from tests.oracle.summaries import summaries

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


# The law of batches, ticks and restarts.


@LAWS
@given(seed=SEEDS, every=st.integers(1, 60))
@example(seed=0, every=1)  # a session without money, and its player's currency
@example(seed=1, every=1)  # a deposit that is corrected after a session's end
@example(seed=116, every=1)  # two sessions that close at one instant
def test_batches_and_ticks_change_nothing(seed: int, every: int) -> None:
    lines = random_log(Random(seed), IN_GRACE)
    assert taken(engine(asking()), lines, every) == taken(engine(asking()), lines)


@LAWS
@given(seed=SEEDS, data=st.data())
def test_stored_and_restored_at_any_event_nothing_changes(seed: int, data: st.DataObject) -> None:
    lines = random_log(Random(seed), IN_GRACE)
    stops = data.draw(st.sets(st.integers(0, len(lines)), max_size=6))
    parts = engine(asking())
    samples: list[Sample] = []
    told: list[Alert] = []
    records: dict[str, bytes] = {}
    for place, line in enumerate(lines):
        feed(parts, [line])
        if place % 7 == 0:
            parts.tick(parts.watermark_us)
        if place in stops:
            effects = parts.take()
            samples += effects.samples
            told += effects.alerts
            records.update(parts.records())
            marks = parts.marks()
            parts = engine(asking())
            parts.load_marks(marks)
            for player, record in records.items():
                parts.load(player, record)
    parts.finish()
    effects = parts.take()
    found = in_order([*samples, *effects.samples], [*told, *effects.alerts])
    assert found == taken(engine(asking()), lines)


@LAWS
@given(seed=SEEDS, pack=st.sampled_from([("behaviour",), ("time",), ("sessions",), ("pack",)]))
def test_rules_that_ask_for_no_score_alert_the_same_with_and_without_models(
    seed: int, pack: tuple[str, ...]
) -> None:
    lines = random_log(Random(seed), IN_GRACE)
    # The pack's own that ask for one say nothing here: there is a catalogue, and no model.
    beside = engine(written(pack), scorers=(), keep_samples=False)
    feed(beside, lines)
    beside.finish()
    assert alerts(beside) == run(written(pack), lines)


# The law of values: what a slow and plain reading of the log says.

PLAIN = Shape(events=45, players=2, delayed=0, corrected=0, repeated=0, foreign=0, ticks=0)


@LAWS
@given(seed=SEEDS)
def test_features_are_what_reading_the_log_says(seed: int) -> None:
    lines = random_log(Random(seed), PLAIN)
    found, _ = taken(engine(scorers=()), lines, 9)
    book = Book(ZONES)
    for line in lines:
        book.read(line)
    compared = 0
    for player, history in book.players.items():
        closed = [(each.ts, each.content) for each in summaries(history, rates())]
        deposits = [(each.ts, each.content) for each in history.arrivals if each.type == "deposit"]
        first = min(each.ts for each in history.arrivals)
        samples = [each for each in found if each.player == player]
        ends = sorted(each.at for each in samples if each.moment == "session_end")
        settled = max(ends, default=0)
        assert ends == [ts for ts, _ in closed if ts <= settled]
        instants = [each.at for each in samples]
        for sample in samples:
            if instants.count(sample.at) > 1:
                continue  # who sees whom at one instant is for the engine's own tests
            said = dict(zip(CATALOGUE.names, sample.values, strict=True))
            wanted = slowly(sample.at, sample.at - first, deposits, closed)
            assert {name: said[name] for name in wanted} == pytest.approx(wanted), sample.at
            compared += 1
    assert compared or not found


Rows = Sequence[tuple[int, dict[str, Any]]]


def slowly(now: int, age: int, deposits: Rows, closed: Rows) -> dict[str, float | None]:
    """Some features of each kind, by going through everything there is."""

    def within(rows: Rows, days: int, back: int = 0) -> list[dict[str, Any]]:
        upto = now - back * DAY_US
        return [row for ts, row in rows if upto - days * DAY_US < ts <= upto]

    def total(rows: Rows, field: str, days: int, back: int = 0) -> float:
        return float(sum(row[field] for row in within(rows, days, back)))

    paid = [total(deposits, "amount", 7, 7 * week) for week in range(5)]
    lost = [total(closed, "net_loss", 7, 7 * week) for week in range(5)]
    known = age >= 35 * DAY_US
    usual = sum(paid[1:]) / 4
    month = within(closed, 30)
    told = [row["depleted"] for row in month if row.get("depleted") is not None]
    staked = [row["staked"] for row in month]
    return {
        "deposits_7d": len(within(deposits, 7)),
        "deposited_24h": total(deposits, "amount", 1),
        "methods_30d": len({row["method"] for row in within(deposits, 30) if "method" in row}),
        "deposit_rise": paid[0] / usual if known and usual else None,
        "sessions_30d": len(month),
        "minutes_7d": total(closed, "minutes", 7),
        "longest_7d": max((row["minutes"] for row in within(closed, 7)), default=None),
        "net_loss_7d": lost[0],
        "loss_rise": (lost[0] - fmean(lost[1:])) / pstdev(lost[1:]) if known and pstdev(lost[1:]) else None,
        "emptied_share_30d": sum(told) / len(told) if told else None,
        "uneven_30d": pstdev(staked) / fmean(staked) if len(staked) > 1 and fmean(staked) else None,
        "known_for": age / 3_600_000_000,
    }


def at(event: dict[str, Any]) -> int:
    return micros(datetime.fromisoformat(event["ts"]))


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


def test_the_usual_week_and_how_far_this_one_is_from_it_in_deviations() -> None:
    lost = (500, 500, 1_500, 1_500, 3_000)  # a week each
    log = [line("first", 0, "contact", topic="other")]
    for week, stake in enumerate(lost):
        log.append(line(f"b{week}", (week + 1) * 7 * 1440, "bet", stake=stake, session=f"s{week}"))
    found, _ = taken(engine(scorers=()), [*log, line("end", 40 * 1440, "contact", topic="other")])
    (last,) = (each for each in found if each.at > NOON_US + 34 * DAY_US)
    # Four weeks of 500, 500, 1500, 1500 have the mean 1000 and the deviation 500.
    assert values(last, "net_loss_7d", "loss_rise", "last_loss") == (3_000, 4.0, 3_000)


def test_a_deposit_right_after_a_session_sees_the_session_before_the_watermark_does() -> None:
    log = [
        line("b", 0, "bet", stake=700, session="s"),
        line("e", 3, "session_end", session="s"),
        line("d", 4),
    ]
    target = engine(scorers=())
    feed(target, log)
    (sample,) = target.take().samples  # no tick yet: the end itself is told later
    assert sample.moment == "deposit"
    assert values(sample, "sessions_7d", "last_loss", "last_minutes") == (1, 700, 3)
    target.finish()
    feed(target, [line("later", 60, "contact", topic="other")])
    target.finish()
    (end,) = target.take().samples
    assert (end.moment, end.at) == ("session_end", NOON_US + 3 * MINUTE_US)
    assert values(end, "deposits_7d", "last_loss") == (0, 700)


def test_a_void_and_a_replacement_are_looked_at_and_undo_what_they_correct() -> None:
    old = {"type": "deposit", "ts": to_datetime(NOON_US).isoformat(), "amount": 1_000, "currency": "CAD"}
    log = [
        line("a", 0),
        line("b", 1),
        line("v", 2, "void", target="a", voided=old),
        line("r", 3, amount=5_000, replaces="b",
             replaced=old | {"ts": to_datetime(NOON_US + MINUTE_US).isoformat()}),
    ]  # fmt: skip
    found, _ = taken(engine(scorers=()), log)
    assert [(each.at - NOON_US) // MINUTE_US for each in found] == [0, 1, 2, 3]
    assert [values(each, "deposits_7d", "deposited_7d") for each in found] == [
        (1, 1_000), (2, 2_000), (1, 1_000), (1, 5_000)
    ]  # fmt: skip


def test_currency_and_year_of_birth_are_those_of_the_moment() -> None:
    log = [
        line("s", 0, "session_start", session="s"),
        line("e", 1, "session_end", session="s"),
        line("d", 2),
        line("p", 3, "player_profile", birth_year=1990),
        line("d2", 4),
        line("p2", 5, "player_profile", birth_year=1991),
        line("d3", 6),
    ]
    for every in (1, None):
        found, _ = taken(engine(scorers=()), [*log, line("x", 90, "contact", topic="other")], every)
        assert [(each.currency, each.birth_year) for each in found] == [
            (None, None), ("CAD", None), ("CAD", 1990), ("CAD", 1991)
        ]  # fmt: skip


# Models in force.


def test_a_scorecard_scores_from_its_time_on_by_the_players_clock_and_another_takes_over() -> None:
    scorers = ((NOON_US + MINUTE_US, Counts("one")), (NOON_US + 3 * MINUTE_US, Counts("two")))
    # The other player's clock is ahead: that changes nothing for whoever comes later.
    log = [line("ahead", 10, player="q"), *(line(f"d{n}", n) for n in range(5))]
    found, _ = taken(engine(scorers=scorers), log)
    mine = [each for each in found if each.player == "p"]
    assert [each.artefact for each in mine] == [None, "one", "one", "two", "two"]
    assert [each.scores.get("harm") for each in mine] == [None, 2, 3, 4, 5]


def test_models_of_another_catalogue_have_nothing_to_say() -> None:
    log = [line(f"d{n}", n) for n in range(5)]
    found, told = taken(engine(asking(), scorers=((0, Counts(catalogue="other")),)), log)
    assert {(each.artefact, len(each.scores)) for each in found} == {(None, 0)}
    assert told == []


def test_evidence_names_the_models_and_what_made_the_score() -> None:
    _, told = taken(engine(asking()), [line("a", 0), line("b", 1)])
    (alert,) = map(json.loads, told)
    shown = [each for each in alert["evidence"] if each.get("artefact") == "harm@counts"]
    score, *reasons = shown
    assert (score["name"], score["quantity"], score["value"]) == ("level", "score(harm)", 2)
    assert [(each["name"], each["value"], each["adds"]) for each in reasons] == [
        ("deposits_7d", 2, 2.0),
        ("known_for", pytest.approx(1 / 60, abs=1e-6), -0.5),  # and nothing of what adds nothing
    ]
    assert [each["unit"] for each in reasons] == ["count", "hours"]


def test_looking_twice_says_the_same_and_moves_nothing() -> None:
    session = [line("b", 0, "bet", session="s"), line("e", 1, "session_end", session="s")]
    target = engine()
    # A deposit looks ahead at the session's end; that does not count the session twice.
    feed(target, [*session, line("d1", 2), line("d2", 3), line("x", 60, "contact", topic="other")])
    target.finish()
    feed(target, [line("d3", 61)])
    found = [each for each in target.take().samples if each.moment == "deposit"]
    assert [each.scores["habit"] for each in found] == [1, 1, 1]


def test_habits_are_stored_and_end_with_their_catalogue(tmp_path: Path) -> None:
    sitting = [line("b", 0, "bet", session="s"), line("e", 1, "session_end", session="s")]
    before = engine()
    feed(before, [*sitting, line("x", 60, "contact", topic="other")])
    before.finish()
    records, marks = dict(before.records()), before.marks()

    def habit_of(after: Engine) -> float | None:
        after.load_marks(marks)
        after.load("p", records["p"])
        feed(after, [line("d", 61)])
        (sample,) = after.take().samples
        return sample.scores["habit"]

    assert habit_of(engine()) == 1
    text = Path(CATALOGUE.path).read_text("utf-8")
    own = tmp_path / "features.yml"
    own.write_text(text.replace("count(deposit) over 1h", "count(deposit) over 2h"), "utf-8")
    other = FEATURES.load(own)
    scorers = ((-(2**62), Counts(catalogue=other.id)),)
    assert habit_of(engine(scorers=scorers, catalogue=other)) == 0


# Who learns.


def test_only_what_says_something_of_harm_becomes_a_label() -> None:
    long, short = (to_datetime(NOON_US + days * DAY_US).isoformat() for days in (180, 179))
    log = [
        line("a", 0, "contact", topic="distress"),
        line("b", 1, "contact", topic="bonus_request"),
        line("c", 2, "self_exclusion", until=short),
        line("d", 3, "self_exclusion"),
        line("e", 0, "self_exclusion", until=long),
        line("f", 5, "contact", topic="threat"),
    ]
    target = engine()
    feed(target, log)
    labels = target.take().labels
    assert [((each.at - NOON_US) // MINUTE_US, each.source) for each in labels] == [
        (0, "rg_event"), (3, "self_exclusion"), (0, "self_exclusion"), (5, "rg_event")
    ]  # fmt: skip
    assert all(each.harmed and each.about == each.at and each.drawn == 1 for each in labels)
    silent = engine(keep_samples=False)
    feed(silent, [*log, line("g", 9)])
    effects = silent.take()
    assert (effects.labels, effects.samples) == ([], [])
