"""Create the participants of the demonstration: visits, answers and events before today.

Every step runs through the services at the time when it would have happened, so that the visit schedule is a real one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta

from sqlalchemy import select

from pro.app_context import Actor, UnitOfWork
from pro.core.questionnaire.instrument import Value
from pro.features.accounts import signatures
from pro.features.accounts.signatures import PasswordProof
from pro.features.adverse_events import gradings
from pro.features.adverse_events.gradings import GradingDraft
from pro.features.alerts import alert_service
from pro.features.assessments import answer_service, data_corrections, data_entry
from pro.features.assessments.data_corrections import CorrectionRequest
from pro.features.duty_roster import roster_service
from pro.features.forms import form_access, form_issuing, form_state
from pro.features.participants.treatment_dates import local_date
from pro.features.schedule import enrolment, missed_forms, schedule_service
from pro.features.schedule.schedule_service import DateChange
from pro.features.ulcers import endoscopies
from pro.models import Alert, Assessment, CallTask, ExpectedForm, Participant, StaffMember

CHECKIN, QLQ = "npc_checkin", "qlq_c30"
CHECKIN_ITEMS = "bleed breath chest palp faint temp swallow neuro nosebleed7 odor discharge headache new_cn sores"
QUIET_ANSWERS: dict[str, Value] = dict.fromkeys(CHECKIN_ITEMS.split(), 0)
ULCER_SIGNS: dict[str, Value] = {"odor": 2, "headache": 2, "headache_int": 2}
QLQ_ANSWERS: dict[str, Value] = dict.fromkeys((f"Q{number}" for number in range(1, 29)), 1)
QLQ_ANSWERS |= {"Q29": 5, "Q30": 6}
CONSENT = "1.0"
# Time from day 1 of induction to radiotherapy, and from consent to day 1.
INDUCTION_LENGTH, CONSENT_LEAD = timedelta(days=24), timedelta(days=3)
DAY, ONE_MINUTE = timedelta(days=1), timedelta(minutes=1)
NINE, TEN = time(9), time(10)
# Time from the answers to acknowledgement, phone call and request of the endoscopy.
ACKNOWLEDGED_AFTER, PHONED_AFTER, REQUESTED_AFTER = timedelta(minutes=12), timedelta(minutes=25), timedelta(minutes=40)
# Time from result and grading to now. The clock for the SAE report runs when the demonstration starts.
RESULT_BEFORE_NOW, GRADED_BEFORE_NOW = timedelta(hours=3), timedelta(hours=2)
# The correct answer of a participant who pressed "not at all" by mistake.
CORRECT_VALUE = 3
HOARSE, ULCER, ADMITTED = "声音嘶哑，无出血。", "鼻咽后壁溃疡，约 1.5 cm。", "住院，抗感染，暂停放疗。"
CORRECTION_REASON = "Pressed the answer beside it and said so the same day."


def make_participants(work: UnitOfWork, plan: str, staff: Mapping[str, StaffMember], password: str) -> None:
    """Create the five participants of the demonstration.

    NC-001: in induction, with a baseline form on paper. NC-002: in the second week of radiotherapy. NC-003: with signs
    of an ulcer. NC-004: in the fourth week, without answers since the third. NC-005: with an ulcer that staff graded.

    ``staff``: by role. ``password``: with which they sign.
    """
    real = work.now
    today = local_date(real, work.catalogue.plans[plan].settings.time_zone)
    first = _enrol(work, plan, "NC-001", "zh_Hans", today - 12 * DAY)
    _answer_forms(work, first, {today - 13 * DAY: CHECKIN, today - 5 * DAY: CHECKIN})
    second = _enrol_treated(work, plan, "NC-002", "en", _fraction_days(work, plan, today, 7), answered=(5,))
    third = _enrol(work, plan, "NC-003", "zh_Hans", today - 16 * DAY)
    _answer_forms(work, third, {today - 18 * DAY: QLQ, today - 17 * DAY: CHECKIN, today - 9 * DAY: CHECKIN})
    work.now = real - DAY
    _answer_form(work, third, CHECKIN, QUIET_ANSWERS | ULCER_SIGNS)
    fourth = _enrol_treated(work, plan, "NC-004", "zh_Hans", _fraction_days(work, plan, today, 18), answered=(5, 10))
    _miss_forms(work, fourth, real)
    fifth = _enrol_treated(work, plan, "NC-005", "zh_Hans", _fraction_days(work, plan, today, 12), answered=(5, 10))
    work.now = real - 3 * DAY
    _answer_form(work, fifth, CHECKIN, QUIET_ANSWERS | ULCER_SIGNS)
    handle_alerts(work, fifth, staff, password, real)
    request_correction(work, second, staff, password, real)
    work.now = real
    _enter_paper_form(work, first, today - 14 * DAY)


def handle_alerts(
    work: UnitOfWork, person: Participant, staff: Mapping[str, StaffMember], password: str, real: datetime
) -> None:
    """Handle the open alerts of ``person``: acknowledgement, call, endoscopy, and a grading.

    The grading is a serious event of grade 3, not reported yet. ``staff``: by role. ``work.now`` is the time of the
    answers; ``real``: the time now.
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
        shown = [alert.id for alert in alert_service.unseen_alerts(work, source, ())]
        proof = _sign_proof(work, password)
        gradings.sign_grading(work, proof, person, said, seen=0, case_key=source, shown=shown)


