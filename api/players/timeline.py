"""What happened to a player and what was made of it: events as they came, and alerts, the newest first."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.service import Principal
from api.archive import repository as archive
from api.archive.reading import NO_SEGMENT, Extent, Found, Reader, Spot, Stretch, Window
from api.audit.service import Audit
from api.keyring import Keyring
from api.paging import cursor_of, read_cursor
from api.players.known import alerts_before, since_when
from api.players.schemas import TimelineQuery
from api.problems import UNKNOWN_PLAYER, Problem, wrong
from api.store.database import Store
from detector.events.instants import micros, rfc3339_ms

ALERT = "alert"
"""The type by which alerts are asked for among the events'."""
_LAST_US = 2**62
_CURSOR = re.compile(r"(-?\d{1,19})\.(?:e\.(\d{1,19})\.(\d{1,19})\.(\d{1,9})|a\.([0-9a-f]{1,64})|t)")


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where a page goes on: behind an event, behind an alert, or at a time.

    At one time an alert is newer than the events, one of which made it.
    """

    at_us: int
    event: Spot | None = None
    alert: str | None = None

    @property
    def before(self) -> Spot:
        """The events behind it are those before this."""
        return self.event or Spot(self.at_us, NO_SEGMENT, 0, 0)

    @property
    def below(self) -> tuple[int, str]:
        """The alerts behind it are those of which time and id are less than this."""
        if self.event is not None:
            return self.at_us, ""
        return self.at_us, "~" if self.alert is None else self.alert

    def cursor(self) -> str:
        if self.event is not None:
            what = f"e.{self.event.segment}.{self.event.offset}.{self.event.line}"
        else:
            what = "t" if self.alert is None else f"a.{self.alert}"
        return cursor_of(f"{self.at_us}.{what}")


class TimelineService:
    """Reads the archive for those who look at a player."""

    def __init__(
        self, store: Store, keyring: Keyring, audit: Audit, clock: Callable[[], int], folder: Path
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._audit = audit
        self._clock = clock
        self._folder = folder

    async def view(self, player: str, query: TimelineQuery, who: Principal) -> bytes:
        """The answer's JSON; that it was looked at is in the audit chain before it is given.

        Raises
        ------
        Problem
            Nothing is known of the player, or the cursor is none.
        """
        mark = _mark_of(query.cursor) or _Mark(_LAST_US)
        if query.until is not None and micros(query.until) <= mark.at_us:
            mark = _Mark(micros(query.until) - 1)
        from_us = -_LAST_US if query.from_ is None else micros(query.from_)
        types = None if query.types is None else frozenset(query.types)
        async with self._store.read(snapshot=True) as session:
            since = await since_when(session, player)
            if since is None:
                raise Problem(UNKNOWN_PLAYER, "No event of this player has been archived here.")
            segments = [
                Extent(each.day, each.part, each.name, each.length, each.min_us, each.max_us)
                for each in await archive.segments(session, since)
            ]
            alerts = await self._alerts(session, player, mark, from_us, types, query.limit + 1)
        if types is not None and types <= {ALERT}:
            stretch = Stretch([], None, frozenset())
        else:
            window = Window(mark.before, from_us, types)
            stretch = await asyncio.to_thread(
                lambda: Reader(self._folder, segments, player, window).read(query.limit)
            )
        async with self._store.write() as session:
            subject = f"player:{self._keyring.pseudonym(player)}"
            self._audit.tell(session, who.actor, "player.viewed", subject, reader="timeline")
        return _page(stretch, alerts, query.limit)

    async def _alerts(
        self,
        session: AsyncSession,
        player: str,
        mark: _Mark,
        from_us: int,
        types: frozenset[str] | None,
        count: int,
    ) -> list[tuple[int, str, str]]:
        if types is not None and ALERT not in types:
            return []
        return await alerts_before(session, player, mark.below, from_us, count)


def _page(stretch: Stretch, alerts: list[tuple[int, str, str]], limit: int) -> bytes:
    """Events and alerts merged; alerts older than where the events stop wait for their page."""
    rest = stretch.rest
    items: list[tuple[int, int, Found | tuple[int, str, str]]] = [
        (each.spot.at_us, 0, each) for each in stretch.events
    ]
    # At the time of the last event given out the alerts come before it; at one given up at, they wait too.
    since_us = -_LAST_US if rest is None else rest.at_us + (rest.segment == NO_SEGMENT)
    items += [(at_us, 1, (at_us, id_, body)) for at_us, id_, body in alerts if at_us >= since_us]
    items.sort(key=lambda item: item[:2], reverse=True)  # stable: both lists are in order
    more = len(items) > limit or rest is not None
    items = items[:limit]
    shown, mark = [], None if rest is None else _Mark(rest.at_us, rest if rest.segment < NO_SEGMENT else None)
    for at_us, _, what in items:
        at = rfc3339_ms(at_us)
        if isinstance(what, Found):
            shown.append({"kind": "event", "at": at, "event": msgspec.Raw(what.original)})
        else:
            shown.append({"kind": "alert", "at": at, "alert": msgspec.Raw(what[2].encode())})
    if items and (len(items) == limit or mark is None):
        last = items[-1][2]
        mark = _Mark(last.spot.at_us, last.spot) if isinstance(last, Found) else _Mark(last[0], None, last[1])
    return msgspec.json.encode(
        {
            "items": shown,
            "next_cursor": mark.cursor() if more and mark is not None else None,
            "unreadable": sorted(stretch.damaged),
        }
    )


def _mark_of(cursor: str | None) -> _Mark | None:
    match = read_cursor(cursor, _CURSOR)
    if match is None:
        return None
    if abs(int(match[1])) > _LAST_US:
        raise wrong("cursor", "Use `next_cursor` of an answer as it is")
    at_us = int(match[1])
    if match[2] is not None:
        return _Mark(at_us, Spot(at_us, int(match[2]), int(match[3]), int(match[4])))
    return _Mark(at_us, None, match[5])
