"""How things are measured: in rounds, one contestant after the other, warmed up, without the collector."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

import msgspec

from detector.drivers.collector import without_collector

Tell = Callable[[str], object]
"""Told what is going on, for whoever waits."""


class Row(msgspec.Struct, kw_only=True):
    """One line of the report.

    `ours` and `peers` hold a figure a round, in `unit`; where there is a peer, `first` and `then` are targets
    for the ratio ours/peer of each round's pair, else for our own figure. `at_least` says whether more is
    better. `missing` says why a row was not measured.
    """

    name: str
    what: str
    unit: str = ""
    ours: list[float] = []
    peer: str | None = None
    peers: list[float] = []
    first: float | None = None
    then: float | None = None
    at_least: bool = True
    notes: list[str] = []
    missing: str | None = None

    @property
    def figures(self) -> list[float]:
        """What the targets are for, one a round; none where the row was not measured."""
        if self.missing is not None:
            return []
        if self.peer is None:
            return self.ours
        return [ours / peer for ours, peer in zip(self.ours, self.peers, strict=True)]

    def reaches(self, target: float) -> bool:
        """Whether the median meets a target."""
        reached = median(self.figures)
        return reached >= target if self.at_least else reached <= target


@dataclass(frozen=True, slots=True)
class Plan:
    """What the command was asked for: events in a log, and rounds that count.

    On Kafka it is `players` that tell the size, and `kafka` names brokers, as `host:port` with commas
    between; None: the bench starts one.
    """

    events: int
    rounds: int
    tell: Tell
    players: int = 50_000
    kafka: str | None = None


def interleaved(contestants: Mapping[str, Callable[[], float]], plan: Plan) -> dict[str, list[float]]:
    """Run contestants A B A B …, each returning its figure; a first round is thrown away."""
    figures: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(plan.rounds + 1):
        for name, run in contestants.items():
            plan.tell(f"{name}: " + (f"round {number} of {plan.rounds}" if number else "warming up"))
            figure = run()
            if number:
                figures[name].append(figure)
    return figures


def cpu_seconds(work: Callable[[], object]) -> float:
    """Processor time of this process for some work that waits for nothing.

    On an idle machine this is the time on the clock; on a busy one it leaves out when others had their turn.
    """
    # Nobody is measured while the collector searches what somebody else left.
    gc.collect()
    with without_collector():
        began = time.process_time()
        work()
        return time.process_time() - began
