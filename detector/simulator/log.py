"""The simulated log: its lines in order of arrival."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, takewhile

from detector.events.instants import DAY_US, micros
from detector.simulator.config import Config
from detector.simulator.disturb import disturbed
from detector.simulator.population import fates, together
from detector.simulator.writer import Stamped


def arrivals(config: Config) -> Iterator[Stamped]:
    """The log with the time of each line's arrival, which is the event's own unless it comes late.

    Yields
    ------
    tuple[int, bytes]
        Microseconds since the epoch, never falling, and one line of JSON without its end.
    """
    lives = ((fate.joined_us, fate.open(config).life()) for fate in fates(config))
    stream = together(lives)
    if config.events is None:
        end_us = micros(config.start) + config.days * DAY_US
        stream = takewhile(lambda stamped: stamped[0] < end_us, stream)
    return islice(disturbed(stream, config), config.events)


def events(config: Config) -> Iterator[bytes]:
    """The lines of the log, in order of arrival, without line ends."""
    return (line for _, line in arrivals(config))
