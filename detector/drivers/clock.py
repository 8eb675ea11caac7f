"""The one place that reads the wall clock."""

from __future__ import annotations

import time


def wall_clock_us() -> int:
    """Now, in µs since the epoch."""
    return time.time_ns() // 1000
