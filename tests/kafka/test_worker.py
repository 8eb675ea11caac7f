"""Whole workers on Kafka, as processes: what they read, what they leave, how they begin and end."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from detector.drivers.clock import wall_clock_us
from detector.drivers.kafka.topics import ALERTS, COMMANDS, DEAD, EVENTS, RISKS
from detector.drivers.rulesets import id_of, rule_set_files, rule_set_id
from detector.events.instants import micros
from detector.score.line import risk_line
from detector.score.load import SCORES
from detector.score.standing import Risk
from detector.simulator import Config, events
from tests.brokers import Broker, MockBroker
from tests.drivers.small import MINUTE_US, NOON_US, QUIET_HOUR, event, write_rules
from tests.kafka.child import POISON
from tests.kafka.workers import (
    TILTWATCH,
    WorkerProcess,
    alerts,
    committed,
    feed,
    kept,
    read,
    replayed,
    statuses,
    until_judged,
    values,
    worker,
)

WHO, HOW_MUCH = "whoever-it-is-0815", 7_731_337
"""A player and an amount that are found wherever they are told."""
read_risk = msgspec.json.Decoder(Risk).decode


def log_of(count: int) -> list[bytes]:
    """A simulated log with what goes wrong on the way, all of it within the grace."""
    return list(
        events(
            Config(
                players=60,
                events=count,
                seed=3,
                troubled=0.8,
                repeats=0.02,
                late=0.05,
                late_by=timedelta(minutes=10),
                corrupt=0.01,
                corrections=0.02,
            )
        )
    )


def write(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def metrics(one: WorkerProcess) -> dict[str, float]:
    """What a worker's metrics say, by name and labels."""
    lines = one.get("/metrics")[1].splitlines()
    return {
        name: float(number) for name, _, number in (line.rpartition(" ") for line in lines if line[0] != "#")
    }


def test_a_worker_finds_what_a_replay_finds_and_ends_in_order(kafka: Broker, tmp_path: Path) -> None:
    lines = log_of(12_000)
    dead, risk = tmp_path / "dead.jsonl", tmp_path / "risk.jsonl"
    log = write(tmp_path / "log.jsonl", lines)
    expected = replayed(tmp_path / "replay", log, "--risk", risk, "--dead", dead)
    assert len(expected) > 10
    kafka.create_ours()
    feed(kafka, lines)
    with worker(kafka, tmp_path / "w1") as one:
        one.until_ready(4)
        until_judged(kafka, one)
        assert one.get("/healthz") == (200, '{"status": "alive"}')
        assert one.get("/readyz") == (200, '{"status": "running", "partitions": 4}')
        told = metrics(one)
        refused = read(kafka, DEAD)
        assert told['tiltwatch_worker_events_total{outcome="refused"}'] == len(refused)
        one.wait_for(lambda: _lags(kafka, one) == {0})
        status = statuses(kafka)[one.name]
        assert (status["state"], sorted(status["partitions"])) == ("running", ["0", "1", "2", "3"])
        assert status["rules"] == json.loads(read(kafka, COMMANDS)[-1].value or b"")["set"]
        places = {number: each["next"][EVENTS] for number, each in status["partitions"].items()}
        assert places == {str(number): end for (_, number), end in kept(kafka).items()}
        # It ends within seconds, and all it has judged is kept.
        feed(kafka, [event("last", 1_900_000_000_000_000, "last")])
        began = time.monotonic()
        assert one.stop() == 0
        assert time.monotonic() - began < 10
        assert statuses(kafka)[one.name]["state"] == "stopping"
        before = kept(kafka)

        found = alerts(kafka)
        assert found == expected
        for each in read(kafka, ALERTS):
            alert = json.loads(each.value or b"")
            assert each.key == alert["player"].encode()
            assert dict(each.headers).keys() == {"t", "j"}
        _compare_refused(refused, dead)
        _compare_risks(kafka, risk)
        if not isinstance(kafka, MockBroker):
            assert committed(kafka) == before

        # Started again it has nothing to judge once more.
        one.start()
        one.until_ready(4)
        until_judged(kafka, one)
        time.sleep(1)
        again = metrics(one)
        assert sum(count for name, count in again.items() if "events_total" in name) <= 1
        assert len(read(kafka, ALERTS)) == len(found)


def _lags(kafka: Broker, one: WorkerProcess) -> set[int]:
    """How far a worker's partitions are behind, by what it says itself."""
    return {each["lag"] for each in statuses(kafka)[one.name]["partitions"].values()}


