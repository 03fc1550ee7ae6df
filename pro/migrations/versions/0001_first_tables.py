"""first tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import pro.db

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
    )
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.create_index("ix_attempt_kind_key_at", ["kind", "key", "at"], unique=False)

    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=16), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.Integer(), nullable=True),
        sa.Column("participant_id", sa.Integer(), nullable=True),
        sa.Column("old", pro.db.Json, nullable=True),
        sa.Column("new", pro.db.Json, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_event_participant_id"), ["participant_id"], unique=False)
        batch_op.create_index("ix_event_subject", ["subject", "subject_id"], unique=False)

    op.create_table(
        "heartbeat",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeat")),
    )
    op.create_table(
        "staff",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.String(length=256), nullable=False),
        sa.Column("phone_sealed", sa.Text(), nullable=True),
        sa.Column("made_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("email", name=op.f("uq_staff_email")),
    )
    op.create_table(
        "wording",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("instrument", sa.String(length=64), nullable=False),
        sa.Column("instrument_version", sa.String(length=32), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("checksum", sa.String(length=64), nullable=False),
        sa.Column("licence", pro.db.Json, nullable=False),
        sa.Column("words", pro.db.Json, nullable=False),
        sa.Column("loaded_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wording")),
    )
    with op.batch_alter_table("wording", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_wording_checksum"), ["checksum"], unique=False)

    op.create_table(
        "duty",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan", sa.String(length=64), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(length=16), nullable=False),
        sa.Column("starts_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("ends_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_duty_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duty")),
    )
    with op.batch_alter_table("duty", schema=None) as batch_op:
        batch_op.create_index("ix_duty_time", ["starts_at", "ends_at"], unique=False)

    op.create_table(
        "participant",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan", sa.String(length=64), nullable=False),
        sa.Column("study_number", sa.String(length=32), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("phone_sealed", sa.Text(), nullable=True),
        sa.Column("phone_fingerprint", sa.String(length=64), nullable=True),
        sa.Column("pin_hash", sa.String(length=256), nullable=True),
        sa.Column("enrolled_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("enrolled_by", sa.Integer(), nullable=True),
        sa.Column("withdrawn_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("died_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("opted_out_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["enrolled_by"], ["staff.id"], name=op.f("fk_participant_enrolled_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participant")),
        sa.UniqueConstraint("plan", "study_number", name=op.f("uq_participant_plan_study_number")),
    )
    with op.batch_alter_table("participant", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_participant_phone_fingerprint"), ["phone_fingerprint"], unique=False)

    op.create_table(
        "seal",
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name=op.f("fk_seal_event_id")),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_seal")),
        sa.UniqueConstraint("event_id", name=op.f("uq_seal_event_id")),
    )
    op.create_table(
        "staff_session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("made_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("seen_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("ended_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_session_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_session")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_staff_session_fingerprint")),
    )
    with op.batch_alter_table("staff_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_staff_session_staff_id"), ["staff_id"], unique=False)

    op.create_table(
        "alert_note",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["participant_id"], ["participant.id"], name=op.f("fk_alert_note_participant_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_alert_note_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_note")),
    )
    with op.batch_alter_table("alert_note", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alert_note_source"), ["source"], unique=False)

    op.create_table(
        "anchor",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("on", sa.Date(), nullable=False),
        sa.Column("planned", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Integer(), nullable=True),
        sa.Column("superseded_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["participant_id"], ["participant.id"], name=op.f("fk_anchor_participant_id")),
        sa.ForeignKeyConstraint(["recorded_by"], ["staff.id"], name=op.f("fk_anchor_recorded_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_anchor")),
    )
    with op.batch_alter_table("anchor", schema=None) as batch_op:
        batch_op.create_index("ix_anchor_participant_kind", ["participant_id", "kind"], unique=False)

    op.create_table(
        "assessment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(length=16), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("instrument", sa.String(length=64), nullable=False),
        sa.Column("instrument_version", sa.String(length=32), nullable=False),
        sa.Column("page_set", sa.String(length=32), nullable=True),
        sa.Column("wordings", pro.db.Json, nullable=False),
        sa.Column("visit", sa.String(length=64), nullable=True),
        sa.Column("issued_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("issued_by", sa.Integer(), nullable=True),
        sa.Column("opens_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("due_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("closes_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("opened_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("first_answer_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("last_answer_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("submitted_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("judge_next_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("context", pro.db.Json, nullable=False),
        sa.Column("unresolved", pro.db.Json, nullable=False),
        sa.Column("standing", pro.db.Json, nullable=False),
        sa.Column("language", sa.String(length=16), nullable=True),
        sa.Column("mode", sa.String(length=16), nullable=True),
        sa.Column("answered_by", sa.String(length=16), nullable=True),
        sa.Column("identified_by", sa.String(length=16), nullable=True),
        sa.Column("device", sa.String(length=16), nullable=True),
        sa.ForeignKeyConstraint(["issued_by"], ["staff.id"], name=op.f("fk_assessment_issued_by")),
        sa.ForeignKeyConstraint(["participant_id"], ["participant.id"], name=op.f("fk_assessment_participant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment")),
        sa.UniqueConstraint("ref", name=op.f("uq_assessment_ref")),
    )
    with op.batch_alter_table("assessment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_assessment_judge_next_at"), ["judge_next_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_assessment_participant_id"), ["participant_id"], unique=False)

    op.create_table(
        "circumstance",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("value", pro.db.Json, nullable=False),
        sa.Column("recorded_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Integer(), nullable=True),
        sa.Column("expires_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["participant_id"], ["participant.id"], name=op.f("fk_circumstance_participant_id")),
        sa.ForeignKeyConstraint(["recorded_by"], ["staff.id"], name=op.f("fk_circumstance_recorded_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_circumstance")),
    )
    with op.batch_alter_table("circumstance", schema=None) as batch_op:
        batch_op.create_index("ix_circumstance_participant_name", ["participant_id", "name"], unique=False)

    op.create_table(
        "access",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("answered_by", sa.String(length=16), nullable=False),
        sa.Column("made_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("used_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessment.id"], name=op.f("fk_access_assessment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_access_fingerprint")),
    )
    with op.batch_alter_table("access", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_access_assessment_id"), ["assessment_id"], unique=False)

    op.create_table(
        "alert",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=True),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("lowered", sa.Boolean(), nullable=False),
        sa.Column("suspects", sa.String(length=64), nullable=False),
        sa.Column("basis", sa.String(length=16), nullable=False),
        sa.Column("plan_version", sa.String(length=32), nullable=False),
        sa.Column("inputs", pro.db.Json, nullable=False),
        sa.Column("unresolved", pro.db.Json, nullable=False),
        sa.Column("advice", sa.String(length=32), nullable=False),
        sa.Column("raised_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("advised_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("superseded_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Integer(), nullable=True),
        sa.Column("resolved_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.Integer(), nullable=True),
        sa.Column("disposition", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["acknowledged_by"], ["staff.id"], name=op.f("fk_alert_acknowledged_by")),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessment.id"], name=op.f("fk_alert_assessment_id")),
        sa.ForeignKeyConstraint(["participant_id"], ["participant.id"], name=op.f("fk_alert_participant_id")),
        sa.ForeignKeyConstraint(["resolved_by"], ["staff.id"], name=op.f("fk_alert_resolved_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
        sa.UniqueConstraint("source", "rule", name=op.f("uq_alert_source_rule")),
    )
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_alert_assessment_id"), ["assessment_id"], unique=False)
        batch_op.create_index("ix_alert_open", ["resolved_at", "level"], unique=False)
        batch_op.create_index(batch_op.f("ix_alert_participant_id"), ["participant_id"], unique=False)

    op.create_table(
        "answer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("value", pro.db.Json, nullable=True),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("answered_by", sa.String(length=16), nullable=False),
        sa.Column("at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessment.id"], name=op.f("fk_answer_assessment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answer")),
    )
    with op.batch_alter_table("answer", schema=None) as batch_op:
        batch_op.create_index("ix_answer_assessment_item", ["assessment_id", "item", "id"], unique=False)

    op.create_table(
        "score",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("scale", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Float(precision=53), nullable=True),
        sa.Column("raw", sa.Float(precision=53), nullable=True),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("of", sa.Integer(), nullable=False),
        sa.Column("algorithm", sa.String(length=64), nullable=False),
        sa.Column("at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessment.id"], name=op.f("fk_score_assessment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_score")),
    )
    with op.batch_alter_table("score", schema=None) as batch_op:
        batch_op.create_index("ix_score_assessment_scale", ["assessment_id", "scale", "id"], unique=False)

    op.create_table(
        "message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dedupe_key", sa.String(length=128), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("template", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=True),
        sa.Column("participant_id", sa.Integer(), nullable=True),
        sa.Column("assessment_id", sa.Integer(), nullable=True),
        sa.Column("alert_id", sa.Integer(), nullable=True),
        sa.Column("address_sealed", sa.Text(), nullable=False),
        sa.Column("params_sealed", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body_sealed", sa.Text(), nullable=False),
        sa.Column("repeat", sa.String(length=24), nullable=False),
        sa.Column("queued_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("next_try_at", pro.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("not_after", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("claimed_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("sent_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("failed_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("dropped_at", pro.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("reference", sa.String(length=128), nullable=True),
        sa.Column("failure", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name=op.f("fk_message_alert_id")),
        sa.ForeignKeyConstraint(["assessment_id"], ["assessment.id"], name=op.f("fk_message_assessment_id")),
        sa.ForeignKeyConstraint(["participant_id"], ["participant.id"], name=op.f("fk_message_participant_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_message_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_message_dedupe_key")),
    )
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_message_alert_id"), ["alert_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_message_assessment_id"), ["assessment_id"], unique=False)
        batch_op.create_index("ix_message_due", ["sent_at", "failed_at", "dropped_at", "next_try_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_message_participant_id"), ["participant_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_message_reference"), ["reference"], unique=False)
        batch_op.create_index(batch_op.f("ix_message_staff_id"), ["staff_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_message_staff_id"))
        batch_op.drop_index(batch_op.f("ix_message_reference"))
        batch_op.drop_index(batch_op.f("ix_message_participant_id"))
        batch_op.drop_index("ix_message_due")
        batch_op.drop_index(batch_op.f("ix_message_assessment_id"))
        batch_op.drop_index(batch_op.f("ix_message_alert_id"))

    op.drop_table("message")
    with op.batch_alter_table("score", schema=None) as batch_op:
        batch_op.drop_index("ix_score_assessment_scale")

    op.drop_table("score")
    with op.batch_alter_table("answer", schema=None) as batch_op:
        batch_op.drop_index("ix_answer_assessment_item")

    op.drop_table("answer")
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_alert_participant_id"))
        batch_op.drop_index("ix_alert_open")
        batch_op.drop_index(batch_op.f("ix_alert_assessment_id"))

    op.drop_table("alert")
    with op.batch_alter_table("access", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_access_assessment_id"))

    op.drop_table("access")
    with op.batch_alter_table("circumstance", schema=None) as batch_op:
        batch_op.drop_index("ix_circumstance_participant_name")

    op.drop_table("circumstance")
    with op.batch_alter_table("assessment", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_assessment_participant_id"))
        batch_op.drop_index(batch_op.f("ix_assessment_judge_next_at"))

    op.drop_table("assessment")
    with op.batch_alter_table("anchor", schema=None) as batch_op:
        batch_op.drop_index("ix_anchor_participant_kind")

    op.drop_table("anchor")
    with op.batch_alter_table("alert_note", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_alert_note_source"))

    op.drop_table("alert_note")
    with op.batch_alter_table("staff_session", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_staff_session_staff_id"))

    op.drop_table("staff_session")
    op.drop_table("seal")
    with op.batch_alter_table("participant", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_participant_phone_fingerprint"))

    op.drop_table("participant")
    with op.batch_alter_table("duty", schema=None) as batch_op:
        batch_op.drop_index("ix_duty_time")

    op.drop_table("duty")
    with op.batch_alter_table("wording", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_wording_checksum"))

    op.drop_table("wording")
    op.drop_table("staff")
    op.drop_table("heartbeat")
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.drop_index("ix_event_subject")
        batch_op.drop_index(batch_op.f("ix_event_participant_id"))

    op.drop_table("event")
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.drop_index("ix_attempt_kind_key_at")

    op.drop_table("attempt")
