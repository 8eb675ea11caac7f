"""The demonstration: history at once, then alerts of several rules within half a minute."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count, islice, pairwise, takewhile
from pathlib import Path

import pytest

from detector.drivers.lines import LogReader
from detector.drivers.replay import replay
from detector.events.instants import DAY_US, micros, rfc3339_ms
from detector.language.pack import default_pack, load_pack
from detector.simulator.demo import demo
from detector.simulator.population import together
from detector.simulator.writer import SECOND_US, Stamped

START = datetime(2026, 5, 4, 15, tzinfo=UTC)
START_US = micros(START)


def test_it_is_decided_by_start_and_seed() -> None:
    assert list(islice(demo(START, 1), 2000)) == list(islice(demo(START, 1), 2000))
    assert list(islice(demo(START, 1), 2000)) != list(islice(demo(START, 2), 2000))


def test_weeks_of_history_and_then_the_present_without_end() -> None:
    stream = demo(START)
    history = list(takewhile(lambda stamped: stamped[0] <= START_US, stream))
    assert 10_000 < len(history) < 60_000
    assert START_US - 45 * DAY_US <= history[0][0] < START_US - 40 * DAY_US
    present = list(islice(stream, 5_000))
    assert all(earlier <= later for (earlier, _), (later, _) in pairwise(history + present))
    # Busy, and no busier than a laptop bears.
    assert 2 < 5_000 / ((present[-1][0] - START_US) / SECOND_US) < 200


@pytest.mark.parametrize("seed", [0, 1])
def test_alerts_of_several_rules_within_half_a_minute(tmp_path: Path, seed: int) -> None:
    minutes_us = START_US + 300 * SECOND_US
    log = tmp_path / "demo.jsonl"
    lines = takewhile(lambda stamped: stamped[0] <= minutes_us, demo(START, seed))
    log.write_bytes(b"".join(line + b"\n" for _, line in lines))
    with LogReader(str(log)) as reader:
        replayed = replay(reader, load_pack(default_pack()).rules)
    live = [alert for alert in replayed.alerts if alert.opened_at >= rfc3339_ms(START_US)]
    soon = {alert.rule for alert in live if alert.opened_at < rfc3339_ms(START_US + 30 * SECOND_US)}
    assert len(soon) >= 3
    assert len(live) >= 300 / 10
    assert len({alert.rule for alert in live}) >= 6
    assert len(replayed.alerts) - len(live) >= 50


def test_lives_are_opened_when_their_time_comes() -> None:
    opened: list[int] = []

    def life(joined: int) -> Iterator[Stamped]:
        opened.append(joined)
        yield joined + 1, b"first"
        yield joined + 25, b"last"

    endless = ((joined, life(joined)) for joined in count(0, 10))
    stream = together(endless)
    assert [ts for ts, _ in islice(stream, 6)] == [1, 11, 21, 25, 31, 35]
    assert opened == [0, 10, 20, 30]
