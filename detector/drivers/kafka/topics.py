"""The topics that workers, service and platform share, and what stands in each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EVENTS = "rg.events"
"""Events in: the player as key, the event's JSON as value. Ticks of the wall clock are recorded here too."""
ALERTS = "rg.alerts"
"""Alerts of live rules: the player as key, the alert's JSON as value, headers `t` (the worker's clock in µs
since the epoch) and `j` (the player's jurisdiction where it is known). The same alert may come again, by the
same id."""
SHADOW = "rg.shadow"
"""The same of rules in shadow, which nobody acts upon."""
NOTES = "rg.notes"
"""What corrections have touched since: the alert's id as key, the note's JSON as value."""
INTERVENTIONS = "rg.interventions"
"""What the platform is asked to do: the player as key, the intervention's JSON as value."""
RISKS = "rg.risk"
"""Where the rules that count stood when one last held: the player as key, JSON as value. Read committed."""
DEAD = "rg.dead"
"""What was refused: `topic/partition/offset` as key, the original bytes as value, headers `reason`, `detail`
and `at`, the receipt in µs since the epoch."""
COMMANDS = "rg.commands"
"""What workers are told; see `commands`. One partition."""
STATUS = "rg.status"
"""What workers tell of themselves: the worker's name as key; see `status`. One partition."""

Headers = list[tuple[str, bytes]]
"""A record's headers, as aiokafka takes them."""


def changelog(group: str) -> str:
    """The topic that a group's players are kept in."""
    return f"{group}-players-changelog"


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """What a topic has to be like; `partitions` is None for as many as the inputs have."""

    name: str
    partitions: int | None
    cleanup: Literal["delete", "compact"]
    config: dict[str, str]


_DAY_MS = 86_400_000
_BIG = {"max.message.bytes": str(8 * 2**20)}


def specs(group: str) -> list[TopicSpec]:
    """Every topic of ours."""

    def kept(name: str, days: int, partitions: int | None = None) -> TopicSpec:
        return TopicSpec(name, partitions, "delete", {"retention.ms": str(days * _DAY_MS)} | _BIG)

    def latest(name: str, partitions: int | None, **config: str) -> TopicSpec:
        return TopicSpec(name, partitions, "compact", config | _BIG)

    return [
        kept(EVENTS, 14),
        kept(ALERTS, 90),
        kept(SHADOW, 30),
        kept(NOTES, 90),
        kept(INTERVENTIONS, 90),
        kept(DEAD, 90),
        latest(RISKS, None),
        latest(COMMANDS, 1),
        latest(STATUS, 1),
        latest(changelog(group), None, **{"segment.bytes": str(128 * 2**20)}),
    ]
