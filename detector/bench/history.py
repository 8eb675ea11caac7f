"""Whether an event costs more the more came before it: players with a hundred times the history of others.

The same events, one player after the other, are given to three engines: one whose players have a little
behind them, one with a hundred times as much in the same month (in the windows), and one with a hundred times
as much over a hundred times as long (beyond the windows).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from detector.bench.rounds import Plan, Row, cpu_seconds, interleaved
from detector.engine.engine import Engine
from detector.events.instants import DAY_US, MINUTE_US, SECOND_US, micros, to_datetime
