"""Bringing the schema up to date; runs at every start, in one process at a time."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from api.store.database import Store

_LOCK = 0x7469_6C74  # "tilt": the advisory lock of PostgreSQL that migrations take


def config() -> Config:
    """Alembic's configuration, made here rather than kept in a file."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    return made


def newest() -> str:
    """The revision that this version of tiltwatch needs."""
    head = ScriptDirectory.from_config(config()).get_current_head()
    assert head is not None
    return head


async def migrate(store: Store) -> None:
    """Take the store to the newest revision; a second process waits and finds nothing to do.

    Raises
    ------
    SettingsError
        The store cannot be reached.
    """
    await store.reach()
    async with store.engine.execution_options(writes=True).begin() as connection:
        if store.dialect == "postgresql":
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    settled = config()
    settled.attributes["connection"] = connection
    command.upgrade(settled, "head")
