"""Alerts and ladders to ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from detector.events.instants import micros
from detector.ladder.interventions import Intervention, interventions
from detector.ladder.ladder import Ladder
from detector.ladder.load import LADDERS
from detector.language.reading import Reading

TEN = micros(datetime(2026, 1, 5, 10, tzinfo=UTC))
HOUR = 3_600_000_000
DAY = 24 * HOUR


@dataclass(frozen=True)
class Told:
    """As much of an alert as the ladder reads."""

    id: str = "a1"
    player: str = "p-1"
    kind: str = "open"
    category: str = "deposits"
    audience: str = "risk"
    response: str = "L2"
    contributions: Mapping[str, int] | None = field(default=None)


def asked(
    response: str,
    jurisdiction: str | None = "CA-ON",
    opened_us: int = TEN,
    ladder: Ladder | None = None,
    alert_id: str = "a1",
) -> dict[str, Intervention]:
    """What an alert of a level asks for, by action, the most urgent first."""
    alert = Told(id=alert_id, response=response)
    found = interventions(alert, jurisdiction, opened_us, ladder or LADDERS.packaged)
    return {each.action: each for each in found}


def written(tmp_path: Path, text: str) -> Reading[Ladder]:
    """A ladder of this text as read."""
    path = tmp_path / "ladder.yml"
    path.write_text(text, "utf-8")
    return LADDERS.read(path)
