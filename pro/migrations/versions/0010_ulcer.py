"""ulcer"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import pro.db

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "endoscopy",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("asked_on", sa.Date(), nullable=True),
        sa.Column("asked_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("asked_by", sa.Integer(), nullable=True),
        sa.Column("done_on", sa.Date(), nullable=True),
        sa.Column("result", sa.String(length=16), nullable=False),
        sa.Column("grade", sa.Integer(), nullable=True),
        sa.Column("finding", sa.Text(), nullable=False),
        sa.Column("recorded_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("recorded_by", sa.Integer(), nullable=True),
        sa.Column("taken_back_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("taken_back_by", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["asked_by"], ["staff.id"], name=op.f("fk_endoscopy_asked_by")),
        sa.ForeignKeyConstraint(["participant_id"], ["participant.id"], name=op.f("fk_endoscopy_participant_id")),
        sa.ForeignKeyConstraint(["recorded_by"], ["staff.id"], name=op.f("fk_endoscopy_recorded_by")),
        sa.ForeignKeyConstraint(["taken_back_by"], ["staff.id"], name=op.f("fk_endoscopy_taken_back_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endoscopy")),
    )
    with op.batch_alter_table("endoscopy", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_endoscopy_participant_id"), ["participant_id"], unique=False)
        batch_op.create_index("ix_endoscopy_waiting", ["done_on", "taken_back_at"], unique=False)
    op.create_table(
        "decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan", sa.String(length=64), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=True),
        sa.Column("about", sa.String(length=16), nullable=False),
        sa.Column("choice", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("seen", pro.db.Json, nullable=False),
        sa.Column("made_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["made_by"], ["staff.id"], name=op.f("fk_decision_made_by")),
        sa.ForeignKeyConstraint(["participant_id"], ["participant.id"], name=op.f("fk_decision_participant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
    )
    with op.batch_alter_table("decision", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_decision_participant_id"), ["participant_id"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER decision_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON decision "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER decision_stays_{verb.lower()} BEFORE {verb} ON decision "
            "BEGIN SELECT RAISE(ABORT, 'rows of decision are never changed or deleted'); END"
        )


def downgrade() -> None:
    op.drop_table("decision")
    op.drop_table("endoscopy")
