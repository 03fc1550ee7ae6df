"""Electronic signatures: the password again, then name, time and meaning, bound to what was signed (21 CFR 11)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.db import Base
from pro.errors import NotAllowed
from pro.features.accounts import attempt_limits
from pro.features.accounts.passwords import is_secret_correct
from pro.models import Signature, StaffMember
from pro.models.audit_entry import MEANINGS

MAX_TRIES = 5


@dataclass(frozen=True, slots=True)
class PasswordProof:
    """The proof that ``staff_id`` typed the right password in this request; only ``confirm`` makes one."""

    staff_id: int


@dataclass(frozen=True, slots=True)
class CredentialRefusal:
    """Why signing is refused now: "wrong" or "locked" (until ``until``). Returned, so that a failed try is kept."""

    why: str
    until: datetime | None = None


def confirm_password(work: UnitOfWork, password: str) -> PasswordProof | CredentialRefusal:
    """Ask the signed-in person for the password again. Five wrong ones in a row lock signing for 15 minutes."""
    staff = _signer(work)
    key = f"signing:{staff.id}"
    allowed = attempt_limits.allowance(work, "signing", key, MAX_TRIES)
    if allowed.until:
        return CredentialRefusal("locked", allowed.until)
    if not is_secret_correct(staff.password_hash, password):
        attempt_limits.count_failure(work, "signing", key)
        work.record("staff.signing_failed", staff)
        left = attempt_limits.allowance(work, "signing", key, MAX_TRIES)
        return CredentialRefusal("locked", left.until) if left.until else CredentialRefusal("wrong")
    attempt_limits.reset_failures(work, "signing", key)
    return PasswordProof(staff.id)


def sign(
    work: UnitOfWork,
    confirmed: PasswordProof,
    meaning: str,
    subject: Base,
    content: Mapping[str, Any],
    participant_id: int | None = None,
) -> Signature:
    """Sign ``subject`` (a row) with ``content``, what it says, JSON-able. ``meaning``: one of MEANINGS."""
    staff = _signer(work)
    if staff.id != confirmed.staff_id or meaning not in MEANINGS:
        raise NotAllowed("not_signed")
    work.session.flush()
    row = Signature(
        staff_id=staff.id,
        name=staff.name,
        role=staff.role,
        meaning=meaning,
        subject=subject.__tablename__,
        subject_id=subject.id,  # type: ignore[attr-defined]
        at=work.now,
        digest="",
    )
    row.digest = _digest(row, content)
    work.session.add(row)
    work.record("signature.given", row, participant_id=participant_id, new={"meaning": meaning, "digest": row.digest})
    return row


def list_signatures(work: UnitOfWork, subject: Base) -> list[Signature]:
    """Every signature of a row, the oldest first."""
    which = (Signature.subject == subject.__tablename__, Signature.subject_id == subject.id)  # type: ignore[attr-defined]
    return list(work.session.scalars(select(Signature).where(*which).order_by(Signature.id)))


def newest_signatures(work: UnitOfWork, subjects: Sequence[Base]) -> dict[int, Signature]:
    """Number of each row of one table -> its newest signature."""
    if not subjects:
        return {}
    ids = [subject.id for subject in subjects]  # type: ignore[attr-defined]
    which = (Signature.subject == subjects[0].__tablename__, Signature.subject_id.in_(ids))
    return {row.subject_id: row for row in work.session.scalars(select(Signature).where(*which).order_by(Signature.id))}


def is_content_unchanged(signature: Signature, content: Mapping[str, Any]) -> bool:
    """True if ``content`` is still what was signed."""
    return signature.digest == _digest(signature, content)


def _signer(work: UnitOfWork) -> StaffMember:
    staff = work.session.get(StaffMember, work.actor.id) if work.actor.kind == "staff" else None
    if staff is None or staff.disabled_at is not None:
        raise NotAllowed("not_signed")
    return staff


def _digest(row: Signature, content: Mapping[str, Any]) -> str:
    """SHA-256 of signer, time, meaning, row and content, as canonical JSON."""
    said = {
        "staff": row.staff_id,
        "name": row.name,
        "role": row.role,
        "meaning": row.meaning,
        "subject": f"{row.subject}:{row.subject_id}",
        "at": row.at.isoformat(),
        "content": dict(content),
    }
    text = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
