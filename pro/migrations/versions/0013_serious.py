"""serious: the board finds the few serious gradings among all of them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

INDEX = "ix_grading_serious"


def upgrade() -> None:
    where = {"sqlite_where": sa.text("serious = 1"), "postgresql_where": sa.text("serious")}
    op.create_index(INDEX, "grading", ["adverse_event_id"], **where)


def downgrade() -> None:
    op.drop_index(INDEX, "grading")
