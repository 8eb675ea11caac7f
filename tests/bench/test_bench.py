"""The bench at sizes at which its figures mean nothing: what is measured runs, and the report tells it."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from detector.bench import embedded, history, latency, memory, report
from detector.bench import replay as replay_rows
from detector.bench.rounds import Plan, Row, interleaved
from detector.cli import bench
from detector.drivers.lines import LogReader
from detector.drivers.replay import replay
from detector.errors import StateError
from detector.language.pack import default_pack, load_pack
from detector.language.rule import Rule
from detector.simulator import Config, events

APP = typer.Typer(add_completion=False)
APP.command()(bench.command)

SMALL = Plan(events=3_000, rounds=2, tell=lambda _: None)

needs_bytewax = pytest.mark.skipif(
    find_spec("bytewax") is None, reason="bytewax is installed by `make bench`"
)


@pytest.fixture(autouse=True)
def short_histories(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred times the history of one player alone takes ten seconds to make."""
    monkeypatch.setattr(history, "TIMES", 4)


def check(row: Row, plan: Plan = SMALL) -> None:
    """Every round of a row was measured."""
    assert row.missing is None
    assert len(row.figures) == plan.rounds
    assert all(figure > 0 for figure in [*row.ours, *row.peers, *row.figures])
    assert row.what
    assert row.notes


def test_contestants_take_turns_and_the_first_round_does_not_count() -> None:
    turns: list[str] = []

    def contestant(name: str) -> float:
        turns.append(name)
        return float(len(turns))

    figures = interleaved({"a": lambda: contestant("a"), "b": lambda: contestant("b")}, SMALL)
    assert turns == ["a", "b"] * 3
    assert figures == {"a": [3.0, 5.0], "b": [4.0, 6.0]}


def test_a_ratio_is_that_of_each_pair() -> None:
    row = Row(name="r", what="w", ours=[2.0, 9.0, 8.0], peer="p", peers=[1.0, 3.0, 2.0], first=3.0, then=4.0)
    assert row.figures == [2.0, 3.0, 4.0]
    assert row.reaches(3.0)
    assert not row.reaches(3.1)


def test_a_row_without_a_peer_aims_with_its_own_figures() -> None:
    row = Row(name="r", what="w", ours=[90.0, 120.0, 100.0], first=100.0, at_least=False)
    assert row.reaches(100.0)
    assert not row.reaches(99.0)


def test_replay_is_measured_against_decoding() -> None:
    rows = {row.name: row for row in replay_rows.measure(SMALL)}
    assert set(rows) == {"replay/bytewax", "replay/bytewax-strict", "replay/decode"}
    check(rows["replay/decode"])


@needs_bytewax
def test_replay_is_measured_against_bytewax() -> None:
    for row in replay_rows.measure(SMALL):
        check(row)


def test_without_bytewax_its_rows_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_rows, "find_spec", lambda _: None)
    rows = {row.name: row for row in replay_rows.measure(SMALL)}
    assert rows["replay/bytewax"].missing == replay_rows.NO_BYTEWAX
    assert rows["replay/bytewax"].figures == []
    check(rows["replay/decode"])


@needs_bytewax
def test_another_pack_is_not_measured_against_these_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    pack = load_pack(default_pack())
    changed: list[Rule] = [replace(pack.rules[0], version=99), *pack.rules[1:]]
    monkeypatch.setattr(replay_rows, "load_pack", lambda _: replace(pack, rules=changed))
    row = replay_rows.measure(SMALL)[0]
    assert row.missing is not None
    assert "cancelled-withdrawals@2, cancelled-withdrawals@99" in row.missing


@needs_bytewax
def test_a_peer_that_finds_other_alerts_is_no_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    from detector.bench import peer_bytewax

    monkeypatch.setattr(
        peer_bytewax, "run", lambda *_: [("p", "r", "open", "low", "2026-01-01T00:00:00.000Z")]
    )
    with pytest.raises(StateError, match="different work"):
        replay_rows.measure(SMALL)


