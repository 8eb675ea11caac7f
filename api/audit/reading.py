"""Showing the chain and verifying it, with the archive, for who asks over HTTP."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import msgspec

from api.archive.checking import archive_faults
from api.audit import repository
from api.audit.chain import Entry, Signed
from api.audit.schemas import AuditEntry, AuditPage, AuditQuery, Verification
from api.audit.service import Audit, read_checkpoints
from api.paging import cursor_of, read_cursor
from api.store.database import Store
from detector.errors import InputError
from detector.events.instants import micros, rfc3339_ms

MOST_FAULTS = 1000

_SEQ = re.compile(r"\d{1,18}")


class AuditReader:
    """Reads the chain of a deployment.

    Parameters
    ----------
    checkpoints, archive
        The file of checkpoints outside of the store, and the folder of the archive.
    """

    def __init__(self, store: Store, audit: Audit, checkpoints: Path, archive: Path) -> None:
        self._store = store
        self._audit = audit
        self._checkpoints = checkpoints
        self._archive = archive
        self._turn = asyncio.Lock()

    async def find(self, query: AuditQuery) -> AuditPage:
        """A page of entries, the newest first."""
        async with self._store.read() as session:
            rows = await repository.newest(
                session,
                before=_seq_of(query.cursor),
                subject=query.subject,
                action=query.action,
                since_us=None if query.since is None else micros(query.since),
                count=query.limit + 1,
            )
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        return AuditPage(
            items=[_shown(entry, hash_) for entry, hash_ in rows],
            next_cursor=_cursor_of(rows[-1][0].seq) if more else None,
        )

    async def verify(self) -> Verification:
        """Go through everything; one at a time, for it reads all there is."""
        async with self._turn:
            faults = []

            def outside() -> list[Signed]:
                return read_checkpoints(self._checkpoints) if self._checkpoints.exists() else []

            try:
                found = await self._audit.examine(outside)
            except InputError:
                faults.append("the checkpoints outside of the store cannot be read")
                found = await self._audit.examine(list, all_outside=False)
            faults += found.faults + await archive_faults(self._store, self._archive)
        return Verification(entries=found.entries, checkpoints=found.checkpoints, faults=faults[:MOST_FAULTS])


def _shown(entry: Entry, hash_: str) -> AuditEntry:
    return AuditEntry(
        seq=entry.seq,
        at=rfc3339_ms(entry.at_us),
        at_us=entry.at_us,
        actor=entry.actor,
        action=entry.action,
        subject=entry.subject,
        details=_details(entry.details),
        hash=hash_,
    )


def _details(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:  # somebody has been at it: verifying tells
        return {}


def _cursor_of(seq: int) -> str:
    return cursor_of(str(seq))


def _seq_of(cursor: str | None) -> int | None:
    match = read_cursor(cursor, _SEQ)
    return None if match is None else int(match[0])
