"""The files there are."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from api.store.tables import Table


class Segment(Table):
    """A file of a day; what it holds beyond `length` bytes was never committed, and counts for nothing.

    `part` is 1 but where a file could not be gone on with. `sha256` is over the `length` bytes, `min_us` and
    `max_us` are the earliest and the latest event's time. `sealed_us` is when it was closed for good.
    """

    __tablename__ = "archive_segments"

    day: Mapped[str] = mapped_column(primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    length: Mapped[int]
    events: Mapped[int]
    sha256: Mapped[str]
    min_us: Mapped[int]
    max_us: Mapped[int]
    sealed_us: Mapped[int | None]

    @property
    def name(self) -> str:
        """How the file is called before its suffix."""
        return self.day if self.part == 1 else f"{self.day}.{self.part}"
