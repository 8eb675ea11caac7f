"""Harm is a slow, hidden course that shifts what players are likely to do, and is never certain from it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from detector.events.instants import DAY_US, micros
from detector.simulator import Config, Truth, events, truths
from detector.simulator.harm import CALM, MODERATE, SEVERE, draw_course
from detector.simulator.markers import MARKERS, STYLES, Ways, draw_ways

CONFIG = Config(players=160, days=90, troubled=0.5, seed=11)
END_US = micros(CONFIG.start + timedelta(days=CONFIG.days))


@pytest.fixture(scope="module")
def log() -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in events(CONFIG)]


@pytest.fixture(scope="module")
def truth() -> dict[str, Truth]:
    return {each.player: each for each in truths(CONFIG, END_US)}


# -- the course ----------------------------------------------------------------------------------------

COURSES = [draw_course(Random(seed), 0, 120) for seed in range(600)]


def test_a_course_starts_gradually_and_moves_slowly() -> None:
    for course in COURSES:
        assert len(course.days) == 120
        assert all(0.0 <= level <= 1.0 for level in course.days)
        first = course.phases[0]
        assert first[0] == 0
        assert [day for day, _ in course.phases] == sorted({day for day, _ in course.phases})
        begins = next(day for day, phase in course.phases if phase == "rising")
        assert not any(course.days[:begins])
        # Half of the worst does not come in the first two days of the rise.
        assert max(course.days[begins : begins + 1], default=0.0) <= 0.6 * max(course.days)


def test_some_recover_and_some_of_those_relapse() -> None:
    phases = [[phase for _, phase in course.phases] for course in COURSES]
    recover = sum("recovering" in each for each in phases) / len(phases)
    relapse = sum(each.count("rising") > 1 for each in phases) / len(phases)
    assert 0.25 < recover < 0.65
    assert 0.03 < relapse < recover / 2
    severe = sum(max(course.days) >= SEVERE for course in COURSES) / len(COURSES)
    moderate = sum(max(course.days) >= MODERATE for course in COURSES) / len(COURSES)
    assert 0.15 < severe < 0.5
    assert moderate > 0.75


def test_levels_hold_for_a_day_and_after_the_last_day_for_good() -> None:
    course = replace(CALM, from_us=10 * DAY_US, days=(0.2, 0.4))
    at = [9.9, 10.0, 10.99, 11.0, 12.5, 400.0]
    assert [course.level(int(day * DAY_US)) for day in at] == [0.0, 0.2, 0.2, 0.4, 0.4, 0.4]
    assert CALM.level(0) == 0.0


# -- the ways ------------------------------------------------------------------------------------------


def test_what_a_player_does_anyway_and_what_harm_brings_add_up_below_certainty() -> None:
    course = replace(CALM, days=(0.0, 0.5, 1.0))
    ways = Ways(course, {"night_play": 0.6}, {"night_play": 0.5, "depletion": 0.8})
    assert [ways.strength("night_play", day * DAY_US) for day in range(3)] == pytest.approx([0.6, 0.7, 0.8])
    assert [ways.strength("depletion", day * DAY_US) for day in range(3)] == pytest.approx([0.0, 0.4, 0.8])
    assert ways.strength("breaks", 2 * DAY_US) == 0.0


def test_harmed_players_differ_in_what_they_show_and_some_show_little() -> None:
    drawn = [draw_ways(Random(seed), CALM) for seed in range(500)]
    shown = [len(ways.brought_out) for ways in drawn]
    faint = sum(
        len(ways.brought_out) <= 8 and max(ways.brought_out.values(), default=0) < 0.4 for ways in drawn
    )
    assert 0.08 < faint / len(drawn) < 0.3
    assert max(shown) > 12
    assert min(shown) < 4
    for marker in MARKERS:
        assert 0.3 < sum(marker in ways.brought_out for ways in drawn) / len(drawn) < 0.8
    for style, (share, own) in STYLES.items():
        having = [ways for ways in drawn if style in ways.styles]
        assert len(having) == pytest.approx(share * len(drawn), abs=22)
        assert all(ways.own[marker] >= much for ways in having for marker, much in own.items())


# -- the truth and the log -----------------------------------------------------------------------------


def test_the_truth_is_told_of_everybody_who_has_joined(
    log: list[dict[str, Any]], truth: dict[str, Truth]
) -> None:
    assert truth.keys() == {event["player"] for event in log}
    harmed = [each for each in truth.values() if each.harmed is not None]
    assert 40 <= len(harmed) <= 100
    for each in truth.values():
        assert each.joined <= (each.harmed or each.joined)
        assert each.phases[0].since == each.joined
        assert bool(each.days) == bool(each.markers) or not any(each.days)
        assert (each.harmed is not None) == (each.peak >= MODERATE)
        assert each.level in (0, 3, 4, 5)
    ages = Counter(each.age_band for each in truth.values())
    genders = Counter(each.gender for each in truth.values())
    assert len(ages) >= 5
    assert genders.keys() == {"female", "male"}
    assert len({each.product for each in truth.values()}) >= 6


def test_the_truth_ends_where_the_log_does() -> None:
    middle_us = micros(CONFIG.start + timedelta(days=20))
    early = {each.player: each for each in truths(CONFIG, middle_us)}
    late = {each.player: each for each in truths(CONFIG, END_US)}
    assert 0 < len(early) < len(late)
    for player, each in early.items():
        assert len(each.days) <= 20
        assert each.days == late[player].days[: len(each.days)]
        assert each.peak <= late[player].peak
    assert not any(each.peak for each in truths(replace(CONFIG, troubled=0.0), END_US))


def test_nothing_differs_before_harm_begins(log: list[dict[str, Any]], truth: dict[str, Truth]) -> None:
    begins = {
        each.player: next(change.since for change in each.phases if change.phase == "rising")
        for each in truth.values()
        if any(each.days)
    }

    def before(lines: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
        lives = defaultdict(list)
        for event in lines:
            # A session that has begun knows how the day began.
            if event["ts"][:10] < begins.get(event["player"], "")[:10]:
                lives[event["player"]].append(event)
        return lives

    without = [msgspec.json.decode(line) for line in events(replace(CONFIG, troubled=0.0))]
    returned = {event["player"] for event in log if event["type"] == "self_exclusion_end"}
    harmless, harmful = before(without), before(log)
    same = [player for player in begins if player not in returned]
    assert len(same) > 30
    for player in same:
        assert harmful[player] == harmless[player]


@pytest.mark.parametrize(
    ("marker", "among", "hit", "times"),
    [
        ("night_play", "session_start", lambda event: _hour(event) < 5, 2.0),
        ("failed_deposits", None, lambda event: event["type"] == "deposit_failed", 1.5),
        ("deposits_in_session", "deposit", lambda event: event["nth"] > 1, 1.3),
        ("payment_methods", "deposit", lambda event: event["method"] != event["usual"], 2.0),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_harm_makes_it_likelier_and_calm_players_do_it_too(
    log: list[dict[str, Any]],
    truth: dict[str, Truth],
    marker: str,
    among: str | None,
    hit: Callable[[dict[str, Any]], bool],
    times: float,
) -> None:
    usual: dict[str, str] = {}
    nth = Counter[tuple[str, str]]()
    counts = {"harmed": [0, 0], "calm": [0, 0]}
    for event in log:
        each = truth[event["player"]]
        if event["type"] == "deposit":
            event["usual"] = usual.setdefault(event["player"], event["method"])
            nth[event["player"], event["session"]] += 1
            event["nth"] = nth[event["player"], event["session"]]
        day = (
            micros(datetime.fromisoformat(event["ts"])) - micros(datetime.fromisoformat(each.joined))
        ) // DAY_US
        level = each.days[day] if each.days else 0
        if (among is None or event["type"] == among) and (
            level == 0 or (level >= 30 and marker in each.markers)
        ):
            count = counts["harmed" if level else "calm"]
            count[0] += hit(event)
            count[1] += 1
    (often, of), (seldom, others) = counts["harmed"], counts["calm"]
    assert seldom > 0
    assert often / of > times * seldom / others


def _hour(event: dict[str, Any]) -> int:
    return datetime.fromisoformat(event["ts"]).astimezone(ZoneInfo("America/Toronto")).hour


def test_signs_are_no_proof(log: list[dict[str, Any]], truth: dict[str, Truth]) -> None:
    deposits = Counter((e["player"], e.get("session")) for e in log if e["type"] == "deposit")
    many = {player for (player, _), count in deposits.items() if count >= 3}
    harmed = {player for player, each in truth.items() if each.harmed}
    assert many - harmed
    assert harmed - many
    assert len(many & harmed) / len(harmed) > len(many - harmed) / len(truth.keys() - harmed)
    rounds = Counter(event["player"] for event in log if event["type"] == "bet")
    quiet_heavy = [p for p in truth.keys() - harmed if rounds[p] > 2_000 and p not in many]
    light_harmed = [p for p in harmed if rounds[p] < 1_000]
    assert quiet_heavy
    assert light_harmed
