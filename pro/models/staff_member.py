"""Staff: accounts, sessions, shifts, absences, and the weekly test alert."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, UtcDateTime, partial_index

ROLES = ("coordinator", "investigator", "nurse", "monitor", "statistician", "administrator")


class StaffMember(Base):
    """The account of one staff member. Access rights follow from ``role``, one of ROLES.

    ``phone_sealed``: E.164 number, encrypted, for escalation by text message. ``password_changed_at``: when the staff
    member set their own password, None while an administrator's is in use. ``otp_sealed``: secret of the authenticator
    app, set after a first correct code; ``otp_step``: the 30-second step of the last accepted code.
    """

    __tablename__ = "staff_member"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(128))
    role: Mapped[str] = mapped_column(String(32))
    language: Mapped[str] = mapped_column(String(16))
    password_hash: Mapped[str] = mapped_column(String(256))
    phone_sealed: Mapped[str | None] = mapped_column(Text)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    password_changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    otp_sealed: Mapped[str | None] = mapped_column(Text)
    otp_step: Mapped[int | None] = mapped_column()


class RecoveryCode(Base):
    """A recovery code, valid once, for signing in without the authenticator app.

    Only its fingerprint is stored. ``ended_at``: when newer codes replaced it.
    """

    __tablename__ = "recovery_code"

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff_member.id"), index=True)
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class StaffInvitation(Base):
    """An invitation by email to create an account; only the link's fingerprint is stored.

    ``staff_id``: the account that was created.
    """

    __tablename__ = "staff_invitation"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), index=True)
    name: Mapped[str] = mapped_column(String(128))
    role: Mapped[str] = mapped_column(String(32))
    language: Mapped[str] = mapped_column(String(16))
    phone_sealed: Mapped[str | None] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    made_by: Mapped[int] = mapped_column(ForeignKey("staff_member.id"))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))

    def state(self, now: datetime) -> str:
        """Return used, revoked, expired or open."""
        if self.used_at is not None:
            return "used"
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at <= now else "open"


class PasswordReset(Base):
    """A request to set a forgotten password. Every request makes a row, whether the address has an account or not.

    ``email_sealed``: the typed address, encrypted, until the worker has looked for its account; a row without one is
    deleted then. ``staff_id``, ``fingerprint`` (of the link's token) and ``expires_at`` are set with the email.
    ``ended_at``: when the link of another request, or another new password, ended this one.
    """

    __tablename__ = "password_reset"
    __table_args__ = (partial_index("ix_password_reset_waiting", "email_sealed IS NOT NULL", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    email_sealed: Mapped[str | None] = mapped_column(Text)
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"), index=True)
    fingerprint: Mapped[str | None] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    def state(self, now: datetime) -> str:
        """Return used, ended, expired or open."""
        if self.used_at is not None:
            return "used"
        if self.ended_at is not None:
            return "ended"
        return "expired" if self.expires_at is None or self.expires_at <= now else "open"


class StaffSession(Base):
    """A session that can be revoked on the server; only the cookie's fingerprint is stored.

    ``proven_at``: when sign-in was complete, None while the verification code is missing. ``device``: phone, tablet or
    computer. ``end_reason``: signed_out, elsewhere, password, factor, role or closed.
    """

    __tablename__ = "staff_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff_member.id"), index=True)
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    proven_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    device: Mapped[str] = mapped_column(String(16), default="", server_default="")
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    end_reason: Mapped[str] = mapped_column(String(16), default="", server_default="")


class Shift(Base):
    """A shift of a staff member; ``kind``: on_call or backup.

    A cancelled shift stays as a row with ``cancelled_at``; a shift handover cancels one row and adds others.
    """

    __tablename__ = "shift"
    __table_args__ = (Index("ix_shift_time", "starts_at", "ends_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    plan: Mapped[str] = mapped_column(String(64))
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff_member.id"))
    kind: Mapped[str] = mapped_column(String(16))
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Absence(Base):
    """A period in which a staff member cannot be on call: holidays, illness."""

    __tablename__ = "absence"

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff_member.id"), index=True)
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class WeeklyTestAlert(Base):
    """The weekly test alert of one study, which proves that alerts reach the on-call phone.

    ``week``: ISO week such as 2026-W48. ``number``: 0 for the scheduled one, from 1 for those started by hand.
    ``failed_at``: when the test alert failed, ``failure``: why. A staff member's confirmation passes the test.
    """

    __tablename__ = "test_alert"
    __table_args__ = (UniqueConstraint("plan", "week", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    plan: Mapped[str] = mapped_column(String(64))
    week: Mapped[str] = mapped_column(String(8))
    number: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    confirmed_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failure: Mapped[str] = mapped_column(String(64), default="")

    @property
    def state(self) -> str:
        """passed, failed or running. A failed test alert passes if it is confirmed afterwards."""
        if self.failed_at is not None and (self.confirmed_at is None or self.confirmed_at < self.failed_at):
            return "failed"
        return "passed" if self.confirmed_at else "running"
