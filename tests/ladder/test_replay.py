"""A replay answers by the ladder beside the rules that it runs, as the service does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from typer.testing import CliRunner

from api.cli import app
from detector.language.pack import default_pack, packs_dir

COMMON = {"source": "test", "player": "p1"}
LOST = COMMON | {
    "id": "e1",
    "type": "bet",
    "ts": "2026-01-01T09:00:00Z",
    "stake": 10_000,
    "payout": 0,
    "currency": "CAD",
}
ASKED = COMMON | {"id": "e2", "type": "contact", "ts": "2026-01-01T10:00:00Z", "topic": "bonus_request"}


def responses(folder: Path, tmp_path: Path) -> list[str]:
    log, out = tmp_path / "log.jsonl", tmp_path / "alerts.jsonl"
    log.write_text("\n".join(map(json.dumps, (LOST, ASKED))))
    result = CliRunner().invoke(app, ["replay", str(log), "--rules", str(folder), "--alerts", str(out)])
    assert result.exit_code == 0, result.output
    return [json.loads(line)["response"] for line in out.read_text().splitlines()]


def test_a_ladder_beside_the_rules_is_the_one_that_holds(tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    folder.mkdir()
    shutil.copy(default_pack() / "bonus-after-loss.yml", folder)
    (usual,) = responses(folder, tmp_path)
    ladder = (packs_dir() / "ladder.yml").read_text("utf-8")
    assert "least:" in ladder
    lines = [
        "  least: {medium: L5, high: L5, critical: L5}" if line.startswith("  least:") else line
        for line in ladder.splitlines()
    ]
    (folder / "ladder.yml").write_text("\n".join(lines), "utf-8")
    assert usual != "L5"
    assert responses(folder, tmp_path) == ["L5"]
