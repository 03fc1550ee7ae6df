"""The stories of single participants of the demonstration, by the column ``story`` of ``courses.csv``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

from sqlalchemy import select

from pro.app_context import UnitOfWork
from pro.core.questionnaire.instrument import Value
from pro.core.rule_language.level import Level
from pro.features.adverse_events import gradings
from pro.features.adverse_events.gradings import GradingDraft
from pro.features.alerts import alert_service
from pro.features.assessments import data_corrections, data_entry
from pro.features.assessments.data_corrections import CorrectionRequest
from pro.features.forms import form_state
from pro.features.operations import demo_forms
from pro.features.operations.demo_courses import CHECKIN, QLQ, QUIET_ANSWERS, ULCER_SIGNS
from pro.features.operations.demo_handling import Desk
from pro.features.operations.demo_timeline import Person, Timeline
from pro.features.participants import record_freezes
from pro.features.queries import query_service
from pro.features.schedule import enrolment, missed_forms, schedule_service
from pro.features.schedule.schedule_service import DateChange
from pro.features.text_messages import conversations, incoming_messages, staff_replies
from pro.features.ulcers import endoscopies, ulcer_cases, ulcer_decisions
from pro.models import Alert, Assessment, CallTask, Participant, Query

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
# The first five miss nothing but what their story says.
COMPLETE = frozenset({"NC-001", "NC-002", "NC-003", "NC-004", "NC-005"})
# The silent participant answers until the day of this fraction.
SILENT_AFTER = 10
# Days before today from which on the two participants with signs of an ulcer answer only by their story.
SCRIPTED_DAYS = 4
# The result about the ulcer came so long ago, on the same day. The clock for the SAE report runs when the demonstration
# starts.
RESULT_BEFORE_NOW = 3 * HOUR
HOARSE, ULCER, ADMITTED = "声音嘶哑，无出血。", "鼻咽后壁溃疡，约 1.5 cm。", "住院，抗感染，暂停放疗。"
PAUSED = "内镜证实鼻咽溃疡，暂停放疗，抗感染后两周复查内镜。"
NORMAL = "黏膜充血，未见溃疡。"
CONTINUED = "50 Gy 复查：病灶部分缓解，按原计划完成放疗。"
RECOVERING = "溃疡面缩小，能进半流食。"
TOLD_OF_WITHDRAWAL = "已说明：不再发放问卷，已收集的数据继续保留使用，医疗照护不受影响。"
FROZEN = "Withdrew from the study; the record is complete."
CORRECTION_REASON = "Pressed the answer beside it and said so the same day."
APPROVED = "Agrees with the note of the visit."
PAPER_REASON = "The cross stands between two boxes; the participant confirmed the left one."
NO_CALL = "第一次未接。"
ASKS = "今天做完放疗回来晚，晚上再填可以吗？"
THANKS = "Thank you, I have sent it."
STRANGER = "请问放疗科门诊周几开？"
STOP = "退订"
ASKED_ABOUT_REST = "The participant wrote on the same day that the night was quiet. Does this answer fit?"
ANSWERED_ABOUT_REST = "Called the participant: the wrong answer was pressed. A data correction is requested."
CLOSED_ABOUT_REST = "Agrees with the corrected answer."
ASKED_ABOUT_FORM = (
    "Global health is better than at the last visit, all symptoms are worse. Please check with the participant."
)
STRANGER_PHONE = "+8613911112222"


@dataclass(frozen=True, slots=True)
class Way:
    """How a form is answered. ``entered``: "paper" or "phone" for staff who enter it, "texts" for a conversation."""

    by: str = "self"
    channel: str = "web"
    entered: str = ""


def is_unanswered(person: Person, timeline: Timeline) -> bool:
    """Return True on days on which the story leaves the participant silent, or answers itself."""
    on = timeline.local_day(timeline.work.now)
    if person.course.story == "silent":
        return on > person.dates.fractions[SILENT_AFTER - 1]
    if person.course.story in ("suspected_ulcer", "confirmed_ulcer"):
        return on >= timeline.today - SCRIPTED_DAYS * DAY
    return False


def way_of_answering(person: Person, instrument: str, on: date) -> Way:
    """Return how a participant answers ``instrument`` on a day."""
    story, period = person.course.story, person.dates.period(on)
    if story == "chat" and instrument == CHECKIN:
        return Way(channel="chat")
    if story == "proxy" and period in ("w5", "w6", "p2"):
        return Way(by="proxy")
    if story == "proxy" and period in ("w3", "w4"):
        return Way(by="helped")
    on_paper = period in ("w3", "w6", "p8") if story == "paper" else on <= person.dates.induction
    if instrument == QLQ and story in ("paper", "paper_baseline") and on_paper:
        return Way(entered="paper")
    if story == "phone" and instrument == CHECKIN and on > person.dates.induction + 10 * DAY:
        return Way(entered="phone")
    last = person.dates.last_fraction
    if story == "texts" and instrument == CHECKIN and last is not None and DAY < on - last < 11 * DAY:
        return Way(entered="texts")
    return Way()


def enter(
    timeline: Timeline, desk: Desk, person: Person, form: Assessment, given: Mapping[str, Value | None], how: str
) -> None:
    """Answer a form by text messages now, or have staff enter it: a phone interview now, paper the next morning."""
    row, work, answered_at = person.enrolled, timeline.work, timeline.work.now
    if how == "texts":
        demo_forms.answer_by_texts(work, row, form, given)
        desk.deliver()
        desk.next_due_at(form)
    elif how == "phone":
        with timeline.acting("nurse"):
            entered = demo_forms.enter_on_paper(work, row, form.instrument, given, answered_at - 5 * MINUTE, "phone")
        desk.next_due_at(entered)
    else:
        next_day = timeline.moment(timeline.local_day(answered_at) + DAY, 9, 40)
        timeline.add(next_day, partial(_enter_paper, timeline, desk, person, form.instrument, given, answered_at))


def begin(timeline: Timeline, desk: Desk, person: Person) -> None:
    """Add what the story of a participant, who was just enrolled, has in store."""
    stories: dict[str, Callable[[Timeline, Desk, Person], None]] = {
        "suspected_ulcer": _begin_suspected_ulcer,
        "confirmed_ulcer": _begin_confirmed_ulcer,
        "silent": _begin_missed_forms,
        "linked": _begin_correction_request,
        "pain": _begin_endoscopy_without_finding,
        "mucositis": _begin_recovery,
        "progressed": _begin_progression,
        "withdrew": _begin_withdrawal,
        "corrected": _begin_correction,
        "opted_out": _begin_opt_out,
        "unreachable": _begin_lost_messages,
        "chat": _begin_question,
    }
    if person.course.story in stories:
        stories[person.course.story](timeline, desk, person)
    dates = person.dates
    if len(dates.fractions) > 25:
        timeline.add(timeline.moment(dates.fractions[25], 16, 30), partial(_decide_on_response, timeline, person))
    if dates.last_fraction is not None:
        timeline.add(timeline.moment(dates.last_fraction + 48 * DAY, 15), partial(desk.end_events, person.enrolled))
    if person.course.number == "NC-010":
        timeline.add(
            timeline.moment(timeline.today - 2 * DAY, 15, 20),
            partial(_ask_query, timeline, person, "", ASKED_ABOUT_FORM),
        )
    if person.course.number == "NC-018":
        timeline.add(
            timeline.moment(timeline.today - 4 * DAY, 14), partial(_receive, timeline, desk, "+8613800000018", THANKS)
        )
        timeline.add(timeline.moment(timeline.today - 4 * DAY, 16), partial(_read_and_reply, timeline, desk, person))
        timeline.add(
            timeline.moment(timeline.today - DAY, 20, 5), partial(_receive, timeline, desk, STRANGER_PHONE, STRANGER)
        )


def _begin_suspected_ulcer(timeline: Timeline, desk: Desk, person: Person) -> None:
    at = timeline.moment(timeline.today - DAY, 19, 40)
    timeline.add(at, partial(_report_ulcer_signs, timeline, desk, person))


def _begin_confirmed_ulcer(timeline: Timeline, desk: Desk, person: Person) -> None:
    answered, since_result = timeline.moment(timeline.today - 3 * DAY, 18, 30), _since_result(timeline)
    timeline.add(answered, partial(_report_ulcer_signs, timeline, desk, person))
    timeline.add(answered + 12 * MINUTE, lambda: _take_on(timeline, person))
    timeline.add(answered + 25 * MINUTE, lambda: _phone(timeline, person))
    timeline.add(answered + 40 * MINUTE, partial(_request_endoscopy, timeline, person))
    timeline.add(timeline.ends - since_result, partial(_record_ulcer, timeline, person))
    timeline.add(timeline.ends - since_result * 2 / 3, partial(_grade_ulcer, timeline, person))
    timeline.add(timeline.ends - since_result / 3, partial(_decide, timeline, person, "ulcer", "pause", PAUSED))


def _begin_missed_forms(timeline: Timeline, desk: Desk, person: Person) -> None:
    desk.silent.add(person.enrolled.id)
    for day in range(1, 15):
        timeline.add(
            timeline.moment(timeline.today - day * DAY, 9, 10), partial(_log_unanswered_call, timeline, person)
        )


def _begin_correction_request(timeline: Timeline, _desk: Desk, person: Person) -> None:
    timeline.add(timeline.ends - _since_result(timeline) / 2, partial(_request_correction, timeline, person))


def _begin_endoscopy_without_finding(timeline: Timeline, _desk: Desk, person: Person) -> None:
    asked = person.dates.fractions[23]
    timeline.add(timeline.moment(asked, 15, 30), partial(_request_endoscopy, timeline, person))
    timeline.add(timeline.moment(asked + 2 * DAY, 11), partial(_record_normal, timeline, person))


def _begin_recovery(timeline: Timeline, desk: Desk, person: Person) -> None:
    last = person.dates.last_fraction
    if last is not None:
        timeline.add(timeline.moment(last + 16 * DAY, 14), partial(_grade_recovery, timeline, desk, person))


def _begin_progression(timeline: Timeline, _desk: Desk, person: Person) -> None:
    last = person.dates.last_fraction
    if last is not None:
        on = last + 66 * DAY
        timeline.add(timeline.moment(on, 14), partial(_set_date, timeline, person, DateChange("progression", 0, on)))


def _begin_withdrawal(timeline: Timeline, _desk: Desk, person: Person) -> None:
    last = person.dates.last_fraction
    if last is not None:
        timeline.add(timeline.moment(last + 40 * DAY, 10, 20), partial(_withdraw, timeline, person))
        timeline.add(timeline.moment(last + 41 * DAY, 9, 50), partial(_freeze, timeline, person))


def _begin_correction(timeline: Timeline, _desk: Desk, person: Person) -> None:
    last = person.dates.last_fraction
    if last is not None:
        timeline.add(timeline.moment(last + 20 * DAY, 11), partial(_request_correction, timeline, person))
        timeline.add(timeline.moment(last + 21 * DAY, 9, 15), partial(_approve_correction, timeline))
        timeline.add(
            timeline.moment(last + 18 * DAY, 16), partial(_ask_query, timeline, person, "Q10", ASKED_ABOUT_REST)
        )
        answered, closed = last + 20 * DAY, last + 25 * DAY
        timeline.add(
            timeline.moment(answered, 11, 30),
            partial(_move_query, timeline, person, "coordinator", "answered", ANSWERED_ABOUT_REST),
        )
        timeline.add(
            timeline.moment(closed, 10),
            partial(_move_query, timeline, person, "monitor", "closed", CLOSED_ABOUT_REST),
        )


def _begin_opt_out(timeline: Timeline, desk: Desk, person: Person) -> None:
    phone = timeline.work.vault.open(person.enrolled.phone_sealed or "")
    at = timeline.moment(timeline.today - 6 * DAY, 19, 10)
    timeline.add(at, partial(_receive, timeline, desk, phone, STOP))


def _begin_lost_messages(_timeline: Timeline, desk: Desk, person: Person) -> None:
    on = person.dates.fractions[9]
    desk.unreachable |= {(person.enrolled.id, on + number * DAY) for number in range(-3, 2)}


def _begin_question(timeline: Timeline, desk: Desk, person: Person) -> None:
    phone = timeline.work.vault.open(person.enrolled.phone_sealed or "")
    timeline.add(timeline.moment(timeline.today - DAY, 17, 50), partial(_receive, timeline, desk, phone, ASKS))


def _since_result(timeline: Timeline) -> timedelta:
    """Return the time from the result about the ulcer to now: a few hours, and not before today."""
    return min(RESULT_BEFORE_NOW, timeline.ends - timeline.moment(timeline.today, 0, 0))


def _enter_paper(
    timeline: Timeline, desk: Desk, person: Person, instrument: str, given: Mapping[str, Value | None], at: datetime
) -> None:
    with timeline.acting("coordinator") as work:
        form = demo_forms.enter_on_paper(work, person.enrolled, instrument, given, at)
    desk.next_due_at(form)
    if person.course.story == "paper":
        verified = timeline.moment(timeline.local_day(work.now), 15, 10)
        timeline.add(verified, partial(_verify_paper, timeline, form, given))


def _verify_paper(timeline: Timeline, form: Assessment, given: Mapping[str, Value | None]) -> None:
    """Verify a paper form; one answer was typed wrong in the first of them."""
    with timeline.acting("nurse") as work:
        first = work.session.scalar(
            select(Assessment.id).where(Assessment.completion_mode == "paper").order_by(Assessment.id)
        )
        typed = given["Q12"]
        wrong = first == form.id and isinstance(typed, int)
        corrections = {"Q12": 1 if typed == 2 else 2} if wrong else {}
        data_entry.verify_paper_form(work, form, corrections, reason=PAPER_REASON if wrong else "")


def _report_ulcer_signs(timeline: Timeline, desk: Desk, person: Person) -> None:
    demo_forms.answer_by_pages(timeline.work, person.enrolled, CHECKIN, QUIET_ANSWERS | ULCER_SIGNS)
    desk.hands_off |= {alert.source for alert in _open_alerts(timeline.work, person.enrolled, loud=True)}
    desk.deliver()


def _take_on(timeline: Timeline, person: Person) -> None:
    with timeline.acting("nurse") as work:
        alert_service.acknowledge(work, [alert.id for alert in _open_alerts(work, person.enrolled)])


def _phone(timeline: Timeline, person: Person) -> None:
    with timeline.acting("nurse") as work:
        source = _open_alerts(work, person.enrolled, loud=True)[0].source
        missed_forms.log_call(
            work, at=work.now, outcome="reached", text=HOARSE, participant_id=person.enrolled.id, source=source
        )


def _request_endoscopy(timeline: Timeline, person: Person) -> None:
    with timeline.acting("investigator") as work:
        endoscopies.request_endoscopy(work, person.enrolled)


def _record_ulcer(timeline: Timeline, person: Person) -> None:
    """Record the result of the endoscopy, and the date of the ulcer."""
    with timeline.acting("investigator") as work:
        day = timeline.local_day(work.now)
        asked = _requested(work, person)
        endoscopies.record_result(work, person.enrolled, asked, done_on=day, result="ulcer", grade="3", finding=ULCER)
        schedule_service.set_anchors(work, person.enrolled, [DateChange("ulcer_confirmed", 1, day)])


def _record_normal(timeline: Timeline, person: Person) -> None:
    with timeline.acting("investigator") as work:
        asked = _requested(work, person)
        day = timeline.local_day(work.now)
        endoscopies.record_result(work, person.enrolled, asked, done_on=day, result="normal", finding=NORMAL)


def _requested(work: UnitOfWork, person: Person) -> int | None:
    """Return the id of the endoscopy that waits for its result."""
    waiting = ulcer_cases.read_case(work, person.enrolled).waiting
    return waiting.row.id if waiting is not None else None


def _grade_ulcer(timeline: Timeline, person: Person) -> None:
    """Grade the ulcer as a serious event of grade 3, which is not reported yet."""
    with timeline.acting("investigator") as work:
        source = _open_alerts(work, person.enrolled, loud=True)[0].source
        draft = GradingDraft(
            term="pharyngeal_necrosis",
            onset_date=timeline.today,
            grade=3,
            attribution=("radiotherapy",),
            serious=True,
            awareness_time=work.now,
            action=ADMITTED,
        )
        shown = [alert.id for alert in alert_service.unseen_alerts(work, source, ())]
        seen = gradings.newest_grading_id(work, person.enrolled.id)
        gradings.sign_grading(work, timeline.proof(), person.enrolled, draft, seen=seen, case_key=source, shown=shown)


def _grade_recovery(timeline: Timeline, desk: Desk, person: Person) -> None:
    known = desk.recorded.get((person.enrolled.id, "mucositis_oral"))
    if known is None:
        return
    with timeline.acting("investigator") as work:
        draft = GradingDraft(
            event_id=known,
            from_on=timeline.local_day(work.now),
            grade=2,
            attribution=("radiotherapy",),
            serious=False,
            action=RECOVERING,
        )
        seen = gradings.newest_grading_id(work, person.enrolled.id)
        gradings.sign_grading(work, timeline.proof(), person.enrolled, draft, seen=seen)


def _decide_on_response(timeline: Timeline, person: Person) -> None:
    if person.enrolled.is_active:
        _decide(timeline, person, "response", "continue", CONTINUED)


def _decide(timeline: Timeline, person: Person, about: str, choice: str, reason: str) -> None:
    with timeline.acting("investigator") as work:
        seen = ulcer_cases.digest(ulcer_cases.shown_of_case(ulcer_cases.read_case(work, person.enrolled)))
        ulcer_decisions.sign_participant_decision(work, person.enrolled, about, choice, reason, timeline.proof(), seen)


def _log_unanswered_call(timeline: Timeline, person: Person) -> None:
    """Log one call that was not answered, once the task is due."""
    with timeline.acting("nurse") as work:
        query = select(CallTask).where(
            CallTask.participant_id == person.enrolled.id, CallTask.done_at.is_(None), CallTask.due_at <= work.now
        )
        task = work.session.scalars(query.order_by(CallTask.id)).first()
        if task is not None and not missed_forms.count_unanswered_calls(work, [task.id]):
            missed_forms.log_call(work, at=work.now, outcome="no_answer", text=NO_CALL, call_task_id=task.id)


def _request_correction(timeline: Timeline, person: Person) -> None:
    """Request a correction of a wrong answer about rest."""
    with timeline.acting("coordinator") as work:
        form = _newest_qlq(work, person)
        if form is None:
            return
        shape = work.catalogue.instruments[QLQ]
        stood = form_state.current_answers(shape, form_state.answer_rows(work, form.id)).get("Q10")
        wanted = 2 if stood == 3 else 3
        wish = CorrectionRequest("Q10", wanted, work.now - 12 * MINUTE, "phone", work.actor.id, CORRECTION_REASON)
        data_corrections.request_correction(work, timeline.proof(), form, wish)


def _newest_qlq(work: UnitOfWork, person: Person) -> Assessment | None:
    query = select(Assessment).where(
        Assessment.participant_id == person.enrolled.id,
        Assessment.instrument == QLQ,
        Assessment.submitted_at.is_not(None),
    )
    return work.session.scalars(query.order_by(Assessment.id.desc())).first()


def _ask_query(timeline: Timeline, person: Person, item: str, text: str) -> None:
    """Let the monitor ask about the newest QLQ-C30."""
    with timeline.acting("monitor") as work:
        form = _newest_qlq(work, person)
        if form is not None:
            query_service.ask_query(work, form, item, text)


def _move_query(timeline: Timeline, person: Person, role: str, kind: str, text: str) -> None:
    """Take the next step of the participant's query."""
    with timeline.acting(role) as work:
        row = work.session.scalar(select(Query).where(Query.participant_id == person.enrolled.id))
        if row is not None:
            seen = query_service.read_query(work, row.id, "en").last_step.id
            query_service.take_step(work, row.id, kind, text, seen)


