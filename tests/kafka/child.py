"""A worker whose engine fails on one event, with words that repeat it, as a program of its own."""

from __future__ import annotations

import sys

from api.settings import read_settings
from api.working import work
from detector.engine.engine import Engine, Outcome
from detector.events.vocabulary import AnyEvent

POISON = "poison"
"""The id of the event it fails on."""


def main() -> int:
    real = Engine.apply

    def apply(self: Engine, event: AnyEvent, content: int | None = None) -> Outcome:
        if getattr(event, "id", None) == POISON:
            raise ZeroDivisionError(f"there is no {event!r}")
        return real(self, event, content)

    Engine.apply = apply  # type: ignore[method-assign]  # that it fails is the test
    return work(read_settings())


if __name__ == "__main__":
    sys.exit(main())
