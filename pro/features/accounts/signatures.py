"""Electronic signatures: password, name, time and meaning, bound to a record (21 CFR 11)."""

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
# What a signature of a kind of row covers: version of the shape -> names of the signed fields. An added field gets a
# new version; a version that was signed with never changes, or every signature of it would stop to fit.
SignedShapes = Mapping[int, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class PasswordProof:
    """Proof that ``staff_id`` typed the correct password in this request.

    Only ``confirm_password`` creates it.
    """

    staff_id: int


@dataclass(frozen=True, slots=True)
class CredentialRefusal:
    """Why a password or code is refused: "wrong", "used", or "locked" until ``until`` (UTC).

    Returned instead of raised, so that the failed attempt is stored.
    """

    why: str
    until: datetime | None = None


def confirm_password(work: UnitOfWork, password: str) -> PasswordProof | CredentialRefusal:
    """Check the password of the acting staff member again.

    MAX_TRIES wrong passwords in a row lock signing for 15 minutes. Raise NotAllowed("not_signed") without an active
    account.
    """
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
    shapes: SignedShapes,
    participant_id: int | None = None,
) -> Signature:
    """Store a signature of the row ``subject`` by the acting staff member.

    ``content``: the values of the row, JSON-able; the newest of ``shapes`` says which of them are signed. ``meaning``:
    one of MEANINGS. Raise NotAllowed("not_signed") if ``confirmed`` belongs to another account or the meaning is
    unknown.
    """
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
        shape=max(shapes),
        at=work.now,
        digest="",
    )
    row.digest = _digest(row, content, shapes)
    work.session.add(row)
    work.record("signature.signed", row, participant_id=participant_id, new={"meaning": meaning, "digest": row.digest})
    return row


def list_signatures(work: UnitOfWork, subject: Base) -> list[Signature]:
    """Return the signatures of a row, oldest first."""
    which = (Signature.subject == subject.__tablename__, Signature.subject_id == subject.id)  # type: ignore[attr-defined]
    return list(work.session.scalars(select(Signature).where(*which).order_by(Signature.id)))


def newest_signatures(work: UnitOfWork, subjects: Sequence[Base]) -> dict[int, Signature]:
    """Return row id -> newest signature, for rows of one table."""
    if not subjects:
        return {}
    ids = [subject.id for subject in subjects]  # type: ignore[attr-defined]
    which = (Signature.subject == subjects[0].__tablename__, Signature.subject_id.in_(ids))
    return {row.subject_id: row for row in work.session.scalars(select(Signature).where(*which).order_by(Signature.id))}


def is_content_unchanged(signature: Signature, content: Mapping[str, Any], shapes: SignedShapes) -> bool:
    """Return True if ``content`` has the signed values in the fields of the shape that was signed.

    Fields that came with a later shape were not signed and do not count.
    """
    return signature.shape in shapes and signature.digest == _digest(signature, content, shapes)


def _signer(work: UnitOfWork) -> StaffMember:
    """Return the acting staff member; NotAllowed("not_signed") without an active account."""
    staff = work.session.get(StaffMember, work.actor.id) if work.actor.kind == "staff" else None
    if staff is None or staff.disabled_at is not None:
        raise NotAllowed("not_signed")
    return staff


def _digest(row: Signature, content: Mapping[str, Any], shapes: SignedShapes) -> str:
    """Return the SHA-256 of signer, time, meaning, row, shape and signed content as canonical JSON."""
    said = {
        "staff": row.staff_id,
        "name": row.name,
        "role": row.role,
        "meaning": row.meaning,
        "subject": f"{row.subject}:{row.subject_id}",
        "shape": row.shape,
        "at": row.at.isoformat(),
        "content": {name: content[name] for name in shapes[row.shape]},
    }
    text = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
