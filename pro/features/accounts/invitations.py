"""Invite staff by email; the link works once, and its user chooses a password."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from sqlalchemy import String, cast, literal, select

from pro.app_context import Actor, UnitOfWork
from pro.errors import BadData, CodeExpired, NotFound
from pro.features.accounts import staff_accounts
from pro.features.accounts.passwords import password_problem
from pro.features.accounts.phone_numbers import to_e164
from pro.messaging import message_rendering, outbox
from pro.models import Message, StaffInvitation, StaffMember

INVITATION_LIFETIME = timedelta(hours=72)
# Prefix of the outbox key of an invitation's message; the invitation's id follows.
DEDUPE_KEY_PREFIX = "staff_invitation:"


class InvitationDetails(Protocol):
    """The fields of an invitation that its page shows."""

    @property
    def name(self) -> str:
        """Name of the invited person."""

    @property
    def email(self) -> str:
        """Email address of the account, used to sign in."""

    @property
    def role(self) -> str:
        """Role of the account."""

    @property
    def language(self) -> str:
        """Language of the account."""


@dataclass(frozen=True, slots=True)
class InvitationRow:
    """One invitation in the list.

    ``by``: name of the inviting staff member. ``state``: as in the row. ``mail``: delivery status of its message, "" if
    there is none.
    """

    row: StaffInvitation
    by: str
    state: str
    mail: str


def invite_staff(work: UnitOfWork, email: str, name: str, role: str, language: str, phone: str = "") -> StaffInvitation:
    """Store an invitation and queue its email.

    Raise BadData("staff", fields=...) with the problems of ``staff_accounts.account_problems``, or {"email": "invited"}
    if the address has an open invitation.
    """
    email = email.strip().lower()
    staff_accounts.lock_administrators(work)  # serializes a button pressed twice
    wrong = staff_accounts.account_problems(work, email, name, role, language, phone)
    if "email" not in wrong and _open_invitations(work, email):
        wrong["email"] = "invited"
    if wrong:
        raise BadData("staff", fields=wrong)
    number = to_e164(phone)
    return _send_invitation(work, email, name.strip(), role, language, work.vault.seal(number) if number else None)


def resend_invitation(work: UnitOfWork, invitation_id: int) -> StaffInvitation:
    """Send an invitation again with a new link; revoke all earlier links of the address.

    Raise NotFound, BadData("invitation_over") if it was used or the address has an account.
    """
    staff_accounts.lock_administrators(work)
    old = _lock_invitation(work, invitation_id)
    if old.used_at is not None or staff_accounts.find_account_id(work, old.email) is not None:
        raise BadData("invitation_over")
    for row in (old, *_open_invitations(work, old.email)):
        _mark_revoked(work, row)
    return _send_invitation(work, old.email, old.name, old.role, old.language, old.phone_sealed)


def revoke_invitation(work: UnitOfWork, invitation_id: int) -> None:
    """Revoke an invitation and drop its email if not sent yet.

    Raise NotFound, BadData("invitation_over") if it was used.
    """
    old = _lock_invitation(work, invitation_id)
    if old.used_at is not None:
        raise BadData("invitation_over")
    _mark_revoked(work, old)


def read_open_invitation(work: UnitOfWork, token: str) -> StaffInvitation:
    """Return the invitation of a link, without using it up.

    Raise NotFound("link"), CodeExpired("used" | "revoked" | "expired").
    """
    row = work.session.scalar(select(StaffInvitation).where(StaffInvitation.fingerprint == _fingerprint(work, token)))
    if row is None:
        raise NotFound("link")
    state = row.state(work.now)
    if state != "open":
        raise CodeExpired(state)
    return row


def accept_invitation(work: UnitOfWork, token: str, password: str, device: str) -> staff_accounts.SignInResult:
    """Create the account with the chosen password and sign it in.

    Raise the exceptions of ``read_open_invitation``, and BadData("staff", fields={"password": ...}) for a weak
    password; the link stays valid then.
    """
    row = read_open_invitation(work, token)
    work.lock(row)
    if row.state(work.now) != "open":
        raise CodeExpired(row.state(work.now))
    if weak := password_problem(password, row.email):
        raise BadData("staff", fields={"password": weak})
    phone = work.vault.open(row.phone_sealed) if row.phone_sealed else ""
    staff = staff_accounts.add_staff(
        work, row.email, row.name, row.role, row.language, password, phone, own_password=True
    )
    work.session.flush()
    row.used_at, row.staff_id = work.now, staff.id
    work.actor = Actor("staff", staff.id, staff.role, staff.name)
    work.record("staff.invitation_used", row, new={"role": row.role})
    return staff_accounts.start_session(work, staff, device)


def recent_invitations(work: UnitOfWork) -> Sequence[InvitationRow]:
    """Return the invitations of the last 90 days, newest first."""
    query = (
        select(StaffInvitation, StaffMember.name, Message)
        .join(StaffMember, StaffMember.id == StaffInvitation.made_by)
        .outerjoin(Message, Message.dedupe_key == literal(DEDUPE_KEY_PREFIX).concat(cast(StaffInvitation.id, String)))
        .where(StaffInvitation.made_at > work.now - timedelta(days=90))
        .order_by(StaffInvitation.id.desc())
    )
    return [
        InvitationRow(row, by, row.state(work.now), message.status if message else "")
        for row, by, message in work.session.execute(query)
    ]


def _send_invitation(
    work: UnitOfWork, email: str, name: str, role: str, language: str, phone_sealed: str | None
) -> StaffInvitation:
    """Store a new invitation and queue the email with its link."""
    token = secrets.token_urlsafe(24)
    row = StaffInvitation(
        email=email,
        name=name,
        role=role,
        language=language,
        phone_sealed=phone_sealed,
        fingerprint=_fingerprint(work, token),
        made_at=work.now,
        made_by=work.actor.id,
        expires_at=work.now + INVITATION_LIFETIME,
    )
    work.session.add(row)
    work.record("staff.invited", row, new={"role": role})
    params = {"link": f"{work.config.base_url}/staff/invitation/{token}"}
    rendered = message_rendering.render_message(
        "staff_invitation", language, params, work.app_context.catalogs, env_banner=not work.config.production
    )
    outbox.queue(
        work,
        outbox.MessageDraft(
            dedupe_key=f"{DEDUPE_KEY_PREFIX}{row.id}",
            channel="email",
            template="staff_invitation",
            params=params,
            language=language,
            address=email,
            subject=rendered.subject,
            body=rendered.text,
            repeat="prefer_silence",
            not_after=row.expires_at,
        ),
    )
    return row


def _open_invitations(work: UnitOfWork, email: str) -> list[StaffInvitation]:
    """Return the invitations of ``email`` that can still be used."""
    found = work.session.scalars(select(StaffInvitation).where(StaffInvitation.email == email))
    return [row for row in found if row.state(work.now) == "open"]


def _lock_invitation(work: UnitOfWork, invitation_id: int) -> StaffInvitation:
    """Lock and return an invitation. Raise NotFound if it does not exist."""
    row = work.session.get(StaffInvitation, invitation_id)
    if row is None:
        raise NotFound("invitation")
    work.lock(row)
    return row


def _mark_revoked(work: UnitOfWork, row: StaffInvitation) -> None:
    """Mark an invitation as revoked and drop its email if not sent yet."""
    if row.revoked_at is None:
        row.revoked_at = work.now
        work.record("staff.invitation_revoked", row, old={"role": row.role})
    outbox.drop_messages(work, Message.dedupe_key == f"{DEDUPE_KEY_PREFIX}{row.id}", "not_wanted")


def _fingerprint(work: UnitOfWork, token: str) -> str:
    """Return the stored form of an invitation's token."""
    return work.vault.fingerprint(f"staff_invitation:{token}")
