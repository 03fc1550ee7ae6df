"""talk"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import pro.db

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "card",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("link_fingerprint", sa.String(length=64), nullable=False),
        sa.Column("made_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.Integer(), nullable=True),
        sa.Column("used_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("wrong_tries", sa.Integer(), nullable=False),
        sa.Column("locked_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("revoked_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["made_by"], ["staff.id"], name=op.f("fk_card_made_by")),
        sa.ForeignKeyConstraint(["participant_id"], ["participant.id"], name=op.f("fk_card_participant_id")),
        sa.ForeignKeyConstraint(["revoked_by"], ["staff.id"], name=op.f("fk_card_revoked_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_card_fingerprint")),
        sa.UniqueConstraint("link_fingerprint", name=op.f("uq_card_link_fingerprint")),
    )
    with op.batch_alter_table("card", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_card_participant_id"), ["participant_id"], unique=False)

    op.create_table(
        "inbound",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("address_sealed", sa.Text(), nullable=False),
        sa.Column("text_sealed", sa.Text(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=True),
        sa.Column("assessment_id", sa.Integer(), nullable=True),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("why", sa.String(length=32), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("hits", pro.db.Json, nullable=False),
        sa.Column("received_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("read_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("read_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessment.id"], name=op.f("fk_inbound_assessment_id")),
        sa.ForeignKeyConstraint(["participant_id"], ["participant.id"], name=op.f("fk_inbound_participant_id")),
        sa.ForeignKeyConstraint(["read_by"], ["staff.id"], name=op.f("fk_inbound_read_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound")),
        sa.UniqueConstraint("provider_id", name=op.f("uq_inbound_provider_id")),
    )
    with op.batch_alter_table("inbound", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_inbound_assessment_id"), ["assessment_id"], unique=False)
        batch_op.create_index("ix_inbound_fingerprint_at", ["fingerprint", "received_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_inbound_participant_id"), ["participant_id"], unique=False)
        batch_op.create_index("ix_inbound_unread", ["read_at", "received_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("inbound", schema=None) as batch_op:
        batch_op.drop_index("ix_inbound_unread")
        batch_op.drop_index(batch_op.f("ix_inbound_participant_id"))
        batch_op.drop_index("ix_inbound_fingerprint_at")
        batch_op.drop_index(batch_op.f("ix_inbound_assessment_id"))

    op.drop_table("inbound")
    with op.batch_alter_table("card", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_card_participant_id"))

    op.drop_table("card")
