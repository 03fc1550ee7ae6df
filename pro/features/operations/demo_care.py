"""What the demonstration's staff did: one ulcer from the sign to the signed grade, and a correction that waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import select

from pro.app_context import Actor, UnitOfWork
from pro.features.accounts import signatures
from pro.features.accounts.signatures import PasswordProof
from pro.features.adverse_events import gradings
from pro.features.adverse_events.gradings import GradingDraft
from pro.features.alerts import alert_service
from pro.features.assessments import data_corrections
from pro.features.assessments.data_corrections import CorrectionRequest
from pro.features.participants.treatment_dates import local_date
from pro.features.schedule import missed_forms, schedule_service
from pro.features.schedule.schedule_service import DateChange
from pro.features.ulcers import endoscopies
from pro.models import Alert, Assessment, Participant, StaffMember

# From the answers on: acknowledged, phoned, asked for the endoscopy.
ACKNOWLEDGED_AFTER, PHONED_AFTER, REQUESTED_AFTER = timedelta(minutes=12), timedelta(minutes=25), timedelta(minutes=40)
# Before now: the result and its grade. The clock for reporting a serious event runs when the demonstration starts.
RESULT_BEFORE_NOW, GRADED_BEFORE_NOW = timedelta(hours=3), timedelta(hours=2)
# How much somebody was troubled by tiredness who pressed "not at all" by mistake.
CORRECT_VALUE = 3
HOARSE, ULCER, ADMITTED = "声音嘶哑，无出血。", "鼻咽后壁溃疡，约 1.5 cm。", "住院，抗感染，暂停放疗。"
CORRECTION_REASON = "Pressed the answer beside it and said so the same day."


def handle_alerts(
    work: UnitOfWork, person: Participant, staff: Mapping[str, StaffMember], password: str, real: datetime
) -> None:
    """The open alerts of ``person``: taken on by the nurse; an endoscopy; a serious grade 3 that nobody reported yet.

    ``staff``: by role. The time of ``app_context`` is that of the answers; ``real``: now.
    """
    answered = work.now
    query = select(Alert).where(Alert.participant_id == person.id, Alert.resolved_at.is_(None))
    alerts = list(work.session.scalars(query.order_by(Alert.id)))
    with _acting_as(work, staff["nurse"], answered + ACKNOWLEDGED_AFTER):
        alert_service.acknowledge(work, [alert.id for alert in alerts])
        work.now = answered + PHONED_AFTER
        source = alerts[0].source
        missed_forms.log_call(
            work, at=work.now, outcome="reached", text=HOARSE, participant_id=person.id, source=source
        )
    with _acting_as(work, staff["investigator"], answered + REQUESTED_AFTER):
        asked = endoscopies.request_endoscopy(work, person)
        work.now = real - RESULT_BEFORE_NOW
        day = local_date(work.now, person.time_zone)
        endoscopies.record_result(work, person, asked.id, done_on=day, result="ulcer", grade="3", finding=ULCER)
        schedule_service.set_anchors(work, person, [DateChange("ulcer_confirmed", 1, day)])
        work.now = real - GRADED_BEFORE_NOW
        said = GradingDraft(
            term="pharyngeal_necrosis",
            onset_on=day,
            grade=3,
            attribution=("radiotherapy",),
            serious=True,
            known_at=work.now,
            action=ADMITTED,
        )
        gradings.sign_grading(work, _sign_proof(work, password), person, said, seen=0, case_key=source)


def request_correction(
    work: UnitOfWork, person: Participant, staff: Mapping[str, StaffMember], password: str, real: datetime
) -> None:
    """``person`` told the coordinator of a slip in a form; the investigator has not looked at it yet."""
    query = select(Assessment).where(Assessment.participant_id == person.id, Assessment.submitted_at.is_not(None))
    form = work.session.scalars(query.where(Assessment.instrument == "qlq_c30").order_by(Assessment.id)).first()
    if form is None:
        return
    with _acting_as(work, staff["coordinator"], real - GRADED_BEFORE_NOW):
        wish = CorrectionRequest(
            "Q10", CORRECT_VALUE, work.now - ACKNOWLEDGED_AFTER, "phone", work.actor.id, CORRECTION_REASON
        )
        data_corrections.request_correction(work, _sign_proof(work, password), form, wish)


@contextmanager
def _acting_as(work: UnitOfWork, person: StaffMember, at: datetime) -> Iterator[None]:
    """Somebody else acts, at another time."""
    before = work.actor
    work.actor, work.now = Actor("staff", person.id, person.role, person.name), at
    yield
    work.session.flush()
    work.actor = before


def _sign_proof(work: UnitOfWork, password: str) -> PasswordProof:
    found = signatures.confirm_password(work, password)
    if not isinstance(found, PasswordProof):
        raise ValueError("the demonstration's own password was refused")
    return found
