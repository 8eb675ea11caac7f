"""`tiltwatch bench`: how fast and how small, with peers beside it in the same run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from detector.bench import report
from detector.bench.rounds import Plan, Row
from detector.errors import InputError, TiltwatchError

WIDTH = 100
"""Columns that the table needs; where output goes to a file nobody says how many there are."""


class Subject(StrEnum):
    """What can be measured, each by the module of `detector.bench` with its name."""

    REPLAY = "replay"
    MODELS = "models"
    MEMORY = "memory"
    HISTORY = "history"
    LATENCY = "latency"
    EMBEDDED = "embedded"
    KAFKA = "kafka"


def command(
    subjects: Annotated[
        list[Subject] | None,
        typer.Argument(metavar="[SUBJECT]...", help="What to measure; everything if left out."),
    ] = None,
    events: Annotated[int, typer.Option(min=1, help="Events in the simulated logs.")] = 300_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that count; one more warms up.")] = 5,
    players: Annotated[int, typer.Option(min=1, help="Active players in the log on Kafka.")] = 50_000,
    kafka: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Brokers to measure on, without topics of ours; left out, one is started from the jars that "
            "`make kafka` fetches.",
        ),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write every round's figures here.")] = None,
) -> None:
    """Measure speed and size, peers beside it in the same run; a missed target is no error."""
    where = report.machine()
    rows = measure(subjects or list(Subject), events, rounds, players, kafka)
    if json is not None:
        try:
            json.write_bytes(report.to_json(rows, where))
        except OSError as error:
            raise InputError(f"{json}: {error.strerror or error}") from error
    console = Console()
    report.show(rows, where, console if console.width >= WIDTH else Console(width=WIDTH))


def measure(
    subjects: Sequence[Subject], events: int, rounds: int, players: int, kafka: str | None
) -> list[Row]:
    """The rows of some subjects; what goes on meanwhile is shown on a terminal."""
    rows: list[Row] = []
    with Console(stderr=True).status("") as status:
        plan = Plan(events, rounds, status.update, players, kafka)
        for subject in subjects:
            # Other commands must not wait for what only this one imports.
            of_subject: Callable[[Plan], list[Row]] = import_module(f"detector.bench.{subject}").measure
            try:
                rows += of_subject(plan)
            except TiltwatchError as error:  # the other figures took minutes, too
                rows.append(Row(name=subject, what="nothing", missing=str(error)))
    return rows
