"""Staff: accounts and sessions, shifts and absences, the weekly test alert."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pro.db import Base, UtcDateTime

ROLES = ("coordinator", "investigator", "nurse", "monitor", "statistician", "administrator")


class StaffMember(Base):
    """One account, one person. ``role`` is one of ROLES; rights follow from it (accounts/staff_accounts).

    ``phone_sealed``: E.164, for texts of the escalation steps. ``password_changed_at``: when the person set a password
    of their own; None for one that an administrator gave them. ``otp_sealed``: the secret of the app that shows
    one-time codes, set once a first code has proven it; ``otp_step``: the half minute of the last code that was taken.
    """

    __tablename__ = "staff"

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
    """One way in without the phone, once. Only its fingerprint is kept; ``ended_at``: replaced by newer ones."""

    __tablename__ = "recovery_code"

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class StaffInvitation(Base):
    """An account that its holder makes by the link in an email; only the link's fingerprint is kept.

    ``staff_id``: the account that came of it.
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
    made_by: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))

    def state(self, now: datetime) -> str:
        """used, revoked, expired or open."""
        if self.used_at is not None:
            return "used"
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at <= now else "open"


class StaffSession(Base):
    """A sign-in that can be revoked on the server. Only the cookie's fingerprint is kept.

    ``proven_at``: when everything that the account asks for at sign-in had been given; None: the code is still missing.
    ``device``: phone, tablet or computer. ``ended_why``: signed_out, elsewhere, password, factor, role or closed.
    """

    __tablename__ = "staff_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    proven_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    device: Mapped[str] = mapped_column(String(16), default="", server_default="")
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_why: Mapped[str] = mapped_column(String(16), default="", server_default="")


class Shift(Base):
    """A time in which a person is on duty (``place``: on_call or backup).

    One that was taken back stays as a row with ``cancelled_at``; a swap cancels one and puts others.
    """

    __tablename__ = "duty"
    __table_args__ = (Index("ix_duty_time", "starts_at", "ends_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    plan: Mapped[str] = mapped_column(String(64))
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    place: Mapped[str] = mapped_column(String(16))
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Absence(Base):
    """A time in which a person cannot be on duty: holidays, illness."""

    __tablename__ = "absence"

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class WeeklyTestAlert(Base):
    """The weekly synthetic alert of one study: the proof that an alert reaches the on-call phone.

    ``week``: ISO week as 2026-W48; ``number``: 0 for the week's own, from 1 on for those started by hand. Proven
    once a person confirms it; ``failed_at`` says that it did not get there in time, ``failure`` why.
    """

    __tablename__ = "drill"
    __table_args__ = (UniqueConstraint("plan", "week", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    plan: Mapped[str] = mapped_column(String(64))
    week: Mapped[str] = mapped_column(String(8))
    number: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    confirmed_by: Mapped[int | None] = mapped_column(ForeignKey("staff.id"))
    failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failure: Mapped[str] = mapped_column(String(64), default="")

    @property
    def state(self) -> str:
        """passed, failed or running. One that failed has passed all the same once it is confirmed afterwards."""
        if self.failed_at is not None and (self.confirmed_at is None or self.confirmed_at < self.failed_at):
            return "failed"
        return "passed" if self.confirmed_at else "running"
