"""The second factor of staff: one-time codes from an app on their phone (RFC 6238), and recovery codes."""

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
# How long the page with the QR code may lie open.
OFFER_LIFETIME = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class FactorOffer:
    """A new secret that is kept nowhere until a first code proves that the phone has it.

    ``sealed``: the same for the page to send back; ``uri``: what the QR code says.
    """

    secret: str
    uri: str
    sealed: str


@dataclass(frozen=True, slots=True)
class VerifiedCode:
    """A code was right; ``recovery_left`` is set if it was one of the recovery codes."""

    recovery_left: int | None = None


def make_factor_offer(work: UnitOfWork, staff: StaffMember) -> FactorOffer:
    """A secret for a phone that is being set up."""
    secret = random_base32()
    return _factor_offer(work, staff, secret, work.vault.seal(f"{staff.id} {work.now.isoformat()} {secret}"))


def read_factor_offer(work: UnitOfWork, staff: StaffMember, sealed: str) -> FactorOffer | None:
    """The offer that a page sends back; None if it is too old, of another account, or not made here."""
    try:
        number, at, secret = work.vault.open(sealed).split(" ")
    except ValueError:
        return None
    fresh = work.now - datetime.fromisoformat(at) <= OFFER_LIFETIME
    return _factor_offer(work, staff, secret, sealed) if number == str(staff.id) and fresh else None


def set_up_factor(
    work: UnitOfWork, entry: StaffLogin, offer: FactorOffer, typed: str
) -> tuple[str, ...] | CredentialRefusal:
    """Take the offered secret if ``typed`` is its code of now: the recovery codes, in clear for the only time.

    A phone that was there before counts no more; other sessions end.
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
    """Let a half session in by a code of the app (that of now, or the one before or after; each once) or a recovery
    code (once). Five wrong ones lock the account's codes for 15 minutes.
    """
    # Two browsers may send the same code at once: the second must see that it was used.
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
    """Ten fresh recovery codes; those from before end."""
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
    """How many recovery codes still work."""
    work.session.flush()
    return work.session.scalar(select(func.count()).select_from(_usable_codes(staff_id).subquery())) or 0


def reset_factor(work: UnitOfWork, staff_id: int, reason: str) -> bool:
    """Forget the phone and the recovery codes of a person, and end their sessions. False if there was none.

    For a person who lost both; NotAllowed("own_account") for one's own.
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
    """Make new recovery codes for the acting person, against the password."""
    staff = _lock_staff(work, staff_id)
    if staff.otp_sealed is None:
        raise BadData("no_factor")
    confirmed = signatures.confirm_password(work, password)
    return confirmed if isinstance(confirmed, CredentialRefusal) else make_recovery_codes(work, staff)


def _factor_offer(work: UnitOfWork, staff: StaffMember, secret: str, sealed: str) -> FactorOffer:
    issuer = f"ePRO {urlsplit(work.config.base_url).hostname}"
    return FactorOffer(secret, TOTP(secret).provisioning_uri(name=staff.email, issuer_name=issuer), sealed)


def _lock_staff(work: UnitOfWork, staff_id: int) -> StaffMember:
    staff = work.session.get_one(StaffMember, staff_id)
    work.lock(staff)
    return staff


def _normalize_code(typed: str) -> str:
    folded = unicodedata.normalize("NFKC", typed).upper()
    return re.sub(r"[^0-9A-Z]", "", folded)[:32]


def _matching_time_step(secret: str, code: str, now: datetime) -> int | None:
    """The half minute whose code this is: that of now or a neighbour, because phones' clocks go wrong; else None."""
    app = TOTP(secret)
    here = app.timecode(now)
    right = [step for step in (here, here - 1, here + 1) if hmac.compare_digest(app.generate_otp(step), code)]
    return right[0] if right else None


def _complete_sign_in(work: UnitOfWork, staff: StaffMember, found: StaffSession, left: int | None) -> VerifiedCode:
    attempt_limits.reset_failures(work, "factor", _attempt_key(staff))
    found.proven_at = found.seen_at = work.now
    if left is not None:
        work.record("staff.recovery_code_used", staff, new={"left": left})
    work.record("staff.signed_in", staff)
    return VerifiedCode(left)


def _use_recovery_code(work: UnitOfWork, staff: StaffMember, code: str) -> bool:
    query = _usable_codes(staff.id).where(RecoveryCode.fingerprint == _fingerprint(work, staff.id, code))
    found = work.session.scalar(query)
    if found is None:
        return False
    found.used_at = work.now
    return True


def _usable_codes(staff_id: int) -> Select[RecoveryCode]:
    return select(RecoveryCode).where(
        RecoveryCode.staff_id == staff_id, RecoveryCode.used_at.is_(None), RecoveryCode.ended_at.is_(None)
    )


def _fingerprint(work: UnitOfWork, staff_id: int, code: str) -> str:
    return work.vault.fingerprint(f"recovery:{staff_id}:{code}")


def _attempt_key(staff: StaffMember) -> str:
    # By account alone: at this step the password is known, and attempts may come from many addresses.
    return f"factor:{staff.id}"


def _lock_refusal(work: UnitOfWork, staff: StaffMember) -> CredentialRefusal | None:
    until = attempt_limits.allowance(work, "factor", _attempt_key(staff), MAX_TRIES).until
    return CredentialRefusal("locked", until) if until else None


def _count_wrong_code(work: UnitOfWork, staff: StaffMember) -> CredentialRefusal:
    attempt_limits.count_failure(work, "factor", _attempt_key(staff))
    work.record("staff.code_failed", staff)
    return _lock_refusal(work, staff) or CredentialRefusal("wrong")
