"""Alerts and what is done about them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert_actions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("alert", sa.String(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("level", sa.String(), nullable=True),
        sa.Column("intervention", sa.String(), nullable=True),
        sa.Column("prompt", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_actions")),
    )
    op.create_index("ix_alert_actions_alert", "alert_actions", ["alert"], unique=False)
    op.create_table(
        "alert_notes",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("alert", sa.String(), nullable=False),
        sa.Column("taken_us", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_notes")),
    )
    op.create_index("ix_alert_notes_alert", "alert_notes", ["alert"], unique=False)
    op.create_table(
        "alert_verdicts",
        sa.Column("alert", sa.String(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("alert", "number", name=op.f("pk_alert_verdicts")),
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("player", sa.String(), nullable=False),
        sa.Column("pseudonym", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("rule_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("audience", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("jurisdiction", sa.String(), nullable=True),
        sa.Column("opened_us", sa.BigInteger(), nullable=False),
        sa.Column("taken_us", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("by_people", sa.Boolean(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("period_us", sa.BigInteger(), nullable=False),
        sa.Column("next_us", sa.BigInteger(), nullable=False),
        sa.Column("escalations", sa.BigInteger(), nullable=False),
        sa.Column("assignee", sa.String(), nullable=True),
        sa.Column("assigned_us", sa.BigInteger(), nullable=True),
        sa.Column("snoozed_until_us", sa.BigInteger(), nullable=False),
        sa.Column("snooze_reason", sa.String(), nullable=True),
        sa.Column("acted_us", sa.BigInteger(), nullable=True),
        sa.Column("met_us", sa.BigInteger(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("verdicts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    op.create_index("ix_alerts_assignee_stage", "alerts", ["assignee", "stage"], unique=False)
    op.create_index("ix_alerts_next_us", "alerts", ["next_us"], unique=False)
    op.create_index("ix_alerts_opened_us_id", "alerts", ["opened_us", "id"], unique=False)
    op.create_index("ix_alerts_player_opened_us", "alerts", ["player", "opened_us"], unique=False)
    op.create_index("ix_alerts_pseudonym_opened_us", "alerts", ["pseudonym", "opened_us"], unique=False)
    op.create_index("ix_alerts_rule_id_opened_us", "alerts", ["rule_id", "opened_us"], unique=False)
    op.create_index("ix_alerts_stage_due_us_id", "alerts", ["stage", "due_us", "id"], unique=False)
    op.create_index(
        "ix_alerts_stage_rank_due_us_id", "alerts", ["stage", "rank", "due_us", "id"], unique=False
    )
    op.create_table(
        "contests",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("intervention", sa.String(), nullable=False),
        sa.Column("alert", sa.String(), nullable=False),
        sa.Column("player", sa.String(), nullable=False),
        sa.Column("pseudonym", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("opened_by", sa.String(), nullable=False),
        sa.Column("opened_us", sa.BigInteger(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("next_us", sa.BigInteger(), nullable=False),
        sa.Column("escalations", sa.BigInteger(), nullable=False),
        sa.Column("decision", sa.String(), nullable=True),
        sa.Column("reasons", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("decided_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contests")),
        sa.UniqueConstraint("intervention", name=op.f("uq_contests_intervention")),
    )
    op.create_index("ix_contests_decision_due_us_id", "contests", ["decision", "due_us", "id"], unique=False)
    op.create_index("ix_contests_next_us", "contests", ["next_us"], unique=False)
    op.create_table(
        "intervention_answers",
        sa.Column("intervention", sa.String(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("intervention", "number", name=op.f("pk_intervention_answers")),
    )
    op.create_table(
        "interventions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("alert", sa.String(), nullable=False),
        sa.Column("player", sa.String(), nullable=False),
        sa.Column("pseudonym", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("jurisdiction", sa.String(), nullable=True),
        sa.Column("contest", sa.Boolean(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("ends_us", sa.BigInteger(), nullable=False),
        sa.Column("taken_us", sa.BigInteger(), nullable=False),
        sa.Column("ordered_by", sa.String(), nullable=True),
        sa.Column("on_stream", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("contested", sa.String(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_interventions")),
    )
    op.create_index("ix_interventions_alert", "interventions", ["alert"], unique=False)
    op.create_index("ix_interventions_on_stream", "interventions", ["on_stream"], unique=False)
    op.create_index("ix_interventions_player", "interventions", ["player"], unique=False)
    op.create_index(
        "ix_interventions_state_due_us_id", "interventions", ["state", "due_us", "id"], unique=False
    )
    op.create_table(
        "marketing_suppressions",
        sa.Column("intervention", sa.String(), nullable=False),
        sa.Column("player", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.Column("lifted_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("intervention", name=op.f("pk_marketing_suppressions")),
    )
    op.create_index(
        "ix_marketing_suppressions_player_until_us",
        "marketing_suppressions",
        ["player", "until_us"],
        unique=False,
    )
