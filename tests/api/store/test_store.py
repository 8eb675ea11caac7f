"""The store: its schema is what the migrations make, and nobody's writing is lost."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, select

from api.backoffice.tables import Place
from api.store.database import Store, sqlite_url
from api.store.migrating import migrate, newest
from api.store.schema import metadata
from detector.errors import SettingsError

PROCESSES, EACH = 4, 200


async def test_the_migrated_schema_is_the_one_the_tables_describe(store_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    store = Store(store_url)
    async with store.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await store.close()


async def test_keys_of_tables_are_as_they_are_described(store_url: str) -> None:
    def keys(connection: Connection) -> dict[str, set[str]]:
        found = inspect(connection)
        return {name: set(found.get_pk_constraint(name)["constrained_columns"]) for name in metadata.tables}

    store = Store(store_url)
    async with store.engine.connect() as connection:
        assert await connection.run_sync(keys) == {
            name: {column.name for column in table.primary_key} for name, table in metadata.tables.items()
        }
    await store.close()


async def test_migrating_again_and_at_once_changes_nothing(tmp_path: Path, store_url: str) -> None:
    stores = [Store(store_url) for _ in range(3)]
    await asyncio.gather(*(migrate(store) for store in stores))
    for store in stores:
        async with store.engine.connect() as connection:
            revision = await connection.run_sync(
                lambda sync: MigrationContext.configure(sync).get_current_revision()
            )
        assert revision == newest()
        await store.close()


async def test_a_new_database_is_migrated_by_whoever_comes_first(tmp_path: Path) -> None:
    stores = [Store(sqlite_url(tmp_path / "new.db")) for _ in range(3)]
    await asyncio.gather(*(migrate(store) for store in stores))
    for store in stores:
        await store.close()


async def test_four_processes_of_four_tasks_lose_no_increment(store_url: str) -> None:
    store = Store(store_url)
    async with store.write() as session:
        session.add(Place(name="sum", entry="0"))
    command = [sys.executable, "-m", "tests.api.store.adder", store_url, str(EACH)]
    children = [subprocess.Popen(command) for _ in range(PROCESSES)]
    for child in children:
        assert await asyncio.to_thread(child.wait, 240) == 0
    async with store.read() as session:
        assert (await session.execute(select(Place.entry))).scalar() == str(PROCESSES * EACH)
    await store.close()


async def test_a_transaction_that_fails_is_undone(store_url: str) -> None:
    store = Store(store_url)

    async def fail() -> None:
        async with store.write() as session:
            session.add(Place(name="a", entry="1"))
            await session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with store.read() as session:
        assert await session.get(Place, "a") is None
    await store.close()


async def test_a_snapshot_sees_the_store_as_it_was(store_url: str) -> None:
    store = Store(store_url)
    async with store.write() as session:
        session.add(Place(name="a", entry="1"))
    async with store.read(snapshot=True) as session:
        assert (await session.execute(select(Place.entry))).scalar() == "1"
        async with store.write() as other:
            row = await other.get(Place, "a")
            assert row is not None
            row.entry = "2"
        session.expire_all()
        assert (await session.execute(select(Place.entry))).scalar() == "1"
    async with store.read() as session:
        assert (await session.execute(select(Place.entry))).scalar() == "2"
    await store.close()


@pytest.mark.parametrize("url", ["mysql://localhost/x", "rubbish", "sqlite+pysqlite", ""])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        Store(url)


@pytest.mark.parametrize(
    "url",
    ["postgresql://somebody:secret@127.0.0.1:1/x", "sqlite:////nowhere/x.db", f"sqlite:///{__file__}"],
)
async def test_a_database_that_is_none_is_told_in_a_line(url: str) -> None:
    store = Store(url)
    with pytest.raises(SettingsError, match="the database cannot be used") as told:
        await migrate(store)
    assert not any(word in str(told.value) for word in ("secret", "somebody", "127.0.0.1", "nowhere", "\n"))
    await store.close()
