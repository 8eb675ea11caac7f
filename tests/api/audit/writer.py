"""A process that adds entries: `python -m tests.api.audit.writer DATABASE KEYRING NAME COUNT`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from api.audit.service import Audit
from api.keyring import read_keyring
from api.store.database import Store
from detector.drivers.clock import wall_clock_us


async def write(store: Store, audit: Audit, name: str, count: int) -> None:
    for number in range(count):
        async with store.write() as session:
            audit.tell(session, f"key:{name}", "thing.done", f"thing:{name}-{number}", number=number)


async def work(url: str, keyring: Path, name: str, count: int) -> None:
    store = Store(url)
    await write(store, Audit(store, read_keyring(keyring), wall_clock_us), name, count)
    await store.close()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
