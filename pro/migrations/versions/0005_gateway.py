"""gateway"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not as a batch: on SQLite that would make the table anew, below rows that point at it.
    op.add_column("message", sa.Column("address_fingerprint", sa.String(length=64), nullable=True))
    op.add_column("message", sa.Column("text_fingerprint", sa.String(length=64), nullable=True))
    op.create_index("ix_message_number", "message", ["address_fingerprint", "queued_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_message_number", "message")
    op.drop_column("message", "text_fingerprint")
    op.drop_column("message", "address_fingerprint")
