"""API keys."""

from __future__ import annotations

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from api.access.roles import Role
from api.store.tables import Table


class ApiKey(Table):
    """A key, of which only a hash is kept; `scopes` narrows its role's, as a JSON list."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    role: Mapped[Role]
    scopes: Mapped[str | None] = mapped_column(Text)
    partner: Mapped[str | None]
    hash: Mapped[str]
    created_us: Mapped[int]
    expires_us: Mapped[int | None]
    revoked_us: Mapped[int | None]
