"""Doing steps one after the other, whatever becomes of each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from api.qa.scene import Check, NotReached, Scene
from detector.errors import TiltwatchError

Step = Callable[[Scene], Awaitable[Check]]
"""One step; the first line of its docstring says what is tried."""


@dataclass(frozen=True, slots=True)
class Row:
    """How a step ended."""

    part: str
    what: str
    expected: str
    seen: str
    passed: bool


async def do(part: str, steps: Sequence[Step], scene: Scene, tell: Callable[[Row], None]) -> list[Row]:
    """Do the steps of a part; a step that cannot be tried has failed."""
    rows = []
    for step in steps:
        row = await _row(part, step, scene)
        rows.append(row)
        tell(row)
    return rows


async def _row(part: str, step: Step, scene: Scene) -> Row:
    what = (step.__doc__ or step.__name__).partition("\n")[0].removesuffix(".")
    try:
        check = await step(scene)
    except NotReached as missing:
        return Row(part, what, "to be tried", f"not tried: there is no {missing}", passed=False)
    except (aiohttp.ClientError, TimeoutError) as error:
        return Row(part, what, "an answer", type(error).__name__, passed=False)
    except TiltwatchError as error:
        return Row(part, what, "to be tried", str(error), passed=False)
    except (KeyError, TypeError, IndexError, ValueError) as error:
        # An answer of a shape nobody expected, such as a problem in the place of a list.
        return Row(part, what, "an answer of its usual shape", type(error).__name__, passed=False)
    return Row(part, what, _told(check.expected), _told(check.seen), check.passed)


def _told(value: Any) -> str:
    """A value as it stands in the table.

    >>> _told({"states": ["done", "done"], "overdue": False, "left": []})
    'states: done, done; overdue: no; left: nothing'
    """
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case dict():
            return "; ".join(f"{name}: {_told(each)}" for name, each in value.items())
        case list() | tuple():
            return ", ".join(_told(each) for each in value) or "nothing"
    return str(value)
