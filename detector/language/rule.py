"""A rule as loaded: typed, with its params put in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from detector.language.syntax import Expression, Literal, Percentile

STATUSES = ("draft", "shadow", "live", "retired")
CATEGORIES = ("spend", "deposits", "losses", "time", "play", "withdrawals", "tools", "contact")
AUDIENCES = ("risk", "follow_up", "compliance", "operations")
SEVERITIES = ("low", "medium", "high", "critical")
MODELS = ("harm", "unusual", "habit", "review")
"""What `score` may be asked of; docs/models.md says what each number means."""
RESPONSES = ("L0", "L1", "L2", "L3", "L4", "L5")


@dataclass(frozen=True, slots=True)
class Trigger:
    """When a rule is judged: exactly one of the three is set."""

    events: tuple[str, ...] = ()
    silence_us: int | None = None
    during_session: bool = False


@dataclass(frozen=True, slots=True)
class OwnCohort:
    """A cohort that a test brings along: evenly spaced quantiles, for every product."""

    key: str  # of the Percentile that it answers
    text: str
    currency: str | None
    edges: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """One test of a rule, as written; `detector.language.timeline` reads its lines.

    `expect` holds every alert that has to come, in no order; `line` is where the test begins; `scores` what
    the models say at every moment of it.
    """

    name: str
    zone: str | None
    events: tuple[bytes, ...]  # raw JSON events in arrival order, ready for the decoder
    expect: tuple[ExpectedAlert, ...]
    line: int = field(compare=False)
    cohorts: tuple[OwnCohort, ...] = ()  # of its own tables; without any, no table is in force
    scores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, order=True)
class ExpectedAlert:
    """What a timeline says must be alerted; `kind` None fits any."""

    at_us: int
    severity: str
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Param:
    """A tunable: what it is, and between what it may be tuned (both of the value's kind, texts have none)."""

    value: Literal
    low: Literal | None = None
    high: Literal | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule file.

    `explain` is a template: plain texts at even places, names of lets or params at odd ones.
    `currency` is the one of its literals, None for the player's first.
    """

    id: str
    version: int
    status: str
    title: str
    category: str
    audience: str
    severity: str
    why: str
    sources: tuple[str, ...]
    trigger: Trigger
    lets: Mapping[str, Expression]
    when: Expression
    escalate: Mapping[str, Expression]  # severity → condition, ascending
    cooldown_us: int
    remind_us: int | None
    explain: tuple[str, ...]
    tell: Mapping[str, str]
    respond: Mapping[str, str]  # each severity that the rule reaches → level, ascending
    currency: str | None
    params: Mapping[str, Param] = field(default_factory=dict)
    percentiles: tuple[Percentile, ...] = ()  # those in its lets and conditions, in their order
    tests: tuple[Timeline, ...] = ()
    path: str = ""
    behaviour: str = ""  # SHA-256 of everything but status, tests, title, why, sources and texts

    @property
    def constants(self) -> Mapping[str, Expression]:
        """The params' values by name."""
        return {name: param.value for name, param in self.params.items()}

    @property
    def name(self) -> str:
        """`id@version`, as alerts name it."""
        return f"{self.id}@{self.version}"
