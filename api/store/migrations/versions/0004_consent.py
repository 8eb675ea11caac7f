"""Aid organisations, consents and referrals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consents",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("prompt", sa.String(), nullable=False),
        sa.Column("player", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("partner", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("given_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_us", sa.BigInteger(), nullable=True),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_index("ix_consents_player", "consents", ["player"], unique=False)
    op.create_index("ix_consents_prompt", "consents", ["prompt"], unique=False)
    op.create_index("ix_consents_state", "consents", ["state", "expires_us"], unique=False)
    op.create_table(
        "partner_keys",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("partner", sa.String(), nullable=False),
        sa.Column("public", sa.String(), nullable=True),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("retired_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner_keys")),
    )
    op.create_index("ix_partner_keys_partner", "partner_keys", ["partner"], unique=False)
    op.create_table(
        "partners",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.String(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("changed_us", sa.BigInteger(), nullable=False),
        sa.Column("suspended_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partners")),
    )
    op.create_table(
        "prompts",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("player", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("alert", sa.String(), nullable=True),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("partner", sa.String(), nullable=False),
        sa.Column("jurisdiction", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("urgency", sa.String(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("opened_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("answered_us", sa.BigInteger(), nullable=True),
        sa.Column("agreed", sa.Boolean(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prompts")),
    )
    op.create_index("ix_prompts_partner", "prompts", ["partner", "opened_us"], unique=False)
    op.create_index("ix_prompts_player", "prompts", ["player", "opened_us"], unique=False)
    op.create_index("ix_prompts_state", "prompts", ["state", "expires_us"], unique=False)
    op.create_table(
        "referral_statuses",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("partner", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=True),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("said_by", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=True),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.Column("moved", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_referral_statuses")),
    )
    op.create_index("ix_referral_statuses_message", "referral_statuses", ["partner", "message"], unique=True)
    op.create_index("ix_referral_statuses_token", "referral_statuses", ["token", "received_us"], unique=False)
    op.create_table(
        "referrals",
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("open_code", sa.String(), nullable=True),
        sa.Column("player", sa.String(), nullable=False),
        sa.Column("partner", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("prompt", sa.String(), nullable=False),
        sa.Column("consent", sa.String(), nullable=False),
        sa.Column("outcome_consent", sa.String(), nullable=True),
        sa.Column("delivery", sa.String(), nullable=False),
        sa.Column("urgency", sa.String(), nullable=True),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("consented_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("delivered_us", sa.BigInteger(), nullable=True),
        sa.Column("given_up_us", sa.BigInteger(), nullable=True),
        sa.Column("due_us", sa.BigInteger(), nullable=True),
        sa.Column("overdue_us", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_us", sa.BigInteger(), nullable=True),
        sa.Column("contacted_us", sa.BigInteger(), nullable=True),
        sa.Column("unreachable_us", sa.BigInteger(), nullable=True),
        sa.Column("declined_us", sa.BigInteger(), nullable=True),
        sa.Column("ended_us", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("status_token", sa.String(), nullable=True),
        sa.Column("resource_link", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_referrals")),
    )
    op.create_index("ix_referrals_consent", "referrals", ["consent"], unique=False)
    op.create_index("ix_referrals_consented_us", "referrals", ["consented_us"], unique=False)
    op.create_index("ix_referrals_open_code", "referrals", ["open_code"], unique=True)
    op.create_index("ix_referrals_partner", "referrals", ["partner", "consented_us"], unique=False)
    op.create_index("ix_referrals_player", "referrals", ["player"], unique=False)
    op.create_index("ix_referrals_state", "referrals", ["state", "due_us"], unique=False)
