"""Second factor of staff: codes of an authenticator app (RFC 6238), recovery codes."""

from __future__ import annotations

import hmac
import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from pyotp import TOTP, random_base32
from sqlalchemy import Select, func, select

from pro.app_context import UnitOfWork
from pro.errors import BadData, NotAllowed
from pro.features.accounts import attempt_limits, signatures, staff_accounts
from pro.features.accounts.passwords import CODE_ALPHABET
from pro.features.accounts.signatures import CredentialRefusal
from pro.features.accounts.staff_accounts import StaffLogin
from pro.models import RecoveryCode, StaffMember, StaffSession

MAX_TRIES = 5
RECOVERY_CODES = 10
RECOVERY_LENGTH = 10
# Time to scan the QR code and type the first code.
OFFER_LIFETIME = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class FactorOffer:
    """A new secret, stored only after a first correct code proves that the app has it.

    ``uri``: content of the QR code. ``sealed``: the encrypted secret, which the page sends back.
    """

    secret: str
    uri: str
    sealed: str


@dataclass(frozen=True, slots=True)
class VerifiedCode:
    """A correct code; ``recovery_left`` is set if it was a recovery code."""

    recovery_left: int | None = None


def make_factor_offer(work: UnitOfWork, staff: StaffMember) -> FactorOffer:
    """Return a new secret for setting up an authenticator app."""
    secret = random_base32()
    return _factor_offer(work, staff, secret, work.vault.seal(f"{staff.id} {work.now.isoformat()} {secret}"))


def read_factor_offer(work: UnitOfWork, staff: StaffMember, sealed: str) -> FactorOffer | None:
    """Return the offer that a page sent back; None if it is invalid.

    It is invalid if it is older than OFFER_LIFETIME, of another account, or not sealed by this system.
    """
    try:
        number, at, secret = work.vault.open(sealed).split(" ")
    except ValueError:
        return None
    fresh = work.now - datetime.fromisoformat(at) <= OFFER_LIFETIME
    return _factor_offer(work, staff, secret, sealed) if number == str(staff.id) and fresh else None


def set_up_factor(
    work: UnitOfWork, entry: StaffLogin, offer: FactorOffer, typed: str
) -> tuple[str, ...] | CredentialRefusal:
    """Store the offered secret if ``typed`` is its current code; return the recovery codes.

    The recovery codes are shown in clear text this once. A secret stored earlier is replaced, and all other sessions of
    the account end. Return a CredentialRefusal for a wrong code or while codes are locked.
    """
    staff, found = _lock_staff(work, entry.staff.id), entry.session
    refused = _lock_refusal(work, staff)
    if refused:
        return refused
    step = _matching_time_step(offer.secret, _normalize_code(typed), work.now)
    if step is None:
        return _count_wrong_code(work, staff)
    attempt_limits.reset_failures(work, "factor", _attempt_key(staff))
    work.record("staff.factor_set", staff, new={"again": staff.otp_sealed is not None})
    staff.otp_sealed, staff.otp_step = work.vault.seal(offer.secret), step
    found.proven_at = work.now
    staff_accounts.end_sessions(work, staff.id, "factor", except_id=found.id)
    return make_recovery_codes(work, staff)


def verify_code(work: UnitOfWork, entry: StaffLogin, typed: str) -> VerifiedCode | CredentialRefusal:
    """Complete a sign-in with a one-time code or a recovery code; each works once.

    Codes of the current, the previous and the next 30 seconds are accepted. MAX_TRIES wrong codes lock the codes of the
    account for 15 minutes. Return a CredentialRefusal for a wrong or used code or while codes are locked.
    """
    # Two browsers may send the same code at the same time: the second must see that it was used.
    staff, found = _lock_staff(work, entry.staff.id), entry.session
    refused = _lock_refusal(work, staff)
    if refused:
        return refused
    plain = _normalize_code(typed)
    step = _matching_time_step(work.vault.open(staff.otp_sealed), plain, work.now) if staff.otp_sealed else None
    if step is not None and (staff.otp_step is None or step > staff.otp_step):
        staff.otp_step = step
        return _complete_sign_in(work, staff, found, None)
    if step is None and _use_recovery_code(work, staff, plain):
        return _complete_sign_in(work, staff, found, count_recovery_codes(work, staff.id))
    return CredentialRefusal("used") if step is not None else _count_wrong_code(work, staff)


def make_recovery_codes(work: UnitOfWork, staff: StaffMember) -> tuple[str, ...]:
    """Store new recovery codes and return them in clear text; earlier codes end."""
    for old in work.session.scalars(_usable_codes(staff.id)):
        old.ended_at = work.now
    made = tuple("".join(secrets.choice(CODE_ALPHABET) for _ in range(RECOVERY_LENGTH)) for _ in range(RECOVERY_CODES))
    for code in made:
        work.session.add(
            RecoveryCode(staff_id=staff.id, fingerprint=_fingerprint(work, staff.id, code), made_at=work.now)
        )
    work.record("staff.recovery_codes_made", staff, new={"count": len(made)})
    half = RECOVERY_LENGTH // 2
    return tuple(f"{code[:half]}-{code[half:]}" for code in made)


