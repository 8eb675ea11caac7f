"""`tiltwatch models learn`: learn from what running detectors hand out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    registry: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the models, made if it is not there; `models` in the data directory by default."
        ),
    ] = None,
    every: Annotated[
        float, typer.Option(min=0.1, max=3600, help="Seconds after which what was learned is kept.")
    ] = 60.0,
) -> None:
    """Learn from what running detectors hand out on Redis or Kafka, until SIGTERM; puts nothing in force."""
    from api.learning.running import learn
    from api.settings import read_settings

    learn(read_settings(), registry, every)
