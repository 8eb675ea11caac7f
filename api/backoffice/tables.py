"""Who does the work, and how far it has come."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from api.store.tables import Table


class Lease(Table):
    """The right to do some work alone, until a time."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    until_us: Mapped[int]


class Place(Table):
    """How far a stream has been taken over; moves in the transaction of what was taken."""

    __tablename__ = "places"

    name: Mapped[str] = mapped_column(primary_key=True)
    entry: Mapped[str]
