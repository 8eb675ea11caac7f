"""A foreign log replayed by its mapping finds what its events, mapped beforehand, would."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api.cli import app
from detector.drivers.detection import Detection
from detector.drivers.foreign import ForeignLog
from detector.drivers.hand import Tally
from detector.drivers.lines import CHUNK, LogReader
from detector.drivers.replay import replay_log
from detector.errors import InputError
from detector.events.decode import Decoder
from detector.events.money import Currencies
from detector.language.pack import load_rules
from detector.language.rule import Rule
from detector.mapping.catalogue import find_mapping
from detector.mapping.feed import translate
from tests.drivers.small import QUIET_HOUR, THIRD_DEPOSIT

CURRENCIES = Currencies()
MAPPING = find_mapping("topics", CURRENCIES)
START = datetime(2026, 1, 1, 9, tzinfo=UTC)


def message(number: int, kind: str, player: str, at: datetime, **metadata: Any) -> bytes:
    envelope = {
        "eventId": f"e-{number}",
        "type": kind,
        "timestamp": at.isoformat(),
        "version": "1",
        "brand": "north",
        "playerId": player,
        "sessionId": f"{player}-{at.date()}",
        "metadata": {"jurisdiction": "CA-ON", "currency": "CAD", **metadata},
    }
    return json.dumps(envelope).encode()


def messages() -> Iterator[bytes]:
    """Eight days of eight players who deposit and play more and more, with all that goes wrong in between."""
    number = 0
    for day in range(8):
        for step in range(95):
            for player in range(8):
                number += 1
                at = START + timedelta(days=day, minutes=7 * step, seconds=player)
                if step % 3 == 0:
                    amount = f"{20 + day**2 * player}.50"
                    yield message(number, "payment.deposit-completed", f"p-{player}", at, amount=amount)
                else:
                    yield message(number, "game.round-completed", f"p-{player}", at, stake="5.00", win="0")
        at = START + timedelta(days=day, minutes=670)
        yield message(number, "game.round-completed", "p-7", at, stake="5.00", win="0")  # the id is taken
        yield message(number + 1, "game.bet-placed", "p-0", at)
        yield message(number, "payment.deposit-completed", "p-1", at, amount="0.005")
        yield b""
        yield b'{"no": "envelope"'


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("feed") / "feed.jsonl"
    path.write_bytes(b"\n".join(messages()) + b"\n")
    assert path.stat().st_size > 6 * CHUNK, "too short for time to pass on the way"
    return path


@pytest.fixture(scope="module")
def rules_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rules")
    (path / "third-deposit.yml").write_text(THIRD_DEPOSIT.format(status="live"), "utf-8")
    (path / "quiet-hour.yml").write_text(QUIET_HOUR, "utf-8")
    return path


@pytest.fixture(scope="module")
def rules(rules_dir: Path) -> list[Rule]:
    return load_rules(rules_dir)


def mapped(feed: Path) -> Path:
    """The feed's events, as `tiltwatch map` writes them."""
    path = feed.with_name("events.jsonl")
    decoder = Decoder(CURRENCIES)
    found = [translate(MAPPING, decoder, raw) for raw in feed.read_bytes().split(b"\n") if raw]
    path.write_bytes(b"".join(taken.raw + b"\n" for each in found for taken in each.taken))
    return path


def outcome(
    log: Path, rules: list[Rule], foreign: ForeignLog | None, jobs: int = 1
) -> tuple[list[bytes], list[bytes], Tally, int]:
    letters: list[bytes] = []
    with (
        LogReader(str(log)) as reader,
        replay_log(reader, Detection(rules), foreign=foreign, jobs=jobs, dead=letters.append) as found,
    ):
        return list(found.alerts()), letters, found.tally, found.lines


