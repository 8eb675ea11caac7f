"""Segments of archived events, and what is known of players."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "archive_segments",
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("part", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("min_us", sa.BigInteger(), nullable=False),
        sa.Column("max_us", sa.BigInteger(), nullable=False),
        sa.Column("sealed_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("day", "part", name=op.f("pk_archive_segments")),
    )
    op.create_table(
        "player_facts",
        sa.Column("player", sa.String(), nullable=False),
        sa.Column("pseudonym", sa.String(), nullable=False),
        sa.Column("since_day", sa.String(), nullable=False),
        sa.Column("brand", sa.String(), nullable=True),
        sa.Column("brand_us", sa.BigInteger(), nullable=False),
        sa.Column("jurisdiction", sa.String(), nullable=True),
        sa.Column("jurisdiction_us", sa.BigInteger(), nullable=False),
        sa.Column("language", sa.String(), nullable=True),
        sa.Column("language_us", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("outcome_us", sa.BigInteger(), nullable=False),
        sa.Column("over_age", sa.Boolean(), nullable=True),
        sa.Column("over_age_us", sa.BigInteger(), nullable=False),
        sa.Column("birth_year", sa.BigInteger(), nullable=True),
        sa.Column("birth_year_us", sa.BigInteger(), nullable=False),
        sa.Column("adult_us", sa.BigInteger(), nullable=True),
        sa.Column("identity", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("player", name=op.f("pk_player_facts")),
    )
    op.create_index("ix_player_facts_pseudonym", "player_facts", ["pseudonym"], unique=True)
    op.create_index("ix_player_facts_identity", "player_facts", ["identity"])
