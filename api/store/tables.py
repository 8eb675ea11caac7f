"""The base of every table, so that all of them are known to one schema.

Times are whole µs since the epoch, in columns that end in `_us`: exact, ordered, the same in every database.
Documents are canonical JSON in text columns; codes of closed sets are text, which the database checks no
further.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from sqlalchemy import BigInteger, MetaData, String
from sqlalchemy.orm import DeclarativeBase


class Table(DeclarativeBase):
    """A row of the store."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {int: BigInteger, Literal: String}
