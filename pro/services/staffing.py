"""Accounts, rights, and sessions that can be ended on the server."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select

from pro.errors import BadData, SignInNeeded
from pro.models import ROLES, Staff, StaffSession
from pro.services import attempts
from pro.services.passwords import hash_secret, matches
from pro.services.phones import e164
from pro.work import Actor, Work

ACCOUNT_TRIES = 5
ADDRESS_TRIES = 30
PASSWORD_LENGTH = 12
SESSION_HOURS = 12
# Seen at most this often, so that looking at pages costs no write.
TOUCH = timedelta(minutes=1)

_READ = {"see_board", "see_alert", "see_participants", "see_dates", "see_answers", "see_roster", "see_drill"}
_READ |= {"see_inbox", "see_cohort"}
_ACT = {"acknowledge", "note", "see_identity", "confirm_drill", "log_call", "enter_answers", "check_answers"} | {
    "set_dates",
    "set_reason",
    "reply_text",
    "assign_text",
}
RIGHTS: Mapping[str, frozenset[str]] = {
    "coordinator": frozenset(_READ | _ACT | {"enrol", "send_form", "make_card", "edit_roster", "simulate"}),
    "investigator": frozenset(_READ | _ACT | {"enrol", "send_form", "make_card", "edit_roster", "simulate"}),
    "nurse": frozenset(_READ | _ACT | {"send_form", "make_card"}),
    "monitor": frozenset(_READ),
    "statistician": frozenset({"see_participants", "see_dates", "see_answers", "see_cohort"}),
    "administrator": frozenset({"see_roster", "edit_roster", "see_drill"}),
}


@dataclass(frozen=True, slots=True)
class SignIn:
    """What came of a sign-in. Returned, not raised, because a failed try must be kept."""

    staff: Staff | None = None
    secret: str | None = None
    why: str = ""
    locked_until: datetime | None = None


def may(role: str, right: str) -> bool:
    """True if ``role`` has ``right``."""
    return right in RIGHTS.get(role, frozenset())


def add_staff(work: Work, email: str, name: str, role: str, language: str, password: str, phone: str = "") -> Staff:
    """A new account. BadData("staff", fields=...) for a known address, an unknown role, a short password, a phone
    number that cannot be one. ``phone``: where the ladder's texts go; may be empty.
    """
    email = email.strip().lower()
    taken = work.session.scalar(select(Staff.id).where(Staff.email == email))
    fields = {
        "email": "taken" if taken else ("" if "@" in email else "email_invalid"),
        "name": "" if name.strip() else "empty",
        "role": "" if role in ROLES else "unknown",
        "language": "" if language in work.catalogue.languages else "unknown",
        "password": "" if len(password) >= PASSWORD_LENGTH else "password_short",
        "phone": "" if e164(phone) is not None else "phone_invalid",
    }
    wrong = {field: why for field, why in fields.items() if why}
    if wrong:
        raise BadData("staff", fields=wrong)
    number = e164(phone)
    staff = Staff(
        email=email,
        name=name.strip(),
        role=role,
        language=language,
        password_hash=hash_secret(password),
        phone_sealed=work.vault.seal(number) if number else None,
        made_at=work.now,
    )
    work.session.add(staff)
    work.record("staff.added", staff, new={"role": role})
    return staff


def number_of(work: Work, email: str) -> int | None:
    """The number of the account with this address; None if there is none."""
    return work.session.scalar(select(Staff.id).where(Staff.email == email.strip().lower()))


def sign_in(work: Work, email: str, password: str, address: str) -> SignIn:
    """A session for the right password. Five wrong ones in a row from one address lock
    the account there for 15 minutes, thirty the address itself.
    """
    email = email.strip().lower()
    # By account and address together: whoever knows the nurse's e-mail must not be able to keep her out.
    both = f"account:{email}:{address}"
    for key, limit in ((both, ACCOUNT_TRIES), (f"address:{address}", ADDRESS_TRIES)):
        allowed = attempts.allowance(work, "password", key, limit)
        if allowed.until:
            return SignIn(why="locked", locked_until=allowed.until)
    staff = work.session.scalar(select(Staff).where(Staff.email == email))
    if not matches(staff.password_hash if staff else None, password) or staff is None:
        attempts.failed(work, "password", both)
        attempts.failed(work, "password", f"address:{address}")
        if staff:
            work.record("staff.sign_in_failed", staff)
        left = attempts.allowance(work, "password", both, ACCOUNT_TRIES)
        return SignIn(why="locked" if left.until else "wrong", locked_until=left.until)
    if staff.disabled_at is not None:
        return SignIn(why="disabled")
    attempts.forgive(work, "password", both)
    secret = secrets.token_urlsafe(24)
    session = StaffSession(
        staff_id=staff.id, fingerprint=_fingerprint(work, secret), made_at=work.now, seen_at=work.now
    )
    work.session.add(session)
    work.actor = Actor("staff", staff.id, staff.role, staff.name)
    work.record("staff.signed_in", staff)
    return SignIn(staff=staff, secret=secret)


def session(work: Work, secret: str | None, *, touch: bool = True) -> tuple[Staff, StaffSession]:
    """The person behind a cookie. SignInNeeded("none" | "ended" | "idle"). ``touch``: a person came, not a timer."""
    if not secret:
        raise SignInNeeded("none")
    query = (
        select(Staff, StaffSession)
        .join(StaffSession, StaffSession.staff_id == Staff.id)
        .where(StaffSession.fingerprint == _fingerprint(work, secret))
    )
    row = work.session.execute(query).one_or_none()
    if row is None:
        raise SignInNeeded("none")
    staff, found = row
    if found.ended_at is not None or staff.disabled_at is not None:
        raise SignInNeeded("ended")
    if work.now - found.made_at > timedelta(hours=SESSION_HOURS):
        raise SignInNeeded("ended")
    if work.now - found.seen_at > timedelta(minutes=work.config.staff_idle_minutes):
        raise SignInNeeded("idle")
    if touch and work.now - found.seen_at > TOUCH:
        found.seen_at = work.now
    return staff, found


def sign_out(work: Work, secret: str) -> None:
    """End this session on the server."""
    _end(work, StaffSession.fingerprint == _fingerprint(work, secret))


def end_sessions(work: Work, staff_id: int) -> None:
    """End every session of a person."""
    _end(work, StaffSession.staff_id == staff_id)


def _end(work: Work, which: ColumnElement[bool]) -> None:
    for found in work.session.scalars(select(StaffSession).where(which, StaffSession.ended_at.is_(None))):
        found.ended_at = work.now
        work.record("staff.signed_out", found)


def _fingerprint(work: Work, secret: str) -> str:
    return work.vault.fingerprint(f"staff:{secret}")
