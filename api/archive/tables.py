"""The days there are files of."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from api.store.tables import Table


class Segment(Table):
    """A day's file; what it holds beyond `length` bytes was never committed, and counts for nothing.

    `sha256` is over those bytes. `sealed_us` is when nothing could be added any more.
    """

    __tablename__ = "archive_segments"

    day: Mapped[str] = mapped_column(primary_key=True)
    length: Mapped[int]
    events: Mapped[int]
    sha256: Mapped[str]
    sealed_us: Mapped[int | None]
