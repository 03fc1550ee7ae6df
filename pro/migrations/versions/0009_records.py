"""records: who looked for what in the audit trail"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_event_actor_id", "event", ["actor_id", "id"])
    op.create_index("ix_event_action", "event", ["action", "id"])
    op.create_index("ix_event_at", "event", ["at"])


def downgrade() -> None:
    for name in ("ix_event_at", "ix_event_action", "ix_event_actor_id"):
        op.drop_index(name, table_name="event")