def request_correction(
    work: UnitOfWork, person: Participant, staff: Mapping[str, StaffMember], password: str, real: datetime
) -> None:
    """Request a correction of a wrong answer of ``person``; no decision is made yet."""
    query = select(Assessment).where(Assessment.participant_id == person.id, Assessment.submitted_at.is_not(None))
    form = work.session.scalars(query.where(Assessment.instrument == "qlq_c30").order_by(Assessment.id)).first()
    if form is None:
        return
    with _acting_as(work, staff["coordinator"], real - GRADED_BEFORE_NOW):
        wish = CorrectionRequest(
            "Q10", CORRECT_VALUE, work.now - ACKNOWLEDGED_AFTER, "phone", work.actor.id, CORRECTION_REASON
        )
        data_corrections.request_correction(work, _sign_proof(work, password), form, wish)


def _enrol(work: UnitOfWork, plan: str, number: str, language: str, induction: date) -> Participant:
    """Enrol a participant who consented some days before the first dose at ``induction``."""
    consented = induction - CONSENT_LEAD
    _set_time(work, plan, consented, NINE)
    person = enrolment.enrol(
        work,
        plan=plan,
        study_number=number,
        phone=f"+8613800000{number[-3:]}",
        language=language,
        pin="2468",
        consented_on=consented,
        consent_version=CONSENT,
        health_data=True,
    )
    _set_time(work, plan, induction, NINE)
    schedule_service.set_anchors(
        work, person, [DateChange("induction_day1", 0, induction), DateChange("pd1_dose", 1, induction)]
    )
    return person


def _enrol_treated(
    work: UnitOfWork, plan: str, number: str, language: str, days: list[date], *, answered: tuple[int, ...]
) -> Participant:
    """Enrol a participant with a fraction on each of ``days``.

    ``answered``: the fractions at which check-ins were answered. One QLQ-C30 counts for day 22 of induction and for the
    start of radiotherapy.
    """
    induction = days[0] - INDUCTION_LENGTH
    person = _enrol(work, plan, number, language, induction)
    said = {induction - DAY: CHECKIN, induction - 2 * DAY: QLQ, induction + 19 * DAY: QLQ}
    said |= {induction + count * DAY: CHECKIN for count in (7, 14, 21)}
    _answer_forms(work, person, said)
    _set_time(work, plan, induction + 21 * DAY, NINE)
    schedule_service.set_anchors(work, person, [DateChange("pd1_dose", 2, induction + 21 * DAY)])
    for count, on in enumerate(days, start=1):
        _set_time(work, plan, on, NINE)
        schedule_service.set_anchors(work, person, [DateChange("rt_fraction", count, on)])
        if count in answered:
            _answer_forms(work, person, {on: CHECKIN})
    return person


