"""Replay: the detector over a log of events, with the alerts in their promised order.

The log is read in chunks of a fixed size, and time passes once after each: up to the watermark of LAG chunks
before, because workers in several processes know no later one yet. So what a replay finds is the same
however many there are, and whether or not it was interrupted.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from detector.drivers import player_files, runs
from detector.drivers.checkpoints import VERSION, Checkpoint, Folder
from detector.drivers.collector import without_collector
from detector.drivers.crew import Alone, Crew, Several
from detector.drivers.detection import Detection
from detector.drivers.foreign import ForeignLog
from detector.drivers.hand import Hand, Saved, Tally
from detector.drivers.lines import LogReader
from detector.engine.alerts import Alert
from detector.engine.engine import GRACE_US
from detector.engine.surroundings import Counts
from detector.events.money import Currencies, Rates
from detector.language.rule import Rule
from detector.players.player import LONG_AGO

LAG = 4
"""How many chunks the ticks of a replay trail behind."""
SAVE_EVERY_S = 60.0
SAVING_AT_MOST = 0.1
"""The share of the time that may go into checkpoints."""

_read_alert = msgspec.json.Decoder(Alert).decode


@dataclass(slots=True)
class Found:
    """What a replay found; its alerts lie in files for as long as the context it came from lasts.

    Attributes
    ----------
    tally
        What was counted.
    runs
        Names of the files in `folder` with the alerts.
    risk_runs
        The same with players' risks as of the log's high mark, none if they were not asked for.
    """

    tally: Tally
    players: int
    lines: int
    folder: Path
    runs: Sequence[str]
    risk_runs: Sequence[str]

    def risks(self) -> Iterator[bytes]:
        """A line of JSON for each player for whom a rule that counts has held, by player."""
        return runs.merged(self.folder, self.risk_runs)

    def alerts(self) -> Iterator[bytes]:
        """Each alert's JSON, by (opened_at, player, rule, id)."""
        return runs.merged(self.folder, self.runs)


@contextmanager
def replay_log(
    log: LogReader,
    detection: Detection,
    *,
    jobs: int = 1,
    all_alerts: bool = False,
    risks: bool = False,
    folder: Folder | None = None,
    foreign: ForeignLog | None = None,
    every_s: float = SAVE_EVERY_S,
    dead: Callable[[bytes], object] | None = None,
    progress: Callable[[int], object] | None = None,
) -> Iterator[Found]:
    """Run rules over an opened log, of any length.

    Parameters
    ----------
    jobs
        How many processes share the players out between them; 1 does without any.
    all_alerts
        Whether alerts of rules in shadow stand among the others, or are only counted.
    risks
        Whether to tell where everybody's rules stand in the end.
    folder
        Where the replay goes on from if it was interrupted, and leaves checkpoints `every_s` seconds.
    foreign
        What makes events of the log's lines, where they are another platform's messages.
    dead
        Called with a line of JSON for each refused line.
    progress
        Called after each chunk with the number of lines done so far.

    Raises
    ------
    InputError
        The log cannot be read, or is not the one that the folder's replay began with.
    StateError
        What the folder holds is damaged, or a worker was killed.
    """
    with ExitStack() as stack:
        stack.enter_context(without_collector())
        latest = None if folder is None else folder.latest
        path = (
            Path(stack.enter_context(TemporaryDirectory(prefix="tiltwatch-")))
            if folder is None
            else folder.path
        )
        stored = None if latest is None else latest.stored
        crew: Crew
        if jobs == 1:
            crew = Alone(
                Hand(detection, path, keep_records=folder is not None, all_alerts=all_alerts, stored=stored)
            )
        else:
            crew = stack.enter_context(
                closing(
                    Several(
                        detection,
                        path,
                        jobs,
                        keep_records=folder is not None,
                        all_alerts=all_alerts,
                        stored=stored,
                    )
                )
            )
        course = _Course(crew, latest, dead, foreign)
        if latest is not None:
            log.skip_to(latest.place)
        saving = None if folder is None else _Saving(folder, course, every_s)
        for lines in log.chunks():
            course.take(lines)
            if saving is not None and log.place is not None:
                saving.save_if_due(log)
            if progress is not None:
                progress(course.lines)
        course.catch_up()
        ended = crew.finish(risks=risks)
        tally = course.tally_with(ended)
        written = [*course.runs, *(name for each in ended for name in each.runs)]
        yield Found(
            tally,
            sum(each.players for each in ended),
            course.lines,
            path,
            runs.compact(path, written),
            [each.risks for each in ended if each.risks is not None],
        )


