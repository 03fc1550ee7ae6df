"""waiting: what the board looks for is found among millions of rows that are done with; a failed message is settled"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import pro.db

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

FEW = (
    ("ix_assessment_awaited", "assessment", ["closes_at", "id"], "submitted_at IS NULL AND cancelled_at IS NULL"),
    ("ix_assessment_unchecked", "assessment", ["submitted_at"], "mode = 'paper' AND checked_at IS NULL"),
    (
        "ix_expected_unexplained",
        "expected",
        ["participant_id"],
        "missed_at IS NOT NULL AND served_at IS NULL AND missing_reason = ''",
    ),
    ("ix_message_unsettled", "message", ["id"], "failed_at IS NOT NULL AND settled_at IS NULL"),
)


def upgrade() -> None:
    op.add_column("message", sa.Column("settled_at", pro.db.UtcDateTime(timezone=True), nullable=True))
    # Not in a batch: SQLite would copy the table.
    reference = "CONSTRAINT fk_message_settled_by REFERENCES staff (id)"
    op.execute(f"ALTER TABLE message ADD COLUMN settled_by INTEGER {reference}")
    for name, table, columns, where in FEW:
        condition = sa.text(where)
        op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def downgrade() -> None:
    for name, table, _columns, _where in FEW:
        op.drop_index(name, table)
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(op.f("fk_message_settled_by"), "message")
    op.drop_column("message", "settled_by")
    op.drop_column("message", "settled_at")
