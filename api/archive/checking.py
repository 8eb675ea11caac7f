"""Whether the archive still is what it was sealed as."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from api.archive import repository
from api.archive.segments import Damaged, digest, digest_of_all, segment_path
from api.audit import repository as audit
from api.store.database import Store

SEALED = "archive.sealed"


class _Seal(msgspec.Struct):
    sha256: str


async def archive_faults(store: Store, folder: Path) -> list[str]:
    """What is wrong with the archived files, in words; the audit chain says what they have to be.

    A sealed segment has to be as it was; one that still grows has to begin as it was committed.
    """
    async with store.read(snapshot=True) as session:
        sealed = await _sealed(session)
        segments = await repository.segments(session)
    growing = [each for each in segments if each.sealed_us is None]
    damaged = {each.name for each in segments if each.sealed_us is not None} - sealed.keys()
    faults = [
        f"segment {name}: it is closed, and the chain does not say that it was sealed" for name in damaged
    ]
    for name, hash_ in sorted(sealed.items()):
        faults += await asyncio.to_thread(_look, folder, name, hash_)
    for each in growing:
        faults += await asyncio.to_thread(_look, folder, each.name, each.sha256, each.length)
    return sorted(faults)


def _look(folder: Path, name: str, hash_: str, length: int | None = None) -> list[str]:
    path = segment_path(folder, name)
    if not path.exists():
        return [f"segment {name}: the file is missing"]
    try:
        found = digest_of_all(path) if length is None else digest(path, length).hexdigest()
    except Damaged:
        found = ""
    return [] if found == hash_ else [f"segment {name}: the file is not what it was"]


async def _sealed(session: AsyncSession) -> dict[str, str]:
    found: dict[str, str] = {}
    for subject, details in await audit.told_of(session, SEALED):
        try:
            found[subject.partition(":")[2]] = msgspec.json.decode(details, type=_Seal).sha256
        except msgspec.DecodeError:
            found[subject.partition(":")[2]] = ""  # the chain's own faults tell of it
    return found
