"""What models learn from: samples, one for each deposit and session end, and labels, which come later.

The detector makes samples, in replay, embedded and on Kafka alike; whoever learns knows nothing of it but
these shapes.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

EARLIEST_US = -62_135_596_800_000_000
LATEST_US = 253_402_300_799_999_999
"""µs since the epoch: instants lie in the years 1 to 9999, as those of events do."""
LARGEST = 1e150
"""Numbers lie within ±this: the difference of two is still a finite number, and so is its square."""
LEAST_DRAWN = 1e-9
"""A verdict counts by one over the probability that it was drawn with."""


class Sample(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="sample", gc=False):
    """What was known of a player at one moment, and what the models in force made of it then.

    Parameters
    ----------
    player
        Whoever it was; the same string in labels.
    at
        The player's clock, µs since the epoch.
    moment
        `deposit` or `session_end`.
    catalogue
        The id of the catalogue that `values` follow.
    values
        A number for each feature of the catalogue, in its order; None where it is unknown. Money is in minor
        units of `currency`, time in hours, shares from 0 to 1.
    currency
        The player's first, None before any money was seen.
    birth_year
        None where it is not known.
    scores
        By the models in force, empty where there were none; None where one had nothing to say.
    artefact
        The id of the scorecard in force.
    rules
        What the rules alone made of the player: the score, 0 to 100, of the latest alert on risk up to this
        moment, halved for every fourteen days since; 0 without any. (It takes the place of a plain
        `flagged`: a baseline that ranks is fairer than one that only says yes or no.)
    """

    player: str
    at: int
    moment: str
    catalogue: str
    values: tuple[float | None, ...]
    currency: str | None = None
    birth_year: int | None = None
    scores: dict[str, float | None] = {}
    artefact: str | None = None
    rules: float = 0.0


class Label(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="label", gc=False):
    """Something came to be known of a player.

    Parameters
    ----------
    player
        As in samples.
    at
        When it happened, µs since the epoch.
    source
        `self_exclusion` (of six months or more), `rg_event` (words of distress or strain, or of a threat), or
        `verdict` (what a person found of an alert).
    harmed
        Whether it says that the player was in trouble; only a verdict can say that they were not.
    about
        For a verdict the instant that the alert was about, else `at`.
    drawn
        For a verdict the probability with which the player was looked at without any alert's doing: 0 where
        the alert was the reason, the share of the random review otherwise. 1 for all other sources.
    """

    player: str
    at: int
    source: str
    harmed: bool
    about: int
    drawn: float = 1.0


class Flag(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="flag", gc=False):
    """The rules alerted on risk: the baseline that models have to beat.

    Parameters
    ----------
    player, at
        As in samples.
    score
        What the rules make of the player from then on, 0 to 100.
    """

    player: str
    at: int
    score: float


def is_sound(each: Sample | Label | Flag) -> bool:
    """Whether it can be learned from: every number finite and within the bounds above, or unknown.

    What a detector makes always is. What stands on a stream may have been written by anybody.
    """
    if isinstance(each, Sample):
        born = each.birth_year
        return (
            _happened(each.at)
            and (born is None or 1 <= born <= 9999)
            and _are_numbers((*each.values, *each.scores.values(), each.rules))
        )
    if isinstance(each, Label):
        drawn = each.drawn == 0 or LEAST_DRAWN <= each.drawn <= 1
        return drawn and _happened(each.at) and _happened(each.about)
    return _happened(each.at) and _are_numbers((each.score,))


def _happened(at_us: int) -> bool:
    return EARLIEST_US <= at_us <= LATEST_US


def _are_numbers(values: Iterable[float | None]) -> bool:
    return all(value is None or -LARGEST <= value <= LARGEST for value in values)


SOURCES = ("self_exclusion", "rg_event", "verdict")
MOMENTS = ("deposit", "session_end")
