"""How a run is told: a line a step, and what went wrong at length."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.qa.running import Row

WIDTH = 120
"""Columns that the table needs where output goes to a file."""


def show(rows: Sequence[Row], console: Console) -> None:
    """The table of passed and failed, and the sum."""
    table = Table(show_lines=True)
    for head in ("", "part", "step", "expected", "seen"):
        table.add_column(head, overflow="fold")
    for row in rows:
        mark = Text("passed", style="green") if row.passed else Text("FAILED", style="bold red")
        table.add_row(mark, *(Text(each) for each in (row.part, row.what, row.expected, row.seen)))
    console.print(table)
    failed = sum(not row.passed for row in rows)
    console.print(f"{len(rows) - failed} passed, {failed} failed", highlight=False)