def _compare_refused(refused: list[Any], dead: Path) -> None:
    """Dead letters are those of a replay, the originals byte for byte."""
    letters = [json.loads(line) for line in dead.read_text().splitlines()]
    assert letters
    assert Counter((_header(each, "reason"), each.value) for each in refused) == Counter(
        (letter["reason"], _original(letter)) for letter in letters
    )
    for each in refused:
        topic, partition, offset = each.key.decode().split("/")
        assert (topic, int(partition) in range(4), int(offset) >= 0) == (EVENTS, True, True)
        assert _header(each, "detail").startswith("$")
        assert int(_header(each, "at")) > NOON_US


def _header(record: Any, name: str) -> str:
    found: bytes = dict(record.headers)[name]
    return found.decode()


def _original(letter: dict[str, str]) -> bytes:
    told = letter["original"]
    return base64.b64decode(told) if letter.get("encoding") == "base64" else told.encode()


def _compare_risks(kafka: Broker, lines: Path) -> None:
    """Of the latest risk of each player a replay's line is made, at the replay's end."""
    latest = {each.key: each.value for each in read(kafka, RISKS)}
    found = {}
    for line in lines.read_bytes().splitlines():
        told = json.loads(line)
        player = told["player"].encode()
        at_us = micros(datetime.fromisoformat(told["as_of"]))
        risk = msgspec.structs.replace(read_risk(latest[player] or b""), at_us=at_us)
        assert risk_line(risk, SCORES.packaged) == line
        found[player] = line
    assert found
    assert latest.keys() == found.keys()


def test_a_worker_that_is_killed_leaves_nothing_out(kafka: Broker, tmp_path: Path) -> None:
    lines = log_of(12_000)
    expected = replayed(tmp_path / "replay", write(tmp_path / "log.jsonl", lines))
    kafka.create_ours()
    half = len(lines) // 2
    with worker(kafka, tmp_path / "w1") as one:
        feed(kafka, lines[:half])
        one.wait_for(lambda: kept(kafka))
        feed(kafka, lines[half:])
        one.kill()
        one.start()
        until_judged(kafka, one)
        assert alerts(kafka) == expected


