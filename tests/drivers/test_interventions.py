"""From an alert to what the platform, and the service, find on the stream of interventions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis import Redis

from detector.drivers.valkey import Server
from detector.events.instants import rfc3339_ms
from detector.ladder.interventions import Intervention
from tests.drivers.small import (
    DAY_US,
    MINUTE_US,
    NOON_US,
    THIRD_DEPOSIT,
    alerts,
    catch_up,
    detector,
    event,
    place,
    read,
    running,
    send,
    wait_for,
)

HOUR_US = 60 * MINUTE_US
NOW_US = NOON_US + HOUR_US


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """Two rules that hold at the third deposit, one of them in shadow, and one that holds at the fourth."""
    live = THIRD_DEPOSIT.format(status="live").replace("respond: L1", "respond: {high: L2, critical: L4}")
    live = live.replace("cooldown:", 'escalate: {critical: "deposits >= 6"}\ncooldown:')
    shadow = THIRD_DEPOSIT.format(status="shadow").replace("third-deposit", "third-in-shadow")
    fourth = THIRD_DEPOSIT.format(status="live").replace("third-deposit", "fourth-deposit")
    fourth = fourth.replace("deposits >= 3", "deposits >= 4").replace("respond: L1", "respond: L2")
    (tmp_path / "third-deposit.yml").write_text(live)
    (tmp_path / "third-in-shadow.yml").write_text(shadow.replace("respond: L1", "respond: L5"))
    (tmp_path / "fourth-deposit.yml").write_text(fourth)
    return tmp_path


def deposits(first: int, last: int, start_us: int = NOON_US, player: str = "p1") -> list[bytes]:
    """Deposits by number, one a minute."""
    return [
        event(f"{player}-{start_us}-{n}", start_us + n * MINUTE_US, player, jurisdiction="CA-ON")
        for n in range(first, last + 1)
    ]


def detect(
    valkey: Server, redis: Redis, rules: Path, events: list[bytes], now_us: int = NOW_US, **options: Any
) -> None:
    """Have a detector of its own judge these."""
    with running(detector(valkey.url, rules, clock=lambda: now_us, **options)):
        catch_up(redis, send(redis, *events))


def sent(redis: Redis) -> list[dict[str, Any]]:
    """The interventions on the stream, oldest first."""
    return [json.loads(fields[b"i"]) for fields in read(redis, "tw:interventions")]


def actions(redis: Redis) -> list[str]:
    return sorted(each["action"] for each in sent(redis))


SUGGESTED = ["marketing_off", "suggest_break", "suggest_limit"]


def test_an_alert_asks_for_what_the_ladder_of_the_players_place_says(
    valkey: Server, redis: Redis, rules: Path
) -> None:
    detect(valkey, redis, rules, deposits(1, 3))
    (alert,) = alerts(redis)
    assert alert["response"] == "L2"
    assert actions(redis) == SUGGESTED
    opened_us = NOON_US + 3 * MINUTE_US
    (off,) = [each for each in sent(redis) if each["action"] == "marketing_off"]
    assert off == {
        "id": off["id"],
        "alert": alert["id"],
        "player": "p1",
        "level": "L2",
        "action": "marketing_off",
        "reasons": ["money"],
        "jurisdiction": "CA-ON",
        "ladder": off["ladder"],
        "opened_at": rfc3339_ms(opened_us),
        "due_at": rfc3339_ms(opened_us + HOUR_US),
        "expires_at": None,
        "until": rfc3339_ms(opened_us + 14 * DAY_US),
        "review": False,
        "contest": False,
    }
    assert off["ladder"].startswith("CA-ON@")


@pytest.mark.parametrize(
    ("jurisdiction", "level", "asked"),
    [("CA-ON", "L0", "show_information"), ("GB", "L1", "personal_message"), (None, "L0", "show_information")],
)
def test_the_band_raises_the_level_where_the_place_asks_for_it(
    valkey: Server, redis: Redis, rules: Path, jurisdiction: str | None, level: str, asked: str
) -> None:
    for path in rules.glob("*.yml"):
        text = path.read_text()
        path.write_text(
            text.replace("respond: {high: L2, critical: L4}", "respond: {high: L0, critical: L4}")
        )
    place_of = {} if jurisdiction is None else {"jurisdiction": jurisdiction}
    events = [event(f"e{n}", NOON_US + n * MINUTE_US, **place_of) for n in range(3)]
    detect(valkey, redis, rules, events)
    (alert,) = alerts(redis)
    assert (alert["band"], alert["response"]) == ("medium", level)
    assert [(each["action"], each["level"]) for each in sent(redis)] == [(asked, level)]


def test_a_crowd_of_alerts_asks_once_and_an_escalation_for_what_is_new(
    valkey: Server, redis: Redis, rules: Path
) -> None:
    detect(valkey, redis, rules, deposits(1, 4))
    assert len(alerts(redis)) == 2
    assert actions(redis) == SUGGESTED
    # The next detector knows what the last one asked for.
    detect(valkey, redis, rules, deposits(5, 6))
    assert [each["kind"] for each in alerts(redis)] == ["open", "open", "escalate"]
    new = [each for each in sent(redis) if each["level"] == "L4"]
    assert {each["action"] for each in new} == {
        *("show_information", "deposit_hold", "marketing_off"),
        *("human_contact", "human_review", "offer_referral"),
    }
    assert len(sent(redis)) == len(SUGGESTED) + len(new)


def test_alerts_of_the_past_ask_for_nothing(valkey: Server, redis: Redis, rules: Path) -> None:
    detect(valkey, redis, rules, deposits(1, 3, NOON_US - 3 * DAY_US))
    assert len(alerts(redis)) == 1
    assert sent(redis) == []
    assert redis.keys("tw:interventions:*") == []
    # Nor do they keep those of the present from asking.
    detect(valkey, redis, rules, deposits(1, 3))
    assert actions(redis) == SUGGESTED


def test_after_an_outage_of_a_day_what_is_owed_is_sent_overdue(
    valkey: Server, redis: Redis, rules: Path
) -> None:
    detect(valkey, redis, rules, deposits(1, 3), now_us=NOON_US + DAY_US)
    assert actions(redis) == SUGGESTED
    assert all(each["due_at"] < rfc3339_ms(NOON_US + DAY_US) for each in sent(redis))


def test_the_stream_is_trimmed_behind_its_readers_the_service_among_them(
    valkey: Server, redis: Redis, rules: Path
) -> None:
    redis.xgroup_create("tw:interventions", "platform", id="0", mkstream=True)
    with running(detector(valkey.url, rules, clock=lambda: NOW_US)):
        catch_up(redis, send(redis, *deposits(1, 3)))
        entries: Any = redis.xreadgroup("platform", "one", {"tw:interventions": ">"}, count=10)
        ids = [entry for entry, _ in entries[0][1]]
        assert redis.xlen("tw:interventions") == len(ids) == len(SUGGESTED)
        redis.xack("tw:interventions", "platform", *ids)
        threading.Event().wait(1.2)  # another round of trimming
        assert redis.xlen("tw:interventions") == len(ids), "the service has not taken them over"
        redis.xgroup_setid("tw:interventions", "service", "$")
        wait_for(lambda: redis.xlen("tw:interventions") == 0)


def test_a_platform_that_stays_away_does_not_fill_the_memory_once_the_service_has_them(
    valkey: Server, redis: Redis, rules: Path
) -> None:
    redis.xgroup_create("tw:interventions", "platform", id="0", mkstream=True)
    events = [each for number in range(5) for each in deposits(1, 3, player=f"p{number}")]
    with running(detector(valkey.url, rules, clock=lambda: NOW_US, interventions_kept=4)):
        catch_up(redis, send(redis, *events))
        threading.Event().wait(1.2)  # a round of trimming
        assert redis.xlen("tw:interventions") == 15
        redis.xgroup_setid("tw:interventions", "service", "$")
        # Whole nodes go, the oldest first.
        wait_for(lambda: 4 <= redis.xlen("tw:interventions") < 15)


def test_a_player_whose_interventions_are_all_over_leaves_nothing_running(
    valkey: Server, redis: Redis, rules: Path
) -> None:
    detect(valkey, redis, rules, deposits(1, 3))
    kept: Any = redis.hget("tw:interventions:running", "p1")
    later_us = NOON_US + 60 * DAY_US
    detect(valkey, redis, rules, deposits(1, 3, later_us), now_us=later_us + HOUR_US)
    after: Any = redis.hget("tw:interventions:running", "p1")
    assert len(after) == len(kept)


@pytest.mark.parametrize("batch", [1, 7])
def test_killed_anywhere_the_same_is_asked_once(
    valkey: Server, redis: Redis, rules: Path, batch: int
) -> None:
    players = [f"p{number}" for number in range(12)]
    log = [each for n in range(1, 8) for player in players for each in deposits(n, n, player=player)]
    detect(valkey, redis, rules, log)
    expected = {fields[b"i"] for fields in read(redis, "tw:interventions")}
    redis.flushall()
    words = [sys.executable, "-m", "tests.drivers.child", valkey.url, str(rules), str(batch), str(10**12)]
    last = send(redis, *log)
    for _ in range(2):
        before = place(redis)
        with subprocess.Popen(words) as child:
            wait_for(lambda: place(redis) not in (before, b"0-0"))  # noqa: B023  (waited for right here)
            os.kill(child.pid, signal.SIGKILL)
    with running(detector(valkey.url, rules, clock=lambda: NOW_US)):
        catch_up(redis, last)
    told = [fields[b"i"] for fields in read(redis, "tw:interventions")]
    assert len(told) == len(set(told)), "asked twice"
    assert set(told) == expected


def test_what_is_sent_can_be_read_as_what_it_is(valkey: Server, redis: Redis, rules: Path) -> None:
    detect(valkey, redis, rules, deposits(1, 6))
    for fields in read(redis, "tw:interventions"):
        each = msgspec.json.decode(fields[b"i"], type=Intervention)
        assert each.to_json() == fields[b"i"]
