"""What the labels say is what the log shows."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from detector.events.instants import micros
from detector.simulator import Config, Label, events, labels
from detector.simulator.trouble import KINDS

CONFIG = Config(players=120, days=75, troubled=0.5, seed=11)
END_US = micros(CONFIG.start + timedelta(days=CONFIG.days))


@pytest.fixture(scope="module")
def log() -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in events(CONFIG)]


@pytest.fixture(scope="module")
def truth() -> dict[str, Label]:
    return {label.player: label for label in labels(CONFIG, END_US)}


def test_labels_name_players_of_the_log(log: list[dict[str, Any]], truth: dict[str, Label]) -> None:
    assert truth.keys() <= {event["player"] for event in log}
    assert 40 <= len(truth) <= 80
    for label in truth.values():
        always, sometimes = KINDS[label.kind]
        endings = {"self_exclusion", "losses_then_churn"}
        assert set(always) <= set(label.markers) <= {*always, *sometimes} | endings
        assert label.markers == sorted(set(label.markers))


def test_only_onsets_within_the_log_are_told() -> None:
    middle_us = micros(CONFIG.start + timedelta(days=40))
    early = labels(CONFIG, middle_us)
    assert 0 < len(early) < len(labels(CONFIG, END_US))
    assert all(micros(datetime.fromisoformat(label.onset)) < middle_us for label in early)
    assert labels(replace(CONFIG, troubled=0.0), END_US) == []


def test_nothing_differs_before_the_onset(log: list[dict[str, Any]], truth: dict[str, Label]) -> None:
    def lives(lines: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
        lives = defaultdict(list)
        for event in lines:
            label = truth.get(event["player"])
            if label and event["ts"] < label.onset:
                lives[event["player"]].append(event)
        return lives

    # Who will go past an own limit has to have set one, which the others need not.
    limited = {
        player
        for player, label in truth.items()
        if {"limit_raises", "frequent_deposits"} & set(label.markers)
    }
    calm = [msgspec.json.decode(line) for line in events(replace(CONFIG, troubled=0.0))]
    before, without = lives(log), lives(calm)
    same = [player for player in truth if player not in limited]
    assert len(same) > 10
    for player in same:
        assert before[player] == without[player]


def test_exclusion_and_distress_are_the_troubled_ones(
    log: list[dict[str, Any]], truth: dict[str, Label]
) -> None:
    seen: dict[str, set[str]] = defaultdict(set)
    for event in log:
        name = event.get("topic") if event["type"] == "contact" else event["type"]
        if name in ("distress", "self_exclusion"):
            seen[event["player"]].add(name)
            assert event["ts"] >= truth[event["player"]].onset
    for player, names in seen.items():
        if "self_exclusion" in names:
            assert "self_exclusion" in truth[player].markers
        if "distress" in names:
            assert "distress_contact" in truth[player].markers
    assert Counter(name for names in seen.values() for name in names).keys() == {"distress", "self_exclusion"}


def test_what_is_marked_grows_after_the_onset(log: list[dict[str, Any]], truth: dict[str, Label]) -> None:
    bets = _shares(log, truth, "night_play", "bet", _at_night)
    assert bets["after"] > 3 * bets["before"]
    failed = _shares(log, truth, "failed_deposits", None, lambda event: event["type"] == "deposit_failed")
    assert failed["after"] > 4 * failed["before"]
    cancelled = _shares(
        log, truth, "cancelled_withdrawals", None, lambda event: event["type"] == "withdrawal_cancel"
    )
    assert cancelled["after"] > 4 * cancelled["before"]


def _at_night(event: dict[str, Any]) -> bool:
    return datetime.fromisoformat(event["ts"]).astimezone(ZoneInfo("America/Toronto")).hour < 5


def _shares(
    log: list[dict[str, Any]], truth: dict[str, Label], marker: str, kind: str | None, hit: Any
) -> dict[str, float]:
    """Share of events (of one kind) that hit, before and after the onset of players with the marker."""
    counts: dict[str, list[int]] = {"before": [0, 0], "after": [0, 0]}
    for event in log:
        label = truth.get(event["player"])
        if label is None or marker not in label.markers or (kind and event["type"] != kind):
            continue
        count = counts["after" if event["ts"] >= label.onset else "before"]
        count[0] += hit(event)
        count[1] += 1
    return {when: hits / total for when, (hits, total) in counts.items()}


def test_who_deposits_within_a_session_does_so_often(
    log: list[dict[str, Any]], truth: dict[str, Label]
) -> None:
    deposits = Counter((event["player"], event["session"]) for event in log if event["type"] == "deposit")
    many = Counter(player for (player, _), count in deposits.items() if count >= 3)
    marked = {player for player, label in truth.items() if "deposits_in_session" in label.markers}
    calm = {event["player"] for event in log} - truth.keys()
    assert sum(many[player] > 0 for player in marked) / len(marked) > 0.5
    assert sum(many[player] > 0 for player in calm) / len(calm) < 0.2
