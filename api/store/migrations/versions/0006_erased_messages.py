"""Bodies of messages are erased; what tells the same body again stays."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("erased", sa.String(), nullable=True))
    op.create_index("ix_messages_erased_state_done_us", "messages", ["erased", "state", "done_us"])
