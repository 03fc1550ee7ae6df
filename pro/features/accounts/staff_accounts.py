"""Staff accounts, access rights, sign-in, and sessions that can be ended on the server."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select

from pro.app_context import Actor, UnitOfWork
from pro.errors import BadData, SignInNeeded
from pro.features.accounts import attempt_limits, signatures
from pro.features.accounts.passwords import HashedSecret, hash_secret, is_secret_correct, password_problem
from pro.features.accounts.phone_numbers import mobile_problem, to_e164
from pro.messaging import outbox
from pro.models import ROLES, Message, PasswordReset, StaffMember, StaffSession

# The HTML definition of an email address, limited to ASCII: not every mail server supports other letters.
EMAIL = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)*", re.ASCII | re.IGNORECASE)
EMAIL_AT_MOST, NAME_AT_MOST = 254, 128
ACCOUNT_TRIES = 5
ADDRESS_TRIES = 30
SESSION_HOURS = 12
# A session without the verification code proves the password: it must not stay open in an unattended browser.
UNVERIFIED_SESSION_LIFETIME = timedelta(minutes=10)
# ``seen_at`` is updated at most this often, so that most page views write nothing.
SEEN_INTERVAL = timedelta(minutes=1)
# Prefix of the outbox key of an email with a link for a new password; the request's id follows.
RESET_KEY_PREFIX = "staff_reset:"

_OWN = {"own_account"}
_READ = _OWN | {
    "see_to_do_list",
    "see_alert",
    "see_participants",
    "see_dates",
    "see_answers",
    "see_roster",
    "see_test_alert",
}
_READ |= {"see_inbox", "see_adverse_events", "see_ulcers", "see_study_overview"}
_ACT = {"acknowledge", "note", "see_identity", "confirm_test_alert", "log_call", "enter_answers", "verify_answers"} | {
    "set_dates",
    "set_reason",
    "reply_text",
    "record_consent",
    "assign_text",
    "take_over",
    "record_endoscopy",
    "correct_details",
}
_RUN = {"enrol", "send_form", "make_card", "edit_roster", "simulate"}
_AUDIT = {"see_audit", "export_audit"}
RIGHTS: Mapping[str, frozenset[str]] = {
    "coordinator": frozenset(_READ | _ACT | _RUN | {"see_audit", "ask_correction", "report_event", "answer_query"}),
    # Only investigators assign grades; investigators and nurses may close an alert that was graded.
    "investigator": frozenset(
        _READ
        | _ACT
        | _RUN
        | _AUDIT
        | {"decide", "decide_correction", "freeze", "assess", "close_alert", "mark_stable", "report_event"}
        | {"answer_query"}
    ),
    "nurse": frozenset(_READ | _ACT | {"send_form", "make_card", "ask_correction", "close_alert", "mark_stable"}),
    "monitor": frozenset(_READ | _AUDIT | {"ask_query"}),
    "statistician": frozenset(
        _OWN
        | {"see_participants", "see_dates", "see_answers", "see_adverse_events", "see_ulcers", "see_study_overview"}
    ),
    "administrator": frozenset(_OWN | {"see_roster", "edit_roster", "see_test_alert", "see_audit", "manage_staff"}),
}
# Roles with one of these rights need a second factor if the setting requires it: they see identities, or give access
# to others.
SECOND_FACTOR_RIGHTS = ("see_identity", "manage_staff")


@dataclass(frozen=True, slots=True)
class StaffLogin:
    """A staff member and the session; ``pending_step`` names the step that is still missing."""

    staff: StaffMember
    session: StaffSession


@dataclass(frozen=True, slots=True)
class SignInResult:
    """Result of a sign-in. Returned instead of raised, so that a failed attempt is stored.

    ``why``: "" on success, "wrong", "locked" (until ``locked_until``, UTC) or "disabled". ``secret``: for the cookie of
    the browser.
    """

    staff: StaffMember | None = None
    secret: str | None = None
    entry: StaffLogin | None = None
    why: str = ""
    locked_until: datetime | None = None


def has_right(role: str, right: str) -> bool:
    """Return True if ``role`` has ``right``."""
    return right in RIGHTS.get(role, frozenset())


def is_factor_required(work: UnitOfWork, role: str) -> bool:
    """Return True if ``role`` must sign in with a second factor."""
    return work.config.second_factor and any(has_right(role, right) for right in SECOND_FACTOR_RIGHTS)


def account_problems(work: UnitOfWork, email: str, name: str, role: str, language: str, phone: str) -> dict[str, str]:
    """Return {field: problem} for the data of a new account; empty if it can be created.

    Problems: "taken", "email_invalid", "empty", "too_long", "unknown", "phone_invalid", "phone_not_mobile".
    """
    email = email.strip().lower()
    taken = work.session.scalar(select(StaffMember.id).where(StaffMember.email == email))
    shaped = EMAIL.fullmatch(email) and len(email) <= EMAIL_AT_MOST
    fields = {
        "email": "taken" if taken else ("" if shaped else "email_invalid"),
        "name": "empty" if not name.strip() else ("too_long" if len(name.strip()) > NAME_AT_MOST else ""),
        "role": "" if role in ROLES else "unknown",
        "language": "" if language in work.catalogue.languages else "unknown",
        "phone": mobile_problem(phone),
    }
    return {field: why for field, why in fields.items() if why}


def add_staff(
    work: UnitOfWork,
    email: str,
    name: str,
    role: str,
    language: str,
    password: str | HashedSecret,
    phone: str = "",
    *,
    own_password: bool = False,
) -> StaffMember:
    """Store a new account and return it.

    ``password``: as typed, or with its hash. ``phone``: for escalation text messages, may be "". ``own_password``: the
    staff member chose the password; otherwise it must be changed at the first sign-in. Raise BadData("staff",
    fields=...) with the problems of ``account_problems`` and {"password": ...} for a weak password.
    """
    email = email.strip().lower()
    wrong = account_problems(work, email, name, role, language, phone)
    hashed = password if isinstance(password, HashedSecret) else None
    typed = password if isinstance(password, str) else password.secret
    if weak := password_problem(typed, email):
        wrong["password"] = weak
    if wrong:
        raise BadData("staff", fields=wrong)
    number = to_e164(phone)
    staff = StaffMember(
        email=email,
        name=name.strip(),
        role=role,
        language=language,
        password_hash=hashed.hash if hashed else hash_secret(typed),
        phone_sealed=work.vault.seal(number) if number else None,
        made_at=work.now,
        password_changed_at=work.now if own_password else None,
    )
    work.session.add(staff)
    work.record("staff.added", staff, new={"role": role})
    return staff


def lock_administrators(work: UnitOfWork) -> frozenset[int]:
    """Lock all active administrators and return their ids.

    The rows are locked in order of id, so that two administrators who change accounts wait for each other instead of
    deadlocking.
    """
    query = (
        select(StaffMember.id)
        .where(StaffMember.role == "administrator", StaffMember.disabled_at.is_(None))
        .order_by(StaffMember.id)
    )
    return frozenset(work.session.scalars(query.with_for_update(key_share=True)))


def find_account_id(work: UnitOfWork, email: str) -> int | None:
    """Return the id of the account with this email address, or None."""
    return work.session.scalar(select(StaffMember.id).where(StaffMember.email == email.strip().lower()))


def sign_in(work: UnitOfWork, email: str, password: str, address: str, device: str = "") -> SignInResult:
    """Check email and password and start a session.

    The session gives access to nothing until ``pending_step`` is "". ACCOUNT_TRIES wrong passwords in a row from one
    address lock the account for that address, and ADDRESS_TRIES lock the address, for 15 minutes each. ``device``:
    "phone", "tablet" or "computer".
    """
    email, address = email.strip().lower(), attempt_limits.network_of(address)
    # By account and address together: knowing an email address must not be enough to lock its account.
    both = f"account:{email}:{address}"
    for key, limit in ((both, ACCOUNT_TRIES), (f"address:{address}", ADDRESS_TRIES)):
        allowed = attempt_limits.allowance(work, "password", key, limit)
        if allowed.until:
            return SignInResult(why="locked", locked_until=allowed.until)
    staff = work.session.scalar(select(StaffMember).where(StaffMember.email == email))
    if not is_secret_correct(staff.password_hash if staff else None, password) or staff is None:
        attempt_limits.count_failure(work, "password", both)
        attempt_limits.count_failure(work, "password", f"address:{address}")
        if staff:
            work.record("staff.sign_in_failed", staff)
        left = attempt_limits.allowance(work, "password", both, ACCOUNT_TRIES)
        return SignInResult(why="locked" if left.until else "wrong", locked_until=left.until)
    if staff.disabled_at is not None:
        return SignInResult(why="disabled")
    attempt_limits.reset_failures(work, "password", both)
    return start_session(work, staff, device)


def forget_failures(work: UnitOfWork, email: str, address: str) -> None:
    """Delete the failed sign-ins of an account from one address: its password has just been set anew."""
    attempt_limits.reset_failures(work, "password", f"account:{email}:{attempt_limits.network_of(address)}")


def start_session(work: UnitOfWork, staff: StaffMember, device: str) -> SignInResult:
    """Start a session for ``staff``, whose password has just been checked.

    Return the result with the session's secret for the cookie.
    """
    secret = secrets.token_urlsafe(24)
    session = StaffSession(
        staff_id=staff.id,
        fingerprint=_fingerprint(work, secret),
        made_at=work.now,
        seen_at=work.now,
        proven_at=None if staff.otp_sealed else work.now,
        device=device,
    )
    work.session.add(session)
    work.actor = Actor("staff", staff.id, staff.role, staff.name)
    work.record("staff.password_correct" if staff.otp_sealed else "staff.signed_in", staff)
    return SignInResult(staff=staff, secret=secret, entry=StaffLogin(staff, session))


def read_session(work: UnitOfWork, secret: str | None, *, touch: bool = True) -> tuple[StaffMember, StaffSession]:
    """Return account and session of a cookie's ``secret``.

    ``touch``: update ``seen_at``; False for requests that a timer sends. Raise SignInNeeded("none" | "ended" | "role" |
    "idle", staff_id=...); "role" means that the rights were changed.
    """
    if not secret:
        raise SignInNeeded("none")
    query = (
        select(StaffMember, StaffSession)
        .join(StaffSession, StaffSession.staff_id == StaffMember.id)
        .where(StaffSession.fingerprint == _fingerprint(work, secret))
    )
    row = work.session.execute(query).one_or_none()
    if row is None:
        raise SignInNeeded("none")
    staff, found = row
    if found.ended_at is not None or staff.disabled_at is not None:
        raise SignInNeeded("role" if found.end_reason == "role" else "ended", staff_id=staff.id)
    if work.now - found.made_at > timedelta(hours=SESSION_HOURS):
        raise SignInNeeded("ended", staff_id=staff.id)
    if work.now - found.seen_at > _idle_limit(work, found):
        raise SignInNeeded("idle", staff_id=staff.id)
    if touch and work.now - found.seen_at > SEEN_INTERVAL:
        found.seen_at = work.now
    return staff, found


def session_ends_at(work: UnitOfWork, found: StaffSession) -> datetime:
    """Return when the session ends without further activity, in UTC."""
    return min(found.seen_at + _idle_limit(work, found), found.made_at + timedelta(hours=SESSION_HOURS))


def pending_step(work: UnitOfWork, entry: StaffLogin) -> str:
    """Return the step that is due before any page: "code", "password", "factor", or "".

    "password": choose a password of one's own. "factor": set up the second factor.
    """
    staff = entry.staff
    if entry.session.proven_at is None:
        return "code"
    if staff.password_changed_at is None:
        return "password"
    return "factor" if staff.otp_sealed is None and is_factor_required(work, staff.role) else ""


def change_password(work: UnitOfWork, entry: StaffLogin, old: str, new: str) -> signatures.CredentialRefusal | None:
    """Set a new password for the acting staff member; end the other sessions and the links that set another one.

    Return None, or a CredentialRefusal if the old password is refused. Raise BadData("staff", fields={"new": ...}) for
    a weak or unchanged password; then the old one is not checked and no attempt is counted.
    """
    staff = entry.staff
    weak = password_problem(new, staff.email) or ("password_same" if new == old else "")
    if weak:
        raise BadData("staff", fields={"new": weak})
    confirmed = signatures.confirm_password(work, old)
    if isinstance(confirmed, signatures.CredentialRefusal):
        return confirmed
    staff.password_hash = hash_secret(new)
    staff.password_changed_at = work.now
    work.record("staff.password_changed", staff)
    end_reset_links(work, staff)
    end_sessions(work, staff.id, "password", except_id=entry.session.id)
    return None


def end_reset_links(work: UnitOfWork, staff: StaffMember) -> None:
    """End every unused link that sets a new password, and drop the emails that are not sent yet."""
    query = select(PasswordReset).where(
        PasswordReset.staff_id == staff.id, PasswordReset.used_at.is_(None), PasswordReset.ended_at.is_(None)
    )
    for row in work.session.scalars(query):
        row.ended_at = work.now
        outbox.drop_messages(work, Message.dedupe_key == f"{RESET_KEY_PREFIX}{row.id}", "not_wanted")


def sign_out(work: UnitOfWork, secret: str) -> None:
    """End the session of a cookie's ``secret``."""
    _end_matching_sessions(work, "signed_out", StaffSession.fingerprint == _fingerprint(work, secret))


