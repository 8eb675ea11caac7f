"""A process that counts up: `python -m tests.api.store.adder DATABASE COUNT`."""

from __future__ import annotations

import asyncio
import sys

from api.backoffice.tables import Place
from api.store.database import Store


async def count_up(store: Store, count: int) -> None:
    for _ in range(count):
        async with store.write() as session:
            row = await session.get(Place, "sum", with_for_update=True)
            assert row is not None
            row.entry = str(int(row.entry) + 1)


async def work(url: str, count: int) -> None:
    store = Store(url)
    await asyncio.gather(*(count_up(store, count // 4) for _ in range(4)))
    await store.close()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], int(sys.argv[2])))
