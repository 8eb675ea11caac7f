"""A log of CloudEvents is replayed like the plain log, whatever the number of processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli import app
from tests.drivers.small import MINUTE_US, NOON_US, event, write_rules
from tests.events.test_cloudevents import envelope

PLAYERS = 11


def log() -> list[dict[str, Any]]:
    """Three deposits within an hour of each player, then a day without any."""
    events = [
        json.loads(event(f"{player}-{number}", NOON_US + number * MINUTE_US, f"p{player}"))
        for number in range(3)
        for player in range(PLAYERS)
    ]
    return [*events, {"type": "tick", "id": "t", "source": "clock", "ts": "2026-01-03T00:00:00Z"}]


def misleading(document: dict[str, Any]) -> dict[str, Any]:
    """An envelope with another player deep within, whom it is not about."""
    return document | {"data": document["data"] | {"opponent": {"player": "p-other"}}}


def replayed(folder: Path, lines: list[dict[str, Any]], jobs: int) -> tuple[bytes, list[dict[str, Any]], str]:
    (folder / "rules").mkdir(exist_ok=True)
    rules = write_rules(folder / "rules")
    (folder / "log.jsonl").write_bytes(
        b"".join(json.dumps(each, separators=(",", ":")).encode() + b"\n" for each in lines)
    )
    command = ["replay", str(folder / "log.jsonl"), "--rules", str(rules), "--jobs", str(jobs)]
    command += ["--alerts", str(folder / "alerts.jsonl"), "--dead", str(folder / "dead.jsonl")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    dead = [json.loads(line) for line in (folder / "dead.jsonl").read_text().splitlines()]
    ignored = next((line for line in result.output.splitlines() if "fields ignored" in line), "")
    return (folder / "alerts.jsonl").read_bytes(), dead, ignored


@pytest.mark.parametrize("jobs", [1, 3])
def test_envelopes_give_the_same_alerts(tmp_path: Path, jobs: int) -> None:
    plain, dead, _ = replayed(tmp_path, log(), 1)
    assert plain.count(b"\n") == 3 * PLAYERS
    assert not dead
    envelopes = [envelope(each) for each in log()]
    assert replayed(tmp_path, envelopes, jobs) == (plain, [], "")
    mixed = [misleading(each) if number % 3 else log()[number] for number, each in enumerate(envelopes[:-1])]
    alerts, dead, ignored = replayed(tmp_path, [*mixed, envelopes[-1]], jobs)
    assert (alerts, dead) == (plain, [])
    assert ignored.split()[-2] == str(2 * PLAYERS)


@pytest.mark.parametrize("jobs", [1, 3])
def test_what_is_refused_is_kept_with_its_line(tmp_path: Path, jobs: int) -> None:
    envelopes = [envelope(each) for each in log()]
    broken = envelopes[4] | {"subject": None}
    _, (letter,), _ = replayed(tmp_path, [*envelopes[:4], broken, *envelopes[5:]], jobs)
    assert (letter["line"], letter["reason"]) == (5, "missing_field")
    assert letter["detail"].startswith("$.subject: ")
    assert json.loads(letter["original"]) == broken
