"""Build a study in which every event happened once and all text holds identities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import select

from pro.app_context import AppContext, UnitOfWork
from pro.db import transaction
from pro.features.accounts import account_admin, invitations, signatures
from pro.features.adverse_events import gradings
from pro.features.adverse_events.gradings import GradingDraft
from pro.features.alerts import alert_handling, alert_service, stable_symptoms, test_alerts
from pro.features.assessments import data_corrections, data_entry
from pro.features.duty_roster import roster_service
from pro.features.participants import record_freezes
from pro.features.participants.treatment_dates import local_date
from pro.features.queries import query_service
from pro.features.schedule import enrolment, expected_forms, missed_forms, schedule_service
from pro.features.schedule.schedule_service import DateChange
from pro.features.text_messages import incoming_messages, staff_replies
from pro.features.ulcers import endoscopies, ulcer_cases, ulcer_decisions
from pro.models import Alert, Assessment, ExpectedForm, Participant
from tests.support import factories
from tests.support.factories import PHONES, PLAN, Clock, Study

T = TypeVar("T")
# Only roles that may see identities may see these. The first is typed where participants write, and in what staff write
# about participants; forms that give a reason ask for no names, so their text holds a number and an address only.
NAME = "王秀兰"
MAIL = "xiulan.wang@mail.example"
REACH = f"138-0013-8000 / {MAIL}"
WORDS = f"{NAME}, {REACH}"
STRANGER = "+8618694075713"
# Columns with typed text, and what they must hold after ``build_full_study``: a new column belongs here or in UNTYPED.
TYPED: Mapping[str, str] = {
    **dict.fromkeys(
        ("alert_note.text", "phone_call.text", "consent.information", "endoscopy.finding", "grading.action_taken"),
        WORDS,
    ),
    **dict.fromkeys(
        (
            "anchor.reason",
            "clinical_fact.reason",
            "alert_closure.reason",
            "signed_decision.reason",
            "audit_entry.reason",
        ),
        REACH,
    ),
    **dict.fromkeys(("endoscopy.reason", "freeze.reason", "freeze.unfreeze_reason", "data_correction.reason"), REACH),
    **dict.fromkeys(("data_correction.note", "expected_form.missing_note", "adverse_event.other_term"), REACH),
    **dict.fromkeys(("grading.not_serious", "alert_closure.not_serious", "query_step.text"), REACH),
}
SEALED: Mapping[str, str] = {"incoming_message.text_sealed": WORDS, "message.body_sealed": REACH}
# Sealed and shown as a phone number or not at all; or written by the system itself.
UNTYPED = frozenset(
    {
        "incoming_message.address_sealed",
        "message.address_sealed",
        "message.params_sealed",
        "message.subject",
        "participant.phone_sealed",
        "password_reset.email_sealed",
        "staff_member.otp_sealed",
        "staff_member.phone_sealed",
        "staff_invitation.phone_sealed",
        "licensed_wording.note",
    }
)
# About staff: seen by administrators and by the staff member.
STAFF_PHONE = "+8618694075799"
ANSWERED: Mapping[str, Any] = {"bleed": 3, "bleed_now": 1, "odor": 3}


@dataclass(frozen=True, slots=True)
class FullStudy:
    """The study's ids, by the names of the address parameters."""

    ids: Mapping[str, int]
    ref: str


def build_full_study(app_context: AppContext, study: Study, clock: Clock) -> FullStudy:
    """Let every event happen, each in its own transaction, over two days."""
    story = _FullStudyBuilder(app_context, study, clock)
    for act in (story.answers, story.is_handled, story.is_graded, story.texts, story.ulcer, story.dates, story.calls):
        act()
    for act in (story.corrects, story.queries, story.freezes, story.paper, story.tells, story.manages):
        act()
    return FullStudy({**story.ids, "participant_id": study.chinese.id, "position": 1}, study.chinese.checkin.ref)


