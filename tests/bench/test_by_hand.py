"""The peers of the bench do the same work: rules written by hand find what the engine finds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from detector.bench.by_hand import RULES, ByHand, End, Found, Rules, Told, settled
from detector.drivers.lines import LogReader
from detector.drivers.replay import replay
from detector.engine.engine import GRACE_US
from detector.events.decode import Decoder, Refusal
from detector.events.instants import micros
from detector.events.money import Currencies
from detector.events.vocabulary import AnyEvent, Tick, Void
from detector.language.pack import default_pack, load_rules
from detector.language.rule import ExpectedAlert, Rule, Timeline
from detector.simulator import Config, events
from detector.timelines import run_timeline

PACK = load_rules(default_pack())


def decoded(lines: Iterable[bytes]) -> list[AnyEvent]:
    decode = Decoder(Currencies()).decode
    found = [decode(line) for line in lines]
    assert not any(isinstance(each, Refusal) for each in found)
    return [each for each in found if not isinstance(each, Refusal)]


def by_hand(log: Iterable[AnyEvent]) -> tuple[list[Found], int]:
    """What the rules written by hand find in a log, and its watermark."""
    rules = Rules()
    states: dict[str, ByHand] = {}
    found: list[Found] = []
    high_us = 0
    for event in log:
        if isinstance(event, Tick):
            high_us = max(high_us, micros(event.ts) + GRACE_US)
            continue
        high_us = max(high_us, micros(event.ts))
        states[event.player], more = rules.step(states.get(event.player), event)
        found += more
    for state in states.values():
        found += rules.step(state, End(high_us - GRACE_US))[1]
    return found, high_us - GRACE_US


def by_engine(path: Path) -> list[Told]:
    with LogReader(str(path)) as log:
        alerts = replay(log, PACK).alerts
    return sorted((a.player, a.rule, a.kind, a.severity, a.opened_at) for a in alerts)


def write(path: Path, config: Config) -> Path:
    path.write_bytes(b"".join(line + b"\n" for line in events(config)))
    return path


def in_order(timeline: Timeline) -> bool:
    """Whether a timeline is a log of the kind that the rules by hand are written for."""
    log = decoded(timeline.events)
    times = [micros(event.ts) for event in log if not isinstance(event, Tick)]
    ids = [event.id for event in log if not isinstance(event, Tick)]
    plain = not any(isinstance(event, Void) or event.replaces is not None for event in log)
    return plain and times == sorted(times) and len(ids) == len(set(ids))


def by_itself(timeline: Timeline) -> bool:
    """Whether a timeline is told without tables of cohorts and without models, as the bench runs the pack."""
    return not timeline.cohorts and not timeline.scores


ALONE = [rule for rule in PACK if any(test.expect and by_itself(test) for test in rule.tests)]
"""The rules that can find somebody by themselves; the others find nobody in the bench."""
TIMELINES = [
    pytest.param(rule, timeline, id=f"{rule.id}: {timeline.name}")
    for rule in ALONE
    for timeline in rule.tests
    if in_order(timeline) and by_itself(timeline)
]


def test_they_are_the_packs_rules() -> None:
    assert {rule.name for rule in ALONE} == RULES


@pytest.mark.parametrize(("rule", "timeline"), TIMELINES)
def test_they_pass_the_rules_own_tests(rule: Rule, timeline: Timeline) -> None:
    found = settled(*by_hand(decoded(timeline.events)))
    told = [
        ExpectedAlert(micros(datetime.fromisoformat(opened_at)), severity, kind)
        for _, name, kind, severity, opened_at in found
        if name == rule.name
    ]
    assert sorted(told) == run_timeline(rule, timeline).alerts


def test_every_rule_has_a_firing_timeline_that_they_pass() -> None:
    assert {rule.name for rule, timeline in map(values, TIMELINES) if timeline.expect} == RULES


def values(case: ParameterSet) -> tuple[Rule, Timeline]:
    rule, timeline = case.values
    assert isinstance(rule, Rule)
    assert isinstance(timeline, Timeline)
    return rule, timeline


@pytest.mark.parametrize("seed", [1, 3, 5])
def test_they_find_what_the_engine_finds(tmp_path: Path, seed: int) -> None:
    log = write(tmp_path / "log.jsonl", Config(events=25_000, players=12, seed=seed, troubled=0.8))
    expected = by_engine(log)
    assert settled(*by_hand(decoded(log.read_bytes().splitlines()))) == expected
    assert len({rule for _, rule, _, _, _ in expected}) >= len(RULES) / 2