class _Course:
    """A replay on its way: which chunk it is at, and what has come of those before."""

    def __init__(
        self,
        crew: Crew,
        latest: Checkpoint | None,
        dead: Callable[[bytes], object] | None,
        foreign: ForeignLog | None,
    ) -> None:
        self.crew = crew
        self._foreign = foreign
        self.runs: list[str] = []
        self.lines = 0
        self._dead = dead
        self._before = Tally()
        self._refused: Counter[str] = Counter()
        # High marks after the latest chunks, oldest first.
        self.highs_us = deque([LONG_AGO] * (LAG + 1), LAG + 1)
        if latest is not None:
            self.runs = latest.runs
            self.lines = latest.lines
            self._before = latest.tally
            self.highs_us.extend(latest.highs_us)

    def take(self, lines: Sequence[bytes]) -> None:
        """Hand a chunk out, once all those are done that its tick depends on."""
        while self.crew.waiting >= LAG:
            self._hear()
        until_us = self.highs_us[self.crew.waiting - LAG] - GRACE_US
        events = lines if self._foreign is None else self._foreign.events(lines, self.lines + 1)
        self.crew.take(events, self.lines + 1, until_us)
        self.lines += len(lines)

    def catch_up(self) -> None:
        """Wait until everything handed out is done."""
        while self.crew.waiting:
            self._hear()

    def _hear(self) -> None:
        letters, high_us = self.crew.done()
        self.highs_us.append(high_us)
        if self._foreign is not None:
            letters = self._foreign.letters(letters)
        for letter in letters:
            self._refused[letter.reason] += 1
            if self._dead is not None:
                self._dead(letter.text)

    def tally_with(self, saved: Sequence[Saved]) -> Tally:
        """All that was counted since the log's first line."""
        tally = Tally(refused=dict(self._refused))
        if self._foreign is not None:
            tally.dropped = dict(self._foreign.dropped)
        for each in (self._before, self.crew.tally(), *(one.tally for one in saved)):
            tally.add(each)
        return tally


class _Saving:
    """Leaves checkpoints, neither too often nor so seldom that much would be lost."""

    def __init__(self, folder: Folder, course: _Course, every_s: float) -> None:
        self._folder = folder
        self._course = course
        self._every_s = every_s
        self._due = time.monotonic() + every_s

    def save_if_due(self, log: LogReader) -> None:
        began = time.monotonic()
        if began < self._due:
            return
        self._save(log)
        took = time.monotonic() - began
        self._due = began + took + max(self._every_s, took / SAVING_AT_MOST if self._every_s else 0)

    def _save(self, log: LogReader) -> None:
        course, folder = self._course, self._folder
        course.catch_up()
        place = log.place
        assert place is not None
        saved = course.crew.save()
        records = [] if folder.latest is None else folder.latest.records
        records = [*records, *(each.records for each in saved if each.records is not None)]
        course.runs = runs.compact(
            folder.path, [*course.runs, *(name for each in saved for name in each.runs)]
        )
        folder.save(
            Checkpoint(
                version=VERSION,
                place=place,
                lines=course.lines,
                highs_us=list(course.highs_us),
                tally=course.tally_with(saved),
                marks=saved[0].marks,
                records=player_files.compact(folder.path, records),
                runs=course.runs,
            )
        )


@dataclass(slots=True)
class Replayed:
    """What a replay found, all of it in memory.

    Attributes
    ----------
    alerts, shadow
        Sorted by (opened_at, player, rule, id).
    refused
        Reason → events.
    suppressed
        (rule id, why) → judgements that held, or were unknown, without an alert.
    """

    alerts: list[Alert]
    shadow: list[Alert]
    notes: int
    counts: Counts
    players: int
    lines: int
    refused: Counter[str]
    suppressed: Counter[tuple[str, str]]
    unknown_fields: Counter[str]


def replay(
    log: LogReader,
    rules: Sequence[Rule],
    *,
    currencies: Currencies | None = None,
    rates: Rates | None = None,
    jobs: int = 1,
) -> Replayed:
    """Run rules over an opened log that is not too long to have all its alerts in memory."""
    detection = Detection(rules, currencies or Currencies(), rates)
    shadow = {rule.name for rule in rules if rule.status == "shadow"}
    with replay_log(log, detection, jobs=jobs, all_alerts=True) as found:
        alerts = [_read_alert(line) for line in found.alerts()]
        tally = found.tally
        return Replayed(
            alerts=[alert for alert in alerts if alert.rule not in shadow],
            shadow=[alert for alert in alerts if alert.rule in shadow],
            notes=tally.notes,
            counts=Counts(**tally.counts),
            players=found.players,
            lines=found.lines,
            refused=Counter(tally.refused),
            suppressed=Counter(tally.suppressed),
            unknown_fields=Counter(tally.unknown_fields),
        )
