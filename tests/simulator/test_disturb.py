"""Repeats, lateness, corrections and broken lines: as many as asked for, and of the kind asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from math import sqrt
from random import Random
from typing import Any

import msgspec
import pytest

from detector.events.decode import REASONS, Decoder, Refusal
from detector.events.instants import DAY_US, MINUTE_US, micros
from detector.events.money import Currencies
from detector.events.vocabulary import Event, Void
from detector.simulator import Config, arrivals, events
from detector.simulator.disturb import BREAKS, corrupted

CLEAN = Config(players=50, days=20, seed=3)
GOOD = list(events(CLEAN))


def near(found: int, share: float, of: int) -> bool:
    """Whether a count is within four standard deviations of a share."""
    return abs(found - share * of) <= 4 * sqrt(of * share * (1 - share))


def test_repeats_are_byte_for_byte_and_follow_soon() -> None:
    stamped = list(arrivals(replace(CLEAN, repeats=0.05)))
    first: dict[bytes, int] = {}
    twice = []
    for arrival_us, line in stamped:
        if line in first:
            twice.append(arrival_us - first[line])
        first.setdefault(line, arrival_us)
    assert list(first) == GOOD
    assert near(len(twice), 0.05, len(GOOD))
    assert min(twice) > 0
    assert max(twice) <= 2 * MINUTE_US


@pytest.mark.parametrize("minutes", [10, 120])
def test_late_events_are_late_by_as_much_as_asked(minutes: int) -> None:
    stamped = list(arrivals(replace(CLEAN, late=0.1, late_by=timedelta(minutes=minutes))))
    assert sorted(line for _, line in stamped) == sorted(GOOD)
    assert all(earlier <= later for (earlier, _), (later, _) in pairwise(stamped))
    waits = [arrival_us - _ts(line) for arrival_us, line in stamped]
    late = [wait for wait in waits if wait]
    assert near(len(late), 0.1, len(GOOD))
    assert max(late) <= minutes * MINUTE_US + 1
    beyond = sum(wait > 15 * MINUTE_US for wait in late)
    assert near(beyond, max(0.0, 1 - 15 / minutes), len(late))


def test_broken_lines_come_beside_the_good_ones_and_are_refused() -> None:
    decoder = Decoder(Currencies())
    lines = list(events(replace(CLEAN, corrupt=0.2)))
    broken = Counter(lines) - Counter(GOOD)
    assert not Counter(GOOD) - Counter(lines)
    assert near(broken.total(), 0.2, len(GOOD))
    refused: Counter[str] = Counter()
    seen: dict[tuple[str, str], Event] = {}
    for line in lines:
        decoded = decoder.decode(line)
        if isinstance(decoded, Refusal):
            refused[decoded.reason] += 1
        elif seen.setdefault((decoded.player, decoded.id), decoded) != decoded:
            refused["conflict"] += 1
    assert refused.total() == broken.total()
    assert refused.keys() >= BREAKS.keys() - {"too_large"}
    assert BREAKS.keys() == set(REASONS) - {"ahead_of_receipt", "unmapped"}


@pytest.mark.parametrize("reason", BREAKS)
def test_each_break_earns_its_refusal(reason: str) -> None:
    decoder = Decoder(Currencies())
    for kind in ("bet", "deposit"):
        line = next(line for line in GOOD if f'"type":"{kind}"'.encode() in line)
        event = msgspec.json.decode(line)
        outcome = decoder.decode(BREAKS[reason](line, event, "stake" if kind == "bet" else "amount"))
        if reason == "conflict":
            assert isinstance(outcome, Event)
            assert outcome != decoder.decode(line)
            assert outcome.id == event["id"]
        else:
            assert isinstance(outcome, Refusal)
            assert outcome.reason == reason


def test_lines_without_money_break_too() -> None:
    line = next(line for line in GOOD if b'"type":"session_start"' in line)
    decoder = Decoder(Currencies())
    rng = Random(1)
    reasons = set()
    for _ in range(200):
        (_, whole), (_, broken) = corrupted(rng, 0, line)
        assert whole == line
        outcome = decoder.decode(broken)
        assert isinstance(outcome, Refusal)
        reasons.add(outcome.reason)
    assert len(reasons) > 4


def test_corrections_carry_what_they_undo() -> None:
    decoder = Decoder(Currencies())
    stamped = list(arrivals(replace(CLEAN, corrections=0.05)))
    good = set(GOOD)
    originals: dict[tuple[str, str], Event] = {}
    correctable = voids = replacements = 0
    for arrival_us, line in stamped:
        event = decoder.decode(line)
        assert isinstance(event, Event)
        assert micros(event.ts) == arrival_us
        if line in good:
            originals[event.player, event.id] = event
            correctable += event.type in ("bet", "deposit")
            continue
        if isinstance(event, Void):
            voids += 1
            target, carried = event.target, event.voided
        else:
            assert event.replaces is not None
            assert event.replaced is not None
            replacements += 1
            target, carried = event.replaces, event.replaced
            assert event.type == carried.type
        original = originals[event.player, target]
        assert carried == original
        assert 0 < arrival_us - micros(original.ts) <= DAY_US
    assert near(voids + replacements, 0.05, correctable)
    assert near(voids, 0.6, voids + replacements)
    assert not decoder.unknown_fields


def test_one_disturbance_does_not_change_another() -> None:
    late = replace(CLEAN, late=0.1)
    calm = [line for _, line in arrivals(late)]
    noisy = list(events(replace(late, corrupt=0.05)))
    good = set(GOOD)
    assert [line for line in noisy if line in good] == calm


def test_everything_at_once_is_decided_by_the_seed() -> None:
    all_of_it = replace(CLEAN, repeats=0.1, late=0.1, corrupt=0.1, corrections=0.1)
    assert list(events(all_of_it)) == list(events(all_of_it))


def _ts(line: bytes) -> int:
    event: dict[str, Any] = msgspec.json.decode(line)
    return micros(datetime.fromisoformat(event["ts"]))
