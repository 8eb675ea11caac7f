"""Adding rows of which some may be there already, the same on both databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Table as SqlTable
from sqlalchemy import inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from api.store.tables import Table


async def add_new(session: AsyncSession, table: type[Table], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Add the rows whose primary key, a single text, is not there yet; returns these keys in their order.

    All rows have the same columns.
    """
    if not rows:
        return []
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    (key,) = inspect(table).primary_key
    statement = insert(cast(SqlTable, table.__table__)).on_conflict_do_nothing().returning(key)
    added = set((await session.execute(statement, [dict(row) for row in rows])).scalars())
    return [row[key.name] for row in rows if row[key.name] in added]


def storable(text: str) -> str:
    """A text as every database takes it: none of PostgreSQL's may hold the character of number 0."""
    return text.replace("\0", "\ufffd")
