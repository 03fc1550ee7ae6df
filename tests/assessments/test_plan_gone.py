"""Test texts of a participant whose plan file was removed: staff are notified, pages work."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from pro.app_context import AppContext
from pro.core.rule_language.level import Level
from pro.errors import NotAllowed, NotFound
from pro.features.assessments import answer_service, chat_wording
from pro.features.forms import due_forms, form_issuing
from pro.features.operations import worker_steps
from pro.models import Alert, Answer, Assessment, IncomingMessage, Message, Participant
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import Clock, Study
from tests.support.participant_browser import ParticipantBrowser
from tests.support.staff_browser import report_bleeding, signed_in_browser
from tests.support.texting_phone import TextingPhone, with_two_way_texts


@pytest.fixture
def clinic(app_context: AppContext, seeded: Study) -> Clinic:
    """Return the Chinese participant, whose plan file was removed."""
    staff, person = seeded.staff, seeded.chinese
    with form_browser.unit_of_work(app_context) as work:
        work.session.get_one(Participant, person.id).plan = "removed"
    return Clinic(
        app_context, staff["nurse"], staff["investigator"], staff["coordinator"], person.id, person.checkin, person.qlq
    )


def test_a_red_flag_is_told_by_role_and_the_safety_sentence_goes_out(clinic: Clinic, seeded: Study) -> None:
    texter = TextingPhone(clinic.app_context)
    assert texter.write("我喘不过气", deliver=False).level == Level.EMERGENCY
    [alert] = clinic.rows(Alert)
    assert (alert.level, alert.plan_version) == (Level.EMERGENCY, "")
    notified = {row.staff_id for row in clinic.rows(Message) if row.template == "alert"}
    assert notified == {seeded.staff["administrator"].id, clinic.investigator.id}
    assert [row.template for row in clinic.rows(Message) if row.channel == "sms"] == ["safety"]


def test_any_other_text_waits_for_a_reader_and_wishes_still_count(clinic: Clinic) -> None:
    texter = TextingPhone(clinic.app_context)
    for text in ("0", "HELP", "语言", "STOP", "START"):
        texter.write(text)
    assert [row.kind for row in clinic.rows(IncomingMessage)] == ["text", "command", "text", "command", "command"]
    assert texter.kinds == ["help_contact", "stopped", "started"]


@pytest.mark.parametrize("two_way", [True, False])
def test_help_is_answered_as_with_a_plan(clinic: Clinic, two_way: bool) -> None:
    """Found: a plan that is gone left HELP without an answer."""
    texter = TextingPhone(with_two_way_texts(clinic, two_way).app_context)
    texter.write("帮助")
    assert texter.kinds == ["help" if two_way else "help_contact"]
    assert "研究团队给您的电话号码" in texter.got[0]


def test_no_page_of_staff_falls(app: Flask, clinic: Clinic, clock: Clock) -> None:
    TextingPhone(clinic.app_context).write("我喘不过气")
    [alert] = clinic.rows(Alert)
    clock.move(hours=30)
    desk = signed_in_browser(app, clinic.coordinator)
    for path in (
        "/staff/",
        "/staff/inbox",
        f"/staff/participants/{clinic.participant_id}/forms",
        f"/staff/participants/{clinic.participant_id}/messages",
        f"/staff/participants/{clinic.participant_id}/events",
        f"/staff/participants/{clinic.participant_id}/records",
        f"/staff/alerts/{alert.id}",
        "/staff/participants",
        f"/staff/participants/{clinic.participant_id}",
    ):
        assert desk.open(path, follow="").status_code == 200, path
    desk.open(f"/staff/participants/{clinic.participant_id}/messages")
    assert "This participant’s study plan is no longer available" in desk.page


def test_answers_are_saved_told_and_sent(clinic: Clinic) -> None:
    """Found: saving an answer after a plan was removed raised KeyError and lost it."""
    here = clinic.start(clinic.checkin)
    here.save(bleed=3)
    given = {row.item: row.value for row in clinic.rows(Answer)}
    assert given["bleed"] == 3
    [alert] = [row for row in clinic.rows(Alert) if row.assessment_id == clinic.checkin.assessment_id]
    assert alert.level >= Level.URGENT
    told = {row.staff_id for row in clinic.rows(Message) if row.template == "alert"}
    assert clinic.investigator.id in told
    here.submit()
    [form] = [row for row in clinic.rows(Assessment) if row.id == clinic.checkin.assessment_id]
    assert form.submitted_at is not None


def test_every_page_of_the_participant_works(clinic: Clinic, app: Flask) -> None:
    for language in ("en", "zh_Hans"):
        phone = ParticipantBrowser(app)
        for way in (clinic.checkin, clinic.qlq):
            assert phone.open(f"{way.path}?lang={language}").status_code == 200
            assert phone.press(by="self").status_code == 303
            assert phone.open(f"/f/{way.ref}?lang={language}").status_code == 200
            assert phone.open(f"/f/{way.ref}/1?lang={language}").status_code == 200
        assert phone.open(f"{clinic.checkin.path}/chat?lang={language}").status_code == 200


def test_no_number_of_another_study_is_shown_and_no_form_is_issued(clinic: Clinic, app: Flask) -> None:
    """Found: pages and texts named the hotline of another study, and its forms were issued."""
    hotline = next(iter(clinic.app_context.catalogue.plans.values())).settings.hotline_shown
    phone = ParticipantBrowser(app)
    phone.open(f"{clinic.checkin.path}?lang=en")
    assert hotline not in phone.page
    assert "call us: the number that the study team gave you" in phone.page
    texter = TextingPhone(clinic.app_context)
    texter.write("HELP")
    assert texter.got
    assert not any(hotline in text for text in texter.got)
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        with pytest.raises(NotAllowed) as refusal:
            form_issuing.send_form(work, person, "npc_checkin", by="here")
        assert refusal.value.why == "plan_gone"
        assert due_forms.due_forms(work, person, "en").report == ""
        with pytest.raises(NotFound):
            due_forms.open_due_form(work, person, "", identified_by="card", device="phone", language="en")


def test_no_hours_and_no_first_aid_of_another_study_are_shown(clinic: Clinic, app: Flask) -> None:
    """Found: pages named the working hours and the first aid of the installed study."""
    catalogue = clinic.app_context.catalogue
    [plan_id] = catalogue.plans
    for language in ("en", "zh_Hans"):
        other, words = catalogue.plan_words[plan_id, language], catalogue.plan_words["removed", language]
        phone = ParticipantBrowser(app)
        way = clinic.checkin
        phone.open(f"{way.path}?lang={language}")
        phone.press(by="self")
        pages = [phone.page]
        for path in ("", "/1", "/chat"):
            phone.open(f"/f/{way.ref}{path}?lang={language}")
            pages.append(phone.page)
        for page in pages:
            assert other.hours not in page
            assert other.study_team not in page
            assert ", ." not in page
            assert "，。" not in page
        assert words.advice.keys() == other.advice.keys()
        assert [block.crisis for block in words.advice.values()] == [block.crisis for block in other.advice.values()]
        assert not any(block.title or block.steps for block in words.advice.values())


@pytest.mark.parametrize("language", ["en", "zh_Hans"])
def test_the_advice_of_a_removed_plan_is_the_emergency_number_alone(clinic: Clinic, language: str) -> None:
    [plan_id] = clinic.app_context.catalogue.plans
    steps = clinic.app_context.catalogue.plan_words[plan_id, language].advice["bleeding"].steps
    with form_browser.unit_of_work(clinic.app_context) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        text = chat_wording.advice_text(work, person, "bleeding", language)
        crisis = chat_wording.advice_text(work, person, "crisis", language)
    assert steps
    assert "120" in text
    assert not any(step in text for step in steps)
    assert "12356" in crisis


def test_advice_that_waits_is_shown_and_understood(app: Flask, app_context: AppContext, seeded: Study) -> None:
    """Found: an English participant got 500 after "I understand, carry on"."""
    way = seeded.english.checkin
    phone = ParticipantBrowser(app)
    assert phone.open(f"{way.path}?lang=en").status_code == 200
    phone.press(by="self")
    report_bleeding(app_context, way)
    with form_browser.unit_of_work(app_context) as work:
        work.session.get_one(Participant, seeded.english.id).plan = "removed"
    shown = phone.open(f"/f/{way.ref}?lang=en")
    assert shown.status_code == 200
    assert "120" in phone.page
    with form_browser.unit_of_work(app_context) as work:
        here = factories.open_form_session(work, way, language="en")
        answer_service.acknowledge_advice(work, here)
        outcome = answer_service.submission_outcome(work, here)
    assert outcome.level == Level.EMERGENCY
    assert all(alert.advised_at for alert in every_alert(app_context) if alert.advice)


def every_alert(app_context: AppContext) -> list[Alert]:
    """Return every alert."""
    with form_browser.unit_of_work(app_context) as work:
        return list(work.session.scalars(select(Alert)))


def test_the_worker_goes_on(clinic: Clinic) -> None:
    TextingPhone(clinic.app_context).write("我喘不过气")
    worker_steps.run_jobs(clinic.app_context, {}, "test:1")
    assert len(clinic.rows(Alert)) == 1
