"""The player's reading: what was noticed, in plain words, and what tends to help.

It is made of the rules' own `tell` and of the words in score.yml. A score, points, thresholds, amounts or
rules' names have no place in it: they would turn a hand held out into a game to be won, or into a verdict.
"""

from __future__ import annotations

import re

import msgspec

from detector.score.case import Case
from detector.score.phrases import PLAYERS, soon

MOST_TOLD = 4
"""Things a player is told of at once; a longer list is a reproach."""
MOST_HELPS = 2


class PlayerReading(msgspec.Struct, frozen=True, kw_only=True, tag_field="reader", tag="player"):
    """What a player is told.

    `noticed` has what happened, the weightiest first; `going_well` what protects; `helps` what would lower
    the score most, in words; `fades` how it settles by itself, `contest` how to object, both null where
    nothing is open; `support` whom to talk to. `text` is all of it in paragraphs. To somebody who asked for
    help, or to be excluded, `noticed` is the answer to that and nothing else is listed.
    """

    language: str
    opening: str
    noticed: list[str]
    going_well: list[str]
    helps: list[str]
    fades: str | None
    contest: str | None
    support: str
    text: str


def for_player(case: Case, language: str) -> PlayerReading:
    """Return the case as the player reads it."""
    say = PLAYERS[language]
    raising = [rule for rule, each in case.standings.items() if case.weight(each) > 0]
    protecting = [rule for rule, each in case.standings.items() if case.weight(each) < 0]
    asked = [rule for rule, each in case.standings.items() if each.rule_id in case.scoring.asks_for_help]
    if asked:
        # Nothing else is listed, nothing is said to fade by itself, and no change is held up to them.
        told = list(dict.fromkeys(filter(None, (_own_words(case, rule, language) for rule in asked))))
        opening = "asked"
    else:
        told = list(dict.fromkeys(_tell(case, rule, language) for rule in raising))[:MOST_TOLD]
        opening = _mood(case.score.band) if case.standings else "none"
    reading = PlayerReading(
        language=language,
        opening=say.openings[opening],
        noticed=told,
        going_well=[] if asked else [_tell(case, rule, language) for rule in protecting],
        # Whatever was asked for, talking helps; to set one's limits is no answer to it.
        helps=[case.scoring.helps["contact", language]] if asked else _helps(case, raising, language),
        fades=_fades(case, raising, language) if raising and not asked else None,
        contest=say.contest if raising and not asked else None,
        support=case.scoring.support[language],
        text="",
    )
    paragraphs = [
        reading.opening,
        *reading.noticed,
        *reading.going_well,
        *reading.helps,
        reading.fades,
        # A rule's own words may have named whom to call already.
        None if any(_numbers(reading.support) & _numbers(each) for each in told) else reading.support,
        reading.contest,
    ]
    return msgspec.structs.replace(reading, text="\n\n".join(each for each in paragraphs if each))


def _numbers(text: str) -> set[str]:
    """The telephone numbers in a text."""
    return set(re.findall(r"\d[\d-]{6,}\d", text))


def _mood(band: str) -> str:
    return "high" if band == "critical" else band


def _own_words(case: Case, rule: str, language: str) -> str | None:
    """What a rule tells the player, if it has words."""
    known = case.rules.get(case.standings[rule].rule_id)
    return known.tell.get(language) if known is not None else None


def _tell(case: Case, rule: str, language: str) -> str:
    """What a rule tells the player; where it has no words, that something changed and in what."""
    what = case.scoring.words[case.standings[rule].category, "player", language]
    return _own_words(case, rule, language) or PLAYERS[language].changed.format(what=what)


def _helps(case: Case, rules: list[str], language: str) -> list[str]:
    """What helps with the categories without which the score would be lowest."""
    categories = [each.category for each in case.outlook.without if each.rule in rules]
    return [case.scoring.helps[each, language] for each in dict.fromkeys(categories)][:MOST_HELPS]


def _fades(case: Case, raising: list[str], language: str) -> str:
    last_us = max(case.standings[rule].ends_us for rule in raising)
    return PLAYERS[language].settles.format(when=soon(last_us - case.at_us, language))
