"""The logs that are measured on: simulated, undisturbed, the same for the same size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from detector.simulator import Config, events

EVENTS_A_PLAYER = 1_000
"""About a hundred days of play, so that every window of the pack is full whatever the size of a log."""


def population(count: int, start: datetime = datetime(2025, 1, 1, tzinfo=UTC)) -> Config:
    """Players who leave `count` events, about a thousand each, one in twelve of them in trouble."""
    return Config(events=count, players=max(10, count // EVENTS_A_PLAYER), start=start)


@contextmanager
def log_file(config: Config) -> Iterator[str]:
    """The log as a file, for as long as the context lasts."""
    with TemporaryDirectory(prefix="tiltwatch-bench-") as folder:
        path = Path(folder, "events.jsonl")
        with path.open("wb") as file:
            for line in events(config):
                file.write(line + b"\n")
        yield str(path)
