"""Enrol participants, withdraw consent, and withdraw participants from the study."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import delete, select

from pro.app_context import UnitOfWork
from pro.errors import BadData, NotAllowed
from pro.features.accounts.passwords import HashedSecret, hash_secret, read_pin
from pro.features.accounts.phone_numbers import to_e164
from pro.features.participants import consent_records, record_freezes
from pro.features.participants.treatment_dates import local_date
from pro.features.schedule import participant_details, participation_end, schedule_service
from pro.features.schedule.schedule_service import DateChange
from pro.models import ENROLLED_BY_MISTAKE, Alert, Anchor, ExpectedForm, IncomingMessage, Participant


def enrolment_problems(
    work: UnitOfWork,
    *,
    plan: str,
    participant_number: str,
    phone: str,
    language: str,
    pin: str,
    consented_on: date | None,
    consent_version: str,
    health_data: bool,
    shared_phone: bool = False,
) -> dict[str, str]:
    """Return {field: problem} for an enrolment; empty if ``enrol`` accepts the data."""
    zone = work.catalogue.plans[plan].settings.time_zone if plan in work.catalogue.plans else "UTC"
    fields = {
        "plan": "" if plan in work.catalogue.plans else "unknown",
        "participant_number": participant_details.number_problem(
            work, plan, participant_details.normalize_number(participant_number)
        ),
        "phone": participant_details.phone_problem(work, phone, shared_phone),
        "language": "" if language in work.catalogue.languages else "unknown",
        "pin": "" if read_pin(pin) else "pin_digits",
    }
    wrong = {field: why for field, why in fields.items() if why}
    return wrong | consent_records.consent_problems(work, zone, consent_version, consented_on, health_data)


def enrol(
    work: UnitOfWork,
    *,
    plan: str,
    participant_number: str,
    phone: str,
    language: str,
    pin: str | HashedSecret,
    consented_on: date | None,
    consent_version: str,
    health_data: bool,
    shared_phone: bool = False,
) -> Participant:
    """Enrol a participant in ``plan``, record the consent and plan the visits.

    ``consent_version``: version of the signed consent form. ``health_data``: separate consent for health data was
    given. ``shared_phone``: another participant may have the same phone. ``pin``: as typed, or with its hash. Raise
    BadData("enrol", fields={field: problem}) with all problems, RecordFrozen if the study is frozen.
    """
    hashed = pin if isinstance(pin, HashedSecret) else None
    given: dict[str, Any] = {
        "plan": plan,
        "participant_number": participant_number,
        "phone": phone,
        "language": language,
        "pin": hashed.secret if hashed else pin,
    }
    given |= {"consented_on": consented_on, "consent_version": consent_version, "health_data": health_data}
    wrong = enrolment_problems(work, shared_phone=shared_phone, **given)
    if wrong or consented_on is None:
        raise BadData("enrol", fields=wrong)
    record_freezes.require_unfrozen(work, plan)
    number, number_called = participant_details.normalize_number(participant_number), to_e164(phone)
    participant = Participant(
        plan=plan,
        participant_number=number,
        language=language,
        time_zone=work.catalogue.plans[plan].settings.time_zone,
        phone_sealed=work.vault.seal(number_called) if number_called else None,
        phone_fingerprint=participant_details.fingerprint_of(work, number_called) if number_called else None,
        pin_hash=hashed.hash if hashed else hash_secret(read_pin(given["pin"])),
        enrolled_at=work.now,
        enrolled_by=work.actor.id,
    )
    work.session.add(participant)
    work.session.flush()
    _add_consent_date(work, participant, consented_on)
    new = {"participant_number": number, "language": language, "consent": consented_on.isoformat()}
    work.record("participant.enrolled", participant, participant_id=participant.id, new=new)
    consent_records.record_consent(
        work,
        participant,
        version=consent_version,
        signed_on=consented_on,
        language=language,
        way="paper",
        health_data=health_data,
    )
    schedule_service.replan_participant(work, participant)
    return participant


def _add_consent_date(work: UnitOfWork, participant: Participant, on: date) -> None:
    work.session.add(
        Anchor(participant_id=participant.id, kind="consent", on=on, recorded_at=work.now, recorded_by=work.actor.id)
    )


def withdraw_consent(work: UnitOfWork, participant: Participant, *, scope: str, told: str) -> None:
    """Record the withdrawal of consent; it ends participation in the same transaction.

    ``scope``: one of SCOPES: no further questions, or no further use of existing data either. ``told``: the
    information given to the participant. After a withdrawal by a date alone the scope can still be recorded.

    Raise BadData("consent", fields=...), and NotAllowed("withdrawn_already", name, at) if another user has recorded the
    withdrawal; then nothing is recorded.
    """
    wrong = consent_records.withdrawal_problems(scope, told)
    if wrong:
        raise BadData("consent", fields=wrong)
    work.lock(participant)
    if participant.withdrawn_at is not None and not consent_records.is_withdrawal_scope_missing(work, participant):
        raise NotAllowed(
            "withdrawn_already",
            name=consent_records.withdrawal_recorded_by(work, participant),
            at=participant.withdrawn_at,
        )
    # Before the end of participation, which marks the remaining versions as withdrawn without a scope.
    consent_records.mark_consents_withdrawn(work, participant, scope, told.strip())
    withdraw_participant(work, participant, f"consent withdrawn: {scope}")


def withdraw_participant(work: UnitOfWork, participant: Participant, reason: str) -> None:
    """End participation today and revoke all access to forms.

    Raise BadData("withdraw", fields={"reason": "empty"}) without a reason.
    """
    if not reason.strip():
        raise BadData("withdraw", fields={"reason": "empty"})
    if participant.withdrawn_at is not None:
        return
    plan = work.catalogue.plans.get(participant.plan)
    visit_schedule = plan.visit_schedule if plan else None
    stops = (
        [kind for kind in visit_schedule.participation_end if not visit_schedule.anchors[kind].last]
        if visit_schedule
        else []
    )
    if stops:
        today = local_date(work.now, participant.time_zone)
        schedule_service.set_anchors(
            work, participant, [schedule_service.DateChange(stops[0], 0, today)], reason=reason.strip()
        )
    else:
        participation_end.end_participation(work, participant, died=False, reason=reason.strip())


def withdraw_by_date(
    work: UnitOfWork, participant: Participant, wish: DateChange, *, scope: str, told: str, reason: str, seen: str
) -> None:
    """Record a withdrawal by its date, with the same questions as ``withdraw_consent``.

    ``wish``: the date; ``seen``: the digest of the preview. Nothing is stored if any of it is refused. Raise BadData
    ("consent", fields=...) and the exceptions of ``schedule_service.set_anchors``.
    """
    wrong = consent_records.withdrawal_problems(scope, told)
    if wrong:
        raise BadData("consent", fields=wrong)
    with work.session.begin_nested():
        work.lock(participant)
        consent_records.mark_consents_withdrawn(work, participant, scope, told.strip())
        schedule_service.set_anchors(work, participant, [wish], reason=reason, seen=seen)


def cancellation_refusal(work: UnitOfWork, participant: Participant) -> str:
    """Return why an enrolment cannot be recorded as a mistake, or "".

    One of "withdrawn", "answered_already", and "has_reported" if there is an alert or a text message of the
    participant, which must stay in lists and counts.
    """
    if not participant.is_active:
        return "withdrawn"
    if participant_details.has_answered(work, participant):
        return "answered_already"
    reports = (
        select(Alert.id).where(Alert.participant_id == participant.id),
        select(IncomingMessage.id).where(IncomingMessage.participant_id == participant.id),
    )
    return "has_reported" if any(work.session.scalar(query.limit(1)) is not None for query in reports) else ""


def cancel_enrolment(work: UnitOfWork, participant: Participant, reason: str) -> None:
    """Record that a participant was enrolled by mistake: participation ends, and the study does not count it.

    The phone and the PIN are forgotten, and no form was ever expected. Raise BadData("details", fields=...) without a
    reason, NotAllowed with ``cancellation_refusal``, RecordFrozen for a frozen record.
    """
    if not 0 < len(reason.strip()) <= participant_details.REASON_LENGTH:
        raise BadData("details", fields={"mistake_reason": "too_long" if reason.strip() else "why_needed"})
    work.lock(participant)
    record_freezes.require_unfrozen(work, participant.plan, participant.id)
    refusal = cancellation_refusal(work, participant)
    if refusal:
        raise NotAllowed(refusal)
    consent_records.mark_consents_withdrawn(work, participant, ENROLLED_BY_MISTAKE, "")
    withdraw_participant(work, participant, reason)
    participant_details.forget_phone(work, participant)
    participant.pin_hash = None
    work.session.flush()
    work.session.execute(delete(ExpectedForm).where(ExpectedForm.participant_id == participant.id))
    work.record("participant.enrolled_by_mistake", participant, participant_id=participant.id, reason=reason.strip())