def _approve_correction(timeline: Timeline) -> None:
    with timeline.acting("investigator") as work:
        for row in data_corrections.list_corrections(work, "en"):
            if not row.outcome:
                data_corrections.approve_correction(work, timeline.proof(), row.id, APPROVED)


def _set_date(timeline: Timeline, person: Person, change: DateChange) -> None:
    with timeline.acting("investigator") as work:
        schedule_service.set_anchors(work, person.enrolled, [change])


def _withdraw(timeline: Timeline, person: Person) -> None:
    with timeline.acting("coordinator") as work:
        enrolment.withdraw_consent(work, person.enrolled, scope="questions", told=TOLD_OF_WITHDRAWAL)


def _freeze(timeline: Timeline, person: Person) -> None:
    with timeline.acting("investigator") as work:
        record_freezes.freeze_records(work, timeline.proof(), person.enrolled.plan, person.enrolled, FROZEN)


def _receive(timeline: Timeline, desk: Desk, phone: str, text: str) -> None:
    work = timeline.work
    incoming_messages.receive_message(
        work, provider_id=f"demonstration:{work.now:%Y%m%d%H%M%S}", address=phone, text=text
    )
    work.session.flush()
    desk.deliver()


def _read_and_reply(timeline: Timeline, desk: Desk, person: Person) -> None:
    with timeline.acting("nurse") as work:
        found = conversations.read_conversation(work, person.enrolled.id, person.course.language)
        conversations.mark_read(work, person.enrolled.id, found.unread)
        staff_replies.send_reply(work, person.enrolled, "staff_soon")
    desk.deliver()


def _open_alerts(work: UnitOfWork, person: Participant, *, loud: bool = False) -> list[Alert]:
    """Return the open alerts of a participant; ``loud``: of those sources only that hold an urgent one."""
    query = select(Alert).where(Alert.participant_id == person.id, Alert.closed_at.is_(None))
    found = list(work.session.scalars(query.order_by(Alert.id)))
    if not loud:
        return found
    sources = {alert.source for alert in found if alert.level >= Level.URGENT}
    return [alert for alert in found if alert.source in sources]
