"""Many write the chain at once, and it stays one."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from api.audit.service import Audit
from api.audit.tables import AuditRow
from api.keyring import read_keyring
from api.store.database import Store
from detector.drivers.clock import wall_clock_us
from tests.api.audit.writer import write

TASKS, EACH = 30, 4


async def test_thirty_tasks_give_one_chain(store_url: str, tmp_path: Path) -> None:
    store = Store(store_url)
    audit = Audit(store, read_keyring(tmp_path / "keyring.json"), wall_clock_us)
    await audit.begin()
    await asyncio.gather(*(write(store, audit, f"t{number}", EACH) for number in range(TASKS)))
    assert await audit.verify() == []
    async with store.read() as session:
        subjects = list((await session.execute(select(AuditRow.subject).order_by(AuditRow.seq))).scalars())
    assert len(subjects) == len(set(subjects)) == TASKS * EACH + 1
    await store.close()


async def test_two_processes_give_one_chain(store_url: str, tmp_path: Path) -> None:
    keyring = tmp_path / "keyring.json"
    store = Store(store_url)
    audit = Audit(store, read_keyring(keyring), wall_clock_us)
    await audit.begin()
    command = [sys.executable, "-m", "tests.api.audit.writer", store_url, str(keyring)]
    writers = [subprocess.Popen([*command, name, "60"]) for name in ("a", "b")]
    for writer in writers:
        assert await asyncio.to_thread(writer.wait, 120) == 0
    assert await audit.verify() == []
    async with store.read() as session:
        assert len(list((await session.execute(select(AuditRow.seq))).scalars())) == 121
    await store.close()


async def test_what_fails_leaves_no_entry(store_url: str, tmp_path: Path) -> None:
    store = Store(store_url)
    audit = Audit(store, read_keyring(tmp_path / "keyring.json"), wall_clock_us)
    await audit.begin()

    async def fail() -> None:
        async with store.write() as session:
            audit.tell(session, "key:k", "thing.done", "thing:1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    await write(store, audit, "a", 1)
    assert await audit.verify() == []
    await store.close()
