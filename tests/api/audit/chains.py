"""A chain of some entries, and ways for somebody with the database at hand to harm it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert, select, update

from api.audit.chain import START, Entry, Signed, canonical, link
from api.audit.service import Audit, read_checkpoints
from api.audit.tables import AuditCheckpoint, AuditHead, AuditRow
from api.keyring import Keyring
from api.store.database import Store
from tests.drivers.small import NOON_US

KEYS = {"k1": b"1" * 32}
ENTRIES = 9


class Chain:
    """A store with a chain that was vouched for at entries 4 and 7 of 9."""

    def __init__(self, store: Store, outside: Path, keyring: Keyring | None = None) -> None:
        self.store = store
        self.outside = outside
        self.now_us = NOON_US
        self.audit = Audit(store, keyring or Keyring(KEYS), self._clock)

    def _clock(self) -> int:
        self.now_us += 1000
        return self.now_us

    async def fill(self) -> None:
        await self.audit.begin()
        for number in range(2, ENTRIES + 1):
            await self.tell(number)
            if number in (4, 7):
                await self.audit.checkpoint(self.outside)

    async def tell(self, number: int) -> None:
        async with self.store.write() as session:
            self.audit.tell(session, "key:k", "thing.done", f"thing:{number}", number=number)

    async def faults(self, *, with_outside: bool = True) -> list[str]:
        if with_outside:
            return (await self.audit.examine(lambda: read_checkpoints(self.outside))).faults
        return await self.audit.verify()

    async def rows(self) -> list[dict[str, Any]]:
        table = AuditRow.__table__
        async with self.store.read() as session:
            return [
                dict(row) for row in (await session.execute(select(table).order_by(table.c.seq))).mappings()
            ]

    async def head(self) -> dict[str, Any]:
        async with self.store.read() as session:
            return dict((await session.execute(select(AuditHead.__table__))).mappings().one())

    async def replace(self, rows: list[dict[str, Any]], *, relink: bool = False) -> None:
        """Put other rows in the place of all; linked anew, as anybody can who knows the format."""
        if relink:
            before = START
            for row in rows:
                entry = Entry(**{name: row[name] for name in Entry.__slots__})
                before = row["hash"] = link(before, entry)
        async with self.store.write() as session:
            await session.execute(delete(AuditRow))
            await session.execute(insert(AuditRow), rows)

    async def set_head(self, **values: Any) -> None:
        async with self.store.write() as session:
            await session.execute(update(AuditHead).values(**values))

    async def run(self, statement: Any) -> None:
        async with self.store.write() as session:
            await session.execute(statement)

    async def checkpoints(self) -> list[Signed]:
        async with self.store.read() as session:
            rows = (await session.execute(select(AuditCheckpoint).order_by(AuditCheckpoint.seq))).scalars()
            return [Signed(row.seq, row.hash, row.key, row.signature) for row in rows]


@asynccontextmanager
async def chain(
    store_url: str, folder: Path, make: Callable[[Store, Path], Chain] = Chain
) -> AsyncIterator[Chain]:
    store = Store(store_url)
    try:
        each = make(store, folder / "checkpoints.jsonl")
        await each.fill()
        yield each
    finally:
        await store.close()


def forged(number: int) -> str:
    return canonical({"number": number, "forged": True})