def count_recovery_codes(work: UnitOfWork, staff_id: int) -> int:
    """Return the number of recovery codes that can still be used."""
    work.session.flush()
    return work.session.scalar(select(func.count()).select_from(_usable_codes(staff_id).subquery())) or 0


def reset_factor(work: UnitOfWork, staff_id: int, reason: str) -> bool:
    """Remove secret and recovery codes and end all sessions.

    Return False if there was no secret. For a staff member who has lost both. Raise NotAllowed("own_account") for the
    actor's own account.
    """
    if work.actor.kind == "staff" and work.actor.id == staff_id:
        raise NotAllowed("own_account")
    staff = _lock_staff(work, staff_id)
    if staff.otp_sealed is None:
        return False
    staff.otp_sealed, staff.otp_step = None, None
    for code in work.session.scalars(_usable_codes(staff.id)):
        code.ended_at = work.now
    work.record("staff.factor_reset", staff, reason=reason)
    staff_accounts.end_sessions(work, staff.id, "factor")
    attempt_limits.reset_failures(work, "factor", _attempt_key(staff))
    return True


def renew_recovery_codes(work: UnitOfWork, staff_id: int, password: str) -> tuple[str, ...] | CredentialRefusal:
    """Return new recovery codes for the acting staff member after a password check.

    Return a CredentialRefusal if the password is refused. Raise BadData("no_factor") without a second factor.
    """
    staff = _lock_staff(work, staff_id)
    if staff.otp_sealed is None:
        raise BadData("no_factor")
    confirmed = signatures.confirm_password(work, password)
    return confirmed if isinstance(confirmed, CredentialRefusal) else make_recovery_codes(work, staff)


def _factor_offer(work: UnitOfWork, staff: StaffMember, secret: str, sealed: str) -> FactorOffer:
    """Return an offer for ``secret`` with the content of its QR code."""
    issuer = f"ePRO {urlsplit(work.config.base_url).hostname}"
    return FactorOffer(secret, TOTP(secret).provisioning_uri(name=staff.email, issuer_name=issuer), sealed)


def _lock_staff(work: UnitOfWork, staff_id: int) -> StaffMember:
    """Lock and return an account."""
    staff = work.session.get_one(StaffMember, staff_id)
    work.lock(staff)
    return staff


def _normalize_code(typed: str) -> str:
    """Return letters and digits of a typed code in upper case, 32 characters at most."""
    folded = unicodedata.normalize("NFKC", typed).upper()
    return re.sub(r"[^0-9A-Z]", "", folded)[:32]


def _matching_time_step(secret: str, code: str, now: datetime) -> int | None:
    """Return the 30-second time step of ``code``, or None if it does not match.

    The current, previous and next step match, because phone clocks are inaccurate.
    """
    app = TOTP(secret)
    here = app.timecode(now)
    right = [step for step in (here, here - 1, here + 1) if hmac.compare_digest(app.generate_otp(step), code)]
    return right[0] if right else None


def _complete_sign_in(work: UnitOfWork, staff: StaffMember, found: StaffSession, left: int | None) -> VerifiedCode:
    """Mark the session as verified. ``left``: recovery codes left if one was used, else None."""
    attempt_limits.reset_failures(work, "factor", _attempt_key(staff))
    found.proven_at = found.seen_at = work.now
    if left is not None:
        work.record("staff.recovery_code_used", staff, new={"left": left})
    work.record("staff.signed_in", staff)
    return VerifiedCode(left)


def _use_recovery_code(work: UnitOfWork, staff: StaffMember, code: str) -> bool:
    """Mark a recovery code as used. Return False if it is not a usable code of the account."""
    query = _usable_codes(staff.id).where(RecoveryCode.fingerprint == _fingerprint(work, staff.id, code))
    found = work.session.scalar(query)
    if found is None:
        return False
    found.used_at = work.now
    return True


def _usable_codes(staff_id: int) -> Select[RecoveryCode]:
    """Return the query of recovery codes that are neither used nor ended."""
    return select(RecoveryCode).where(
        RecoveryCode.staff_id == staff_id, RecoveryCode.used_at.is_(None), RecoveryCode.ended_at.is_(None)
    )


def _fingerprint(work: UnitOfWork, staff_id: int, code: str) -> str:
    """Return the stored form of a recovery code."""
    return work.vault.fingerprint(f"recovery:{staff_id}:{code}")


def _attempt_key(staff: StaffMember) -> str:
    """Return the key that counts the wrong codes of an account."""
    # By account, not by address: at this step the password is known, and attempts may come from many addresses.
    return f"factor:{staff.id}"


def _lock_refusal(work: UnitOfWork, staff: StaffMember) -> CredentialRefusal | None:
    """Return the refusal while the codes of an account are locked, else None."""
    until = attempt_limits.allowance(work, "factor", _attempt_key(staff), MAX_TRIES).until
    return CredentialRefusal("locked", until) if until else None


def _count_wrong_code(work: UnitOfWork, staff: StaffMember) -> CredentialRefusal:
    """Count a wrong code and return the refusal: "locked" at the limit, else "wrong"."""
    attempt_limits.count_failure(work, "factor", _attempt_key(staff))
    work.record("staff.code_failed", staff)
    return _lock_refusal(work, staff) or CredentialRefusal("wrong")
