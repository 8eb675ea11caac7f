"""Which model is in force when, and which files are truly ours: a folder that knows its artefacts by hash.

    registry.json        entries, never removed; what was done with them, never removed; who is champion
    cards/SHA.json       scorecards: plain data, what the detector scores with
    states/SHA.pickle    trainers, to go on learning from
    registry.lock        held by whoever writes

A pickle runs code when it is read. So a state is read only if the registry wrote it: its bytes are hashed
first, and nothing is unpickled whose hash it does not know, or that another version of River wrote. This
guards against a file that was swapped or cut, not against somebody who may write into the whole folder: it is
made for its owner alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TypeVar

import msgspec

from models.book import FORMAT, Book, Change, Checkpoint, Entry
from models.errors import Frozen, NotBetter, OtherVersion, RegistryError, UnknownArtefact
from models.report import Interval
from models.scorecard import Scorecard

T = TypeVar("T")

RIVER = version("river")
CHALLENGERS_KEPT = 8
"""Of how many of the latest entries the trainer's state is kept; scorecards are kept for good."""


class Registry:
    """A folder of models. Reading takes no lock; each writing method holds it and is atomic.

    Parameters
    ----------
    folder
        Made, for its owner alone, if it is not there.

    Raises
    ------
    RegistryError
        From any method: the folder cannot be read or written, or somebody else writes into it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for each in ("cards", "states"):
                (folder / each).mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise RegistryError(f"{folder}: {error.strerror or error}") from error

    # Looking.

    def book(self) -> Book:
        """Return everything that is known; RegistryError if registry.json cannot be read as such."""
        path = self.folder / "registry.json"
        try:
            made = msgspec.json.decode(path.read_bytes(), type=Book)
        except FileNotFoundError:
            return Book()
        except OSError as error:
            raise RegistryError(f"{path}: {error.strerror or error}") from error
        except msgspec.MsgspecError as error:
            raise RegistryError(f"{path}: not a registry: {error}") from error
        if made.format != FORMAT:
            raise RegistryError(f"{path}: format {made.format}, and this version reads {FORMAT}")
        return made

    def entry(self, id_: str) -> Entry:
        """Return one entry; UnknownArtefact if there is none."""
        return _entry(self.book(), id_)

    def champion(self) -> Entry | None:
        """Return the entry that was promoted last, None before the first."""
        return _champion(self.book())

    def in_force(self, at_us: int) -> Scorecard | None:
        """Return the scorecard in force at a player's clock; None before the first.

        Raises
        ------
        UnknownArtefact
            The file is not there, or not the one that was registered.
        ScorecardError
            It is, and is none that this version can score with.
        """
        found = None
        for change in self.book().history:
            # Later deeds win where they begin at the same instant; beginnings never go back.
            if change.effective_from is not None and change.effective_from <= at_us:
                found = change.entry
        return None if found is None else Scorecard.read(self.card(found))

    def card(self, id_: str) -> bytes:
        """Return a scorecard's bytes, checked; UnknownArtefact if it is not the one that was registered."""
        return self._checked(self.folder / "cards" / f"{(sha := self.entry(id_).card_sha256)}.json", sha)

    def load_state(self, restore: Callable[[bytes], T], id_: str | None = None) -> T | None:
        """Return a trainer as it was: an entry's, or that of the latest checkpoint (None before the first).

        Parameters
        ----------
        restore
            Makes a trainer of its bytes: `Trainer.restore`. It is called only for bytes that this registry
            wrote with the River that is installed now.

        Raises
        ------
        UnknownArtefact
            No such entry; or the file is not there, or not the one that was written.
        OtherVersion
            Another version of River wrote it: learning has to begin anew, or that version be installed.
        """
        book = self.book()
        kept = book.checkpoint if id_ is None else _entry(book, id_)
        if kept is None:
            return None
        if kept.river != RIVER:
            raise OtherVersion(
                f"{self.folder}: state {kept.state_sha256[:16]} was written by river {kept.river}, "
                f"and {RIVER} is installed"
            )
        path = self.folder / "states" / f"{kept.state_sha256}.pickle"
        if id_ is not None and not path.exists():
            raise UnknownArtefact(
                f"{path}: not there; of challengers that were never in force only the latest "
                f"{CHALLENGERS_KEPT} keep their trainer's state"
            )
        return restore(self._checked(path, kept.state_sha256))

    # Writing.

    def register(
        self,
        card: bytes,
        state: bytes,
        *,
        kind: str,
        features: Sequence[str],
        catalogue: str,
        at_us: int,
        by: str,
        why: str = "",
        trained_from_us: int | None = None,
        trained_until_us: int | None = None,
        metrics: Mapping[str, float | None] | None = None,
    ) -> Entry:
        """Add a scorecard and the state that made it, as a challenger, and return the entry.

        A scorecard that is there already is not added again: the entry there is returned.
        """
        card_sha, state_sha = sha256(card).hexdigest(), sha256(state).hexdigest()
        with self._writing() as book:
            for each in book.entries:
                if each.card_sha256 == card_sha:
                    return each
            entry = Entry(
                id=card_sha[:16],
                kind=kind,
                created=at_us,
                trained_from=trained_from_us,
                trained_until=trained_until_us,
                river=RIVER,
                features=list(features),
                catalogue=catalogue,
                card_sha256=card_sha,
                state_sha256=state_sha,
                metrics=dict(metrics or {}),
            )
            # Files first: the book never names one that is not there.
            self._write(self.folder / "cards" / f"{card_sha}.json", card)
            self._write(self.folder / "states" / f"{state_sha}.pickle", state)
            change = Change(what="registered", at=at_us, by=by, why=why, entry=entry.id)
            self._save(book, entries=[*book.entries, entry], history=[*book.history, change])
        return entry

    def checkpoint(self, state: bytes, at_us: int) -> str:
        """Keep a trainer's state as the latest, and return its SHA-256.

        The one before is removed, and so are those of challengers that were never in force, but for the
        latest CHALLENGERS_KEPT: a state holds all that waits for its answer, and a challenger comes each day.
        """
        state_sha = sha256(state).hexdigest()
        with self._writing() as book:
            self._write(self.folder / "states" / f"{state_sha}.pickle", state)
            kept = Checkpoint(state_sha256=state_sha, river=RIVER, at=at_us)
            self._save(book, checkpoint=kept)
            once = [each for each in book.entries if each.effective_from is not None]
            needed = {state_sha, *(each.state_sha256 for each in (*once, *book.entries[-CHALLENGERS_KEPT:]))}
            for path in (self.folder / "states").glob("*.pickle"):
                if path.stem not in needed:
                    path.unlink(missing_ok=True)
        return state_sha

    def promote(
        self,
        id_: str,
        gain: Interval | None,
        *,
        by: str,
        at_us: int,
        effective_from_us: int | None = None,
        forced: str | None = None,
        rival: str = "the champion",
    ) -> Entry:
        """Put an entry in force, and return it; the champion before is retired.

        Parameters
        ----------
        gain
            By how much it is better than the champion, as `evaluation.gain` measures it. Where there is no
            champion there is nothing to beat.
        effective_from_us
            From when on, by players' clocks; `at_us` by default. Never before what is in force began: an old
            alert has to be made again with the model of its time.
        forced
            The reason for doing so although the gain is not shown.
        rival
            What messages call that which the gain is over.

        Raises
        ------
        Frozen
            Models are frozen.
        NotBetter
            The lower end of the gain's interval is not above 0, and no reason is given.
        UnknownArtefact
            There is no such entry.
        """
        with self._writing() as book:
            entry = _entry(book, id_)
            if book.frozen:
                why = next((each.why for each in reversed(book.history) if each.what == "frozen"), "")
                raise Frozen(f"models are frozen ({why}): {id_} is not promoted")
            if entry.role == "champion":
                raise RegistryError(f"{id_} is the champion already")
            if _champion(book) is not None and not forced:
                if gain is None:
                    raise NotBetter(f"{id_} was not compared with {rival}")
                if gain.low is None:
                    raise NotBetter(
                        f"{id_} cannot be compared with {rival} yet: too few players came to harm while both "
                        "spoke; wait for more labels, or force it with a reason"
                    )
                if gain.low <= 0:
                    raise NotBetter(
                        f"{id_} is not shown to be better than {rival}: its gain of {_told(gain.value)} "
                        f"may be as low as {gain.low:+.4f}"
                    )
            why = f"forced: {forced}" if forced else "better, as measured" if gain else "the first"
            return self._put_in_force(
                book,
                entry,
                Change(
                    what="promoted",
                    at=at_us,
                    by=by,
                    why=why,
                    entry=id_,
                    effective_from=at_us if effective_from_us is None else effective_from_us,
                    gain=gain,
                ),
            )

    def rollback(self, why: str, *, by: str, at_us: int, effective_from_us: int | None = None) -> Entry:
        """Put back in force what was before the champion, and return it. Possible while frozen, too.

        Raises
        ------
        RegistryError
            Nothing was in force before, or no reason is given.
        """
        _needs(why)
        with self._writing() as book:
            line: list[str] = []
            for change in book.history:
                if change.what == "promoted" and change.entry is not None:
                    line.append(change.entry)
                elif change.what == "rolled_back":
                    line.pop()
            if len(line) < 2:
                raise RegistryError("there is nothing to roll back to")
            change = Change(
                what="rolled_back",
                at=at_us,
                by=by,
                why=why,
                entry=line[-2],
                effective_from=at_us if effective_from_us is None else effective_from_us,
            )
            return self._put_in_force(book, _entry(book, line[-2]), change)

    def freeze(self, why: str, *, by: str, at_us: int) -> None:
        """Let nothing be promoted until `unfreeze`; RegistryError without a reason."""
        self._turn(True, why, by, at_us)

    def unfreeze(self, why: str, *, by: str, at_us: int) -> None:
        """Let models be promoted again; RegistryError without a reason."""
        self._turn(False, why, by, at_us)

    # How.

    def _turn(self, frozen: bool, why: str, by: str, at_us: int) -> None:
        _needs(why)
        with self._writing() as book:
            if book.frozen == frozen:
                return
            change = Change(what="frozen" if frozen else "unfrozen", at=at_us, by=by, why=why)
            self._save(book, frozen=frozen, history=[*book.history, change])

    def _put_in_force(self, book: Book, entry: Entry, change: Change) -> Entry:
        self.card(entry.id)  # nothing is put in force that could not be read
        began = [each.effective_from for each in book.history if each.effective_from is not None]
        if change.effective_from is None or (began and change.effective_from < began[-1]):
            raise RegistryError(
                f"{entry.id} cannot be in force from {change.effective_from}: "
                f"what is in force now began at {began[-1]}"
            )
        made = msgspec.structs.replace(entry, role="champion", effective_from=change.effective_from)
        entries = []
        for each in book.entries:
            if each.id == entry.id:
                entries.append(made)
            elif each.role == "champion":
                entries.append(msgspec.structs.replace(each, role="retired"))
            else:
                entries.append(each)
        self._save(book, entries=entries, history=[*book.history, change])
        return made

    def _checked(self, path: Path, sha: str) -> bytes:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UnknownArtefact(f"{path}: {error.strerror or error}") from error
        if sha256(data).hexdigest() != sha:
            raise UnknownArtefact(f"{path}: not the file that was registered, its hash is another")
        return data

    @contextmanager
    def _writing(self) -> Iterator[Book]:
        path = self.folder / "registry.lock"
        try:
            with path.open("ab") as lock:
                _hold(lock.fileno(), self.folder)
                yield self.book()
        except OSError as error:
            raise RegistryError(f"{self.folder}: {error.strerror or error}") from error

    def _save(self, book: Book, **changes: object) -> None:
        changed = msgspec.structs.replace(book, **changes)
        data = msgspec.json.format(msgspec.json.encode(changed), indent=2)
        self._write(self.folder / "registry.json", data + b"\n")

    def _write(self, path: Path, data: bytes) -> None:
        # A name of its own, synced, then renamed: whoever looks finds the old or the new one, whole.
        with NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
        Path(file.name).replace(path)
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _hold(handle: int, folder: Path) -> None:
    try:
        import fcntl
    except ImportError:
        return  # Windows has none; there nobody looks whether two write at once.
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RegistryError(f"{folder}: somebody else writes into this registry") from None


def _entry(book: Book, id_: str) -> Entry:
    for each in book.entries:
        if each.id == id_:
            return each
    raise UnknownArtefact(f"the registry knows no model {id_}")


def _champion(book: Book) -> Entry | None:
    return next((each for each in book.entries if each.role == "champion"), None)


def _needs(why: str) -> None:
    if not why.strip():
        raise RegistryError("a reason is needed")


def _told(value: float | None) -> str:
    return "unknown size" if value is None else f"{value:+.4f}"
