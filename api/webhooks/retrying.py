"""When what failed is tried again, and when an endpoint is left alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from detector.events.instants import DAY_US, HOUR_US, MINUTE_US, micros

SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Options:
    """How deliveries are made; tests and storms have shorter ones.

    Parameters
    ----------
    schedule_us
        Pauses before the second attempt, the third and so on; after the last one failed it is given up.
    jitter
        Share of a pause by which it may be shorter or longer.
    uniform
        A number from 0 to 1; chooses within the jitter.
    break_after
        Failures in a row after which an endpoint is left alone, for `pause_us` at first, then twice that and
        so on up to `longest_pause_us`; one message at a time finds out whether it is back.
    timeout_s
        For all of a request.
    settle_again_us
        Pause before what came of an attempt is written anew where that failed, then twice that and so on.
    down_after_us
        How long nothing got through before people are told.
    most_in_flight
        Requests under way at a time, to all endpoints; one endpoint may have `most_of_one`.
    gather_s
        Least time between two looks at what is due, so that one transaction serves several messages.
    idle_s
        Most time between them.
    """

    schedule_us: tuple[int, ...] = (
        5 * SECOND_US,
        5 * MINUTE_US,
        30 * MINUTE_US,
        2 * HOUR_US,
        5 * HOUR_US,
        10 * HOUR_US,
        14 * HOUR_US,
        20 * HOUR_US,
        24 * HOUR_US,
    )
    jitter: float = 0.2
    uniform: Callable[[], float] = random.random
    break_after: int = 10
    pause_us: int = 30 * SECOND_US
    longest_pause_us: int = HOUR_US
    timeout_s: float = 30
    settle_again_us: int = 5 * SECOND_US
    down_after_us: int = 15 * MINUTE_US
    most_in_flight: int = 512
    most_of_one: int = 128
    gather_s: float = 0.02
    idle_s: float = 0.25

    def pause_before(self, tries: int) -> int | None:
        """µs until the next attempt after so many failed; None if there is none."""
        if tries > len(self.schedule_us):
            return None
        spread = 1 + self.jitter * (2 * self.uniform() - 1)
        return int(self.schedule_us[max(0, tries - 1)] * spread)

    @property
    def span_us(self) -> int:
        """How long it goes on trying."""
        return sum(self.schedule_us)


def retry_after_us(value: str | None, now_us: int) -> int | None:
    """Until when `Retry-After` (seconds, or a date) asks us to wait, a day at most; None if it does not."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        asked_us = now_us + int(value[:9]) * SECOND_US
    else:
        try:
            date = parsedate_to_datetime(value)
            asked_us = micros(date if date.tzinfo else date.replace(tzinfo=UTC))
        except (ValueError, TypeError, OverflowError):  # numbers that no date has raise the last one
            return None
    return min(max(asked_us, now_us), now_us + DAY_US)
