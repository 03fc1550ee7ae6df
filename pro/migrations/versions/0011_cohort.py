"""cohort"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import pro.db

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cohort",
        sa.Column("plan", sa.String(length=64), nullable=False),
        sa.Column("at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("took", sa.Float(precision=53), nullable=False),
        sa.Column("figures", pro.db.Json, nullable=False),
        sa.PrimaryKeyConstraint("plan", name=op.f("pk_cohort")),
    )


def downgrade() -> None:
    op.drop_table("cohort")
