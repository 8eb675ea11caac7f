"""Scores in the alerts of a whole detector, by the packaged score.yml and by one beside the rules."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from api.cli import app
from detector.language.pack import default_pack, packs_dir

RULES = ("distress-contact", "failed-deposits", "losses-then-churn")


def event(number: int, at: str, type_: str, **fields: Any) -> str:
    common = {"id": f"e{number}", "source": "test", "player": "p1", "type": type_, "ts": f"2026-01-{at}Z"}
    return json.dumps(common | fields)


LOG = [
    *(
        event(number, f"01T10:0{number}:00", "deposit_failed", amount=1000, currency="CAD")
        for number in range(3)
    ),
    event(3, "01T12:02:00", "contact", topic="distress"),
    # Two days later, to the second: that episode is over, and these words begin another.
    event(4, "03T12:02:00", "contact", topic="distress"),
]


def scores(folder: Path, tmp_path: Path) -> list[tuple[str, int, str, dict[str, int]]]:
    log, out = tmp_path / "log.jsonl", tmp_path / "alerts.jsonl"
    log.write_text("\n".join(LOG))
    result = CliRunner().invoke(app, ["replay", str(log), "--rules", str(folder), "--alerts", str(out)])
    assert result.exit_code == 0, result.output
    found = [json.loads(line) for line in out.read_text().splitlines()]
    return [
        (each["rule"].partition("@")[0], each["score"], each["band"], each["contributions"]) for each in found
    ]


def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    for rule in RULES:
        shutil.copy(default_pack() / f"{rule}.yml", folder)
    return folder


def test_alerts_bear_the_score_as_it_was_with_their_own_episode(tmp_path: Path) -> None:
    assert scores(pack(tmp_path), tmp_path) == [
        ("failed-deposits", 32, "medium", {"deposits": 32}),
        ("distress-contact", 100, "critical", {"deposits": 27, "contact": 73}),
        ("distress-contact", 85, "critical", {"contact": 85}),
    ]


def test_a_folder_may_score_in_its_own_way(tmp_path: Path) -> None:
    folder = pack(tmp_path)
    text = (packs_dir() / "score.yml").read_text("utf-8")
    (folder / "score.yml").write_text(
        text.replace("{critical: 85}", "{critical: 40, half_life: 30d}"), "utf-8"
    )
    assert scores(folder, tmp_path) == [
        ("failed-deposits", 32, "medium", {"deposits": 32}),
        ("distress-contact", 72, "high", {"deposits": 32, "contact": 40}),
        ("distress-contact", 40, "medium", {"contact": 40}),
    ]


def test_the_end_of_a_log_leaves_a_line_for_each_player_noticed(tmp_path: Path) -> None:
    """The same whether one process has worked on it or three, or it was interrupted."""
    others = [
        json.dumps({**json.loads(line), "player": player}) for player in ("p3", "p2") for line in LOG[:3]
    ]
    quiet = event(9, "03T18:00:00", "session_start").replace('"p1"', '"p4"')
    log, folder = tmp_path / "log.jsonl", pack(tmp_path)
    log.write_text("\n".join([*others, *LOG, quiet]))
    told = []
    for words in ([], ["--jobs", "3"], ["--resume", str(tmp_path / "stored"), "--every", "0"]):
        out = tmp_path / "risk.jsonl"
        result = CliRunner().invoke(
            app, ["replay", str(log), "--rules", str(folder), "--risk", str(out), *words]
        )
        assert result.exit_code == 0, result.output
        told.append(out.read_text())
    assert told[0] == told[1] == told[2]
    lines = [json.loads(line) for line in told[0].splitlines()]
    assert [(each["player"], each["score"]) for each in lines] == [("p1", 84), ("p2", 0), ("p3", 0)]
    first = lines[0]
    assert (first["as_of"], first["band"]) == ("2026-01-03T18:00:00.000Z", "critical")
    (episode,) = first["open"]
    assert (episode["points"], episode["ends_at"]) == (84, "2026-01-05T12:02:00.000Z")
    # The end of that one episode skips high and medium.
    assert [(each["band"], each["score"], each["at"]) for each in first["lowering"]["bands"]] == [
        ("low", 0, "2026-01-05T12:02:00.000Z")
    ]