def test_other_rules_take_over_between_two_events_of_each_player(kafka: Broker, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        write_rules(folder)
    changed = second / "third-deposit.yml"
    changed.write_text(changed.read_text().replace("version: 1", "version: 2"))
    players = [f"p{number}" for number in range(20)]

    def deposits(hours: range) -> list[bytes]:
        return [
            event(f"{player}-{hour}-{n}", NOON_US + (hour * 60 + n) * MINUTE_US, player)
            for hour in hours
            for n in range(3)
            for player in players
        ]

    files = {name: data.decode() for name, data in rule_set_files(second).items()}
    wanted = id_of({name: text.encode() for name, text in files.items()})
    changes_at_us = NOON_US + 12 * 60 * MINUTE_US
    kafka.create_ours()
    with worker(kafka, tmp_path / "w1", RULES_DIR=first) as one:
        feed(kafka, deposits(range(0, 6, 2)))
        one.until_ready(4)
        # What has not begun would change at once.
        until_judged(kafka, one)
        assert statuses(kafka)[one.name]["rules"] == rule_set_id(first)
        assert one.stop() == 0
        # It is told while there is a backlog: without one, a change whose time is past is made at once.
        feed(kafka, deposits(range(6, 24, 2)))
        for command in (
            {"kind": "rules", "set": wanted, "files": files},
            {"kind": "activate", "set": wanted, "effective_from": changes_at_us},
        ):
            kafka.put(COMMANDS, (str(command["kind"]), json.dumps(command | {"by": "me", "at": 1}).encode()))
        one.start()
        one.until_ready(4)
        one.wait_for(lambda: statuses(kafka)[one.name]["rules"] == wanted)
        until_judged(kafka, one)
        assert metrics(one)['tiltwatch_worker_commands{kind="activate"}'] == 2
    found = [json.loads(each) for each in alerts(kafka).values()]
    third = [each for each in found if each["rule"].startswith("third-deposit")]
    assert Counter(each["player"] for each in third) == dict.fromkeys(players, 12)
    noon = "2026-01-02T00:00:00"
    for each in third:
        assert each["rule"] == f"third-deposit@{2 if each['opened_at'] >= noon else 1}"


def test_in_a_pause_the_clock_ticks_on_and_is_recorded(kafka: Broker, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "quiet-hour.yml").write_text(QUIET_HOUR)
    kafka.create_ours(partitions=1)
    hour_ago = wall_clock_us() - 60 * MINUTE_US + 15_000_000
    settings: dict[str, object] = {"RULES_DIR": rules, "GRACE_S": 0, "TICK_EVERY_S": 0.5}
    with worker(kafka, tmp_path / "w1", **settings) as one:
        one.until_ready(1)
        feed(kafka, [event("e1", hour_ago, "p1"), event("e2", wall_clock_us() - 1_000_000, "p2")])
        # Nobody sends anything any more; that p1 has been quiet for an hour is noticed all the same.
        one.wait_for(lambda: alerts(kafka))
    recorded = read(kafka, EVENTS)[2:]
    assert recorded
    for each in recorded:
        assert each.key is None
        assert json.loads(each.value or b"").keys() == {"type", "ts"}
    # A replay of what stands on the topic notices the same.
    log = write(tmp_path / "log.jsonl", [each.value or b"" for each in read(kafka, EVENTS)])
    told = replayed(tmp_path / "replay", log, rules=rules)
    assert alerts(kafka).keys() <= told.keys()


def test_inputs_that_do_not_fit_together_are_told_in_a_line(mock_kafka: MockBroker, tmp_path: Path) -> None:
    mock_kafka.create_ours(partitions=4)
    mock_kafka.create({"platform.payments": 3})
    one = WorkerProcess(mock_kafka, tmp_path / "w1", KAFKA_INPUTS='{"platform.payments": null}')
    one.start()
    assert one.process.wait(30) == 2
    (line,) = one.log.splitlines()
    assert line.startswith("tiltwatch: ")
    assert "platform.payments" in line


def test_a_worker_without_brokers_says_so(tmp_path: Path) -> None:
    told = subprocess.run(
        [TILTWATCH, "worker"],
        env={"TILTWATCH_DATA_DIR": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (told.returncode, told.stdout) == (2, "")
    (line,) = told.stderr.splitlines()
    assert "TILTWATCH_KAFKA" in line


def test_nobody_is_named_in_what_a_worker_says_of_itself(mock_kafka: MockBroker, tmp_path: Path) -> None:
    """Not where all goes well, not when the engine fails on an event, and not when the brokers go away."""
    mock_kafka.create_ours(partitions=2)
    rules = tmp_path / "rules"
    rules.mkdir()
    write_rules(rules)
    child = Path(__file__).with_name("child.py")
    repository = child.parents[2]
    settings: dict[str, object] = {"RULES_DIR": rules, "LOG_LEVEL": "debug", "SESSION_S": 2}
    said: list[str] = []

    def deposit(id_: str, minute: int) -> bytes:
        return event(id_, NOON_US + minute * MINUTE_US, WHO, amount=HOW_MUCH)

    with worker(
        mock_kafka,
        tmp_path / "w1",
        command=(sys.executable, "-c", _RUN.format(str(repository), str(child))),
        **settings,
    ) as one:
        one.until_ready(2)
        feed(mock_kafka, [deposit("e1", 0), deposit("e2", 1), deposit(POISON, 2)])
        feed(mock_kafka, [deposit("e3", 3), deposit("e3", 4), deposit("e4", 5)[:-1]])
        one.wait_for(lambda: len(read(mock_kafka, DEAD)) >= 3)
        until_judged(mock_kafka, one)
        reasons = {dict(each.headers)["reason"] for each in read(mock_kafka, DEAD)}
        assert reasons == {b"internal_error", b"conflict", b"not_json"}
        assert any(json.loads(each)["player"] == WHO for each in alerts(mock_kafka).values())
        said.append(one.get("/metrics")[1])
        mock_kafka.down()
        time.sleep(3)
        said.append(one.get("/metrics")[1] + one.get("/readyz")[1])
        mock_kafka.up()
        feed(mock_kafka, [deposit("e5", 6)])
        until_judged(mock_kafka, one)
        said += [one.get("/metrics")[1], json.dumps(values(mock_kafka, "rg.status"))]
        assert one.stop() == 0
        said.append(one.log)
    assert "an event was put aside" in one.log
    assert "Traceback" not in one.log
    for each in said:
        assert each
        for mark in (WHO, str(HOW_MUCH), "77313.37"):
            assert mark not in each


_RUN = "import sys, runpy; sys.path.insert(0, {!r}); runpy.run_path({!r}, run_name='__main__')"
"""Runs a program of the tests with the repository on its path."""