def _miss_forms(work: UnitOfWork, person: Participant, real: datetime) -> None:
    """Mark forms as missed, with the call task of the worker and an unanswered call."""
    query = select(ExpectedForm).where(
        ExpectedForm.participant_id == person.id,
        ExpectedForm.served_at.is_(None),
        ExpectedForm.mandatory,
        ExpectedForm.closes_at < work.now,
    )
    rows = list(work.session.scalars(query))
    work.now = max(row.closes_at for row in rows) + ONE_MINUTE
    for row in rows:
        row.missed_at = work.now
    missed_forms.record_missed(work, person, rows)
    work.session.flush()
    task = work.session.scalars(select(CallTask).where(CallTask.participant_id == person.id)).one()
    work.now = task.due_at + 60 * ONE_MINUTE
    if work.now > real - DAY:
        return
    missed_forms.log_call(work, at=work.now, outcome="no_answer", task_id=task.id)


def _fraction_days(work: UnitOfWork, plan: str, today: date, count: int) -> list[date]:
    """Return the last ``count`` working days before ``today``."""
    working = work.catalogue.working_days(plan)
    found: list[date] = []
    on = today
    while len(found) < count:
        on -= DAY
        if working.has(on):
            found.insert(0, on)
    return found


def _set_time(work: UnitOfWork, plan: str, on: date, hour: time) -> None:
    work.now = roster_service.to_utc(datetime.combine(on, hour), work.catalogue.plans[plan].settings.time_zone)


def _answer_forms(work: UnitOfWork, person: Participant, said: Mapping[date, str]) -> None:
    """Answer one form without symptoms on each day."""
    for on, instrument in sorted(said.items()):
        _set_time(work, person.plan, on, TEN)
        _answer_form(work, person, instrument, QUIET_ANSWERS if instrument == CHECKIN else QLQ_ANSWERS)


def _answer_form(work: UnitOfWork, person: Participant, instrument: str, said: Mapping[str, Value]) -> None:
    """Answer and submit a form on a phone; items that ``said`` does not name are skipped."""
    staff = work.actor
    issued = form_issuing.send_form(work, person, instrument, by="here")
    secret = form_access.begin_session(
        work, issued.assessment, identified_by="link", answered_by="self", device="phone", language=person.language
    )
    work.session.flush()
    form_session = form_access.session_of(work, issued.assessment.ref, secret)
    work.actor = Actor("participant", person.id, "participant")
    while (
        page := (form := form_state.read_form(work, form_session, person.language)).page(form.next_position())
    ) is not None:
        given = {name: () if form.instrument.items[name].kind == "list" else said.get(name) for name in page.items}
        answer_service.save_answers(work, form_session, page.id, given, person.language)
        work.session.flush()
    answer_service.submit_form(work, form_session, person.language)
    work.session.flush()
    work.actor = staff


def _enter_paper_form(work: UnitOfWork, person: Participant, on: date) -> None:
    """Enter a form that was filled in on paper on the day ``on``; it stays unverified."""
    zone = work.catalogue.plans[person.plan].settings.time_zone
    answered_at = roster_service.to_utc(datetime.combine(on, TEN), zone)
    data_entry.enter_form(
        work,
        person,
        QLQ,
        mode="paper",
        answered_by="self",
        answered_at=answered_at,
        given=QLQ_ANSWERS,
        language=person.language,
    )


@contextmanager
def _acting_as(work: UnitOfWork, person: StaffMember, at: datetime) -> Iterator[None]:
    """Act as another staff member, at another time."""
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
