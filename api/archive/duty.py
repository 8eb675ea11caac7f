"""Taking accepted events from the stream into the day's file, and what they say of players into the store.

A batch becomes one frame, synced; then the store learns in one transaction how long the file is now and how
far the stream has come. What lies in the file beyond that length, after a crash, was never committed: it is
cut off and taken from the stream again. So no event is missing and none is there twice.

Only who has the lease commits, but a file knows no lease: whoever writes holds a lock beside the files, and
asks the store, holding it, whether the lease is still theirs.
"""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import structlog
from redis.exceptions import ResponseError
from sqlalchemy.ext.asyncio import AsyncSession

from api.archive import index, repository, segments
from api.archive.batch import Entries, Open, Parcel, day_of, parcels
from api.archive.events import Face
from api.archive.segments import Damaged, segment_path
from api.archive.tables import Segment
from api.backoffice import progress
from api.backoffice.lease import OfficeLease
from api.deployment import Deployment, archive_dir
from api.players.known import keep, sweep
from api.players.learning import learn
from detector.drivers.files import PRIVATE
from detector.drivers.streams import ARCHIVE, EVENTS, order_of
from detector.engine.places import read_places

log = structlog.get_logger()

ACTOR = "system:archive"
PLACE = "archive"
"""The name under which it is kept how far the stream has been archived."""
BATCH = 4000
"""Most events in one frame."""
GATHER_S = 2.0
"""Pause after fewer than that: small frames pack badly."""
MARGIN_US = 60_000_000
"""How long after midnight a day is sealed if nothing comes: what was received before it may be on its way."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class _State:
    """What no other office can have changed since it was read."""

    place: str
    read: int
    open: Open | None
    last: tuple[str, int] | None
    swept: str


class Archiving:
    """Appends what the stream brings to the day's segment."""

    name = "archiving"

    def __init__(self, deployment: Deployment, lease: OfficeLease, batch: int = BATCH) -> None:
        self._redis = deployment.redis
        self._store = deployment.store
        self._audit = deployment.audit
        self._keyring = deployment.keyring
        self._clock = deployment.clock
        self._lease = lease
        self._batch = batch
        self._folder = archive_dir(deployment.settings)
        settings = deployment.settings
        self._places = read_places(settings.places_file, settings.jurisdiction, settings.brand_zones)
        self._state: _State | None = None
        self._waits = False

    async def round(self) -> float:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(self._folder) as is_alone:
            if not is_alone:
                if not self._waits:
                    log.warning("another process still writes to the archive")
                self._waits = True
                return 1.0
            self._waits = False
            try:
                return await self._round()
            except BaseException:
                # Whether something was committed is for the store to say.
                self._state = None
                raise

    async def _round(self) -> float:
        if self._state is None:
            self._state = await self._begin()
        else:
            async with self._store.read() as session:
                await self._lease.check(session)
        state = self._state
        answer: Any = await self._redis.xread({EVENTS: state.place}, count=self._batch)
        entries: Entries = answer[0][1] if answer else []
        if entries:
            await self._take(state, entries)
        else:
            await self._seal_if_over(state)
        await self._sweep(state)
        return 0.0 if len(entries) == self._batch else GATHER_S

    async def _begin(self) -> _State:
        """Take up where the store says that the last office stopped."""
        self._folder.chmod(0o700)
        async with self._store.read() as session:
            await self._lease.check(session)
            place = await progress.reached(session, PLACE)
            unsealed = await repository.unsealed(session)
            newest = await repository.newest(session)
        last = None if newest is None else (newest.day, newest.part)
        place, read = await self._joined(place)
        state = _State(place, read, None, last, "")
        for row in unsealed:
            opened = await _in_thread(self._opened, row)
            if opened is not None and last == (row.day, row.part):
                state.open = opened
                continue
            if opened is None:
                log.error("an archived file does not hold what was committed to it", segment=row.name)
            async with self._store.write() as session:
                await self._lease.check(session)
                await self._seal(session, row, "archive.damaged" if opened is None else "archive.sealed")
        return state

    async def _joined(self, place: str | None) -> tuple[str, int]:
        """Where to go on in the stream, and how many entries were read of it, as far as that is known."""
        with suppress(ResponseError):  # there is one
            await self._redis.xgroup_create(EVENTS, ARCHIVE, id="0", mkstream=True, entries_read=0)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.xinfo_stream(EVENTS)
            pipe.xinfo_groups(EVENTS)
            stream, groups = await pipe.execute()
        group = next(each for each in groups if each["name"] == ARCHIVE.encode())
        read, gone = group["entries-read"] or 0, stream["entries-added"] - stream["length"]
        if place is None:
            return "0-0", max(read, gone)
        if order_of(stream["last-generated-id"]) < order_of(place):
            log.warning("the stream of events begins anew; so does the archive's place in it")
            return "0-0", max(read, gone)
        # The group moves after the store does.
        behind = group["last-delivered-id"].decode()
        if order_of(behind) < order_of(place):
            taken: Any = await self._redis.xrange(EVENTS, min=f"({behind}", max=place)
            read += len(taken)
        if read < gone:
            log.error("events left the stream before they were archived")
            async with self._store.write() as session:
                await self._lease.check(session)
                self._audit.tell(session, ACTOR, "archive.gap", "stream:events", after=place)
        return place, max(read, gone)

    def _opened(self, row: Segment) -> Open | None:
        """The segment of a row to be gone on with, cut to what was committed; None where that is damaged."""
        path = segment_path(self._folder, row.name)
        try:
            hashed = segments.digest(path, row.length)
            if hashed.hexdigest() != row.sha256:
                return None
            segments.cut(path, row.length)
        except (Damaged, OSError):
            return None
        index.mend(path, row.length)
        return Open(row.day, row.part, row.length, row.events, row.min_us, row.max_us, hashed)

    async def _take(self, state: _State, entries: Entries) -> None:
        """Put entries into their files, then commit them."""
        today = day_of(self._clock())
        packed = await _in_thread(parcels, entries, today)
        opened, last = state.open, state.last
        over: list[Open] = []
        touched: list[tuple[Open, index.Frame]] = []
        for parcel in packed:
            target = _target(parcel, opened, last)
            if opened is not None and target is not opened:
                over.append(opened)
            about = parcel.about(target.length)
            await _in_thread(self._write, target, parcel)
            opened = target.with_frame(parcel.frame, about)
            last = (opened.day, opened.part)
            touched.append((opened, about))
        place = entries[-1][0].decode()
        faces = [each for parcel in packed for each in parcel.faces]
        async with self._store.write() as session:
            await self._lease.check(session)
            for each in [*over, *([opened] if opened is not None and touched else [])]:
                await session.merge(each.row)
            for each in over:
                await self._seal(session, each.row)
            if touched:
                await self._keep(session, faces, touched[0][0].day)
            await progress.move(session, PLACE, place)
        state.open, state.last, state.place = opened, last, place
        for segment, about in touched:
            await _in_thread(index.append, segment_path(self._folder, segment.name), about)
        for each in over:
            await _in_thread(index.mend, segment_path(self._folder, each.name), each.length)
        state.read += len(entries)
        await self._redis.xgroup_setid(EVENTS, ARCHIVE, place, entries_read=state.read)

    def _write(self, target: Open, parcel: Parcel) -> None:
        segments.append(segment_path(self._folder, target.name), target.length, parcel.frame)

    async def _keep(self, session: AsyncSession, faces: list[Face], day: str) -> None:
        learnt = learn(faces, self._places.homes)
        now_us = self._clock()
        await keep(session, learnt, self._keyring, self._places.default, day, now_us)

    async def _seal_if_over(self, state: _State) -> None:
        """Seal the day's segment once the day is over and all that came in it is there."""
        opened = state.open
        if opened is None or day_of(self._clock() - MARGIN_US) <= opened.day:
            return
        async with self._store.write() as session:
            await self._lease.check(session)
            await self._seal(session, opened.row)
        state.open = None
        await _in_thread(index.mend, segment_path(self._folder, opened.name), opened.length)

    async def _seal(self, session: AsyncSession, row: Segment, action: str = "archive.sealed") -> None:
        row.sealed_us = self._clock()
        await session.merge(row)
        self._audit.tell(
            session,
            ACTOR,
            action,
            f"segment:{row.name}",
            sha256=row.sha256,
            bytes=row.length,
            events=row.events,
        )

    async def _sweep(self, state: _State) -> None:
        """Once a day, and at the beginning, see who has come of age."""
        today = day_of(self._clock())
        if state.swept == today:
            return
        more = True
        while more:
            async with self._store.write() as session:
                await self._lease.check(session)
                more = await sweep(session, self._places.default, self._clock())
        state.swept = today


def _target(parcel: Parcel, opened: Open | None, last: tuple[str, int] | None) -> Open:
    """The segment that a parcel belongs into; a day that was sealed is not opened again."""
    if last is None or parcel.day > last[0]:
        return Open(parcel.day)
    return Open(last[0], last[1] + 1) if opened is None else opened


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Hold the right to write into a folder, if nobody does."""
    with (folder / "lock").open("ab") as handle:
        (folder / "lock").chmod(PRIVATE)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


async def _in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do work with files elsewhere; who is cancelled meanwhile waits for it, for it cannot be stopped."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