@needs_bytewax
@pytest.mark.parametrize("repeats", [0.0, 0.2])
def test_bytewax_finds_what_the_engine_finds(tmp_path: Path, repeats: float) -> None:
    from detector.bench import peer_bytewax

    log = tmp_path / "log.jsonl"
    config = Config(events=20_000, players=12, seed=8, troubled=0.7, repeats=repeats)
    log.write_bytes(b"".join(line + b"\n" for line in events(config)))
    with LogReader(str(log)) as lines:
        replayed = replay(lines, load_pack(default_pack()).rules)
    expected = sorted((a.player, a.rule, a.kind, a.severity, a.opened_at) for a in replayed.alerts)
    strict = peer_bytewax.WithIntake()
    assert peer_bytewax.run(str(log), strict) == expected
    assert strict.repeated == replayed.counts.repeated
    assert strict.conflicts == 0
    if not repeats:
        assert peer_bytewax.run(str(log), peer_bytewax.RulesAlone()) == expected


def test_memory_is_taken_apart() -> None:
    alive, folded, held, ids = memory.measure(SMALL)
    for row in (alive, held, ids):
        check(row, Plan(0, 1, print))
    assert held.first is not None
    assert ids.first is None
    assert folded.at_least is False


def test_history_is_measured_within_the_windows_and_beyond() -> None:
    for row in history.measure(SMALL):
        check(row)


def test_latency_is_measured_over_http() -> None:
    (row,) = latency.measure(replace(SMALL, events=200))
    check(row)


def test_embedded_mode_is_measured_against_its_redis_work() -> None:
    (row,) = embedded.measure(SMALL)
    check(row)


ROWS = [
    Row(
        name="a/b",
        what="One",
        unit="x/s",
        ours=[1500.0, 2500.0],
        peer="another",
        peers=[500.0, 500.0],
        first=2.0,
    ),
    Row(
        name="c",
        what="Two",
        unit="B",
        ours=[812.0],
        first=800.0,
        then=700.0,
        at_least=False,
        notes=["so [it] is"],
    ),
    Row(name="d", what="Three", missing="nothing to run"),
]


def test_the_table_tells_figures_targets_and_what_is_missing() -> None:
    out = io.StringIO()
    report.show(ROWS, report.machine(), Console(file=out, width=100))
    text = out.getvalue()
    assert "2,000" in text
    assert "4 (3–5)" in text
    assert "≥ 2 ✓" in text
    assert "≤ 800 ✗" in text
    assert "so [it] is" in text
    assert "against another" in text
    assert "nothing to run" in text
    assert f"{report.machine().cores} cores" in text


def test_the_json_holds_every_round() -> None:
    document = json.loads(report.to_json(ROWS, report.machine()))
    assert document["machine"]["python"].startswith("CPython 3.")
    assert [row["name"] for row in document["rows"]] == ["a/b", "c", "d"]
    assert document["rows"][0]["figures"] == [3.0, 5.0]
    assert document["rows"][2]["missing"] == "nothing to run"


def test_the_command_measures_what_is_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    result = CliRunner().invoke(APP, ["history", "--events", "1000", "--rounds", "1", "--json", str(out)])
    assert result.exit_code == 0, result.output
    assert "history/within" in result.output
    assert [row["name"] for row in json.loads(out.read_bytes())["rows"]] == [
        "history/within",
        "history/beyond",
    ]


def test_what_cannot_be_measured_does_not_cost_the_other_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Plan) -> list[Row]:
        raise StateError("it does not start")

    monkeypatch.setattr(latency, "measure", fail)
    result = CliRunner().invoke(APP, ["latency", "history", "--events", "1000", "--rounds", "1"])
    assert result.exit_code == 0, result.output
    assert "it does not start" in result.output
    assert "history/within" in result.output


def test_the_command_refuses_what_it_does_not_know() -> None:
    assert CliRunner().invoke(APP, ["everything"]).exit_code == 2
