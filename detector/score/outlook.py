"""What would lower a score: found by asking `score` itself again and again, never by a formula beside it.

Two questions are answered. What if one of the open episodes were not there? And what if nothing that counts
holds again: how does the score go down by itself, and when does it come to a lower band?
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from detector.score.score import Score, score
from detector.score.scoring import BANDS, Scoring
from detector.score.standing import Standing

STEP_US = 1_000_000


class Without(msgspec.Struct, frozen=True, gc=False):
    """The score as it would be now without one episode; `delta` is how far it would move, mostly down.

    Because categories are capped, the deltas of several episodes need not add up.
    """

    rule: str
    category: str
    delta: int
    score: int
    band: str


class Moment(msgspec.Struct, frozen=True, gc=False):
    """The score at an instant to come, and the rules whose episodes have just ended there by themselves."""

    at_us: int
    score: int
    band: str
    ended: list[str]


class Lower(msgspec.Struct, frozen=True, gc=False):
    """The first time that the score is in this band, or in any below it; `band` is that of `score`."""

    band: str
    at_us: int
    score: int


class Outlook(msgspec.Struct, frozen=True, gc=False):
    """What would lower a score.

    Attributes
    ----------
    without
        An entry for each open episode, the one that would lower the score most first.
    course
        If nothing holds again: the score at the end of each episode, until none is left.
    lower
        If nothing holds again: when the score first comes down to a lower band than ever before, in order of
        time; to the second, rounded up. A band that a drop skips has no entry.
    """

    without: list[Without]
    course: list[Moment]
    lower: list[Lower]


def outlook(standings: Sequence[Standing], at_us: int, scoring: Scoring) -> Outlook:
    """Return what would lower the score as of an instant."""
    standing = [each for each in standings if each.is_open(at_us)]
    now = score(standing, at_us, scoring)
    without = []
    for left_out in standing:
        rest = score([each for each in standing if each is not left_out], at_us, scoring)
        without.append(
            Without(left_out.rule, left_out.category, rest.score - now.score, rest.score, rest.band)
        )
    without.sort(key=lambda each: (each.delta, each.rule))
    ends = sorted({each.ends_us for each in standing})
    course = []
    for end_us in ends:
        then = score(standing, end_us, scoring)
        ended = sorted(each.rule for each in standing if each.ends_us == end_us)
        course.append(Moment(end_us, then.score, then.band, ended))
    return Outlook(without, course, _lower(standing, now, at_us, ends, scoring))


def _lower(
    standing: list[Standing], now: Score, at_us: int, ends: list[int], scoring: Scoring
) -> list[Lower]:
    found = []
    place = BANDS.index(now.band)
    while place > 0:
        reached_us = _first_below(scoring.edges[place], standing, at_us, ends, scoring)
        then = score(standing, reached_us, scoring)
        found.append(Lower(then.band, reached_us, then.score))
        # The end of an episode may take it past several edges at once.
        place = BANDS.index(then.band)
    return found


def _first_below(edge: int, standing: list[Standing], at_us: int, ends: list[int], scoring: Scoring) -> int:
    """Return when the score is first less than `edge`, which it is once every episode has ended.

    From one end to the next the same episodes are open, and their points only fade.
    """
    start_us = at_us
    for end_us in ends:
        still = [each for each in standing if each.is_open(start_us)]
        if score(still, start_us, scoring).score < edge:
            return start_us
        # The last whole step before the end, at which one of them ends.
        last_us = start_us + (end_us - 1 - start_us) // STEP_US * STEP_US
        reached_us = _search(edge, still, start_us, last_us, scoring)
        if reached_us is not None:
            return reached_us
        start_us = end_us
    return start_us


def _search(edge: int, still: list[Standing], after_us: int, upto_us: int, scoring: Scoring) -> int | None:
    """Return the first whole step in (after, upto] at which the score is below `edge`, if there is one.

    Where protective episodes fade too, the score may rise again, and halving alone could step over the first
    time. So a stretch is left out only if the score cannot be below the edge anywhere in it: not even with
    the protective ones as strong as at its beginning and all others as weak as at its end.
    """
    if after_us >= upto_us or _least(still, after_us, upto_us, scoring) >= edge:
        return None
    if upto_us - after_us == STEP_US:
        return upto_us if score(still, upto_us, scoring).score < edge else None
    middle_us = after_us + (upto_us - after_us) // STEP_US // 2 * STEP_US
    found = _search(edge, still, after_us, middle_us, scoring)
    return _search(edge, still, middle_us, upto_us, scoring) if found is None else found


def _least(still: list[Standing], after_us: int, upto_us: int, scoring: Scoring) -> int:
    """Return a bound that the score does not go below between two instants."""
    weakest = [each if not _protects(each, scoring) else _shifted(each, upto_us - after_us) for each in still]
    return score(weakest, upto_us, scoring).score


def _protects(each: Standing, scoring: Scoring) -> bool:
    return scoring.terms(each.rule_id, each.category, each.severity)[0] < 0


def _shifted(each: Standing, by_us: int) -> Standing:
    """The same episode, held so much later: at the end of a stretch as strong as at its beginning."""
    return msgspec.structs.replace(each, held_us=each.held_us + by_us)
