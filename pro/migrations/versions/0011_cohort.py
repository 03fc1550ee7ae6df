"""cohort"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import pro.db

revision = "0011"
down_revision = "0006"
branch_labels = None
depends_on = None

# What the board looks for among millions of rows that are done with.
FEW = (
    ("ix_assessment_awaited", "assessment", ["closes_at", "id"], "submitted_at IS NULL AND cancelled_at IS NULL"),
    ("ix_assessment_unchecked", "assessment", ["submitted_at"], "mode = 'paper' AND checked_at IS NULL"),
    (
        "ix_expected_unexplained",
        "expected",
        ["participant_id"],
        "missed_at IS NOT NULL AND served_at IS NULL AND missing_reason = ''",
    ),
)


def upgrade() -> None:
    op.create_table(
        "cohort",
        sa.Column("plan", sa.String(length=64), nullable=False),
        sa.Column("at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("took", sa.Float(precision=53), nullable=False),
        sa.Column("figures", pro.db.Json, nullable=False),
        sa.PrimaryKeyConstraint("plan", name=op.f("pk_cohort")),
    )
    for name, table, columns, where in FEW:
        condition = sa.text(where)
        op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def downgrade() -> None:
    for name, table, _columns, _where in FEW:
        op.drop_index(name, table)
    op.drop_table("cohort")
