"""The rates file is read again while the detector runs, and no past day changes under it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import structlog
from redis import Redis

from detector.drivers.embedded import EmbeddedDetector, Options
from detector.drivers.rates import WatchedRates
from detector.drivers.valkey import Server
from detector.engine.engine import Engine
from detector.events.money import Currencies
from detector.language.pack import load_rules
from detector.players.player import LONG_AGO
from tests.drivers.small import DAY_US, NOON_US, alerts, catch_up, event, running, send, wait_for

CURRENCIES = Currencies()
DAY = NOON_US // DAY_US  # 2026-01-01
HEADER = "date,from,to,rate\n"


@pytest.fixture
def log() -> Any:
    with structlog.testing.capture_logs() as entries:
        yield entries


class File:
    """A rates file whose every change shows in its time stamp, however fast the tests are."""

    def __init__(self, path: Path, *rows: str) -> None:
        self.path = path
        self._ns = 0
        self.write(*rows)

    def write(self, *rows: str) -> None:
        beside = self.path.with_suffix(".new")
        beside.write_text(HEADER + "".join(f"{row}\n" for row in rows))
        self._ns += 1_000_000_000
        os.utime(beside, ns=(self._ns, self._ns))
        beside.replace(self.path)


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path / "rates.csv", "2026-01-01,EUR,CAD,1.5", "2026-01-02,EUR,CAD,1.6")


def started(file: File, stored: bytes | None = None, high_us: int = LONG_AGO) -> WatchedRates:
    watched = WatchedRates(file.path, CURRENCIES)
    watched.start(stored, high_us)
    return watched


def rate(watched: WatchedRates, day: int = 0) -> float | None:
    return watched.rates.convert(100, "EUR", "CAD", DAY + day)


def look_twice(watched: WatchedRates, high_us: int = NOON_US) -> bytes | None:
    assert watched.look(high_us) is None  # the first look only sees that something moves
    return watched.look(high_us)


def test_new_days_are_taken_and_past_ones_stay(file: File, log: list[dict[str, Any]]) -> None:
    watched = started(file)
    assert (rate(watched), rate(watched, 1), rate(watched, 2)) == (150, 160, None)
    file.write("2026-01-01,EUR,CAD,9", "2026-01-02,EUR,CAD,1.7", "2026-01-03,EUR,CAD,1.8")
    assert look_twice(watched) is not None
    assert (rate(watched), rate(watched, 1), rate(watched, 2)) == (150, 170, 180)
    (refused,) = [each for each in log if each["log_level"] == "error"]
    assert refused["event"] == "rates of past days were changed: the old ones hold"
    assert (refused["rates"], refused["count"]) == (["2026-01-01 CAD to EUR"], 1)


def test_a_past_day_that_was_missing_is_taken(file: File, log: list[dict[str, Any]]) -> None:
    watched = started(file)
    assert watched.rates.convert(1, "USD", "CAD", DAY) is None
    file.write("2026-01-01,EUR,CAD,1.5", "2026-01-01,USD,CAD,1.4")
    assert look_twice(watched) is not None
    assert watched.rates.convert(100, "USD", "CAD", DAY) == 140
    assert not [each for each in log if each["log_level"] == "error"]


def test_days_that_the_file_no_longer_has(file: File, log: list[dict[str, Any]]) -> None:
    watched = started(file)
    file.write("2026-01-03,EUR,CAD,1.8")
    look_twice(watched)
    # The past stays, also where the file keeps the last few days only; what has not come yet goes.
    assert (rate(watched), rate(watched, 1), rate(watched, 2)) == (150, None, 180)
    assert not [each for each in log if each["log_level"] == "error"]


def test_an_inverse_given_for_a_past_day_is_a_change(file: File, log: list[dict[str, Any]]) -> None:
    watched = started(file)
    before = watched.rates.convert(100, "CAD", "EUR", DAY)
    file.write("2026-01-01,EUR,CAD,1.5", "2026-01-01,CAD,EUR,0.5")
    look_twice(watched)
    assert watched.rates.convert(100, "CAD", "EUR", DAY) == before
    assert [each["count"] for each in log if each["log_level"] == "error"] == [1]


@pytest.mark.parametrize("text", ["", "date;from;to;rate\n", HEADER + "2026-01-03,EUR,CAD,\n", "\xff"])
def test_a_file_that_cannot_be_read_changes_nothing(file: File, log: list[dict[str, Any]], text: str) -> None:
    watched = started(file)
    file.path.write_bytes(text.encode("latin-1"))
    assert look_twice(watched) is None
    assert watched.look(NOON_US) is None
    assert (rate(watched), rate(watched, 1)) == (150, 160)
    (told,) = [each for each in log if each["log_level"] == "error"]
    assert str(file.path) in told["why"]
    file.write("2026-01-02,EUR,CAD,1.7")
    look_twice(watched)
    assert rate(watched, 1) == 170


def test_a_file_that_went_away_and_came_back(file: File, log: list[dict[str, Any]]) -> None:
    watched = started(file)
    file.path.unlink()
    assert look_twice(watched) is None
    assert rate(watched) == 150
    file.write("2026-01-03,EUR,CAD,1.8")
    look_twice(watched)
    assert (rate(watched), rate(watched, 2)) == (150, 180)
    assert len([each for each in log if each["log_level"] == "error"]) == 1


def test_a_file_is_read_once_it_stands_still(file: File) -> None:
    watched = started(file)
    for half in ("2026-01-03,EUR,CAD,1", "2026-01-03,EUR,CAD,1.8"):
        file.write(half)
        assert watched.look(NOON_US) is None
    assert rate(watched, 2) is None
    watched.look(NOON_US)
    assert rate(watched, 2) == 180


def test_a_restart_is_no_way_round(file: File, log: list[dict[str, Any]]) -> None:
    stored = WatchedRates(file.path, CURRENCIES).start(None, LONG_AGO)
    file.write("2026-01-01,EUR,CAD,9", "2026-01-02,EUR,CAD,9")
    again = started(file, stored, NOON_US)
    assert (rate(again), rate(again, 1)) == (150, 900)
    assert [each["count"] for each in log if each["log_level"] == "error"] == [1]
    # Nor is losing the lease and starting once more in one process.
    again.start(stored, NOON_US + DAY_US)
    assert (rate(again), rate(again, 1)) == (150, 160)


def test_what_is_missing_is_told_once(file: File, log: list[dict[str, Any]]) -> None:
    watched = started(file)
    for _ in range(3):
        assert rate(watched, 7) is None
        watched.look(NOON_US)
    assert rate(watched, 8) is None
    watched.look(NOON_US)
    told = [each for each in log if each["log_level"] == "warning"]
    assert [(each["rates"], each["count"]) for each in told] == [
        (["2026-01-08 EUR to CAD"], 1),
        (["2026-01-09 EUR to CAD"], 2),
    ]
    assert watched.rates.missing[DAY + 7, "EUR", "CAD"] == 3


RULE = """\
id: large-day
version: 1
status: live
title: A hundred dollars in an hour
category: deposits
audience: risk
severity: high
why: Told by hand.
sources: ["none"]
trigger: deposit
let:
  deposited: sum(deposit.amount) over 1h
