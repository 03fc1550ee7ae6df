"""calendar"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import pro.db

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "absence",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("starts_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("ends_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("cancelled_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_absence_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_absence")),
    )
    with op.batch_alter_table("absence", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_absence_staff_id"), ["staff_id"], unique=False)

    op.create_table(
        "drill",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan", sa.String(length=64), nullable=False),
        sa.Column("week", sa.String(length=8), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("confirmed_by", sa.Integer(), nullable=True),
        sa.Column("failed_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["confirmed_by"], ["staff.id"], name=op.f("fk_drill_confirmed_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drill")),
        sa.UniqueConstraint("plan", "week", "number", name=op.f("uq_drill_plan_week_number")),
    )
    op.create_table(
        "expected",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("visit", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("instrument", sa.String(length=64), nullable=False),
        sa.Column("opens_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("due_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("closes_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("mandatory", sa.Boolean(), nullable=False),
        sa.Column("basis", sa.String(length=16), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("known_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=True),
        sa.Column("served_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("nearest", sa.Boolean(), nullable=False),
        sa.Column("partial", sa.Boolean(), nullable=False),
        sa.Column("out_of_window", sa.Boolean(), nullable=False),
        sa.Column("missed_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("missing_reason", sa.String(length=16), nullable=False),
        sa.Column("missing_note", sa.Text(), nullable=False),
        sa.Column("reason_by", sa.Integer(), nullable=True),
        sa.Column("reason_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessment.id"], name=op.f("fk_expected_assessment_id")),
        sa.ForeignKeyConstraint(["participant_id"], ["participant.id"], name=op.f("fk_expected_participant_id")),
        sa.ForeignKeyConstraint(["reason_by"], ["staff.id"], name=op.f("fk_expected_reason_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expected")),
        sa.UniqueConstraint(
            "participant_id", "visit", "instrument", name=op.f("uq_expected_participant_id_visit_instrument")
        ),
    )
    with op.batch_alter_table("expected", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_expected_assessment_id"), ["assessment_id"], unique=False)
        batch_op.create_index("ix_expected_participant_opens", ["participant_id", "opens_at"], unique=False)

    op.create_table(
        "task",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dedupe_key", sa.String(length=128), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("expected_id", sa.Integer(), nullable=True),
        sa.Column("alert_id", sa.Integer(), nullable=True),
        sa.Column("made_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("due_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("done_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("done_by", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name=op.f("fk_task_alert_id")),
        sa.ForeignKeyConstraint(["done_by"], ["staff.id"], name=op.f("fk_task_done_by")),
        sa.ForeignKeyConstraint(
            ["expected_id"], ["expected.id"], name=op.f("fk_task_expected_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["participant_id"], ["participant.id"], name=op.f("fk_task_participant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_task_dedupe_key")),
    )
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.create_index("ix_task_open", ["done_at", "due_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_task_participant_id"), ["participant_id"], unique=False)

    op.create_table(
        "call",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=True),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("logged_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["participant_id"], ["participant.id"], name=op.f("fk_call_participant_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_call_staff_id")),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"], name=op.f("fk_call_task_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call")),
    )
    with op.batch_alter_table("call", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_call_participant_id"), ["participant_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_call_task_id"), ["task_id"], unique=False)

    op.add_column("assessment", sa.Column("answered_at", pro.db.UtcDateTime(timezone=True), nullable=True))
    op.add_column("assessment", sa.Column("checked_at", pro.db.UtcDateTime(timezone=True), nullable=True))
    # Never in a batch: SQLite would copy the table and drop the old one, which answers point at.
    for column in ("entered_by", "checked_by"):
        reference = f"CONSTRAINT fk_assessment_{column} REFERENCES staff (id)"
        op.execute(f"ALTER TABLE assessment ADD COLUMN {column} INTEGER {reference}")

    op.execute("ALTER TABLE message ADD COLUMN drill_id INTEGER CONSTRAINT fk_message_drill_id REFERENCES drill (id)")
    op.create_index(op.f("ix_message_drill_id"), "message", ["drill_id"], unique=False)

    with op.batch_alter_table("duty", schema=None) as batch_op:
        batch_op.add_column(sa.Column("cancelled_at", pro.db.UtcDateTime(timezone=True), nullable=True))

    with op.batch_alter_table("participant", schema=None) as batch_op:
        batch_op.add_column(sa.Column("look_at", pro.db.UtcDateTime(timezone=True), nullable=True))
        batch_op.create_index(batch_op.f("ix_participant_look_at"), ["look_at"], unique=False)

    # The outbox finds what is due by indexes of what is not sent yet, however much was sent before.
    op.drop_index("ix_message_due", "message")
    unfinished = "sent_at IS NULL AND failed_at IS NULL AND dropped_at IS NULL"
    for name, where, columns in (
        ("ix_message_due", unfinished, ["channel", "next_try_at", "id"]),
        ("ix_message_due_loud", f"{unfinished} AND repeat = 'prefer_duplicate'", ["channel", "next_try_at", "id"]),
        ("ix_message_too_late", f"{unfinished} AND not_after IS NOT NULL", ["not_after"]),
        ("ix_message_claimed", "claimed_at IS NOT NULL", ["claimed_at"]),
    ):
        op.create_index(name, "message", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))

    # Who is in the study already gets a plan at the worker's next round.
    op.execute("UPDATE participant SET look_at = enrolled_at WHERE withdrawn_at IS NULL AND died_at IS NULL")


def downgrade() -> None:
    for name in ("ix_message_claimed", "ix_message_too_late", "ix_message_due_loud", "ix_message_due"):
        op.drop_index(name, "message")
    op.create_index("ix_message_due", "message", ["sent_at", "failed_at", "dropped_at", "next_try_at"])

    with op.batch_alter_table("participant", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_participant_look_at"))
        batch_op.drop_column("look_at")

    with op.batch_alter_table("duty", schema=None) as batch_op:
        batch_op.drop_column("cancelled_at")

    with op.batch_alter_table("assessment", schema=None) as batch_op:
        batch_op.drop_column("checked_by")
        batch_op.drop_column("checked_at")
        batch_op.drop_column("entered_by")
        batch_op.drop_column("answered_at")

    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_message_drill_id"))
        batch_op.drop_column("drill_id")

    with op.batch_alter_table("call", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_call_task_id"))
        batch_op.drop_index(batch_op.f("ix_call_participant_id"))

    op.drop_table("call")
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_task_participant_id"))
        batch_op.drop_index("ix_task_open")

    op.drop_table("task")
    with op.batch_alter_table("expected", schema=None) as batch_op:
        batch_op.drop_index("ix_expected_participant_opens")
        batch_op.drop_index(batch_op.f("ix_expected_assessment_id"))

    op.drop_table("expected")
    op.drop_table("drill")
    with op.batch_alter_table("absence", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_absence_staff_id"))

    op.drop_table("absence")
