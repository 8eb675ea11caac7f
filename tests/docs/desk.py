"""The tables of docs/desk.md, from the closed sets of what may be said at the desk."""

from __future__ import annotations

from collections.abc import Iterator

from api.alerts.codes import FINDINGS, VERDICTS, WAITING
from api.contests.schemas import GROUNDS, WHY

VERDICTS_HEADER = ["verdict", "reason", "means"]
WAITING_HEADER = ["reason", "means"]
FINDINGS_HEADER = ["action", "outcome", "code", "means"]
GROUNDS_HEADER = ["decision", "reason", "means"]


def verdicts() -> Iterator[list[str]]:
    """A row for each reason of a verdict."""
    for verdict, reasons in VERDICTS.items():
        yield from ([f"`{verdict}`", f"`{reason}`", meaning] for reason, meaning in reasons.items())


def waiting() -> Iterator[list[str]]:
    """A row for each reason to put work off."""
    yield from ([f"`{reason}`", meaning] for reason, meaning in WAITING.items())


def findings() -> Iterator[list[str]]:
    """A row for each code of what became of a person's action."""
    for action, outcomes in FINDINGS.items():
        for outcome, codes in outcomes.items():
            yield from (
                [f"`{action}`", f"`{outcome}`", f"`{code}`", meaning] for code, meaning in codes.items()
            )


def contested() -> Iterator[list[str]]:
    """A row for each reason to contest."""
    yield from ([f"`{reason}`", meaning] for reason, meaning in WHY.items())


def grounds() -> Iterator[list[str]]:
    """A row for each reason of a decision on a contest."""
    for decision, reasons in GROUNDS.items():
        yield from ([f"`{decision}`", f"`{reason}`", meaning] for reason, meaning in reasons.items())
