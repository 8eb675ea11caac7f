"""Every notebook runs from the first cell to the last, without a warning, and Jupyter can open it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))

each_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@each_notebook
def test_it_runs(notebook: Path, tmp_path: Path) -> None:
    # As a plain script, which is what the percent format is for: a kernel's own warnings are none of ours.
    # With the real players' data at hand a notebook takes minutes, without it seconds.
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(notebook)],
        cwd=tmp_path, capture_output=True, text=True, timeout=1200, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    assert ran.stdout


@each_notebook
def test_it_says_what_it_does_before_it_does_it(notebook: Path) -> None:
    cells = jupytext.read(notebook).cells
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    assert any(cell.cell_type == "code" for cell in cells)
