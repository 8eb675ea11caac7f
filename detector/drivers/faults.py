"""Telling where something failed without telling what it failed on."""

from __future__ import annotations

import traceback
from pathlib import PurePath

INTERNAL = "internal_error"
"""Why an event was put aside on which the engine itself failed."""


def where(error: BaseException) -> list[str]:
    """File, line and function of the steps to an error, innermost last.

    Its message is left out: it may repeat a player's data, or a whole Redis command.
    """
    steps = traceback.extract_tb(error.__traceback__)[-8:]
    return [f"{PurePath(step.filename).name}:{step.lineno} {step.name}" for step in steps]
