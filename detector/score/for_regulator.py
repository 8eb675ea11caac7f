"""The regulator's reading: what the score was reckoned from, by which version, and on what grounds."""

from __future__ import annotations

import re

import msgspec

from detector.events.instants import rfc3339_ms
from detector.language.literals import write_duration
from detector.language.rule import SEVERITIES
from detector.score.case import Case, Lowering, lowering
from detector.score.scoring import BANDS

_CLAUSE = re.compile(r"(?:AGCO|UKGC|Ksa|RD|GlüStV|EN)\b")
_SECOND_US = 1_000_000


class Reckoned(msgspec.Struct, frozen=True, kw_only=True):
    """One open episode, with everything that its points were reckoned from.

    `weight` is what it counts while its rule holds; `points` what is left of it by half-life and caps.
    `behaviour`, `why`, `clauses` (the regulators' among the rule's sources) and `studies` (the others) are of
    the rule `in_force`, null and empty where there is none any more.
    """

    rule: str
    in_force: str | None
    behaviour: str | None
    title: str
    category: str
    severity: str
    weight: int
    half_life_s: int
    cap: int
    opened_at: str
    held_at: str
    ends_at: str
    points: int
    why: str
    clauses: list[str]
    studies: list[str]


class RegulatorReading(msgspec.Struct, frozen=True, kw_only=True, tag_field="reader", tag="regulator"):
    """How this score was reckoned.

    `scoring` names the version of score.yml, `behaviour` is the SHA-256 of all in it that makes a score what
    it is; `why` and `sources` are its own. `bands` holds the least score of each. `text` says it in words.
    """

    as_of: str
    score: int
    band: str
    contributions: dict[str, int]
    scoring: str
    behaviour: str
    why: str
    sources: list[str]
    bands: dict[str, int]
    money_categories: list[str]
    money_cap: int
    relief: int
    parts: list[Reckoned]
    lowering: Lowering
    text: str


def for_regulator(case: Case) -> RegulatorReading:
    """Return the case as a regulator reads it, in English."""
    now, scoring = case.score, case.scoring
    parts = [_reckoned(case, part.rule, part.points) for part in now.parts]
    as_of = rfc3339_ms(case.at_us)
    lines = [
        f"Score {now.score} of 100, {now.band}, as of {as_of}, by {scoring.name} ({scoring.behaviour}).",
        *(map(_line, parts) if parts else ["No episode that counts is open."]),
    ]
    return RegulatorReading(
        as_of=as_of,
        score=now.score,
        band=now.band,
        contributions=now.contributions,
        scoring=scoring.name,
        behaviour=scoring.behaviour,
        why=scoring.why,
        sources=list(scoring.sources),
        bands=dict(zip(BANDS, scoring.edges, strict=True)),
        money_categories=sorted(scoring.money),
        money_cap=scoring.money_cap,
        relief=scoring.relief,
        parts=parts,
        lowering=lowering(case),
        text="\n".join(lines),
    )


def _reckoned(case: Case, name: str, points: int) -> Reckoned:
    each = case.standings[name]
    rule = case.rules.get(each.rule_id)
    sources = () if rule is None else rule.sources
    weight, half_life_us = case.scoring.terms(each.rule_id, each.category, each.severity)
    return Reckoned(
        rule=name,
        in_force=None if rule is None else rule.name,
        behaviour=None if rule is None else rule.behaviour,
        title=each.title,
        category=each.category,
        severity=SEVERITIES[each.severity],
        weight=weight,
        half_life_s=half_life_us // _SECOND_US,
        cap=case.scoring.caps[each.category],
        opened_at=rfc3339_ms(each.opened_us),
        held_at=rfc3339_ms(each.held_us),
        ends_at=rfc3339_ms(each.ends_us),
        points=points,
        why="" if rule is None else rule.why,
        clauses=[source for source in sources if _CLAUSE.match(source)],
        studies=[source for source in sources if not _CLAUSE.match(source)],
    )


def _line(part: Reckoned) -> str:
    grounds = "; ".join([*part.clauses, *part.studies]) or "no sources"
    half_life = write_duration(part.half_life_s * _SECOND_US)
    return (
        f"{part.rule}: {part.points} points, from {part.weight} ({part.category}, {part.severity}) halving "
        f"every {half_life} since {part.held_at}; open since {part.opened_at}, ends {part.ends_at}. "
        f"Grounds: {grounds}."
    )
