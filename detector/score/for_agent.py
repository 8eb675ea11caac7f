"""The agent's reading: what counted, how much, since when, and what would lower it."""

from __future__ import annotations

import msgspec

from detector.events.instants import rfc3339_ms
from detector.language.rule import SEVERITIES
from detector.score.case import Case, Lowering, lowering
from detector.score.phrases import AGENTS, span

MOST_WITHOUT = 3


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """One open episode; `ends_at` is when it ends unless it holds again, `text` says all of it in words."""

    rule: str
    title: str
    category: str
    severity: str
    points: int
    opened_at: str
    held_at: str
    ends_at: str
    text: str


class AgentReading(msgspec.Struct, frozen=True, kw_only=True, tag_field="reader", tag="agent"):
    """Why this score, for an agent; `text` says it in words, line by line."""

    language: str
    as_of: str
    score: int
    band: str
    contributions: dict[str, int]
    counted: list[Counted]
    would_lower: list[str]
    lowering: Lowering
    text: str


def for_agent(case: Case, language: str) -> AgentReading:
    """Return the case as an agent reads it; rules' titles are names, and stay as they are written."""
    say = AGENTS[language]
    now = case.score
    counted = [_counted(case, part.rule, part.points, language) for part in now.parts]
    would_lower = _would_lower(case, language)
    headline = say.headline.format(score=now.score, band=say.bands[now.band])
    lines = [headline, *([each.text for each in counted] or [say.nothing]), *would_lower]
    return AgentReading(
        language=language,
        as_of=rfc3339_ms(case.at_us),
        score=now.score,
        band=now.band,
        contributions=now.contributions,
        counted=counted,
        would_lower=would_lower,
        lowering=lowering(case),
        text="\n".join(lines),
    )


def _counted(case: Case, rule: str, points: int, language: str) -> Counted:
    say = AGENTS[language]
    each = case.standings[rule]
    text = say.counted.format(
        points=points,
        title=each.title,
        category=case.scoring.words[each.category, "agent", language],
        severity=say.severities[each.severity],
        since=span(case.at_us - each.opened_us, language),
        held=span(case.at_us - each.held_us, language),
        ends=span(each.ends_us - case.at_us, language),
    )
    return Counted(
        rule=rule,
        title=each.title,
        category=each.category,
        severity=SEVERITIES[each.severity],
        points=points,
        opened_at=rfc3339_ms(each.opened_us),
        held_at=rfc3339_ms(each.held_us),
        ends_at=rfc3339_ms(each.ends_us),
        text=text,
    )


def _would_lower(case: Case, language: str) -> list[str]:
    say = AGENTS[language]
    found = case.outlook
    lower = [each for each in found.without if each.delta < 0][:MOST_WITHOUT]
    lines = [
        say.without.format(title=case.standings[each.rule].title, score=each.score, band=say.bands[each.band])
        for each in lower
    ]
    if not lower and case.score.score > 0:
        lines.append(say.capped)
    lines += [
        say.protects.format(title=case.standings[each.rule].title, points=each.delta)
        for each in found.without
        if each.delta > 0
    ]
    lines += [
        say.lower.format(
            band=say.bands[each.band], after=span(each.at_us - case.at_us, language), score=each.score
        )
        for each in found.lower
    ]
    return lines
