"""How urgent an alert is, by when something has to be done about it, and when that is looked at again.

Nothing here asks for the time or touches the store.
"""

from __future__ import annotations

from dataclasses import dataclass

from api.alerts.tables import NEVER_US
from detector.drivers.interventions import GRAVEST
from detector.events.instants import MINUTE_US
from detector.ladder.ladder import Ladder
from detector.ladder.load import REVIEWED_FROM
from detector.language.rule import SEVERITIES

REVIEW = "human_review"
SHORTEST_US = 5 * MINUTE_US
"""The desk is not told of the same alert more often than this."""

_TOP = int(GRAVEST[1:])


def urgency(level: str, severity: str, escalations: int) -> int:
    """How urgent an alert is: by its level, then by its severity.

    Each deadline that passed counts as a level, but nothing climbs past what is fresh at the highest one,
    except what stands there itself.
    """
    own = int(level[1:])
    raised = min(own + escalations, _TOP if own < _TOP else _TOP + 1)
    return raised * len(SEVERITIES) + SEVERITIES.index(severity)


def time_allowed_us(ladder: Ladder, jurisdiction: str | None, level: str) -> int:
    """How long after its opening something has to be done: the review of its level, else the last action."""
    actions = ladder.jurisdiction(jurisdiction).rungs[level].actions
    return actions.get(REVIEW) or max(actions.values())


def needs_people(ladder: Ladder, jurisdiction: str | None, level: str) -> bool:
    """Whether the deadline of a level is a person's, and nothing that a machine does meets it."""
    return REVIEW in ladder.jurisdiction(jurisdiction).rungs[level].actions


def is_grave(level: str, severity: str) -> bool:
    """Whether agents are told of an alert when it comes."""
    return level >= REVIEWED_FROM or severity == SEVERITIES[-1]


def may_wait(level: str, severity: str) -> bool:
    """Whether work on an alert may be put off."""
    return level < "L4" and severity != SEVERITIES[-1]


def needs_two(level: str, severity: str) -> bool:
    """Whether one agent alone may not say that there was nothing to an alert."""
    return not may_wait(level, severity)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A deadline and how often it has been told of; it comes back after each further period."""

    due_us: int
    period_us: int

    def steps(self, now_us: int) -> int:
        """How many times it has passed by now."""
        return 0 if now_us < self.due_us else 1 + (now_us - self.due_us) // self.period_us

    def after(self, steps: int) -> int:
        """When it passes the next time, having passed `steps` times."""
        return self.due_us + steps * self.period_us


def deadline(opened_us: int, allowed_us: int) -> Deadline:
    """The deadline of what was opened, and the period after which people are told again."""
    return Deadline(opened_us + allowed_us, max(allowed_us, SHORTEST_US))


NO_DEADLINE = Deadline(NEVER_US, SHORTEST_US)
