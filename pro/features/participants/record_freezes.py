"""Freeze records: a signature of an investigator stops changes by staff.

Participants can still answer while a record is frozen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, or_, select

from pro.app_context import UnitOfWork
from pro.errors import BadData, NotAllowed, RecordFrozen
from pro.features.accounts import signatures as accounts_signatures
from pro.features.accounts import staff_accounts
from pro.features.accounts.signatures import PasswordProof, SignedShapes
from pro.models import Answer, Assessment, Freeze, Participant, Signature

REASON_LENGTH = 1000
# What the signature of a freeze covers, by version (pro/features/accounts/signatures.py:SignedShapes).
SIGNED_SHAPES: SignedShapes = {1: ("plan", "participant", "frozen_at", "reason", "unfrozen_at", "unfreeze_reason")}


@dataclass(frozen=True, slots=True)
class FreezeEntry:
    """One freeze of a participant or of the study, with the names of its signers."""

    row: Freeze
    frozen_by: str
    unfrozen_by: str
    signatures: list[Signature]


def require_unfrozen(work: UnitOfWork, plan: str, participant_id: int | None = None) -> None:
    """Raise RecordFrozen("frozen", name, at, whole) if the study or participant is frozen.

    ``name``: who froze it. ``at``: since when, in UTC. ``whole``: the whole study is frozen.
    """
    row = _find_effective_freeze(work, plan, participant_id)
    if row is not None:
        name = staff_accounts.staff_names(work).get(row.frozen_by, "")
        raise RecordFrozen("frozen", name=name, at=row.frozen_at, whole=row.participant_id is None)


def current_freeze(work: UnitOfWork, participant_id: int) -> FreezeEntry | None:
    """Return the freeze of the participant or of the study that holds now, or None."""
    person = work.session.get_one(Participant, participant_id)
    row = _find_effective_freeze(work, person.plan, participant_id)
    return _freeze_entry(work, row) if row else None


def frozen_studies(work: UnitOfWork) -> frozenset[str]:
    """Return the ids of the studies that are frozen as a whole."""
    query = select(Freeze.plan).where(Freeze.participant_id.is_(None), Freeze.unfrozen_at.is_(None))
    return frozenset(work.session.scalars(query))


def list_freezes(work: UnitOfWork, plan: str, participant: Participant | None) -> list[FreezeEntry]:
    """Return all freezes of a participant, or of the study (None), newest first."""
    mine = Freeze.participant_id == participant.id if participant else Freeze.participant_id.is_(None)
    query = select(Freeze).where(Freeze.plan == plan, mine).order_by(Freeze.id.desc())
    return [_freeze_entry(work, row) for row in work.session.scalars(query)]


def freeze_records(
    work: UnitOfWork, proof: PasswordProof, plan: str, participant: Participant | None, reason: str
) -> Freeze:
    """Freeze a participant, or the study (None), with a signature.

    Raise NotAllowed("frozen_already"), BadData("freeze", fields=...) without a reason.
    """
    reason = _check_reason(reason)
    if participant is not None:
        work.lock(participant)
    if _own_freeze(work, plan, participant) is not None:
        raise NotAllowed("frozen_already")
    row = Freeze(
        plan=plan,
        participant_id=participant.id if participant else None,
        frozen_at=work.now,
        frozen_by=proof.staff_id,
        reason=reason,
        unfreeze_reason="",
    )
    work.session.add(row)
    work.session.flush()
    work.record("freeze.set", row, participant_id=row.participant_id, new={"plan": plan}, reason=reason)
    _sign(work, proof, "froze", row)
    return row


def unfreeze_records(
    work: UnitOfWork, proof: PasswordProof, plan: str, participant: Participant | None, reason: str
) -> Freeze:
    """Lift the freeze of a participant, or of the study (None), with a signature.

    Raise NotAllowed("not_frozen"), BadData("freeze", fields=...) without a reason.
    """
    reason = _check_reason(reason)
    if participant is not None:
        work.lock(participant)
    row = _own_freeze(work, plan, participant)
    if row is not None:
        work.lock(row)
    if row is None or row.unfrozen_at is not None:
        raise NotAllowed("not_frozen")
    row.unfrozen_at, row.unfrozen_by, row.unfreeze_reason = work.now, proof.staff_id, reason
    work.record("freeze.lifted", row, participant_id=row.participant_id, old={"plan": plan}, reason=reason)
    _sign(work, proof, "unfroze", row)
    return row


def forms_answered_while_frozen(work: UnitOfWork, participant_id: int) -> frozenset[int]:
    """Return the ids of a participant's forms with answers given during a freeze."""
    person = work.session.get_one(Participant, participant_id)
    mine = or_(Freeze.participant_id == participant_id, Freeze.participant_id.is_(None))
    query = (
        select(Answer.assessment_id)
        .join(Assessment, Assessment.id == Answer.assessment_id)
        .join(Freeze, and_(mine, Freeze.plan == person.plan))
        .where(
            Assessment.participant_id == participant_id,
            Answer.at >= Freeze.frozen_at,
            or_(Freeze.unfrozen_at.is_(None), Answer.at < Freeze.unfrozen_at),
        )
    )
    return frozenset(work.session.scalars(query.distinct()))


def _sign(work: UnitOfWork, proof: PasswordProof, meaning: str, row: Freeze) -> None:
    content = _signed_content(row)
    accounts_signatures.sign(work, proof, meaning, row, content, SIGNED_SHAPES, participant_id=row.participant_id)


def _signed_content(row: Freeze) -> Mapping[str, Any]:
    """Return the content that a signature of a freeze covers."""
    return {
        "plan": row.plan,
        "participant": row.participant_id,
        "frozen_at": row.frozen_at.isoformat(),
        "reason": row.reason,
        "unfrozen_at": row.unfrozen_at.isoformat() if row.unfrozen_at else None,
        "unfreeze_reason": row.unfreeze_reason,
    }


def _check_reason(reason: str) -> str:
    """Return the stripped reason. Raise BadData("freeze") if it is empty or too long."""
    reason = reason.strip()
    if not 0 < len(reason) <= REASON_LENGTH:
        raise BadData("freeze", fields={"reason": "too_long" if reason else "why_needed"})
    return reason


def _own_freeze(work: UnitOfWork, plan: str, participant: Participant | None) -> Freeze | None:
    """Return the open freeze of exactly this participant, or of the study (None)."""
    mine = Freeze.participant_id == participant.id if participant else Freeze.participant_id.is_(None)
    return work.session.scalar(select(Freeze).where(Freeze.plan == plan, mine, Freeze.unfrozen_at.is_(None)))


def _find_effective_freeze(work: UnitOfWork, plan: str, participant_id: int | None) -> Freeze | None:
    """Return the open freeze of the study or of the participant, the older one first."""
    mine = or_(Freeze.participant_id.is_(None), Freeze.participant_id == participant_id)
    query = select(Freeze).where(Freeze.plan == plan, mine, Freeze.unfrozen_at.is_(None))
    return work.session.scalar(query.order_by(Freeze.id).limit(1))


def _freeze_entry(work: UnitOfWork, row: Freeze) -> FreezeEntry:
    """Return a freeze with the names and signatures of its signers."""
    names = staff_accounts.staff_names(work)
    signatures = accounts_signatures.list_signatures(work, row)
    return FreezeEntry(row, names.get(row.frozen_by, ""), names.get(row.unfrozen_by or 0, ""), signatures)
