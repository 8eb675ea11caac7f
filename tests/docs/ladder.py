"""The tables of docs/interventions.md, from rules/ladder.yml and the closed sets."""

from __future__ import annotations

from collections.abc import Iterator

from detector.ladder.actions import ACTIONS, HOLDING, HUMAN, REASONS
from detector.ladder.ladder import Jurisdiction, Rung
from detector.ladder.load import LADDERS
from detector.language.literals import write_duration

ACTIONS_HEADER = ["action", "what it asks for", "who", "in force"]
RUNGS_HEADER = ["level", "asked for, and by when", "marketing off for", "expires after", "sources"]
REASONS_HEADER = ["reason", "of rules in the categories"]


def actions() -> Iterator[list[str]]:
    """A row for each action."""
    for action, meaning in ACTIONS.items():
        yield [
            f"`{action}`",
            meaning,
            "people" if action in HUMAN else "the platform",
            "for a while" if action in HOLDING else "",
        ]


def reasons() -> Iterator[list[str]]:
    """A row for each reason code."""
    for reason in dict.fromkeys(REASONS.values()):
        yield [
            f"`{reason}`",
            ", ".join(f"`{category}`" for category, code in REASONS.items() if code == reason),
        ]


def jurisdictions() -> Iterator[tuple[str, str, list[list[str]]]]:
    """For each jurisdiction its name, a line on what holds throughout, and a row for each level."""
    for each in LADDERS.packaged.jurisdictions.values():
        yield each.name, _throughout(each), [_row(rung) for rung in each.rungs.values()]


def _throughout(each: Jurisdiction) -> str:
    least = ", ".join(f"{level} where the band is {band}" for band, level in each.least.items())
    told = f"At least {least}. Not again within {write_duration(each.again_us)}."
    if each.within_us is not None:
        told += f" No deadline is longer than {write_duration(each.within_us)}."
    return told + (f" Sources: {', '.join(each.sources)}." if each.sources else "")


def _row(rung: Rung) -> list[str]:
    asked = sorted(rung.actions.items(), key=lambda action: (action[1], action[0]))
    return [
        f"{rung.level} {rung.title}",
        ", ".join(f"`{action}` {write_duration(due_us)}" for action, due_us in asked),
        "" if rung.marketing_us is None else write_duration(rung.marketing_us),
        "" if rung.expires_us is None else write_duration(rung.expires_us),
        ", ".join(rung.sources),
    ]
