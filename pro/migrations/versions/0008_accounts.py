"""accounts"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import pro.db

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Plain ADD COLUMN: tables with children are not copied on SQLite.
    op.add_column("staff", sa.Column("password_changed_at", pro.db.UtcDateTime(timezone=True), nullable=True))
    op.add_column("staff", sa.Column("otp_sealed", sa.Text(), nullable=True))
    op.add_column("staff", sa.Column("otp_step", sa.Integer(), nullable=True))
    op.add_column("staff_session", sa.Column("proven_at", pro.db.UtcDateTime(timezone=True), nullable=True))
    op.add_column("staff_session", sa.Column("device", sa.String(length=16), nullable=False, server_default=""))
    op.add_column("staff_session", sa.Column("ended_why", sa.String(length=16), nullable=False, server_default=""))
    # Whoever is signed in has given all that was asked until now.
    op.execute("UPDATE staff_session SET proven_at = made_at")
    op.create_table(
        "recovery_code",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("made_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("used_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("ended_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_recovery_code_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_code")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_recovery_code_fingerprint")),
    )
    with op.batch_alter_table("recovery_code", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_recovery_code_staff_id"), ["staff_id"], unique=False)
    op.create_table(
        "staff_invitation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("phone_sealed", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("made_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.Integer(), nullable=False),
        sa.Column("expires_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("used_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("staff_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["made_by"], ["staff.id"], name=op.f("fk_staff_invitation_made_by")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_invitation_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_invitation")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_staff_invitation_fingerprint")),
    )
    with op.batch_alter_table("staff_invitation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_staff_invitation_email"), ["email"], unique=False)


def downgrade() -> None:
    op.drop_table("staff_invitation")
    op.drop_table("recovery_code")
    for table, columns in (
        ("staff_session", ("ended_why", "device", "proven_at")),
        ("staff", ("otp_step", "otp_sealed", "password_changed_at")),
    ):
        for column in columns:
            op.drop_column(table, column)