@pytest.mark.parametrize("jobs", [1, 2])
def test_it_finds_what_the_mapped_log_does(feed: Path, rules: list[Rule], jobs: int) -> None:
    alerts, _, tally, _ = outcome(mapped(feed), rules, None)
    found, letters, with_mapping, lines = outcome(feed, rules, ForeignLog(MAPPING, CURRENCIES), jobs)
    assert len(alerts) > 10
    assert found == alerts
    assert lines == feed.read_bytes().count(b"\n")
    assert with_mapping.counts["accepted"] == tally.counts["accepted"] == 8 * 760
    assert with_mapping.refused == {"conflict": 8, "fractional_money": 8, "not_json": 8}
    assert with_mapping.dropped == {"a bet counts when it is settled": 8}
    # Letters name lines of the feed and keep what stood there, those about events too.
    sent = feed.read_bytes().split(b"\n")
    told = [json.loads(letter) for letter in letters]
    assert [each["line"] for each in told] == sorted(each["line"] for each in told)
    assert all(each["original"].encode() == sent[each["line"] - 1] for each in told)
    assert len(told) == 24


def test_a_batch_that_is_a_conflict_from_end_to_end_is_kept_once(rules: list[Rule], tmp_path: Path) -> None:
    def played(win: int) -> dict[str, Any]:
        wagers = [{"no": number, "stake": 1000, "win": win} for number in range(1, 31)]
        player = {"ref": "p-1", "session": "s-1", "currency": "CAD"}
        at = {"began": 1772359201000, "ended": 1772359204000}
        return {
            "type": "round",
            "round": "r",
            "game": {"id": "g", "kind": "reels"},
            **at,
            "wagers": wagers,
        } | {"player": player}

    log = tmp_path / "rounds.jsonl"
    log.write_text("".join(json.dumps(played(win)) + "\n" for win in (0, 10, 20)), "utf-8")
    provider = ForeignLog(find_mapping("provider", CURRENCIES), CURRENCIES)
    _, letters, tally, _ = outcome(log, rules, provider)
    assert tally.counts["accepted"] == 30
    told = [json.loads(letter) for letter in letters]
    assert [(each["line"], each["reason"]) for each in told] == [(2, "conflict"), (3, "conflict")]
    assert [json.loads(each["original"]) for each in told] == [played(10), played(20)]


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["replay", *map(str, words)], env={"COLUMNS": "200"})


def test_the_command(feed: Path, rules_dir: Path, tmp_path: Path) -> None:
    alerts, plain, dead = tmp_path / "alerts", tmp_path / "plain", tmp_path / "dead"
    result = run(feed, "--with", "topics", "--rules", rules_dir, "--alerts", alerts, "--dead", dead)
    assert result.exit_code == 0, result.exception
    assert "left out by the mapping" in result.output
    assert run(mapped(feed), "--rules", rules_dir, "--alerts", plain).exit_code == 0
    assert alerts.read_bytes() == plain.read_bytes() != b""
    assert len(dead.read_bytes().splitlines()) == 24
    assert isinstance(run(feed, "--with", "topic").exception, InputError)


def test_a_replay_goes_on_with_the_same_mapping_only(feed: Path, rules_dir: Path, tmp_path: Path) -> None:
    own, state, alerts = tmp_path / "topics.yml", tmp_path / "state", tmp_path / "alerts"
    own.write_bytes(MAPPING.path.read_bytes())
    words = (feed, "--with", own, "--rules", rules_dir, "--resume", state, "--every", "0", "--alerts", alerts)
    short = tmp_path / "short.jsonl"
    short.write_bytes(b"".join(feed.read_bytes().splitlines(keepends=True)[:4000]))
    assert run(short, *words[1:]).exit_code == 0
    resumed = run(*words)
    assert resumed.exit_code == 0
    gone_on = alerts.read_bytes()
    assert run(feed, *words[1:5], "--alerts", alerts).exit_code == 0
    assert alerts.read_bytes() == gone_on != b""
    # What was left out before the interruption counts too.
    assert re.search(r"left out by the mapping +│ +8 ", resumed.output)
    own.write_bytes(own.read_bytes() + b"# changed\n")
    error = run(*words).exception
    assert isinstance(error, InputError)
    assert "--with changed" in str(error)
