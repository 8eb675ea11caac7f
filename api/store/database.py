"""Connections and transactions, the same on SQLite and on PostgreSQL.

SQLite's own BEGIN lets two transactions read, then write, and one of them lose: here whoever will write says
so at the beginning and waits for its turn. PostgreSQL locks rows; repositories ask for them with FOR UPDATE.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from detector.errors import SettingsError

BUSY_S = 30
"""How long a transaction of SQLite waits for another process's before it fails."""

BeforeCommit = Callable[[AsyncSession], Awaitable[None]]


class Store:
    """The database of a deployment.

    Parameters
    ----------
    url
        `sqlite:///PATH` or `postgresql://…`.

    Attributes
    ----------
    before_commit
        Called, in order, with the session of each writing transaction when its work is done.

    Raises
    ------
    SettingsError
        The URL names neither.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise SettingsError("the database's URL cannot be read") from None
        self.dialect = parsed.get_backend_name()
        if self.dialect == "sqlite":
            parsed = parsed.set(drivername="sqlite+aiosqlite")
            self.engine = create_async_engine(
                parsed, connect_args={"timeout": BUSY_S}, pool_timeout=2 * BUSY_S, hide_parameters=True
            )
            event.listen(self.engine.sync_engine, "connect", _prepare)
            event.listen(self.engine.sync_engine, "begin", _begin)
        elif self.dialect == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
            self.engine = create_async_engine(
                parsed,
                pool_size=10,
                max_overflow=10,
                pool_timeout=2 * BUSY_S,
                pool_pre_ping=True,
                hide_parameters=True,
            )
        else:
            raise SettingsError("the database is sqlite:///PATH or postgresql://…")
        self._writing = self.engine.execution_options(writes=True)
        # SQLite's waiting is a lottery; within one process it can be a queue.
        self._turn = asyncio.Lock() if self.dialect == "sqlite" else None
        self.before_commit: list[BeforeCommit] = []

    @asynccontextmanager
    async def read(self, *, snapshot: bool = False) -> AsyncIterator[AsyncSession]:
        """A transaction that only reads; one that is a snapshot sees the store as it was when it began."""
        async with AsyncSession(self.engine, expire_on_commit=False) as session:
            if snapshot and self.dialect == "postgresql":  # SQLite's are snapshots all
                await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A transaction that writes: committed when the block ends, undone when it raises."""
        async with AsyncExitStack() as stack:
            if self._turn is not None:
                await stack.enter_async_context(self._turn)
            session = await stack.enter_async_context(AsyncSession(self._writing, expire_on_commit=False))
            await stack.enter_async_context(session.begin())
            yield session
            for each in self.before_commit:
                await each(session)

    async def reach(self) -> None:
        """Connect once.

        Raises
        ------
        SettingsError
            There is no such database, it does not answer, or it does not let us in.
        """
        try:
            if self.dialect == "sqlite":
                # Not by the engine, whose driver leaves a thread behind when a file cannot be opened.
                path = self.engine.url.database or ":memory:"
                with closing(sqlite3.connect(path, timeout=BUSY_S)) as connection:
                    connection.execute("PRAGMA schema_version")
            else:
                async with self.engine.connect():
                    pass
        except (DBAPIError, sqlite3.Error):
            # What the driver says of it may name host and user.
            raise SettingsError(
                "the database cannot be used: it is not there, does not answer, or refuses user or password"
            ) from None

    async def close(self) -> None:
        """Give all connections back."""
        await self.engine.dispose()


def sqlite_url(path: Path) -> str:
    """The URL of a database file."""
    return f"sqlite:///{path.absolute()}"


def _prepare(connection: Any, _: Any) -> None:
    # The driver would begin transactions when it pleases.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_S}000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
