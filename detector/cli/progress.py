"""How far a command is through a log, on a terminal."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from detector.drivers.lines import LogReader


def progress_of(name: str, log: LogReader, stack: ExitStack) -> Callable[[int], None] | None:
    """What shows the number of lines done, until the stack ends; None where nobody watches."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return None
    columns = (TextColumn("{task.fields[lines]:,} events"), BarColumn(), TimeElapsedColumn())
    bar = stack.enter_context(Progress(*columns, console=console, transient=True))
    task = bar.add_task(name, total=log.size, lines=0)

    def show_progress(lines: int) -> None:
        bar.update(task, completed=log.position, lines=lines)

    return show_progress
