"""What rules/score.yml holds, once read: weights, half-lives, caps, bands, and words for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SCORE_FILE = "score.yml"
HIGHEST = 100
BANDS = ("low", "medium", "high", "critical")
READERS = ("agent", "player")


@dataclass(frozen=True, slots=True)
class Override:
    """What a rule has otherwise than others: a weight for each severity, a half-life; None: as others."""

    weights: tuple[int | None, ...] = (None,) * 4
    half_life_us: int | None = None


@dataclass(frozen=True, slots=True)
class Scoring:
    """How a score is made.

    Attributes
    ----------
    edges
        The least score of each band, ascending; that of "low" is 0.
    weights
        Points of an episode just held, by severity.
    half_lives_us, caps
        By category: the time in which points halve, and the most points it adds up to.
    money, money_cap
        Categories about amounts, and the most points they add up to together: less than critical takes.
    relief
        The most points that protective rules (those with a negative weight) take off together.
    rules
        What single rules have otherwise, by id.
    asks_for_help
        Rules, by id, whose episodes mean that the player asked for help.
    words, helps
        How a category is called, by (category, reader, language), and what helps, by (category, language).
    support
        Whom a player can talk to, by language.
    why, sources
        What the numbers rest on.
    behaviour
        SHA-256 of everything that makes a score what it is: not the version, not the words.
    """

    version: int
    edges: tuple[int, int, int, int]
    weights: tuple[int, int, int, int]
    half_lives_us: Mapping[str, int]
    caps: Mapping[str, int]
    money: frozenset[str]
    money_cap: int
    relief: int
    rules: Mapping[str, Override]
    asks_for_help: frozenset[str]
    words: Mapping[tuple[str, str, str], str]
    helps: Mapping[tuple[str, str], str]
    support: Mapping[str, str]
    why: str
    sources: tuple[str, ...]
    path: str
    behaviour: str

    def terms(self, rule_id: str, category: str, severity: int) -> tuple[int, int]:
        """Return the points of a rule's episode that holds now, and the time (µs) in which they halve.

        `severity` is a place in SEVERITIES.
        """
        override = self.rules.get(rule_id)
        if override is None:
            return self.weights[severity], self.half_lives_us[category]
        weight, half_life_us = override.weights[severity], override.half_life_us
        return (
            self.weights[severity] if weight is None else weight,
            self.half_lives_us[category] if half_life_us is None else half_life_us,
        )

    def band(self, score: int) -> str:
        """Return the band that a score is in."""
        return BANDS[sum(score >= edge for edge in self.edges) - 1]

    @property
    def name(self) -> str:
        """`score@version`, as the regulator's reading names it."""
        return f"score@{self.version}"
