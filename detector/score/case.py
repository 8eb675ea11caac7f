"""What is there to be explained: a player's episodes at an instant, with the score and the outlook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from detector.events.instants import rfc3339_ms
from detector.language.rule import Rule
from detector.score.outlook import Outlook, outlook
from detector.score.score import Score, score
from detector.score.scoring import Scoring
from detector.score.standing import Standing


@dataclass(frozen=True)
class Case:
    """A player's score at an instant, with everything that is needed to explain it.

    Attributes
    ----------
    standings
        The open episodes by rule, the weightiest first.
    rules
        The rules in force, by id; an episode of a rule that is no longer among them is told of by its title.
    """

    standings: Mapping[str, Standing]
    at_us: int
    scoring: Scoring
    rules: Mapping[str, Rule]
    score: Score
    outlook: Outlook

    def weight(self, each: Standing) -> int:
        """Return what an episode counts while it holds; negative if it protects."""
        return self.scoring.terms(each.rule_id, each.category, each.severity)[0]


def make_case(standings: Sequence[Standing], at_us: int, scoring: Scoring, rules: Mapping[str, Rule]) -> Case:
    """Return the case of a player's standings at an instant."""
    now = score(standings, at_us, scoring)
    by_rule = {each.rule: each for each in standings}
    still = {part.rule: by_rule[part.rule] for part in now.parts}
    return Case(still, at_us, scoring, rules, now, outlook(standings, at_us, scoring))


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """The score at an instant to come if nothing holds again; `ended` are rules whose episodes end then."""

    at: str
    score: int
    band: str
    ended: list[str]


class Away(msgspec.Struct, frozen=True, kw_only=True):
    """The score as it would be without one rule's episode; `delta` is how far it would move."""

    rule: str
    delta: int
    score: int
    band: str


class Lowering(msgspec.Struct, frozen=True, kw_only=True):
    """What would lower a score: each episode taken away by itself, and time.

    `course` has an entry for each end of an episode, `bands` one for each time that the score first comes
    down to a lower band, the bands that it skips left out; both suppose that nothing holds again.
    """

    without: list[Away]
    course: list[Turn]
    bands: list[Turn]


def lowering(case: Case) -> Lowering:
    """Return the outlook with times as people and clients read them."""
    found = case.outlook
    return Lowering(
        without=[Away(rule=w.rule, delta=w.delta, score=w.score, band=w.band) for w in found.without],
        course=[
            Turn(at=rfc3339_ms(m.at_us), score=m.score, band=m.band, ended=m.ended) for m in found.course
        ],
        bands=[
            Turn(at=rfc3339_ms(low.at_us), score=low.score, band=low.band, ended=[]) for low in found.lower
        ],
    )
