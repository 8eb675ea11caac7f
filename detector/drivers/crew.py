"""Who replays a log: one worker in this process, or several in processes of their own.

Both give the same: a chunk's letters in the order of its lines, and the high mark of the log after it. What
is late depends on the events of all players before it, so workers hand the instants of their lines back,
and here they are put in the order of the log again.
"""

from __future__ import annotations

import os
from array import array
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from detector.drivers.detection import Detection
from detector.drivers.hand import Hand, Report, Saved, Stored, Tally
from detector.drivers.letters import Letter
from detector.drivers.shares import KEPT, Share, Split, Splitter
from detector.drivers.worker import FINISH, SAVE, TAKE, Remote
from detector.engine.engine import GRACE_US
from detector.players.player import LONG_AGO

_encode = msgspec.msgpack.Encoder().encode
_read_report = msgspec.msgpack.Decoder(Report)
_read_saved = msgspec.msgpack.Decoder(Saved)


MOST_JOBS = 64


def processors() -> int:
    """How many processors this process may use, up to MOST_JOBS."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(count, MOST_JOBS)


class Crew(Protocol):
    """Takes chunks, and gives back what became of them in the same order."""

    waiting: int
    """Chunks taken of which `done` has not told yet."""

    def take(self, lines: Sequence[bytes], first: int, until_us: int) -> None:
        """Take a chunk, `first` being the number of its first line; then let time pass to `until_us`."""

    def done(self) -> tuple[list[Letter], int]:
        """What was refused of the next chunk, and the log's high mark after it."""

    def save(self) -> list[Saved]:
        """Store all players touched, and all alerts; no chunk may be waiting."""

    def finish(self, *, risks: bool) -> list[Saved]:
        """End the log; with `risks`, each worker also stores where its players' rules stand."""

    def tally(self) -> Tally:
        """What was counted beside the workers."""

    def close(self) -> None:
        """Send everybody home, whether they are done or not."""


class Alone:
    """One worker in this process."""

    def __init__(self, hand: Hand) -> None:
        self.waiting = 0
        self._hand = hand
        self._done: deque[tuple[list[Letter], int]] = deque()

    def take(self, lines: Sequence[bytes], first: int, until_us: int) -> None:
        report = self._hand.take_all(lines, first, until_us)
        self._done.append((report.letters, self._hand.engine.high_us))
        self.waiting += 1

    def done(self) -> tuple[list[Letter], int]:
        self.waiting -= 1
        return self._done.popleft()

    def save(self) -> list[Saved]:
        return [self._hand.save()]

    def finish(self, *, risks: bool) -> list[Saved]:
        return [self._hand.finish(self._hand.engine.high_us, risks=risks)]

    def tally(self) -> Tally:
        return Tally()

    def close(self) -> None:
        pass


class Several:
    """Workers in processes of their own; players are shared out between them."""

    def __init__(
        self,
        detection: Detection,
        folder: Path,
        jobs: int,
        *,
        keep_records: bool,
        all_alerts: bool,
        stored: Stored | None,
    ) -> None:
        self.waiting = 0
        self._high_us = LONG_AGO if stored is None else stored.high_us
        self._late = 0
        self._splits: deque[Split] = deque()
        self._splitter = Splitter(jobs, detection.currencies, GRACE_US)
        self._workers = [
            Remote(
                detection,
                folder,
                number,
                jobs,
                keep_records=keep_records,
                all_alerts=all_alerts,
                stored=stored,
            )
            for number in range(jobs)
        ]

    def take(self, lines: Sequence[bytes], first: int, until_us: int) -> None:
        split = self._splitter.split(lines, first)
        for worker, mine, ticks in zip(self._workers, split.shares, split.ticks, strict=True):
            worker.send(TAKE + _encode(Share(first, split.routes, b"\n".join(mine), ticks, until_us)))
        self._splits.append(split)
        self.waiting += 1

    def done(self) -> tuple[list[Letter], int]:
        split = self._splits.popleft()
        self.waiting -= 1
        reports = [worker.hear(_read_report) for worker in self._workers]
        instants = [array("q", report.instants) for report in reports]
        self._look_for_late(split, instants)
        letters = [*split.letters, *(letter for report in reports for letter in report.letters)]
        letters.sort(key=lambda letter: letter.line)
        return letters, self._high_us

    def _look_for_late(self, split: Split, instants: list[array[int]]) -> None:
        """Count what is late, as one worker would that had taken every line."""
        spans = [(min(each), max(each)) for each in instants if each]
        if not split.marks and spans:
            high = max(self._high_us, max(top for _, top in spans))
            if min(low for low, _ in spans) >= high - GRACE_US:
                self._high_us = high
                return
        marks = iter(split.marks)
        here = [iter(each) for each in instants]
        high, late = self._high_us, 0
        for to in split.routes:
            if to == KEPT:
                high = max(high, next(marks))
                continue
            at = next(here[to])
            if at > high:
                high = at
            elif at < high - GRACE_US and at != LONG_AGO:
                late += 1
        self._high_us = high
        self._late += late

    def save(self) -> list[Saved]:
        return self._ask(SAVE)

    def finish(self, *, risks: bool) -> list[Saved]:
        return self._ask(FINISH + _encode((self._high_us, risks)))

    def _ask(self, message: bytes) -> list[Saved]:
        for worker in self._workers:
            worker.send(message)
        return [self._without_late(worker.hear(_read_saved)) for worker in self._workers]

    @staticmethod
    def _without_late(saved: Saved) -> Saved:
        # What a worker takes for late is behind its own players only.
        saved.tally.counts.pop("late", None)
        return saved

    def tally(self) -> Tally:
        counts = {"accepted": self._splitter.accepted, "late": self._late}
        return Tally(counts=counts, unknown_fields=dict(self._splitter.unknown_fields))

    def close(self) -> None:
        for worker in self._workers:
            worker.close()
