"""Consent records: signed versions, and withdrawals with immediate effect."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, and_, or_, select

from pro.app_context import UnitOfWork
from pro.core.schedule.anchors import BACK_AT_MOST
from pro.errors import BadData, NotAllowed
from pro.features.accounts import privacy, staff_accounts
from pro.features.participants.treatment_dates import local_date
from pro.models import (
    CONSENT_METHODS,
    ENROLLED_BY_MISTAKE,
    NO_USE,
    SCOPES,
    AuditEntry,
    Consent,
    Participant,
    StaffMember,
)

VERSION_LENGTH = 64
TOLD_LENGTH = 2000
RESTORED_ACTION = "consent.restored"


@dataclass(frozen=True, slots=True)
class ConsentEntry:
    """A signed version, with the names of the staff members who recorded it.

    ``reason``: why it was restored after a withdrawal, else "".
    """

    row: Consent
    recorded_by: str
    withdrawn_by: str
    reason: str

    @property
    def is_restored(self) -> bool:
        """True if the record restores a consent after its withdrawal was reversed."""
        return self.row.health_data_at != self.row.recorded_at


def consent_problems(
    work: UnitOfWork, zone: str, version: str, signed_on: date | None, health_data: bool
) -> dict[str, str]:
    """Return {field: problem} for a signed version; empty if it can be recorded.

    ``zone``: time zone of today's date. Separate consent for health data is required.
    """
    today = local_date(work.now, zone)
    day = ""
    if signed_on is None:
        day = "date_needed"
    elif signed_on > today:
        day = "in_future"
    elif today - signed_on > BACK_AT_MOST:
        day = "consent_long_ago"
    fields = {
        "consent_version": "" if 0 < len(version.strip()) <= VERSION_LENGTH else "consent_version",
        "consented_on": day,
        "health_data": "" if health_data else "no_health_data",
    }
    return {field: why for field, why in fields.items() if why}


def record_consent(
    work: UnitOfWork,
    participant: Participant,
    *,
    version: str,
    signed_on: date | None,
    language: str,
    way: str,
    health_data: bool,
) -> Consent:
    """Store a signed version and return it.

    Raise BadData("consent", fields=...), NotAllowed("left") after the end of participation.
    """
    work.lock(participant)
    wrong = consent_problems(work, participant.time_zone, version, signed_on, health_data)
    if way not in CONSENT_METHODS:
        wrong["way"] = "unknown"
    if language not in work.catalogue.languages:
        wrong["language"] = "unknown"
    if wrong or signed_on is None:
        raise BadData("consent", fields=wrong)
    if not participant.is_active:
        raise NotAllowed("left")
    row = Consent(
        participant_id=participant.id,
        version=version.strip(),
        language=language,
        signed_on=signed_on,
        method=way,
        health_data_at=work.now,
        recorded_at=work.now,
        recorded_by=work.actor.id,
        scope="",
        information="",
    )
    work.session.add(row)
    new = {"version": row.version, "signed_on": signed_on.isoformat(), "language": language, "method": way}
    work.record("consent.signed", row, participant_id=participant.id, new={**new, "health_data": True})
    return row


def mark_consents_withdrawn(work: UnitOfWork, participant: Participant, scope: str, told: str) -> None:
    """Mark all current versions as withdrawn now.

    ``enrolment.withdraw_participant`` ends participation. ``scope``: one of SCOPES or ENROLLED_BY_MISTAKE;
    ``told``: the information given to the participant. A version that was withdrawn by a date alone gets its scope and
    keeps its time of withdrawal.
    """
    open_ = (
        or_(Consent.withdrawn_at.is_(None), _scope_missing_clause(participant))
        if scope
        else Consent.withdrawn_at.is_(None)
    )
    query = select(Consent).where(Consent.participant_id == participant.id, open_)
    for row in work.session.scalars(query.order_by(Consent.id)):
        if row.withdrawn_at is None:
            row.withdrawn_at, row.withdrawn_by = work.now, work.actor.id
        row.scope, row.information = scope, told
        work.record("consent.withdrawn", row, participant_id=participant.id, new={"scope": scope})


def _scope_missing_clause(participant: Participant) -> ColumnElement[bool]:
    """Return the condition for versions withdrawn by a date alone, without a scope."""
    return and_(
        Consent.withdrawn_at.is_not(None), Consent.withdrawn_at == participant.withdrawn_at, Consent.scope == ""
    )


def is_withdrawal_scope_missing(work: UnitOfWork, participant: Participant) -> bool:
    """Return True if the current withdrawal was recorded by a date alone, without a scope."""
    query = select(Consent.id).where(Consent.participant_id == participant.id, _scope_missing_clause(participant))
    return work.session.scalar(query.limit(1)) is not None


def restore_consents(work: UnitOfWork, participant: Participant, reason: str) -> None:
    """Restore the consents of a withdrawal recorded by mistake, as new rows.

    The withdrawn rows stay unchanged. Call it before the participant's ``withdrawn_at`` is cleared.
    """
    query = select(Consent).where(
        Consent.participant_id == participant.id, Consent.withdrawn_at == participant.withdrawn_at
    )
    for old in list(work.session.scalars(query.order_by(Consent.id))):
        row = Consent(
            participant_id=participant.id,
            version=old.version,
            language=old.language,
            signed_on=old.signed_on,
            method=old.method,
            # The time of the original consent: ``ConsentEntry.is_restored`` compares it with the time of recording.
            health_data_at=old.health_data_at,
            recorded_at=work.now,
            recorded_by=work.actor.id,
        )
        work.session.add(row)
        work.session.flush()
        new = {"version": row.version, "signed_on": row.signed_on.isoformat()}
        work.record(RESTORED_ACTION, row, participant_id=participant.id, new=new, reason=reason)


def withdrawal_recorded_by(work: UnitOfWork, participant: Participant) -> str:
    """Return the name of the staff member who recorded the current withdrawal.

    "" if the system recorded it or no consent is stored.
    """
    query = (
        select(StaffMember.name)
        .join(Consent, Consent.withdrawn_by == StaffMember.id)
        .where(Consent.participant_id == participant.id, Consent.withdrawn_at == participant.withdrawn_at)
    )
    return work.session.scalar(query.limit(1)) or ""


def no_further_use(work: UnitOfWork, plan_id: str) -> list[int]:
    """Return the ids of withdrawn participants of a study who refused further data use, or were enrolled by mistake.

    Study figures and rule simulations leave them out.
    """
    query = select(Consent.participant_id).join(Participant, Participant.id == Consent.participant_id)
    # The rows of a reversed withdrawal remain: only those of the current withdrawal count.
    standing = Consent.withdrawn_at == Participant.withdrawn_at
    query = query.where(Participant.plan == plan_id, Consent.scope.in_((NO_USE, ENROLLED_BY_MISTAKE)), standing)
    return sorted(set(work.session.scalars(query)))


def enrolled_by_mistake(work: UnitOfWork, participant_ids: Collection[int]) -> frozenset[int]:
    """Return which of these participants were enrolled by mistake."""
    query = select(Consent.participant_id).join(Participant, Participant.id == Consent.participant_id)
    standing = Consent.withdrawn_at == Participant.withdrawn_at
    query = query.where(Participant.id.in_(participant_ids), Consent.scope == ENROLLED_BY_MISTAKE, standing)
    return frozenset(work.session.scalars(query))


def withdrawal_problems(scope: str, told: str) -> dict[str, str]:
    """Return {field: problem} for a withdrawal; empty if it can be recorded."""
    fields = {
        "scope": "" if scope in SCOPES else "scope_needed",
        "told": "" if 0 < len(told.strip()) <= TOLD_LENGTH else "too_long" if told.strip() else "told_needed",
    }
    return {field: why for field, why in fields.items() if why}


def list_consents(work: UnitOfWork, participant: Participant) -> list[ConsentEntry]:
    """Return all versions that a participant signed, newest first."""
    names = staff_accounts.staff_names(work)
    why = _restoration_reasons(work, participant)
    query = select(Consent).where(Consent.participant_id == participant.id).order_by(Consent.id.desc())
    return [
        ConsentEntry(
            row, names.get(row.recorded_by or 0, ""), names.get(row.withdrawn_by or 0, ""), why.get(row.id, "")
        )
        for row in work.session.scalars(query)
    ]


def _restoration_reasons(work: UnitOfWork, participant: Participant) -> dict[int, str]:
    """Return consent id -> reason for its restoration, as the reader may see it."""
    query = select(AuditEntry.subject_id, AuditEntry.reason).where(
        AuditEntry.participant_id == participant.id, AuditEntry.action == RESTORED_ACTION
    )
    return {number: privacy.visible_reason(work, reason) for number, reason in work.session.execute(query) if number}
