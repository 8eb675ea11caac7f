"""The table of alert rates: what is counted, what is found fault with, and that processes change nothing."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from detector.bench import alert_rates
from detector.bench.alert_rates import Found, for_most, main, page, run, several, silent
from detector.events.instants import micros
from detector.language.pack import default_pack, load_pack
from detector.simulator import Config

SMALL = [Config(events=6000, players=12, days=30, seed=seed, troubled=0.5) for seed in (1, 2)]


def found(**alerts: int) -> Found:
    """Ten players with ten days each; every rule is live and every alert of a player of its own."""
    return Found(
        players=10,
        player_days=100,
        harmed=2,
        alerts=Counter({(rule, "low"): count for rule, count in alerts.items()}),
        flagged=Counter(alerts),
        status=dict.fromkeys(alerts, "live"),
        audience=dict.fromkeys(alerts, "risk"),
    )


@pytest.fixture(scope="module")
def small() -> list[Found]:
    return list(several(SMALL, 1))


def test_every_rule_of_the_pack_has_a_row(small: list[Found]) -> None:
    text = page(small, SMALL, "the command")
    rules = load_pack(default_pack()).rules
    for rule in rules:
        assert f"| `{rule.id}` | {rule.status} | {rule.audience} |" in text
    assert text.count("\n| `") == len(rules)
    assert "2 runs (seeds 1, 2) of 6,000 events each" in text


def test_processes_change_nothing(small: list[Found]) -> None:
    assert list(several(SMALL, 2)) == small


def test_days_are_counted_from_each_players_first_event_to_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lines(_: Config) -> list[tuple[int, bytes]]:
        told = [("a", 1, 0), ("b", 1, 5), ("a", 2, 0), ("a", 3, 1), ("c", 9, 0)]
        return [
            (
                micros(at := datetime(2026, 1, day, hour, tzinfo=UTC)),
                f'{{"id":"{n}","type":"session_start","source":"x","player":"{player}","ts":"{at.isoformat()}"}}'.encode(),
            )
            for n, (player, day, hour) in enumerate(told)
        ]

    monkeypatch.setattr(alert_rates, "arrivals", lines)
    counted = run(Config(players=1), load_pack(default_pack()).rules)
    assert counted.events == 5
    assert counted.players == 3
    # Two days and an hour begin three days; a single event is a day.
    assert counted.player_days == 3 + 1 + 1


def test_a_silent_rule_and_one_that_fires_for_most_are_named() -> None:
    total = found(loud=6, fair=5, still=0)
    assert silent(total) == ["still"]
    assert for_most(total) == ["loud"]
    total.status["still"] = "draft"
    assert silent(total) == []
    text = page([total], SMALL[:1], "the command")
    assert "- Silent in every run: none." in text
    assert "- Alert for more than 50% of the players: `loud`." in text
    assert "| `fair` | live | risk | 50.00 | · | · | · | · | 50.00 | 50.00–50.00 | 50.0% | 0.0% |" in text


def test_runs_add_up_and_their_range_is_told() -> None:
    text = page([found(rule=2), found(rule=4)], SMALL, "the command")
    assert "20 players in all,\n200 player-days" in text
    assert "| 30.00 | 20.00–40.00 | 30.0% |" in text


def test_it_is_written_and_fails_on_a_fault(tmp_path: Path) -> None:
    app = Typer()
    app.command()(main)
    out = tmp_path / "rates.md"
    result = CliRunner().invoke(
        app, ["--runs", "1", "--events", "2000", "--processes", "1", "--write", str(out)]
    )
    # So short a log leaves rules silent.
    assert result.exit_code == 1
    assert "--runs 1 --events 2000" in out.read_text()
    assert "Silent in every run: `" in out.read_text()
