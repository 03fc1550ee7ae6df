"""What once went wrong where two meet: two at once, today and tomorrow, one device and another, trail and reader."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from pro.app_context import AppContext, UnitOfWork
from pro.core.questionnaire.instrument import Licence
from pro.core.rule_language.level import Level
from pro.errors import NotAllowed
from pro.features.alerts import alert_page
from pro.features.alerts.alert_list import AlertCase
from pro.features.assessments import answer_service
from pro.features.audit import audit_chain
from pro.features.forms import form_access, form_issuing, licensed_wording
from pro.features.operations import worker_steps
from pro.features.to_do_list import to_do_list
from pro.models import Alert, Answer, Assessment, AuditEntry, FormAccess, Participant
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.form_browser import FormBrowser

LANGUAGES = ("zh_Hans", "en")


def rule_words(clinic: Clinic, rule: str, language: str = "en") -> str:
    return clinic.app_context.catalogue.plan_words["npc_reirradiation", language].rules[rule]


def person_of(work: UnitOfWork, participant_id: int) -> Participant:
    return work.session.get_one(Participant, participant_id)


def send(clinic: Clinic, instrument: str = "qlq_c30") -> form_issuing.IssuedForm:
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        return form_issuing.send_form(work, person_of(work, clinic.participant_id), instrument, by="link")


# --- two at once on PostgreSQL ---------------------------------------------------------------------------------------


def test_a_form_is_sent_again_while_it_is_answered_and_neither_waits(postgresql_clinic):
    """One holds the participant and points at the form, the other holds the form and points at the participant."""
    ward, phone = postgresql_clinic, postgresql_clinic.start()
    both_hold, both_wrote = threading.Barrier(2), threading.Barrier(2)

    def send_again() -> None:
        with form_browser.unit_of_work(ward.app_context, ward.coordinator.actor) as work:
            person = person_of(work, ward.participant_id)
            work.lock(person)
            both_hold.wait(10)
            form_issuing.send_form(work, person, "npc_checkin", by="link")
            work.session.flush()
            both_wrote.wait(10)

    def bleed() -> None:
        with phone.open_session() as (work, here):
            both_hold.wait(10)
            answer_service.save_answers(work, here, "bleed", {"bleed": 4}, "zh_Hans")
            work.session.flush()
            both_wrote.wait(10)

    form_browser.run_concurrently(send_again, bleed)
    assert [(row.item, row.value) for row in ward.rows(Answer)] == [("bleed", 4)]
    assert ward.alerts()["E01"].level == Level.EMERGENCY
    assert len(ward.mails("form_message")) == 1


def until(ready: Callable[[], bool]) -> None:
    """Wait at most ten seconds."""
    end = time.monotonic() + 10
    while not ready() and time.monotonic() < end:
        time.sleep(0.02)
    assert ready()


def somebody_waits(app_context: AppContext) -> bool:
    with app_context.engine.connect() as connection:
        return connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) > 0


def test_a_form_that_is_being_answered_keeps_the_words_that_it_is_answered_in(postgresql_clinic):
    ward, phone = postgresql_clinic, postgresql_clinic.start(postgresql_clinic.qlq)
    shown = ward.rows(Assessment)[1].wordings
    load_licensed(ward)
    sender = threading.Thread(target=send, args=(ward,))
    with phone.open_session() as (work, here):
        answer_service.save_answers(work, here, "Q1", {"Q1": 1}, "zh_Hans")
        work.session.flush()
        sender.start()
        until(lambda: somebody_waits(ward.app_context))
    sender.join(20)
    assert ward.rows(Assessment)[1].wordings == shown


# --- words and licences of a form that is open -----------------------------------------------------------------------


def load_licensed(clinic: Clinic) -> dict[str, str]:
    """Licensed words for the QLQ-C30; language -> checksum."""
    licence = Licence("licensed", holder="Holder", reference="R-1", study="S", languages=LANGUAGES)
    with form_browser.unit_of_work(clinic.app_context) as work:
        for language in LANGUAGES:
            own = work.catalogue.words["qlq_c30", language]
            checksum = f"licensed-{language}".ljust(64, "0")
            licensed_wording.load_wording(work, replace(own, status="licensed", licence=licence, checksum=checksum))
    return {language: f"licensed-{language}".ljust(64, "0") for language in LANGUAGES}


def in_production(clinic: Clinic) -> Clinic:
    return replace(
        clinic, app_context=replace(clinic.app_context, config=replace(clinic.app_context.config, production=True))
    )


def test_an_open_form_without_a_licence_gets_no_new_way_in_in_production(any_clinic):
    before = len(any_clinic.rows(FormAccess))
    with pytest.raises(NotAllowed) as refused:
        send(in_production(any_clinic))
    assert refused.value.why == "wording_not_licensed"
    assert (len(any_clinic.rows(FormAccess)), any_clinic.mails("form_message")) == (before, [])


def test_an_open_form_takes_newly_licensed_words_until_it_is_answered(any_clinic):
    licensed = load_licensed(any_clinic)
    issued = send(in_production(any_clinic)).assessment
    assert (issued.id, issued.wordings) == (any_clinic.qlq.assessment_id, licensed)


def test_a_form_that_was_answered_keeps_its_words(any_clinic):
    own = any_clinic.rows(Assessment)[1].wordings
    any_clinic.start(any_clinic.qlq).save(Q1=1)
    assert load_licensed(any_clinic) != own
    issued = send(in_production(any_clinic)).assessment
    assert (issued.id, issued.wordings) == (any_clinic.qlq.assessment_id, own)


# --- the trail -------------------------------------------------------------------------------------------------------


def seal(app_context: AppContext) -> audit_chain.ChainVerification:
    with form_browser.unit_of_work(app_context) as work:
        audit_chain.seal_entries(work)
    with form_browser.unit_of_work(app_context) as work:
        return audit_chain.verify_chain(work)


@pytest.mark.parametrize("table", ["audit_entry", "seal", "answer", "score"])
def test_what_never_changes_is_not_replaced_either(clinic, table):
    clinic.start(clinic.qlq).finish()
    seal(clinic.app_context)
    with clinic.app_context.engine.connect() as connection:
        before = connection.execute(text(f"SELECT * FROM {table}")).all()
        assert before
        with pytest.raises(DBAPIError, match="never changed or deleted"):
            connection.execute(text(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}"))
        connection.rollback()
        assert connection.execute(text(f"SELECT * FROM {table}")).all() == before


def test_an_event_that_was_slipped_in_with_an_older_date_is_named(any_clinic, clock):
    any_clinic.start().save(bleed=0)
    assert seal(any_clinic.app_context).problems == []
    clock.move(hours=5)
    any_clinic.start(any_clinic.qlq)
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        at = clock.now - timedelta(hours=3)
        work.session.add(
            AuditEntry(at=at, actor="staff", role="nurse", action="alert.acknowledged", subject="a", reason="")
        )
    any_clinic.start(any_clinic.qlq).save(Q1=1)
    last = next(row.id for row in any_clinic.rows(AuditEntry) if row.action == "alert.acknowledged")
    (problem,) = seal(any_clinic.app_context).problems
    assert problem == f"Audit entry {last} is dated 2026-03-02 03:00 UTC but was written later."


def test_nobody_who_writes_waits_while_the_trail_is_verified(app_context, app, seeded):
    """SQLite has one writer: a reader must not block it."""
    wrote: list[str] = []

    def write_meanwhile(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if "FROM seal" in statement and not wrote:
            wrote.append(statement)
            with form_browser.unit_of_work(app_context) as work:
                work.record("test.event", person_of(work, seeded.chinese.id))

    event.listen(app.extensions["app_context"].engine, "after_cursor_execute", write_meanwhile)
    verified = app.test_cli_runner().invoke(args=["audit", "verify"])
    assert (verified.exit_code, len(wrote)) == (0, 1), verified.output
    with form_browser.unit_of_work(app_context) as work:
        assert work.session.query(AuditEntry).filter_by(action="test.event").count() == 1


# --- what the board says ---------------------------------------------------------------------------------------------


def case_of(clinic: Clinic, language: str = "en") -> AlertCase:
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        now = to_do_list.read_to_do_list(work, language)
        (case,) = now.unacknowledged + now.in_progress
        return case


def holds(clinic: Clinic) -> dict[str, bool]:
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        page = alert_page.alert_page(work, clinic.rows(Alert)[0].id, "en")
        return {row.rule: row.holds for row in page.findings}


def test_the_headline_begins_with_what_is_new(any_clinic):
    phone = any_clinic.start()
    phone.save(bleed=4, bleed_now=0)
    any_clinic.acknowledge()
    phone.save(faint=1)
    case = case_of(any_clinic)
    assert (case.rules, case.level) == (["U05", "E01", "U01"], Level.EMERGENCY)
    assert case.sentence == f"{rule_words(any_clinic, 'U05')}; {rule_words(any_clinic, 'E01')}"


def test_the_headline_names_every_emergency_that_holds(any_clinic):
    phone = any_clinic.start()
    phone.save(breath=3, chest=3, neuro=1, faint=2)
    phone.save(faint=0)
    named = case_of(any_clinic).sentence.split("; ")
    assert sorted(named) == sorted(rule_words(any_clinic, rule) for rule in ("E03", "E04", "E06"))


def test_a_finding_whose_answer_was_changed_says_so(any_clinic):
    phone = any_clinic.start()
    phone.save(faint=2)
    assert case_of(any_clinic).sentence == rule_words(any_clinic, "E05")
    phone.save(faint=0)
    assert case_of(any_clinic).sentence == f"{rule_words(any_clinic, 'E05')} (answer changed later)"
    assert rule_words(any_clinic, "E05", "zh_Hans") in case_of(any_clinic, "zh_Hans").sentence
    assert "since" not in case_of(any_clinic, "zh_Hans").sentence
    phone.save(odor=3)
    assert case_of(any_clinic).sentence == rule_words(any_clinic, "UL2")
    assert holds(any_clinic) == {"E05": False, "UL2": True}


@pytest.mark.parametrize(
    ("said", "rule", "minutes"),
    [({"bleed": 3}, "M02", 10), ({"bleed": 0}, "M01", 30), ({"bleed": 0, "headache": 2}, "M05", 30)],
)
def test_what_is_still_missing_was_not_changed(any_clinic, clock, said, rule, minutes):
    """These rules are about missing answers too; activity on another form answers nothing."""
    phone = any_clinic.start()
    phone.save(**said)
    clock.move(minutes=minutes)
    worker_steps.evaluate_idle_forms(any_clinic.app_context)
    phone.save(breath=0)
    assert holds(any_clinic)[rule] is True
    phone.finish_until("other7")
    assert holds(any_clinic)[rule] is False


def test_a_written_word_is_put_before_a_person(any_clinic):
    phone = any_clinic.start()
    phone.finish_until("last")
    phone.page("last", {"free_text": None})
    assert any_clinic.alerts() == {}
    phone.page("last", {"free_text": "下周三我想换时间"})
    assert (any_clinic.alerts()["TEXT"].level, any_clinic.mails()) == (Level.WATCH, [])
    english, chinese = (case_of(any_clinic, language).sentence for language in ("en", "zh_Hans"))
    assert english == "Free text: please read it"
    assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese)


# --- gone on with on another day -------------------------------------------------------------------------------------


def renewed(clinic: Clinic) -> FormBrowser:
    """Start is pressed again on a form that was begun."""
    phone = clinic.start()
    with phone.open_session() as (work, here):
        answer_service.renew_form(work, here)
    return phone


@pytest.mark.parametrize(
    ("after", "left"),
    [
        ({"hours": 24}, {"bleed": 0, "breath": 1, "odor": 2, "discharge": 0, "free_text": "x"}),
        ({"hours": 25}, {"odor": 2, "discharge": 0, "free_text": "x"}),
        ({"days": 7}, {"odor": 2, "discharge": 0, "free_text": "x"}),
        ({"days": 8}, {"free_text": "x"}),
    ],
    ids=str,
)
def test_what_was_asked_about_another_day_is_asked_again(any_clinic, clock, after, left):
    phone = any_clinic.start()
    phone.save(bleed=0, breath=1, odor=2, discharge=0, free_text="x")
    alerts = {rule: alert.raised_at for rule, alert in any_clinic.alerts().items()}
    clock.move(**after)
    again = renewed(any_clinic).form()
    assert dict(again.answers) == left
    assert again.next_position() == (3 if "bleed" in left else 1)
    given = [(row.item, row.value) for row in any_clinic.rows(Answer) if row.state == "given"]
    assert given == [("bleed", 0), ("breath", 1), ("odor", 2), ("discharge", 0), ("free_text", "x")]
    assert {rule: alert.raised_at for rule, alert in any_clinic.alerts().items()} == alerts
    assert all(alert.closed_at is None for alert in any_clinic.alerts().values())


def test_the_facts_are_taken_anew_with_the_answers(any_clinic, clock):
    any_clinic.start().save(bleed=0, odor=1)
    any_clinic.mark("ulcer_status", "confirmed")
    clock.move(hours=23)
    assert renewed(any_clinic).form().assessment.context["ulcer_status"] == "none"
    clock.move(hours=2)
    phone = renewed(any_clinic)
    assert phone.form().assessment.context["ulcer_status"] == "confirmed"
    phone.save(bleed=3, bleed_now=0)
    assert "E02" in any_clinic.alerts()


def test_what_is_there_on_the_next_day_too_is_told_again(any_clinic, clock):
    phone = any_clinic.start()
    phone.save(breath=3)
    phone.advised()
    any_clinic.acknowledge()
    clock.move(hours=25)
    phone = renewed(any_clinic)
    assert phone.form().advice is None
    phone.save(breath=3)
    assert phone.form().advice == "general"
    assert any_clinic.alerts()["E03"].raised_at == clock.now
    assert [mail.params["level"] for mail in any_clinic.mails()] == ["emergency"] * 4


def test_a_fresh_answer_on_an_old_page_is_kept(clinic, clock):
    phone = clinic.start()
    phone.save(bleed=0, breath=0)
    clock.move(hours=25)
    phone.save(breath=2)
    assert clinic.alerts()["U02"].level == Level.URGENT
    assert dict(renewed(clinic).form().answers) == {"breath": 2}


# --- a second device -------------------------------------------------------------------------------------------------


def test_a_code_on_a_second_device_opens_nothing_until_start_is_pressed_there(any_clinic):
    any_clinic.start().save(bleed=1)
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        typed = form_access.enter_code(work, any_clinic.checkin.code, "192.0.2.1", "phone", "en")
        assert typed.secret
        here = form_access.session_of(work, any_clinic.checkin.ref, typed.secret)
        assert here.access.answered_by == ""
        form_access.start_form(work, here, "helped", "en")
        assert here.access.answered_by == "helped"


def test_a_form_that_somebody_helped_with_stays_one(any_clinic):
    said = []
    for answered_by in ("self", "helped", "self"):
        any_clinic.start(answered_by=answered_by)
        said.append(any_clinic.rows(Assessment)[0].answered_by)
    assert said == ["self", "helped", "helped"]
    sessions = [row.answered_by for row in any_clinic.rows(FormAccess) if row.kind == "session"]
    assert sessions == ["self", "helped", "self"]
