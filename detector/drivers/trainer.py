"""Learns for good from what running detectors hand out.

What was learned and how far it was heard are ONE state, kept at once: a trainer killed at any moment goes on
from the last state that was kept, hears again what came since, and loses and repeats nothing. It puts nothing
in force: it registers challengers, and people promote.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import structlog

from detector.drivers import progress
from detector.drivers.challengers import metrics_of, new_trainer, register
from detector.drivers.progress import Progress
from detector.errors import SettingsError, TiltwatchError
from detector.events.instants import DAY_US
from detector.language.features import Catalogue
from models.errors import RegistryError
from models.ordering import Heard
from models.sample import Label, Sample

if TYPE_CHECKING:  # River, on which these stand, takes seconds to import
    from models.registry import Registry
    from models.trainer import Trainer

log = structlog.get_logger()

EVERY_S = 60.0
_SHARE = 9
"""A state that took a second to keep is kept again after this many seconds at the earliest."""
_IDLE_S = 0.5
_AWAY_S = 1.0
_LOOK_S = 10.0
_TRIES = 20
_KNOWN = "known until"


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands at one place of a stream; None is what cannot be read. `place` is where one is after it."""

    heard: Heard | None
    place: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Reading:
    """Entries in their order.

    `lost` counts those before them that were gone before anybody heard them, `behind` those after them that
    are there already.
    """

    entries: Sequence[Entry] = ()
    lost: int = 0
    behind: int = 0


class SourceAway(Exception):  # noqa: N818  (it is told and waited for)
    """The samples cannot be read just now."""


