"""records: looking things up in the audit trail; corrections, freezes, consent"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

import pro.db

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
AT = pro.db.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_index("ix_event_actor_id", "event", ["actor_id", "id"])
    op.create_index("ix_event_action", "event", ["action", "id"])
    op.create_index("ix_event_at", "event", ["at"])
    _correction()
    _freeze()
    _consent()


def _correction() -> None:
    op.create_table(
        "correction",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("old", JSON, nullable=True),
        sa.Column("value", JSON, nullable=True),
        sa.Column("answer_id", sa.Integer(), nullable=True),
        sa.Column("heard_at", AT, nullable=False),
        sa.Column("heard_how", sa.String(length=16), nullable=False),
        sa.Column("heard_by", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_at", AT, nullable=False),
        sa.Column("asked_by", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("decided_at", AT, nullable=True),
        sa.Column("decided_by", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        *(
            sa.ForeignKeyConstraint([column], [target], name=op.f(f"fk_correction_{column}"))
            for column, target in (
                ("participant_id", "participant.id"),
                ("assessment_id", "assessment.id"),
                ("answer_id", "answer.id"),
                ("heard_by", "staff.id"),
                ("asked_by", "staff.id"),
                ("decided_by", "staff.id"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction")),
    )
    still_open = sa.text("outcome = ''")
    op.create_index(op.f("ix_correction_participant_id"), "correction", ["participant_id"])
    op.create_index("ix_correction_outcome", "correction", ["outcome", "id"])
    _unique("uq_correction_open", "correction", ["assessment_id", "item"], still_open)


def _freeze() -> None:
    op.create_table(
        "freeze",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan", sa.String(length=64), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=True),
        sa.Column("frozen_at", AT, nullable=False),
        sa.Column("frozen_by", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lifted_at", AT, nullable=True),
        sa.Column("lifted_by", sa.Integer(), nullable=True),
        sa.Column("lift_reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["participant_id"], ["participant.id"], name=op.f("fk_freeze_participant_id")),
        sa.ForeignKeyConstraint(["frozen_by"], ["staff.id"], name=op.f("fk_freeze_frozen_by")),
        sa.ForeignKeyConstraint(["lifted_by"], ["staff.id"], name=op.f("fk_freeze_lifted_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_freeze")),
    )
    whole = sa.text("participant_id IS NULL AND lifted_at IS NULL")
    _unique("uq_freeze_study", "freeze", ["plan"], whole)
    _unique("uq_freeze_participant", "freeze", ["participant_id"], sa.text("lifted_at IS NULL"))


def _consent() -> None:
    op.create_table(
        "consent",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("signed_on", sa.Date(), nullable=False),
        sa.Column("way", sa.String(length=16), nullable=False),
        sa.Column("health_data_at", AT, nullable=False),
        sa.Column("recorded_at", AT, nullable=False),
        sa.Column("recorded_by", sa.Integer(), nullable=True),
        sa.Column("withdrawn_at", AT, nullable=True),
        sa.Column("withdrawn_by", sa.Integer(), nullable=True),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["participant_id"], ["participant.id"], name=op.f("fk_consent_participant_id")),
        sa.ForeignKeyConstraint(["recorded_by"], ["staff.id"], name=op.f("fk_consent_recorded_by")),
        sa.ForeignKeyConstraint(["withdrawn_by"], ["staff.id"], name=op.f("fk_consent_withdrawn_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
    )
    op.create_index(op.f("ix_consent_participant_id"), "consent", ["participant_id"])


def _unique(name: str, table: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, table, columns, unique=True, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    op.drop_table("consent")
    op.drop_table("freeze")
    op.drop_table("correction")
    for name in ("ix_event_at", "ix_event_action", "ix_event_actor_id"):
        op.drop_index(name, table_name="event")
