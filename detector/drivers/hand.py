"""One worker of a replay: a share of the players, its alerts, and what is stored of both."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from detector.drivers.detection import Detection
from detector.drivers.letters import Letter
from detector.drivers.player_files import read_players, write_players
from detector.drivers.runs import Entry, Runs, write_run
from detector.drivers.shard import Shard
from detector.drivers.shares import Share, owner
from detector.engine.alerts import Alert
from detector.score.line import risk_line


class Tally(msgspec.Struct):
    """What was counted; tallies of several workers add up.

    `alerts` are by (rule, severity, kind), `suppressed` by (rule id, why), `counts` the engine's own.
    """

    counts: dict[str, int] = {}
    alerts: dict[tuple[str, str, str], int] = {}
    suppressed: dict[tuple[str, str], int] = {}
    unknown_fields: dict[str, int] = {}
    refused: dict[str, int] = {}
    dropped: dict[str, int] = {}
    shadow: int = 0
    notes: int = 0

    def add(self, other: Tally) -> None:
        """Add another's counts to these."""
        for name in self.__struct_fields__:
            mine, more = getattr(self, name), getattr(other, name)
            setattr(self, name, mine + more if isinstance(mine, int) else dict(Counter(mine) + Counter(more)))


class Report(msgspec.Struct, array_like=True):
    """What became of a share: what was refused, and each line's instant, LONG_AGO where it has none."""

    letters: list[Letter]
    instants: bytes = b""


class Saved(msgspec.Struct, array_like=True):
    """What a worker has stored; `tally` is since it began, `players` how many it knows, `risks` a run."""

    tally: Tally
    players: int
    runs: list[str]
    records: str | None = None
    marks: bytes = b""
    risks: str | None = None


class Stored(msgspec.Struct, array_like=True):
    """What a worker has to take up: the marks, the files with records of players, later ones counting, and
    the high mark of the log."""

    marks: bytes
    records: list[str]
    high_us: int


class Hand:
    """A worker, by its number among `jobs`.

    Parameters
    ----------
    folder
        Where it puts what it has to store.
    keep_records
        Whether `save` will be called.
    all_alerts
        Whether alerts of rules in shadow are alerts like any other.
    stored
        What an earlier replay left.
    """

    def __init__(
        self,
        detection: Detection,
        folder: Path,
        number: int = 0,
        jobs: int = 1,
        *,
        keep_records: bool = False,
        all_alerts: bool = False,
        stored: Stored | None = None,
    ) -> None:
        self.shard = Shard(detection, keep_records=keep_records)
        self.engine = self.shard.engine
        self._folder = folder
        self._number = number
        self._runs = Runs(folder)
        self._all_alerts = all_alerts
        self._found: Counter[tuple[str, str, str]] = Counter()
        self._shadow = 0
        self._notes = 0
        if stored is not None:
            self.engine.load_marks(stored.marks)
            self.engine.high_us = stored.high_us
            counts = self.engine.counts
            for name in counts.__slots__:
                # These were added up already.
                setattr(counts, name, 0)
            for player, record in read_players(folder, stored.records):
                if owner(player, jobs) == number:
                    self.engine.load(player, record)

    def take_all(self, lines: Sequence[bytes], first: int, until_us: int) -> Report:
        """Take a whole chunk, for a worker that has no others beside it."""
        letters: list[Letter] = []
        self.shard.take(lines, lambda place: first + place, letters)
        self._pass(until_us)
        return Report(letters)

    def take(self, share: Share) -> Report:
        """Take a share of a chunk."""
        lines = share.text.split(b"\n") if share.text or self._number in share.routes else []
        letters: list[Letter] = []
        instants = self.shard.take_share(lines, share.ticks, _Numbers(share, self._number), letters)
        self._pass(share.until_us)
        return Report(letters, instants.tobytes())

    def _pass(self, until_us: int) -> None:
        self.engine.tick(until_us)
        effects = self.engine.take()
        self._keep(effects.alerts)
        self._notes += len(effects.notes)
        if self._all_alerts:
            self._keep(effects.shadow)
        else:
            self._shadow += len(effects.shadow)

    def _keep(self, alerts: Iterable[Alert]) -> None:
        self._runs.add(alerts)
        self._found.update((alert.rule, alert.severity, alert.kind) for alert in alerts)

    def save(self) -> Saved:
        """Store every player touched since the last time, and all alerts."""
        name = write_players(self._folder, self.engine.records())
        saved = self._saved()
        saved.records, saved.marks = name, self.engine.marks()
        return saved

    def finish(self, high_us: int, *, risks: bool) -> Saved:
        """End the log, `high_us` being its high mark; tell where everybody's rules stand if that is asked."""
        self.engine.high_us = high_us
        self.engine.finish()
        self._pass(self.engine.ticked_us)
        saved = self._saved()
        if risks:
            scoring = self.engine.rater.scoring
            lines = (Entry("", risk.player, "", "", risk_line(risk, scoring)) for risk in self.engine.risks())
            saved.risks = write_run(self._folder, lines)
        return saved

    def _saved(self) -> Saved:
        self._runs.write()
        runs, self._runs.written = self._runs.written, []
        counts = self.engine.counts
        return Saved(
            Tally(
                counts={name: getattr(counts, name) for name in counts.__slots__},
                alerts=dict(self._found),
                suppressed=dict(self.engine.judges.suppressed),
                unknown_fields=dict(self.shard.decoder.unknown_fields),
                shadow=self._shadow,
                notes=self._notes,
            ),
            len(self.engine),
            runs,
        )


class _Numbers:
    """Numbers of a share's lines, found when first asked: hardly any share has to."""

    def __init__(self, share: Share, number: int) -> None:
        self._share = share
        self._number = number
        self._numbers: array[int] | None = None

    def __call__(self, place: int) -> int:
        if self._numbers is None:
            routes, first = self._share.routes, self._share.first
            self._numbers = array("q", (first + i for i, to in enumerate(routes) if to == self._number))
        return self._numbers[place]
