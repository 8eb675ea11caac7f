"""Pauses of live input, in which the wall clock has time pass: the same for every driver that is live."""

from __future__ import annotations

from detector.engine.engine import Engine
from detector.events.instants import MINUTE_US, rfc3339_ms

LIVE_US = 5 * MINUTE_US
"""The clock ticks on in a pause only while the newest event (or tick) is no older than this."""


def is_pause(engine: Engine, now_us: int, heard_us: int, every_s: float) -> bool:
    """Whether the clock is to tick on by now, nothing having been heard since `heard_us`.

    Each tick takes the high mark to the wall clock, so that asking for a high mark near it every time is the
    same as asking when the pause began; and a machine that slept does not wake to a day of silence.
    """
    return now_us - heard_us >= every_s * 1_000_000 and engine.high_us >= now_us - LIVE_US


def tick_event(at_us: int) -> bytes:
    """The event that lets time pass up to an instant, so that a replay sees it too."""
    return b'{"type":"tick","ts":"%b"}' % rfc3339_ms(at_us).encode()