def end_session(work: UnitOfWork, staff_id: int, session_id: int) -> bool:
    """End one session of a staff member. Return False if it had ended already."""
    return (
        _end_matching_sessions(work, "elsewhere", StaffSession.staff_id == staff_id, StaffSession.id == session_id) > 0
    )


def end_sessions(work: UnitOfWork, staff_id: int, why: str = "elsewhere", *, except_id: int = 0) -> int:
    """End all sessions of a staff member except ``except_id``; return their number.

    ``why``: one of the reasons of StaffSession.end_reason.
    """
    return _end_matching_sessions(work, why, StaffSession.staff_id == staff_id, StaffSession.id != except_id)


def _end_matching_sessions(work: UnitOfWork, why: str, *which: ColumnElement[bool]) -> int:
    """End the open sessions that match ``which``; return their number."""
    ended = list(work.session.scalars(select(StaffSession).where(*which, StaffSession.ended_at.is_(None))))
    for found in ended:
        found.ended_at, found.end_reason = work.now, why
        work.record("staff.signed_out", found)
    return len(ended)


def _idle_limit(work: UnitOfWork, found: StaffSession) -> timedelta:
    """Return how long a session may be idle; shorter while the verification code is missing."""
    idle = timedelta(minutes=work.config.staff_idle_minutes)
    return idle if found.proven_at else min(idle, UNVERIFIED_SESSION_LIFETIME)


def _fingerprint(work: UnitOfWork, secret: str) -> str:
    """Return the stored form of a session's secret."""
    return work.vault.fingerprint(f"staff:{secret}")


def staff_names(work: UnitOfWork) -> dict[int, str]:
    """Return id -> name of all accounts, deactivated ones included."""
    return {person.id: person.name for person in work.session.scalars(select(StaffMember))}
