"""List and change accounts for administrators, list sessions and changes of rights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from pro.app_context import UnitOfWork
from pro.errors import BadData, NotAllowed, NotFound
from pro.features.accounts import second_factor, staff_accounts
from pro.features.accounts.phone_numbers import mobile_problem, to_e164
from pro.models import ROLES, AuditEntry, StaffInvitation, StaffMember, StaffSession

REASON_AT_LEAST, REASON_AT_MOST = 5, 500
# Audit actions that change access rights or the means of signing in.
RIGHTS_CHANGE_ACTIONS = (
    "staff.added",
    "staff.invited",
    "staff.invitation_revoked",
    "staff.invitation_used",
    "staff.role_changed",
    "staff.closed",
    "staff.reopened",
    "staff.phone_changed",
    "staff.factor_set",
    "staff.factor_reset",
    "staff.recovery_codes_made",
    "staff.recovery_code_used",
    "staff.password_changed",
    "staff.reset_sent",
    "staff.password_reset",
)


@dataclass(frozen=True, slots=True)
class Account:
    """One row of the list of accounts; times in UTC.

    ``signed_in_at``: last completed sign-in. ``own_password``: the staff member has chosen the password.
    """

    id: int
    name: str
    email: str
    role: str
    language: str
    made_at: datetime
    signed_in_at: datetime | None
    has_factor: bool
    own_password: bool
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class StaffSessionRow:
    """A session that has not ended.

    ``half``: the verification code is still missing. ``here``: the session of this request. Times in UTC.
    """

    id: int
    device: str
    since: datetime
    seen_at: datetime
    half: bool
    here: bool


@dataclass(frozen=True, slots=True)
class RightsChange:
    """One change of rights: ``by`` is the acting staff member, ``whom`` the account changed.

    ``old`` and ``new``: a role, or "". ``at`` is in UTC.
    """

    at: datetime
    by: str
    action: str
    whom: str
    old: str
    new: str
    reason: str


def list_accounts(work: UnitOfWork) -> Sequence[Account]:
    """Return all accounts: active ones first, then by name."""
    query = select(StaffMember).order_by(StaffMember.disabled_at.is_not(None), StaffMember.name, StaffMember.id)
    last = _last_sign_ins(work)
    return [_account(staff, last) for staff in work.session.scalars(query)]


def account_row(work: UnitOfWork, staff_id: int) -> tuple[Account, str]:
    """Return one account and its phone number ("" if none is recorded).

    Raise NotFound if the account does not exist.
    """
    staff = _read_staff(work, staff_id)
    return _account(staff, _last_sign_ins(work)), work.vault.open(staff.phone_sealed) if staff.phone_sealed else ""


def list_sessions(work: UnitOfWork, staff_id: int, current_id: int = 0) -> Sequence[StaffSessionRow]:
    """Return the sessions of a staff member that have not ended, newest first.

    ``current_id``: id of the session of this request; its row has ``here`` set.
    """
    query = select(StaffSession).where(StaffSession.staff_id == staff_id, StaffSession.ended_at.is_(None))
    rows = work.session.scalars(query.order_by(StaffSession.id.desc()))
    return [
        StaffSessionRow(row.id, row.device, row.made_at, row.seen_at, row.proven_at is None, row.id == current_id)
        for row in rows
        if staff_accounts.session_ends_at(work, row) >= work.now
    ]


def change_role(work: UnitOfWork, staff_id: int, role: str, reason: str) -> None:
    """Assign another role to a staff member and end all sessions of the account.

    Raise BadData("people", fields={"role": "unknown" | "same_role"}), NotAllowed("last_administrator"), and the
    exceptions of ``_lock_managed_account``.
    """
    others = staff_accounts.lock_administrators(work)
    staff = _lock_managed_account(work, staff_id, reason, {"role": "" if role in ROLES else "unknown"})
    if staff.role == role:
        raise BadData("people", fields={"role": "same_role"})
    _require_other_administrator(others, staff)
    old, staff.role = staff.role, role
    work.record("staff.role_changed", staff, old={"role": old}, new={"role": role}, reason=reason.strip())
    staff_accounts.end_sessions(work, staff.id, "role")


def deactivate_account(work: UnitOfWork, staff_id: int, reason: str) -> bool:
    """Deactivate an account and end its sessions. Return False if it was deactivated already.

    The shifts of a deactivated account do not count. Raise NotAllowed("last_administrator") and the exceptions of
    ``_lock_managed_account``.
    """
    others = staff_accounts.lock_administrators(work)
    staff = _lock_managed_account(work, staff_id, reason)
    if staff.disabled_at is not None:
        return False
    _require_other_administrator(others, staff)
    staff.disabled_at = work.now
    work.record("staff.closed", staff, old={"role": staff.role}, reason=reason.strip())
    staff_accounts.end_sessions(work, staff.id, "closed")
    return True


def reactivate_account(work: UnitOfWork, staff_id: int, reason: str) -> bool:
    """Reactivate an account. Return False if it was active already.

    Raise the exceptions of ``_lock_managed_account``.
    """
    staff = _lock_managed_account(work, staff_id, reason)
    if staff.disabled_at is None:
        return False
    staff.disabled_at = None
    work.record("staff.reopened", staff, new={"role": staff.role}, reason=reason.strip())
    return True


def reset_factor(work: UnitOfWork, staff_id: int, reason: str) -> bool:
    """Remove second factor and recovery codes of an account. Return False if it had none.

    Raise the exceptions of ``_lock_managed_account``.
    """
    staff = _lock_managed_account(work, staff_id, reason)
    return second_factor.reset_factor(work, staff.id, reason.strip())


def set_phone(work: UnitOfWork, staff_id: int, phone: str) -> None:
    """Store the phone number for escalation text messages; "" removes it.

    Raise NotFound if the account does not exist, BadData("people", fields={"phone": ...}) with a problem of
    ``mobile_problem``.
    """
    staff = _read_staff(work, staff_id)
    why = mobile_problem(phone)
    if why:
        raise BadData("people", fields={"phone": why})
    number = to_e164(phone) or ""
    old = work.vault.open(staff.phone_sealed) if staff.phone_sealed else ""
    if number != old:
        staff.phone_sealed = work.vault.seal(number) if number else None
        work.record("staff.phone_changed", staff, old={"phone": bool(old)}, new={"phone": bool(number)})


def list_rights_changes(work: UnitOfWork, at_most: int = 200) -> Sequence[RightsChange]:
    """Return the last ``at_most`` changes of rights, newest first."""
    query = (
        select(AuditEntry)
        .where(AuditEntry.action.in_(RIGHTS_CHANGE_ACTIONS))
        .order_by(AuditEntry.id.desc())
        .limit(at_most)
    )
    events = list(work.session.scalars(query))
    names = _subject_names(work, events)
    return [
        RightsChange(
            event.at,
            names.get((StaffMember.__tablename__, event.actor_id), "") if event.actor == "staff" else "",
            event.action,
            names.get((event.subject, event.subject_id), ""),
            _role_in(event.old),
            _role_in(event.new),
            event.reason,
        )
        for event in events
    ]


def _subject_names(work: UnitOfWork, events: Sequence[AuditEntry]) -> Mapping[tuple[str, int | None], str]:
    """Return (table, id) -> name of the accounts and invitations in ``events``.

    Actors are included.
    """
    found: dict[tuple[str, int | None], str] = {}
    acting = {event.actor_id for event in events if event.actor == "staff"}
    for model in (StaffMember, StaffInvitation):
        table = model.__tablename__
        wanted = {event.subject_id for event in events if event.subject == table}
        wanted |= acting if model is StaffMember else set()
        for number, name in work.session.execute(select(model.id, model.name).where(model.id.in_(wanted))):
            found[table, number] = name
    return found


def _role_in(said: Any) -> str:
    """Return the role in the old or new value of an audit entry; "" if it holds none."""
    return str(said.get("role", "")) if isinstance(said, Mapping) else ""


def _account(staff: StaffMember, last: Mapping[int, datetime]) -> Account:
    """Return an account as a row of the list. ``last``: account id -> last sign-in."""
    return Account(
        staff.id,
        staff.name,
        staff.email,
        staff.role,
        staff.language,
        staff.made_at,
        last.get(staff.id),
        staff.otp_sealed is not None,
        staff.password_changed_at is not None,
        staff.disabled_at,
    )


def _last_sign_ins(work: UnitOfWork) -> Mapping[int, datetime]:
    """Return account id -> time of the last completed sign-in, in UTC."""
    query = select(StaffSession.staff_id, func.max(StaffSession.proven_at)).group_by(StaffSession.staff_id)
    return {staff_id: at for staff_id, at in work.session.execute(query) if at is not None}


def _read_staff(work: UnitOfWork, staff_id: int) -> StaffMember:
    """Return an account. Raise NotFound if it does not exist."""
    staff = work.session.get(StaffMember, staff_id)
    if staff is None:
        raise NotFound("staff")
    return staff


def _lock_managed_account(
    work: UnitOfWork, staff_id: int, reason: str, more: Mapping[str, str] | None = None
) -> StaffMember:
    """Lock and return an account other than the actor's own, after checking ``reason``.

    ``more``: further fields to check, {field: problem or ""}. Raise NotFound, NotAllowed("own_account"),
    BadData("people", fields={"reason": "reason_short" | "too_long", ...}).
    """
    staff = _read_staff(work, staff_id)
    if work.actor.kind == "staff" and work.actor.id == staff.id:
        raise NotAllowed("own_account")
    length = len(reason.strip())
    fields = {"reason": "reason_short" if length < REASON_AT_LEAST else ("too_long" if length > REASON_AT_MOST else "")}
    wrong = {name: why for name, why in {**fields, **(more or {})}.items() if why}
    if wrong:
        raise BadData("people", fields=wrong)
    work.lock(staff)
    return staff


def _require_other_administrator(administrators: frozenset[int], staff: StaffMember) -> None:
    """Raise NotAllowed("last_administrator") if ``staff`` is the only administrator."""
    if administrators <= {staff.id}:
        raise NotAllowed("last_administrator")
