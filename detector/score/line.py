"""A player's risk as one line of JSON, for those who work on many."""

from __future__ import annotations

import msgspec

from detector.events.instants import rfc3339_ms
from detector.language.rule import SEVERITIES
from detector.score.case import Lowering, make_case
from detector.score.case import lowering as lowering_of
from detector.score.scoring import Scoring
from detector.score.standing import Risk


class OpenEpisode(msgspec.Struct, frozen=True, kw_only=True):
    """An episode that was open, with its points in the score."""

    rule: str
    category: str
    severity: str
    opened_at: str
    held_at: str
    ends_at: str
    points: int


class RiskLine(msgspec.Struct, frozen=True, kw_only=True):
    """A player's score at an instant, what it was made of, and what would have lowered it."""

    player: str
    as_of: str
    score: int
    band: str
    contributions: dict[str, int]
    open: list[OpenEpisode]
    lowering: Lowering


def risk_line(risk: Risk, scoring: Scoring) -> bytes:
    """Return the line of a player, without the line end."""
    case = make_case(risk.standings, risk.at_us, scoring, {})
    found = case.score
    line = RiskLine(
        player=risk.player,
        as_of=rfc3339_ms(risk.at_us),
        score=found.score,
        band=found.band,
        contributions=found.contributions,
        open=[
            OpenEpisode(
                rule=part.rule,
                category=part.category,
                severity=SEVERITIES[case.standings[part.rule].severity],
                opened_at=rfc3339_ms(case.standings[part.rule].opened_us),
                held_at=rfc3339_ms(case.standings[part.rule].held_us),
                ends_at=rfc3339_ms(case.standings[part.rule].ends_us),
                points=part.points,
            )
            for part in found.parts
        ],
        lowering=lowering_of(case),
    )
    return msgspec.json.encode(line)