class _FullStudyBuilder:
    def __init__(self, app_context: AppContext, study: Study, clock: Clock) -> None:
        self.app_context, self.study, self.clock = app_context, study, clock
        self.ids: dict[str, int] = {}

    def by(self, role: str, act: Callable[[UnitOfWork], T]) -> T:
        """Run ``act`` as the staff member with ``role``, and commit."""
        with transaction(self.app_context.engine) as session:
            done = act(self.app_context.unit_of_work(session, self.study.staff[role].actor))
            session.flush()
            return done

    def person(self, work: UnitOfWork) -> Participant:
        return work.session.get_one(Participant, self.study.chinese.id)

    def proof(self, work: UnitOfWork) -> signatures.PasswordProof:
        found = signatures.confirm_password(work, factories.PASSWORD)
        assert isinstance(found, signatures.PasswordProof)
        return found

    def answers(self) -> None:
        def say(work: UnitOfWork) -> None:
            here = factories.open_form_session(work, self.study.chinese.checkin)
            factories.save_answers(work, here, **ANSWERED)
            factories.save_answers(work, here, free_text=WORDS)

        self.by("nurse", say)
        self.by("nurse", self._sends)
        with transaction(self.app_context.engine) as session:
            self.ids["assessment_id"] = self.study.chinese.checkin.assessment_id
            worst = select(Alert).where(Alert.assessment_id == self.ids["assessment_id"]).order_by(Alert.level.desc())
            found = session.scalars(worst.limit(1)).one()
            self.ids["alert_id"], self.source = found.id, found.source

    def _sends(self, work: UnitOfWork) -> None:
        work.session.get_one(Assessment, self.study.chinese.checkin.assessment_id).submitted_at = work.now

    def alerts(self, work: UnitOfWork) -> list[int]:
        return list(work.session.scalars(select(Alert.id).where(Alert.source == self.source)))

    def is_handled(self) -> None:
        self.by("nurse", lambda work: alert_service.acknowledge(work, self.alerts(work)))
        nurse = self.study.staff["nurse"].id
        self.by(
            "coordinator", lambda work: alert_handling.take_over_alerts(work, self.source, nurse, self.alerts(work))
        )
        self.by("nurse", lambda work: alert_service.add_note(work, self.source, WORDS))
        items = self.by("nurse", self._offered)
        self.by(
            "nurse", lambda work: stable_symptoms.mark_stable(work, self.source, items, REACH, "en", self.alerts(work))
        )

    def _offered(self, work: UnitOfWork) -> list[str]:
        offer = stable_symptoms.stable_offer(work, self.source, "en")
        assert offer is not None
        return [one.item for one in offer.items]

    def is_graded(self) -> None:
        def judge(work: UnitOfWork) -> None:
            today = local_date(work.now, "Asia/Shanghai")
            said = GradingDraft(
                term="other",
                other_term=REACH,
                onset_date=today,
                grade=3,
                attribution=("radiotherapy",),
                serious=False,
                not_serious=REACH,
                action=WORDS,
            )
            person = self.person(work)
            done = gradings.sign_grading(
                work,
                self.proof(work),
                person,
                said,
                seen=gradings.newest_grading_id(work, person.id),
                case_key=self.source,
                shown=self.alerts(work),
            )
            assert done.event_id is not None
            self.ids["event_id"] = done.event_id

        self.by("investigator", judge)
        self.by(
            "nurse",
            lambda work: alert_handling.close_alerts(
                work, self.source, self.alerts(work), "admitted", REACH, not_serious=REACH
            ),
        )
        # A second, open alert with a case page of its own.
        other = self.study.english.checkin
        say = {"bleed": 2, "bleed_now": 0}
        self.by(
            "nurse",
            lambda work: factories.save_answers(work, factories.open_form_session(work, other), language="en", **say),
        )

    def texts(self) -> None:
        phone = PHONES["zh_Hans"]
        for number, (address, text) in enumerate([(phone, WORDS), (STRANGER, WORDS), (STRANGER, f"大出血 {WORDS}")]):
            with transaction(self.app_context.engine) as session:
                row = incoming_messages.receive_message(
                    self.app_context.unit_of_work(session), provider_id=f"T{number}", address=address, text=text
                )
                session.flush()
                self.ids["incoming_message_id"] = row.id
        self.by(
            "nurse",
            lambda work: staff_replies.send_reply(work, self.person(work), staff_replies.FREE, f"{NAME} {REACH}"),
        )

    def ulcer(self) -> None:
        self.by("nurse", lambda work: endoscopies.request_endoscopy(work, self.person(work)))

        def done(work: UnitOfWork, number: int | None) -> int:
            today = local_date(work.now, "Asia/Shanghai")
            row = endoscopies.record_result(
                work, self.person(work), number, done_on=today, result="ulcer", grade="3", finding=WORDS
            )
            work.session.flush()
            return row.id

        first = self.by("nurse", lambda work: done(work, None))
        self.by("nurse", lambda work: endoscopies.cancel_endoscopy(work, self.person(work), first, REACH))
        self.by("nurse", lambda work: done(work, None))

    def dates(self) -> None:
        self.clock.move(days=2)

        def put(work: UnitOfWork) -> None:
            today = local_date(work.now, "Asia/Shanghai")
            for kind, number, days in (("induction_day1", 0, 1), ("induction_day1", 0, 2), ("ulcer_confirmed", 1, 0)):
                change = DateChange(kind, number, today - timedelta(days=days))
                schedule_service.set_anchors(work, self.person(work), [change], reason=REACH)
                work.session.flush()

        self.by("coordinator", put)

        def decide(work: UnitOfWork) -> None:
            seen = ulcer_cases.digest(ulcer_cases.shown_of_case(ulcer_cases.read_case(work, self.person(work))))
            ulcer_decisions.sign_participant_decision(
                work, self.person(work), "ulcer", "stop", REACH, factories.PASSWORD, seen
            )
            work.session.flush()
            plan = work.catalogue.plans[PLAN]
            overview = ulcer_cases.read_overview(work, plan)
            whole = ulcer_cases.digest(
                ulcer_cases.shown_of_study(plan, overview.cases, overview.reading, overview.decisions)
            )
            ulcer_decisions.sign_study_decision(work, plan, "pause", REACH, factories.PASSWORD, whole)

        self.by("investigator", decide)

    def calls(self) -> None:
        def miss(work: UnitOfWork) -> None:
            owed = select(ExpectedForm).where(
                ExpectedForm.participant_id == self.study.chinese.id, ExpectedForm.received_at.is_(None)
            )
            row = work.session.scalars(owed.order_by(ExpectedForm.id).limit(1)).one()
            row.missed_at, row.closes_at = work.now, work.now
            expected_forms.set_missing_reason(work, row.id, "refused", REACH)
            task = missed_forms.make_call_task(work, self.person(work), "call_missed", "lived")
            assert task is not None
            work.session.flush()
            self.ids["call_task_id"] = task.id

        self.by("nurse", miss)
        said: dict[str, Any] = {"outcome": "no_answer", "text": WORDS, "participant_id": self.study.chinese.id}
        self.by("nurse", lambda work: missed_forms.log_call(work, at=work.now, **said))

    def corrects(self) -> None:
        asked = {
            "item": "bleed",
            "value": 0,
            "confirmed_how": "phone",
            "confirmed_to": self.study.staff["coordinator"].id,
            "reason": REACH,
        }

        def ask(work: UnitOfWork, item: str, value: Any) -> int:
            form = work.session.get_one(Assessment, self.study.chinese.checkin.assessment_id)
            confirmed_at = work.now - timedelta(minutes=1)
            wish = data_corrections.CorrectionRequest(
                **{**asked, "item": item, "value": value, "confirmed_at": confirmed_at}
            )
            row = data_corrections.request_correction(work, self.proof(work), form, wish)
            work.session.flush()
            return row.id

        first = self.by("coordinator", lambda work: ask(work, "bleed", 2))
        self.by("investigator", lambda work: data_corrections.reject_correction(work, self.proof(work), first, REACH))
        self.ids["correction_id"] = self.by("coordinator", lambda work: ask(work, "free_text", f"{NAME}!"))

    def queries(self) -> None:
        def ask(work: UnitOfWork, item: str) -> tuple[int, int]:
            form = work.session.get_one(Assessment, self.study.chinese.checkin.assessment_id)
            row = query_service.ask_query(work, form, item, REACH)
            return row.id, query_service.read_query(work, row.id, "en").last_step.id

        def answer(work: UnitOfWork, number: int, seen: int) -> int:
            query_service.take_step(work, number, "answered", REACH, seen)
            return query_service.read_query(work, number, "en").last_step.id

        number, seen = self.by("monitor", lambda work: ask(work, "free_text"))
        seen = self.by("coordinator", lambda work: answer(work, number, seen))
        self.by("monitor", lambda work: query_service.take_step(work, number, "closed", REACH, seen))
        self.ids["query_id"], _seen = self.by("monitor", lambda work: ask(work, "bleed"))

    def freezes(self) -> None:
        def frost(work: UnitOfWork, whole: bool, lifted: bool) -> None:
            person = None if whole else self.person(work)
            record_freezes.freeze_records(work, self.proof(work), PLAN, person, REACH)
            work.session.flush()
            if lifted:
                record_freezes.unfreeze_records(work, self.proof(work), PLAN, person, REACH)

        self.by("investigator", lambda work: frost(work, True, True))
        self.by("investigator", lambda work: frost(work, False, True))

    def paper(self) -> None:
        def enters(work: UnitOfWork) -> None:
            other = work.session.get_one(Participant, self.study.english.id)
            given: dict[str, Any] = {"bleed": 0, "free_text": WORDS}
            seen = data_entry.entry_state(work, other, "npc_checkin").state
            row = data_entry.enter_form(
                work,
                other,
                "npc_checkin",
                mode="paper",
                answered_by="self",
                answered_at=work.now,
                given=given,
                language="en",
                seen=seen,
            )
            work.session.flush()
            self.ids["paper_id"] = row.id

        self.by("nurse", enters)

    def tells(self) -> None:
        def leaves(work: UnitOfWork) -> None:
            other = work.session.get_one(Participant, self.study.english.id)
            enrolment.withdraw_consent(work, other, scope="data", told=WORDS)

        self.by("nurse", leaves)
        self.ids["test_alert_id"] = self.by("coordinator", lambda work: test_alerts.start_test_alert_now(work, PLAN)).id
        self.ids["shift_id"] = 1

    def manages(self) -> None:
        nurse = self.study.staff["nurse"].id
        self.ids["staff_id"] = nurse
        other = self.study.staff["statistician"].id
        self.by("administrator", lambda work: account_admin.deactivate_account(work, other, REACH))
        self.by("administrator", lambda work: account_admin.reactivate_account(work, other, REACH))
        self.by("administrator", lambda work: account_admin.set_phone(work, nurse, STAFF_PHONE))
        self.by("administrator", lambda work: invitations.invite_staff(work, "new@example.org", "New", "nurse", "en"))
        self.by("administrator", lambda work: roster_service.add_absence(work, nurse, *_days(work)))


def _days(work: UnitOfWork) -> tuple[datetime, datetime]:
    local = work.now.replace(tzinfo=None, minute=0, second=0, microsecond=0)
    return local + timedelta(days=40), local + timedelta(days=41)
