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
SAMPLES = "rg.samples"
"""What those who learn are told: the player as key, a sample, label or flag as JSON. Read committed."""
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
    cleanup: Literal["delete", "compact", "compact,delete"]
    config: dict[str, str]


_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_BIG = {"max.message.bytes": str(8 * 2**20)}


def specs(group: str) -> list[TopicSpec]:
    """Every topic of ours."""

    def kept(name: str, days: int, partitions: int | None = None) -> TopicSpec:
        age = {"retention.ms": str(days * _DAY_MS), "retention.bytes": "-1"}
        return TopicSpec(name, partitions, "delete", age | _BIG)

    def latest(name: str, partitions: int | None, config: dict[str, str]) -> TopicSpec:
        return TopicSpec(name, partitions, "compact", config | _BIG)

    return [
        kept(EVENTS, 14),
        kept(ALERTS, 90),
        kept(SHADOW, 30),
        kept(NOTES, 90),
        kept(INTERVENTIONS, 90),
        kept(SAMPLES, 30),
        kept(DEAD, 90),
        latest(RISKS, None, {"segment.bytes": str(64 * 2**20)}),
        latest(COMMANDS, 1, {}),
        # Workers write every other second, and whoever wants the last word of each reads all that is left.
        # Those that are gone for good are forgotten, which compaction alone would not do.
        TopicSpec(
            STATUS,
            1,
            "compact,delete",
            {
                "retention.ms": str(7 * _DAY_MS),
                "segment.ms": str(_HOUR_MS),
                "segment.bytes": str(16 * 2**20),
            }
            | _BIG,
        ),
        latest(
            changelog(group),
            None,
            {
                # What is being written is never compacted: the less of it, the less a worker has to restore.
                "segment.bytes": str(128 * 2**20),
                "min.cleanable.dirty.ratio": "0.3",
                # Checkpoints of the last minute can be looked at, and no more, for all touched players come
                # again with each of them.
                "min.compaction.lag.ms": "60000",
            },
        ),
    ]
