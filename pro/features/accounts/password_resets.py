"""Let staff who forgot their password set a new one by an emailed link, valid once and for a short time.

A request stores the same row whether the address has an account or not; the worker looks for the account afterwards. So
the answer and its time tell nothing about accounts. The second factor stays as it is.
"""

from __future__ import annotations

import secrets
from datetime import timedelta

from sqlalchemy import select

from pro.app_context import Actor, UnitOfWork
from pro.errors import BadData, CodeExpired, NotFound
from pro.features.accounts import attempt_limits, staff_accounts
from pro.features.accounts.attempt_limits import Allowance
from pro.features.accounts.passwords import hash_secret, password_problem
from pro.messaging import message_rendering, outbox
from pro.models import PasswordReset, StaffMember

RESET_LIFETIME = timedelta(minutes=30)
# Requests in 15 minutes: of one address more are not answered by email, of one network more are refused.
ADDRESS_REQUESTS, NETWORK_REQUESTS = 3, 10
# Kind of the counted attempts.
KIND = "reset"
# Requests that one run of the worker answers; a flood must not delay the other jobs.
BATCH_SIZE = 50


def request_reset(work: UnitOfWork, email: str, network: str) -> Allowance:
    """Store a request for a new password; return what its network may still ask for.

    Nothing is stored while the network or the address has reached its limit. The statements are the same for an address
    with and without an account. ``network``: the address of the browser.

    The network counts every request. The address counts only requests that are stored: otherwise a person who knows it
    could ask again and again, and its owner would never get a link.
    """
    email = email.strip().lower()
    by_network, by_email = f"network:{attempt_limits.network_of(network)}", f"email:{email}"
    allowed = attempt_limits.allowance(work, KIND, by_network, NETWORK_REQUESTS)
    of_email = attempt_limits.allowance(work, KIND, by_email, ADDRESS_REQUESTS)
    if allowed.until is None:
        attempt_limits.count_failure(work, KIND, by_network)
    if allowed.until is None and of_email.until is None:
        attempt_limits.count_failure(work, KIND, by_email)
        work.session.add(PasswordReset(email_sealed=work.vault.seal(email), requested_at=work.now))
    return allowed


def answer_requests(work: UnitOfWork) -> int:
    """Email a link for each waiting request whose address has an active account; return how many were sent.

    The typed address is deleted, and a request without an account leaves no row.
    """
    query = select(PasswordReset).where(PasswordReset.email_sealed.is_not(None)).order_by(PasswordReset.id)
    sent = 0
    for row in work.session.scalars(query.limit(BATCH_SIZE).with_for_update(skip_locked=True)).all():
        email = work.vault.open(row.email_sealed or "")
        staff = work.session.scalar(
            select(StaffMember).where(StaffMember.email == email, StaffMember.disabled_at.is_(None))
        )
        if staff is None:
            work.session.delete(row)
            continue
        _send_link(work, row, staff)
        sent += 1
    return sent


def read_open_reset(work: UnitOfWork, token: str) -> tuple[PasswordReset, StaffMember]:
    """Return the request of a link and its account, without using the link up.

    Raise NotFound("link"), CodeExpired("used" | "ended" | "expired").
    """
    query = select(PasswordReset, StaffMember).join(StaffMember, StaffMember.id == PasswordReset.staff_id)
    found = work.session.execute(query.where(PasswordReset.fingerprint == _fingerprint(work, token))).one_or_none()
    if found is None:
        raise NotFound("link")
    row, staff = found
    state = "ended" if staff.disabled_at is not None else row.state(work.now)
    if state != "open":
        raise CodeExpired(state)
    return row, staff


def set_new_password(
    work: UnitOfWork, token: str, password: str, network: str, device: str
) -> staff_accounts.SignInResult:
    """Set the new password, end all sessions and all other links of the account, and start a session.

    The session leads to nothing before the second factor, if the account has one. Raise the exceptions of
    ``read_open_reset``, and BadData("staff", fields={"password": ...}) for a weak password; the link stays valid then.
    """
    row, staff = read_open_reset(work, token)
    # The account first: two links of one account wait for each other.
    work.lock(staff)
    work.lock(row)
    if row.state(work.now) != "open":
        raise CodeExpired(row.state(work.now))
    if weak := password_problem(password, staff.email):
        raise BadData("staff", fields={"password": weak})
    row.used_at = work.now
    work.actor = Actor("staff", staff.id, staff.role, staff.name)
    staff.password_hash = hash_secret(password)
    staff.password_changed_at = work.now
    work.record("staff.password_reset", staff)
    staff_accounts.end_reset_links(work, staff)
    staff_accounts.end_sessions(work, staff.id, "password")
    staff_accounts.forget_failures(work, staff.email, network)
    return staff_accounts.start_session(work, staff, device)


def _send_link(work: UnitOfWork, row: PasswordReset, staff: StaffMember) -> None:
    """Make the link of a request and queue the email with it."""
    token = secrets.token_urlsafe(24)
    row.email_sealed, row.staff_id = None, staff.id
    row.fingerprint, row.expires_at = _fingerprint(work, token), work.now + RESET_LIFETIME
    work.record("staff.reset_sent", staff)
    params = {"link": f"{work.config.base_url}/staff/reset/{token}"}
    rendered = message_rendering.render_message(
        "staff_reset", staff.language, params, work.app_context.catalogs, env_banner=not work.config.production
    )
    outbox.queue(
        work,
        outbox.MessageDraft(
            dedupe_key=f"{staff_accounts.RESET_KEY_PREFIX}{row.id}",
            channel="email",
            template="staff_reset",
            params=params,
            language=staff.language,
            address=staff.email,
            subject=rendered.subject,
            body=rendered.text,
            repeat="prefer_silence",
            staff_id=staff.id,
            not_after=row.expires_at,
        ),
    )


def _fingerprint(work: UnitOfWork, token: str) -> str:
    """Return the stored form of a link's token."""
    return work.vault.fingerprint(f"staff_reset:{token}")
