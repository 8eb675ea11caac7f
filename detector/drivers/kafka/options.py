"""How a worker runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from detector.engine.engine import GRACE_US
from detector.events.instants import MINUTE_US
from detector.mapping.feed import FeedMapping


@dataclass(frozen=True, slots=True)
class Options:
    """How a worker runs; times and `learn` as the settings of the same names have them."""

    name: str
    group: str
    folder: Path
    rules_folder: Path
    inputs: Mapping[str, FeedMapping | None]
    grace_us: int = GRACE_US
    checkpoint_s: float = 2.0
    tick_every_s: float = 10.0
    session_s: float = 10.0
    merge_wait_s: float = 2.0
    learn: bool = False
    intervene_within_us: int = 48 * 60 * MINUTE_US