when: deposited >= 100 CAD
cooldown: 1h
explain: "{deposited} in an hour"
respond: L1
"""


def test_a_new_day_needs_no_restart(valkey: Server, redis: Redis, tmp_path: Path, file: File) -> None:
    """Euros of a day without a rate are unknown; once the file has the day, the next ones count."""
    (tmp_path / "large-day.yml").write_text(RULE)
    rules = load_rules(tmp_path)

    def detector() -> EmbeddedDetector:
        watched = WatchedRates(file.path, CURRENCIES)
        options = Options(lease_s=1, look_every_s=0)
        return EmbeddedDetector(
            valkey.url, lambda: Engine(rules, rates=watched.rates), CURRENCIES, options, rates=watched
        )

    def euros(id_: str, day: int, player: str) -> bytes:
        return event(id_, NOON_US + day * DAY_US, player, amount=6000, currency="EUR")

    with running(detector()):
        send(redis, euros("a", 0, "p0"), euros("b", 0, "p0"))
        catch_up(redis, send(redis, euros("a", 2, "p2"), euros("b", 2, "p2")))
        assert [each["player"] for each in alerts(redis)] == ["p0"]
        stored: Any = redis.get("tw:rates")
        # Today's rate comes late, and somebody mends yesterday's.
        file.write("2026-01-01,EUR,CAD,0.1", "2026-01-02,EUR,CAD,1.6", "2026-01-03,EUR,CAD,1.8")
        wait_for(lambda: redis.get("tw:rates") != stored)
        catch_up(redis, send(redis, euros("c", 2, "p3"), euros("d", 2, "p3")))
        assert [each["player"] for each in alerts(redis)] == ["p0", "p3"]
    with running(detector()):
        catch_up(redis, send(redis, euros("e", 0, "p4"), euros("f", 0, "p4")))
    assert [each["player"] for each in alerts(redis)] == ["p0", "p3", "p4"]
