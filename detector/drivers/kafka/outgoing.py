"""What leaves a partition because of what it read."""

from __future__ import annotations

from dataclasses import dataclass, field

from detector.engine.judging import Effects
from detector.events.decode import Refusal
from detector.ladder.interventions import Intervention


@dataclass(slots=True)
class Refused:
    """A record that was refused: where it stood, why, and when it was received, in µs."""

    topic: str
    offset: int
    at_us: int
    refusal: Refusal


@dataclass(slots=True)
class Counted:
    """What became of events since it was last asked."""

    accepted: int = 0
    repeated: int = 0
    refused: int = 0
    dropped: int = 0


@dataclass(slots=True)
class Outgoing:
    """What has to leave because of what was read; `withheld` counts interventions that came too late."""

    effects: Effects
    interventions: list[Intervention] = field(default_factory=list)
    withheld: int = 0
    refused: list[Refused] = field(default_factory=list)
    counted: Counted = field(default_factory=Counted)
