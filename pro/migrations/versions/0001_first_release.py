"""The tables of the first release, and the triggers on those whose rows are never changed or deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from pro.db import Json, UtcDateTime, append_only_triggers, fixed_column_triggers, partial_index

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

AT = UtcDateTime(timezone=True)
APPEND_ONLY = (
    "audit_entry",
    "seal",
    "answer",
    "score",
    "signature",
    "grading",
    "handover",
    "alert_closure",
    "signed_decision",
    "query_step",
)
# What an alert says never changes, so its id is the version of what a page showed (docs/alerts.md).
FIXED_OF_ALERT = (
    "participant_id",
    "assessment_id",
    "source",
    "rule",
    "occurrence",
    "incoming_message_id",
    "level",
    "lowered",
    "suspects",
    "basis",
    "plan_version",
    "inputs",
    "unresolved",
    "advice",
    "raised_at",
)


def upgrade() -> None:
    """Make all tables. Constraints and indexes without a name get one by the convention of ``pro.db.Base``."""
    _accounts()
    _participants()
    _forms()
    _answers()
    _queries()
    _duty_roster()
    _incoming_messages()
    _alerts()
    _adverse_events()
    _calls()
    _messages()
    _ulcers()
    _audit()
    for statement in append_only_triggers(op.get_bind().dialect.name, APPEND_ONLY):
        op.execute(statement)
    for statement in fixed_column_triggers(op.get_bind().dialect.name, "alert", FIXED_OF_ALERT):
        op.execute(statement)


def downgrade() -> None:
    """Drop all tables, those that refer to others first; the triggers go with them."""
    for tables in (
        ("study_figures", "heartbeat", "seal", "audit_entry"),
        ("signed_decision", "endoscopy"),
        ("message",),
        ("phone_call", "call_task"),
        ("grading", "adverse_event"),
        ("alert_closure", "handover", "alert_note", "alert", "incoming_message"),
        ("test_alert", "absence", "shift"),
        ("query_step", "query", "data_correction", "score", "answer"),
        ("expected_form", "form_access", "assessment", "licensed_wording"),
        ("participant_card", "freeze", "consent", "clinical_fact", "anchor", "participant"),
        (
            "signature",
            "access_attempt",
            "password_reset",
            "staff_invitation",
            "recovery_code",
            "staff_session",
            "staff_member",
        ),
    ):
        for table in tables:
            op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")


def _table(name: str, *parts: sa.schema.SchemaItem) -> None:
    op.create_table(name, sa.Column("id", sa.Integer, primary_key=True), *parts)


def _accounts() -> None:
    """Accounts of staff, how they sign in, what they sign."""
    _table(
        "staff_member",
        sa.Column("email", sa.String(254), nullable=False, unique=True),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("password_hash", sa.String(256), nullable=False),
        sa.Column("phone_sealed", sa.Text),
        sa.Column("made_at", AT, nullable=False),
        sa.Column("disabled_at", AT),
        sa.Column("password_changed_at", AT),
        sa.Column("otp_sealed", sa.Text),
        sa.Column("otp_step", sa.Integer),
    )
    _table(
        "staff_session",
        sa.Column("staff_id", sa.Integer, sa.ForeignKey("staff_member.id"), nullable=False, index=True),
        sa.Column("fingerprint", sa.String(64), nullable=False, unique=True),
        sa.Column("made_at", AT, nullable=False),
        sa.Column("seen_at", AT, nullable=False),
        sa.Column("proven_at", AT),
        sa.Column("device", sa.String(16), nullable=False, server_default=""),
        sa.Column("ended_at", AT),
        sa.Column("end_reason", sa.String(16), nullable=False, server_default=""),
    )
    _table(
        "recovery_code",
        sa.Column("staff_id", sa.Integer, sa.ForeignKey("staff_member.id"), nullable=False, index=True),
        sa.Column("fingerprint", sa.String(64), nullable=False, unique=True),
        sa.Column("made_at", AT, nullable=False),
        sa.Column("used_at", AT),
        sa.Column("ended_at", AT),
    )
    _table(
        "staff_invitation",
        sa.Column("email", sa.String(254), nullable=False, index=True),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("phone_sealed", sa.Text),
        sa.Column("fingerprint", sa.String(64), nullable=False, unique=True),
        sa.Column("made_at", AT, nullable=False),
        sa.Column("made_by", sa.Integer, sa.ForeignKey("staff_member.id"), nullable=False),
        sa.Column("expires_at", AT, nullable=False),
        sa.Column("used_at", AT),
        sa.Column("revoked_at", AT),
        sa.Column("staff_id", sa.Integer, sa.ForeignKey("staff_member.id")),
    )
    _table(
        "password_reset",
        sa.Column("email_sealed", sa.Text),
        sa.Column("requested_at", AT, nullable=False),
        sa.Column("staff_id", sa.Integer, sa.ForeignKey("staff_member.id"), index=True),
        sa.Column("fingerprint", sa.String(64), unique=True),
        sa.Column("expires_at", AT),
        sa.Column("used_at", AT),
        sa.Column("ended_at", AT),
        partial_index("ix_password_reset_waiting", "email_sealed IS NOT NULL", "id"),
    )
    _table(
        "access_attempt",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("at", AT, nullable=False),
        sa.Index("ix_access_attempt_kind_key_at", "kind", "key", "at"),
    )
    _table(
        "signature",
        sa.Column("staff_id", sa.Integer, sa.ForeignKey("staff_member.id"), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("meaning", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(32), nullable=False),
        sa.Column("subject_id", sa.Integer, nullable=False),
        sa.Column("shape", sa.Integer, nullable=False),
        sa.Column("at", AT, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Index("ix_signature_subject", "subject", "subject_id"),
    )


def _participants() -> None:
    """Participants, the dates of their treatment, what is known and agreed."""
    _table(
        "participant",
        sa.Column("plan", sa.String(64), nullable=False),
        sa.Column("participant_number", sa.String(32), nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("phone_sealed", sa.Text),
        sa.Column("phone_fingerprint", sa.String(64), index=True),
        sa.Column("pin_hash", sa.String(256)),
        sa.Column("enrolled_at", AT, nullable=False),
        sa.Column("enrolled_by", sa.Integer, sa.ForeignKey("staff_member.id")),
        sa.Column("withdrawn_at", AT),
        sa.Column("died_at", AT),
        sa.Column("opted_out_at", AT),
        sa.Column("trend_hidden_at", AT),
        sa.Column("next_due_at", AT, index=True),
        sa.UniqueConstraint("plan", "participant_number"),
    )
    _table(
        "anchor",
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id"), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("on", sa.Date, nullable=False),
        sa.Column("planned", sa.Boolean, nullable=False),
        sa.Column("recorded_at", AT, nullable=False),
        sa.Column("recorded_by", sa.Integer, sa.ForeignKey("staff_member.id")),
        sa.Column("superseded_at", AT),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Index("ix_anchor_participant_kind", "participant_id", "kind"),
    )
    _table(
        "clinical_fact",
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id"), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("item", sa.String(64), nullable=False),
        sa.Column("value", Json, nullable=False),
        sa.Column("recorded_at", AT, nullable=False),
        sa.Column("recorded_by", sa.Integer, sa.ForeignKey("staff_member.id")),
        sa.Column("expires_at", AT),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Index("ix_clinical_fact_participant_name", "participant_id", "name"),
    )
    _table(
        "consent",
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id"), nullable=False, index=True),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("signed_on", sa.Date, nullable=False),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("health_data_at", AT, nullable=False),
        sa.Column("recorded_at", AT, nullable=False),
        sa.Column("recorded_by", sa.Integer, sa.ForeignKey("staff_member.id")),
        sa.Column("withdrawn_at", AT),
        sa.Column("withdrawn_by", sa.Integer, sa.ForeignKey("staff_member.id")),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("information", sa.Text, nullable=False),
    )
    _table(
        "freeze",
        sa.Column("plan", sa.String(64), nullable=False),
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id")),
        sa.Column("frozen_at", AT, nullable=False),
        sa.Column("frozen_by", sa.Integer, sa.ForeignKey("staff_member.id"), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("unfrozen_at", AT),
        sa.Column("unfrozen_by", sa.Integer, sa.ForeignKey("staff_member.id")),
        sa.Column("unfreeze_reason", sa.Text, nullable=False),
        partial_index("uq_freeze_participant", "unfrozen_at IS NULL", "participant_id", unique=True),
        partial_index("uq_freeze_study", "participant_id IS NULL AND unfrozen_at IS NULL", "plan", unique=True),
    )
    _table(
        "participant_card",
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id"), nullable=False, index=True),
        sa.Column("fingerprint", sa.String(64), nullable=False, unique=True),
        sa.Column("link_fingerprint", sa.String(64), nullable=False, unique=True),
        sa.Column("made_at", AT, nullable=False),
        sa.Column("made_by", sa.Integer, sa.ForeignKey("staff_member.id")),
        sa.Column("used_at", AT),
        sa.Column("wrong_tries", sa.Integer, nullable=False),
        sa.Column("locked_at", AT),
        sa.Column("revoked_at", AT),
        sa.Column("revoked_by", sa.Integer, sa.ForeignKey("staff_member.id")),
    )


def _forms() -> None:
    """Forms: expected, issued, and the ways into them."""
    _table(
        "licensed_wording",
        sa.Column("instrument", sa.String(64), nullable=False),
        sa.Column("instrument_version", sa.String(32), nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("checksum", sa.String(64), nullable=False, index=True),
        sa.Column("licence", Json, nullable=False),
        sa.Column("wording", Json, nullable=False),
        sa.Column("loaded_at", AT, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    _table(
        "assessment",
        sa.Column("ref", sa.String(16), nullable=False, unique=True),
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id"), nullable=False, index=True),
        sa.Column("instrument", sa.String(64), nullable=False),
        sa.Column("instrument_version", sa.String(32), nullable=False),
        sa.Column("page_set", sa.String(32)),
        sa.Column("wordings", Json, nullable=False),
        sa.Column("visit", sa.String(64)),
        sa.Column("issued_at", AT, nullable=False),
        sa.Column("issued_by", sa.Integer, sa.ForeignKey("staff_member.id")),
        sa.Column("opens_at", AT, nullable=False),
        sa.Column("due_at", AT, nullable=False),
        sa.Column("closes_at", AT, nullable=False),
        sa.Column("opened_at", AT),
        sa.Column("first_answer_at", AT),
        sa.Column("last_answer_at", AT),
        sa.Column("submitted_at", AT),
        sa.Column("cancelled_at", AT),
        sa.Column("evaluate_next_at", AT, index=True),
        sa.Column("context", Json, nullable=False),
        sa.Column("unresolved", Json, nullable=False),
        sa.Column("standing", Json, nullable=False),
        sa.Column("language", sa.String(16)),
        sa.Column("completion_mode", sa.String(16)),
        sa.Column("answered_by", sa.String(16)),
        sa.Column("identified_by", sa.String(16)),
        sa.Column("device", sa.String(16)),
        sa.Column("answered_at", AT),
        sa.Column("entered_by", sa.Integer, sa.ForeignKey("staff_member.id")),
        sa.Column("verified_at", AT),
        sa.Column("verified_by", sa.Integer, sa.ForeignKey("staff_member.id")),
        partial_index("ix_assessment_awaited", "submitted_at IS NULL AND cancelled_at IS NULL", "closes_at", "id"),
        partial_index("ix_assessment_unchecked", "completion_mode = 'paper' AND verified_at IS NULL", "submitted_at"),
    )
    _table(
        "form_access",
        sa.Column("assessment_id", sa.Integer, sa.ForeignKey("assessment.id"), nullable=False, index=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False, unique=True),
        sa.Column("answered_by", sa.String(16), nullable=False),
        sa.Column("made_at", AT, nullable=False),
        sa.Column("expires_at", AT, nullable=False),
        sa.Column("used_at", AT),
        sa.Column("revoked_at", AT),
    )
    _table(
        "expected_form",
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id"), nullable=False),
        sa.Column("visit", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(24), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("instrument", sa.String(64), nullable=False),
        sa.Column("opens_at", AT, nullable=False),
        sa.Column("due_at", AT, nullable=False),
        sa.Column("closes_at", AT, nullable=False),
        sa.Column("mandatory", sa.Boolean, nullable=False),
        sa.Column("basis", sa.String(16), nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("known_at", AT, nullable=False),
        sa.Column("steps", sa.Integer, nullable=False),
        sa.Column("assessment_id", sa.Integer, sa.ForeignKey("assessment.id"), index=True),
        sa.Column("received_at", AT),
        sa.Column("nearest", sa.Boolean, nullable=False),
        sa.Column("partial", sa.Boolean, nullable=False),
        sa.Column("out_of_window", sa.Boolean, nullable=False),
        sa.Column("missed_at", AT),
        sa.Column("missing_reason", sa.String(16), nullable=False),
        sa.Column("missing_note", sa.Text, nullable=False),
        sa.Column("reason_by", sa.Integer, sa.ForeignKey("staff_member.id")),
        sa.Column("reason_at", AT),
        sa.UniqueConstraint("participant_id", "visit", "instrument"),
        sa.Index("ix_expected_form_participant_opens", "participant_id", "opens_at"),
        partial_index(
            "ix_expected_form_unexplained",
            "missed_at IS NOT NULL AND received_at IS NULL AND missing_reason = ''",
            "participant_id",
        ),
    )


def _answers() -> None:
    """Answers, scores, and requests to correct an answer."""
    _table(
        "answer",
        sa.Column("assessment_id", sa.Integer, sa.ForeignKey("assessment.id"), nullable=False),
        sa.Column("item", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("value", Json),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("answered_by", sa.String(16), nullable=False),
        sa.Column("at", AT, nullable=False),
        sa.Index("ix_answer_assessment_item", "assessment_id", "item", "id"),
    )
    _table(
        "score",
        sa.Column("assessment_id", sa.Integer, sa.ForeignKey("assessment.id"), nullable=False),
        sa.Column("scale", sa.String(32), nullable=False),
        sa.Column("value", sa.Float(53)),
        sa.Column("raw", sa.Float(53)),
        sa.Column("used", sa.Integer, nullable=False),
        sa.Column("of", sa.Integer, nullable=False),
        sa.Column("algorithm", sa.String(64), nullable=False),
        sa.Column("at", AT, nullable=False),
        sa.Index("ix_score_assessment_scale", "assessment_id", "scale", "id"),
    )
    _table(
        "data_correction",
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id"), nullable=False, index=True),
        sa.Column("assessment_id", sa.Integer, sa.ForeignKey("assessment.id"), nullable=False),
        sa.Column("item", sa.String(64), nullable=False),
        sa.Column("old", Json),
        sa.Column("value", Json),
        sa.Column("answer_id", sa.Integer, sa.ForeignKey("answer.id")),
        sa.Column("confirmed_at", AT, nullable=False),
        sa.Column("confirmed_how", sa.String(16), nullable=False),
        sa.Column("confirmed_to", sa.Integer, sa.ForeignKey("staff_member.id"), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("requested_at", AT, nullable=False),
        sa.Column("requested_by", sa.Integer, sa.ForeignKey("staff_member.id"), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("decided_at", AT),
        sa.Column("decided_by", sa.Integer, sa.ForeignKey("staff_member.id")),
        sa.Column("note", sa.Text, nullable=False),
        sa.Index("ix_data_correction_outcome", "outcome", "id"),
        partial_index("uq_data_correction_open", "outcome = ''", "assessment_id", "item", unique=True),
    )


def _queries() -> None:
    """Queries of monitors and their steps."""
    _table(
        "query",
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id"), nullable=False, index=True),
        sa.Column("assessment_id", sa.Integer, sa.ForeignKey("assessment.id"), nullable=False, index=True),
        sa.Column("item", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("opened_at", AT, nullable=False),
        sa.Column("changed_at", AT, nullable=False),
        sa.Index("ix_query_state", "state", "changed_at"),
    )
    _table(
        "query_step",
        sa.Column("query_id", sa.Integer, sa.ForeignKey("query.id"), nullable=False, index=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", AT, nullable=False),
        sa.Column("staff_id", sa.Integer, sa.ForeignKey("staff_member.id"), nullable=False),
    )


def _duty_roster() -> None:
    """Shifts, absences, and the weekly test alert."""
    _table(
        "shift",
        sa.Column("plan", sa.String(64), nullable=False),
        sa.Column("staff_id", sa.Integer, sa.ForeignKey("staff_member.id"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("starts_at", AT, nullable=False),
        sa.Column("ends_at", AT, nullable=False),
        sa.Column("cancelled_at", AT),
        sa.Index("ix_shift_time", "starts_at", "ends_at"),
    )
    _table(
        "absence",
        sa.Column("staff_id", sa.Integer, sa.ForeignKey("staff_member.id"), nullable=False, index=True),
        sa.Column("starts_at", AT, nullable=False),
        sa.Column("ends_at", AT, nullable=False),
        sa.Column("cancelled_at", AT),
    )
    _table(
        "test_alert",
        sa.Column("plan", sa.String(64), nullable=False),
        sa.Column("week", sa.String(8), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("started_at", AT, nullable=False),
        sa.Column("confirmed_at", AT),
        sa.Column("confirmed_by", sa.Integer, sa.ForeignKey("staff_member.id")),
        sa.Column("failed_at", AT),
        sa.Column("failure", sa.String(64), nullable=False),
        sa.UniqueConstraint("plan", "week", "number"),
    )


def _incoming_messages() -> None:
    """Texts that came in; an alert may be about one."""
    _table(
        "incoming_message",
        sa.Column("channel", sa.String(8), nullable=False),
        sa.Column("provider_id", sa.String(64), unique=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("address_sealed", sa.Text, nullable=False),
        sa.Column("text_sealed", sa.Text, nullable=False),
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id"), index=True),
        sa.Column("assessment_id", sa.Integer, sa.ForeignKey("assessment.id"), index=True),
        sa.Column("item", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("red_flags", Json, nullable=False),
        sa.Column("received_at", AT, nullable=False),
        sa.Column("read_at", AT),
        sa.Column("read_by", sa.Integer, sa.ForeignKey("staff_member.id")),
        sa.Index("ix_incoming_message_fingerprint_at", "fingerprint", "received_at"),
    )
    # After the other indexes: without statistics SQLite takes the last of those that seem equally good.
    unread = sa.text("read_at IS NULL AND (kind NOT IN ('answer', 'command') OR level > 0)")
    op.create_index(
        "ix_incoming_message_unread",
        "incoming_message",
        ["participant_id", "received_at"],
        sqlite_where=unread,
        postgresql_where=unread,
    )


def _alerts() -> None:
    """Alerts and how each was handled."""
    _table(
        "alert",
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id"), nullable=False, index=True),
        sa.Column("assessment_id", sa.Integer, sa.ForeignKey("assessment.id"), index=True),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("rule", sa.String(32), nullable=False),
        sa.Column("occurrence", sa.Integer, nullable=False),
        sa.Column("incoming_message_id", sa.Integer, sa.ForeignKey("incoming_message.id"), index=True),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("lowered", sa.Boolean, nullable=False),
        sa.Column("suspects", sa.String(64), nullable=False),
        sa.Column("basis", sa.String(16), nullable=False),
        sa.Column("plan_version", sa.String(32), nullable=False),
        sa.Column("inputs", Json, nullable=False),
        sa.Column("unresolved", Json, nullable=False),
        sa.Column("advice", sa.String(32), nullable=False),
        sa.Column("raised_at", AT, nullable=False),
        sa.Column("advised_at", AT),
        sa.Column("superseded_at", AT),
        sa.Column("acknowledged_at", AT),
        sa.Column("acknowledged_by", sa.Integer, sa.ForeignKey("staff_member.id")),
        sa.Column("closed_at", AT),
        sa.Column("closed_by", sa.Integer, sa.ForeignKey("staff_member.id")),
        sa.Column("disposition", sa.String(32), nullable=False),
        sa.UniqueConstraint("source", "rule", "occurrence"),
        sa.Index("ix_alert_open", "closed_at", "level"),
    )
    _table(
        "alert_note",
        sa.Column("source", sa.String(64), nullable=False, index=True),
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id"), nullable=False),
        sa.Column("staff_id", sa.Integer, sa.ForeignKey("staff_member.id"), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", AT, nullable=False),
    )
    _table(
        "handover",
        sa.Column("source", sa.String(64), nullable=False, index=True),
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id"), nullable=False),
        sa.Column("from_id", sa.Integer, sa.ForeignKey("staff_member.id"), nullable=False),
        sa.Column("staff_id", sa.Integer, sa.ForeignKey("staff_member.id"), nullable=False),
        sa.Column("at", AT, nullable=False),
    )
    _table(
        "alert_closure",
        sa.Column("source", sa.String(64), nullable=False, index=True),
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id"), nullable=False),
        sa.Column("staff_id", sa.Integer, sa.ForeignKey("staff_member.id"), nullable=False),
        sa.Column("alerts", Json, nullable=False),
        sa.Column("disposition", sa.String(32), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("not_serious", sa.Text, nullable=False),
        sa.Column("at", AT, nullable=False),
    )


def _adverse_events() -> None:
    """Adverse events and their signed gradings."""
    _table(
        "adverse_event",
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id"), nullable=False, index=True),
        sa.Column("terms", sa.String(64), nullable=False),
        sa.Column("ctcae_term", sa.String(64), nullable=False),
        sa.Column("other_term", sa.String(200), nullable=False),
        sa.Column("onset_date", sa.Date, nullable=False),
        sa.Column("end_date", sa.Date),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("made_at", AT, nullable=False),
        sa.Column("made_by", sa.Integer, sa.ForeignKey("staff_member.id"), nullable=False),
        sa.Column("reported_at", AT),
        sa.Column("reported_by", sa.Integer, sa.ForeignKey("staff_member.id")),
    )
    _table(
        "grading",
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id"), nullable=False, index=True),
        sa.Column("adverse_event_id", sa.Integer, sa.ForeignKey("adverse_event.id"), index=True),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("ctcae_grade", sa.Integer),
        sa.Column("from_on", sa.Date),
        sa.Column("attribution", Json, nullable=False),
        sa.Column("action_taken", sa.Text, nullable=False),
        sa.Column("serious", sa.Boolean, nullable=False),
        sa.Column("awareness_time", AT),
        sa.Column("not_serious", sa.Text, nullable=False),
        sa.Column("none_reason", sa.String(32), nullable=False),
        sa.Column("at", AT, nullable=False),
        sa.Column("staff_id", sa.Integer, sa.ForeignKey("staff_member.id"), nullable=False),
        sa.Index(
            "ix_grading_serious",
            "adverse_event_id",
            sqlite_where=sa.text("serious = 1"),
            postgresql_where=sa.text("serious"),
        ),
        sa.Index("ix_grading_source", "source"),
    )


def _calls() -> None:
    """Call tasks and the phone calls made."""
    _table(
        "call_task",
        sa.Column("dedupe_key", sa.String(128), nullable=False, unique=True),
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id"), nullable=False, index=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("expected_form_id", sa.Integer, sa.ForeignKey("expected_form.id", ondelete="SET NULL")),
        sa.Column("alert_id", sa.Integer, sa.ForeignKey("alert.id")),
        sa.Column("made_at", AT, nullable=False),
        sa.Column("due_at", AT, nullable=False),
        sa.Column("done_at", AT),
        sa.Column("done_by", sa.Integer, sa.ForeignKey("staff_member.id")),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Index("ix_call_task_open", "done_at", "due_at"),
    )
    _table(
        "phone_call",
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id"), nullable=False, index=True),
        sa.Column("call_task_id", sa.Integer, sa.ForeignKey("call_task.id"), index=True),
        sa.Column("staff_id", sa.Integer, sa.ForeignKey("staff_member.id"), nullable=False),
        sa.Column("at", AT, nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("logged_at", AT, nullable=False),
        sa.Column("source", sa.String(64), nullable=False, server_default=""),
    )


def _messages() -> None:
    """Messages that are sent."""
    _table(
        "message",
        sa.Column("dedupe_key", sa.String(128), nullable=False, unique=True),
        sa.Column("channel", sa.String(8), nullable=False),
        sa.Column("template", sa.String(64), nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("staff_id", sa.Integer, sa.ForeignKey("staff_member.id"), index=True),
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id"), index=True),
        sa.Column("assessment_id", sa.Integer, sa.ForeignKey("assessment.id"), index=True),
        sa.Column("alert_id", sa.Integer, sa.ForeignKey("alert.id"), index=True),
        sa.Column("case_key", sa.String(64), nullable=False),
        sa.Column("test_alert_id", sa.Integer, sa.ForeignKey("test_alert.id"), index=True),
        sa.Column("address_sealed", sa.Text, nullable=False),
        sa.Column("address_fingerprint", sa.String(64)),
        sa.Column("text_fingerprint", sa.String(64)),
        sa.Column("params_sealed", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("body_sealed", sa.Text, nullable=False),
        sa.Column("repeat", sa.String(24), nullable=False),
        sa.Column("queued_at", AT, nullable=False),
        sa.Column("next_try_at", AT, nullable=False),
        sa.Column("not_after", AT),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("claimed_at", AT),
        sa.Column("claimed_by", sa.String(64)),
        sa.Column("sent_at", AT),
        sa.Column("delivered_at", AT),
        sa.Column("failed_at", AT),
        sa.Column("dropped_at", AT),
        sa.Column("reference", sa.String(128), index=True),
        sa.Column("failure", sa.String(255), nullable=False),
        sa.Column("settled_at", AT),
        sa.Column("settled_by", sa.Integer, sa.ForeignKey("staff_member.id")),
        partial_index("ix_message_claimed", "claimed_at IS NOT NULL", "claimed_at"),
        partial_index(
            "ix_message_due",
            "sent_at IS NULL AND failed_at IS NULL AND dropped_at IS NULL",
            "channel",
            "next_try_at",
            "id",
        ),
        partial_index(
            "ix_message_due_loud",
            "sent_at IS NULL AND failed_at IS NULL AND dropped_at IS NULL AND repeat = 'prefer_duplicate'",
            "channel",
            "next_try_at",
            "id",
        ),
        sa.Index("ix_message_number", "address_fingerprint", "queued_at"),
        partial_index("ix_message_case", "case_key <> ''", "case_key", "id"),
        partial_index("ix_message_failed", "failed_at IS NOT NULL", "failed_at"),
        partial_index(
            "ix_message_too_late",
            "sent_at IS NULL AND failed_at IS NULL AND dropped_at IS NULL AND not_after IS NOT NULL",
            "not_after",
        ),
        partial_index("ix_message_unsettled", "failed_at IS NOT NULL AND settled_at IS NULL", "id"),
    )


def _ulcers() -> None:
    """Endoscopies and signed decisions."""
    _table(
        "endoscopy",
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id"), nullable=False, index=True),
        sa.Column("requested_on", sa.Date),
        sa.Column("requested_at", AT),
        sa.Column("requested_by", sa.Integer, sa.ForeignKey("staff_member.id")),
        sa.Column("done_on", sa.Date),
        sa.Column("result", sa.String(16), nullable=False),
        sa.Column("ctcae_grade", sa.Integer),
        sa.Column("finding", sa.Text, nullable=False),
        sa.Column("recorded_at", AT),
        sa.Column("recorded_by", sa.Integer, sa.ForeignKey("staff_member.id")),
        sa.Column("cancelled_at", AT),
        sa.Column("cancelled_by", sa.Integer, sa.ForeignKey("staff_member.id")),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Index("ix_endoscopy_waiting", "done_on", "cancelled_at"),
    )
    _table(
        "signed_decision",
        sa.Column("plan", sa.String(64), nullable=False),
        sa.Column("participant_id", sa.Integer, sa.ForeignKey("participant.id"), index=True),
        sa.Column("about", sa.String(16), nullable=False),
        sa.Column("choice", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("seen", Json, nullable=False),
        sa.Column("made_at", AT, nullable=False),
        sa.Column("made_by", sa.Integer, sa.ForeignKey("staff_member.id"), nullable=False),
    )


def _audit() -> None:
    """The audit trail, the worker's heartbeat, the figures of a study."""
    _table(
        "audit_entry",
        sa.Column("at", AT, nullable=False),
        sa.Column("actor", sa.String(16), nullable=False),
        sa.Column("actor_id", sa.Integer),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(32), nullable=False),
        sa.Column("subject_id", sa.Integer),
        sa.Column("participant_id", sa.Integer, index=True),
        sa.Column("old", Json),
        sa.Column("new", Json),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Index("ix_audit_entry_action", "action", "id"),
        sa.Index("ix_audit_entry_action_at", "action", "at"),
        sa.Index("ix_audit_entry_actor_id", "actor_id", "id"),
        sa.Index("ix_audit_entry_at", "at"),
        sa.Index("ix_audit_entry_subject", "subject", "subject_id"),
    )
    op.create_table(
        "seal",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("audit_entry_id", sa.Integer, sa.ForeignKey("audit_entry.id"), nullable=False, unique=True),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.create_table(
        "heartbeat",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("at", AT, nullable=False),
    )
    op.create_table(
        "study_figures",
        sa.Column("plan", sa.String(64), primary_key=True),
        sa.Column("at", AT, nullable=False),
        sa.Column("computing_seconds", sa.Float(53), nullable=False),
        sa.Column("figures", Json, nullable=False),
    )
