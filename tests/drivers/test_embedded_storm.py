"""The detector, and now and then its Redis, killed at random moments while events come in."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from redis import Redis

from detector.drivers.lines import LogReader
from detector.drivers.replay import replay
from detector.drivers.valkey import Server
from detector.engine.alerts import Alert, Note
from detector.engine.engine import GRACE_US
from detector.ladder.actions import HOLDING
from detector.ladder.interventions import Intervention, instant_us, interventions
from detector.ladder.load import LADDERS
from detector.language.pack import default_pack, load_rules
from detector.simulator import Config, events
from tests.drivers.small import catch_up, detector, place, read, running, send, wait_for

KILLS = 20
ALWAYS_S = 10**12
"""However long ago an alert was opened, it asks for interventions."""
# Few players over a long time: every kind of alert, and records as large as they get.
CONFIG = Config(
    players=60, seed=2, events=50_000, repeats=0.02, late=0.05, corrupt=0.01, corrections=0.02, troubled=0.9
)


@pytest.mark.storm
def test_killed_twenty_times_in_fifty_thousand_events(tmp_path: Path) -> None:
    dice = random.Random(11)
    log = list(events(CONFIG))
    with tempfile.TemporaryDirectory(prefix="tw") as home:
        server = Server(Path(home))
        server.start()
        try:
            for number in range(KILLS):
                if number % 5 == 4:  # Redis goes as well, and comes back with all it confirmed
                    assert server.pid is not None
                    os.kill(server.pid, signal.SIGKILL)
                    server.stop()
                    server.start()
                with Redis.from_url(server.url, protocol=2) as redis:
                    piece = log[number * len(log) // KILLS : (number + 1) * len(log) // KILLS]
                    send(redis, *piece[: len(piece) // 2])
                    before = place(redis)
                    with _start(server.url, batch=dice.choice((1, 20, 500))) as child:
                        if dice.random() < 0.8:  # while it works; else while it starts or loads
                            wait_for(lambda: place(redis) != before)  # noqa: B023  (waited for right here)
                        last = send(redis, *piece[len(piece) // 2 :])
                        time.sleep(dice.random() * 0.3)
                        child.kill()
            with Redis.from_url(server.url, protocol=2) as redis:
                with running(detector(server.url, default_pack(), intervene_within_s=ALWAYS_S)):
                    catch_up(redis, last)
                _compare(redis, log, tmp_path)
        finally:
            server.stop()


def _start(url: str, batch: int) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "tests.drivers.child", url, str(default_pack()), str(batch), str(ALWAYS_S)]
    return subprocess.Popen(words)


def _compare(redis: Redis, log: list[bytes], tmp_path: Path) -> None:
    """What is stored is what a replay of the same log gives: no more, no less, byte for byte."""
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\n".join(log) + b"\n")
    rules = [rule for rule in load_rules(default_pack()) if rule.status in ("live", "shadow")]
    with LogReader(str(path)) as reader:
        expected = replay(reader, rules)
    assert len(expected.alerts) > 40, "too calm to show anything"
    for stream, alerts in (("tw:alerts", expected.alerts), ("tw:shadow", expected.shadow)):
        assert sorted(each[b"a"] for each in read(redis, stream)) == sorted(each.to_json() for each in alerts)
    assert Counter(each[b"reason"].decode() for each in read(redis, "tw:dead")) == expected.refused
    # A session's alert may come before or after a correction that touches it, with the ticks: how many notes
    # there are is not promised, but none is written twice.
    ids = {alert.id for alert in expected.alerts}
    notes = [each[b"n"] for each in read(redis, "tw:notes")]
    assert len(set(notes)) == len(notes)
    assert {msgspec.json.decode(each, type=Note).alert for each in notes} <= ids
    _compare_interventions(redis, {alert.id: alert for alert in expected.alerts})


def _compare_interventions(redis: Redis, alerts: dict[str, Alert]) -> None:
    """What the platform was asked is what the alerts ask, each thing once; and no alert is left without.

    Which of two alerts within the grace asks first may hang on where batches end, so this holds the
    interventions to what they are for, not to one list.
    """
    ladder = LADDERS.packaged
    told = [msgspec.json.decode(each[b"i"], type=Intervention) for each in read(redis, "tw:interventions")]
    assert len({each.id for each in told}) == len(told) > 50
    sent: dict[tuple[str, str], list[Intervention]] = {}
    for each in told:
        alert = alerts[each.alert]
        proposed = interventions(alert, each.jurisdiction, instant_us(alert.opened_at), ladder)
        assert each in proposed
        sent.setdefault((each.player, each.action), []).append(each)
    lately_us = ladder.jurisdiction("CA-ON").again_us + GRACE_US
    for alert in alerts.values():
        for wanted in interventions(alert, "CA-ON", instant_us(alert.opened_at), ladder):
            assert any(
                abs(each.opened_us - wanted.opened_us) < lately_us
                or (wanted.action in HOLDING and (each.ends_us or 0) >= (wanted.ends_us or 0) - lately_us)
                for each in sent.get((wanted.player, wanted.action), ())
                if each.level >= wanted.level
            ), wanted