class Source(Protocol):
    """Where samples, labels and flags come from."""

    def read(self, place: Mapping[str, int]) -> Reading:
        """What comes after a place, nothing where nothing does yet; SourceAway.

        A place that is empty, or another source's, is the beginning.
        """
        ...

    def keep(self, place: Mapping[str, int]) -> None:
        """Note that all up to a place is learned and kept; SourceAway."""
        ...


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the only one who learns into a registry's folder, which has to be there.

    Raises
    ------
    SettingsError
        Somebody else is.
    """
    try:
        import fcntl
    except ImportError:  # Windows has none; there nobody looks whether two learn at once
        yield
        return
    with (folder / "trainer.lock").open("ab") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(
                f"{folder}: another trainer learns into this registry; stop it, or name another folder"
            ) from None
        yield


@dataclass(slots=True)
class Learning:
    """One trainer over one source and one registry, of which it has to be `alone`.

    Parameters
    ----------
    find_catalogue
        Reads the features that models see, as they are in the rules folder now.
    clock
        Tells the wall clock, in µs since the epoch, for what the registry writes down.
    every_s
        How often the state is kept, from the first that is heard on; rarer where that takes long.
    tell
        Is told now and then how far it has come.
    """

    book: Registry
    source: Source
    find_catalogue: Callable[[], Catalogue]
    clock: Callable[[], int]
    every_s: float = EVERY_S
    seed: int = 0
    tell: Callable[[Progress], None] | None = None
    trainer: Trainer = field(init=False)
    _catalogue: Catalogue = field(init=False)
    _registered_us: int | None = field(init=False)
    _unkept_us: int | None = None
    _kept_at: float = -math.inf
    _told_at: float = -math.inf
    _behind: int = 0
    _took_s: float = 0.0
    _looked_at: float = -_LOOK_S
    _strange: int = 0
    _told: int = 0

    def __post_init__(self) -> None:
        """Go on from what is kept.

        Raises
        ------
        RegistryError, TrainerError
            What is kept cannot be gone on with.
        TiltwatchError
            The catalogue cannot be read.
        """
        from models.trainer import Trainer

        self._catalogue = self.find_catalogue()
        kept = self.book.load_state(Trainer.restore)
        self.trainer = new_trainer(self._catalogue, self.seed) if kept is None else kept
        self._registered_us = max((each.created for each in self.book.book().entries), default=None)
        if self.trainer.last_at is not None and not self.trainer.place:
            # It has learned from a log; what that log told comes by here too.
            self.trainer.place = {_KNOWN: self.trainer.hear_again()}

    def run(self, stop: threading.Event) -> None:
        """Learn until `stop` is set; what was learned is then kept, and registered."""
        log.info("learning", waiting=len(self.trainer.room))
        while not stop.is_set():
            try:
                idle = not self.step(stop)
            except SourceAway as away:
                log.warning("samples cannot be read", error=str(away))
                stop.wait(_AWAY_S)
                continue
            if idle:
                stop.wait(_IDLE_S)
        if self._unkept_us is not None:
            self._register()
            self.keep()
        self._tell()
        log.info("learned", waiting=len(self.trainer.room))

    def step(self, stop: threading.Event | None = None) -> bool:
        """Hear what there is now, and keep the state when it is time to; False if there was nothing.

        Raises
        ------
        SourceAway
            The samples cannot be read just now.
        """
        reading = self.source.read(self.trainer.place)
        if reading.lost:
            log.warning("samples were gone before they could be learned from", lost=reading.lost)
            self.trainer.miss(reading.lost)
        self._behind = reading.behind + len(reading.entries)
        if reading.entries and self._unkept_us is None:
            self._unkept_us = self.clock()
        for entry in reading.entries:
            self._hear(entry)
            self._behind -= 1
            if stop is not None and stop.is_set():
                break
        self._tell_strange()
        pause = max(self.every_s, _SHARE * self._took_s)
        if self._unkept_us is not None and time.monotonic() - self._kept_at >= pause:
            self.keep()
        if time.monotonic() - self._told_at >= progress.EVERY_S:
            self._tell()
        return bool(reading.entries)

    def keep(self) -> None:
        """Keep what was learned together with the place it was heard at."""
        began = time.monotonic()
        try:
            self.book.checkpoint(self.trainer.state(), self.clock())
        except RegistryError as error:
            # Somebody promotes at this moment, or the disk is full: what is in memory is not lost by it.
            log.warning("what was learned could not be kept yet", error=str(error))
            self._kept_at = time.monotonic()
            return
        self._unkept_us = None
        self._kept_at = time.monotonic()
        self._took_s = self._kept_at - began
        try:
            self.source.keep(self.trainer.place)
        except SourceAway as away:
            log.warning("samples that were learned from are not given up yet", error=str(away))

    def _hear(self, entry: Entry) -> None:
        heard = entry.heard
        if heard is None:
            self._strange += 1
        elif not self._is_known(heard):
            if isinstance(heard, Sample) and heard.catalogue != self.trainer.catalogue:
                self._see_other(heard.catalogue)
            day = self._day
            self.trainer.hear(heard)
            if day is not None and self._day != day:
                # At this very entry, so that a trainer that hears it once more registers the same.
                self._register()
        self.trainer.place = {**self.trainer.place, **entry.place}

    def _is_known(self, heard: Heard) -> bool:
        is_verdict = isinstance(heard, Label) and heard.source == "verdict"
        return not is_verdict and heard.at <= self.trainer.place.get(_KNOWN, -1)

    @property
    def _day(self) -> int | None:
        """The UTC day, by players' clocks, up to which samples were learned from."""
        return None if self.trainer.last_at is None else self.trainer.last_at // DAY_US

    def _see_other(self, catalogue: str) -> None:
        """Begin anew if detectors go by other features now, and those lie in the rules folder.

        Nothing of what was learned can be carried over: a model's numbers stand for the old features.
        """
        self._strange += 1
        if time.monotonic() - self._looked_at < _LOOK_S:
            return
        self._looked_at = time.monotonic()
        try:
            found = self.find_catalogue()
        except TiltwatchError as error:
            log.warning("the features cannot be read", error=type(error).__name__)
            return
        if found.id == catalogue:
            log.warning("other features are in force; learning begins anew", catalogue=catalogue)
            place = {name: at for name, at in self.trainer.place.items() if name != _KNOWN}
            self._catalogue = found
            self.trainer = new_trainer(found, self.seed)
            self.trainer.place = place
            self._strange = self._told = 0

    def _tell_strange(self) -> None:
        if self._strange > self._told:
            log.warning(
                "entries were left alone, being unreadable or of other features than the rules folder has",
                entries=self._strange - self._told,
            )
            self._told = self._strange

    def _tell(self) -> None:
        self._told_at = time.monotonic()
        if self.tell is None:
            return
        counts = self.trainer.room.counts
        self.tell(
            Progress(
                at=self.clock(),
                behind=self._behind,
                samples=counts.taken,
                labels=sum(counts.labels.values()),
                lost=self.trainer.missed,
                unkept_since=self._unkept_us,
                registered=self._registered_us,
            )
        )

    def _register(self) -> None:
        """Register challengers for people to look at."""
        trainer, catalogue = self.trainer, self._catalogue
        if trainer.catalogue != catalogue.id:
            log.warning("nothing is registered: the rules folder has other features than were learned on")
            return
        if trainer.last_at is None:
            return
        report = trainer.report(draws=1)
        for _ in range(_TRIES):
            try:
                made = register(
                    self.book,
                    trainer,
                    catalogue,
                    lambda kind: metrics_of(report.score(kind)),
                    by="trainer",
                    at_us=self.clock(),
                )
            except RegistryError as error:
                log.warning("challengers could not be registered yet", error=str(error))
                time.sleep(_IDLE_S)
            else:
                self._registered_us = self.clock()
                log.info("challengers are registered", models=[each.id for each in made])
                return


def be_modest() -> None:
    """Let everybody else go first: learning can wait, detecting cannot."""
    if hasattr(os, "nice"):
        os.nice(10)
