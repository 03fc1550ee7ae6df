"""What staff do: take an alert, leave a note, enrol, send a form; and how the pages answer."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from pro.app_context import AppContext
from pro.core.rule_language.level import Level
from pro.db import transaction
from pro.features.assessments import answer_service
from pro.models import ROLES, Alert, AlertNote, Assessment, Message, Participant
from pro.web import labels as web_labels
from tests.support import factories
from tests.support.factories import Clock, Study
from tests.support.staff_browser import StaffBrowser, report_bleeding, signed_in_browser

ENROL = {
    "plan": factories.PLAN,
    "participant_number": "NPC-077",
    "phone": "138 1234 5678",
    "language": "zh_Hans",
    "pin": "2580",
    "consented_on": "2026-03-01",
    "consent_version": "1.0",
    "health_data": "y",
}


@pytest.fixture
def desk(app: Flask, seeded: Study) -> StaffBrowser:
    """The coordinator, signed in."""
    return signed_in_browser(app, seeded.staff["coordinator"])


def _acknowledged(app_context: AppContext) -> dict[int, int | None]:
    with transaction(app_context.engine) as session:
        return {alert.id: alert.acknowledged_by for alert in session.scalars(select(Alert))}


# --- one alert -------------------------------------------------------------------------------------------------------


def test_acknowledging_takes_what_was_on_the_page(desk: StaffBrowser, app_context: AppContext, seeded: Study) -> None:
    ids = report_bleeding(app_context, seeded.chinese.checkin)
    desk.open(f"/staff/alerts/{ids[0]}")
    shown = [int(found) for found in re.findall(r'name="alert" value="(\d+)"', desk.page)]
    assert sorted(shown) == sorted(ids)
    answer = desk.post(f"/staff/alerts/{ids[0]}", do="acknowledge", alert=shown)
    assert (answer.status_code, answer.location) == (303, f"/staff/alerts/{ids[0]}")
    assert set(_acknowledged(app_context).values()) == {seeded.staff["coordinator"].id}
    desk.open(f"/staff/alerts/{ids[0]}")
    assert "You are now the owner" in desk.page
    assert "Acknowledge and take responsibility" not in desk.page


def test_an_alert_that_came_later_is_not_taken_unseen(
    desk: StaffBrowser, app_context: AppContext, seeded: Study
) -> None:
    ids = report_bleeding(app_context, seeded.chinese.checkin)
    desk.open(f"/staff/alerts/{ids[0]}")
    later = set(report_bleeding(app_context, seeded.chinese.checkin, breath=3)) - set(ids)
    assert later
    desk.post(f"/staff/alerts/{ids[0]}", do="acknowledge", alert=ids)
    assert {alert for alert, by in _acknowledged(app_context).items() if by is None} == later
    desk.open(f"/staff/alerts/{ids[0]}")
    assert "new alerts arrived while you were reading" in desk.page
    assert "Acknowledge and take responsibility" in desk.page


def test_the_second_person_reads_who_was_first_and_when(
    desk: StaffBrowser, app: Flask, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    ids = report_bleeding(app_context, seeded.chinese.checkin)
    second = signed_in_browser(app, seeded.staff["investigator"])
    for person in (desk, second):
        person.open(f"/staff/alerts/{ids[0]}")
    desk.post(f"/staff/alerts/{ids[0]}", do="acknowledge", alert=ids)
    clock.move(minutes=3)
    second.post(f"/staff/alerts/{ids[0]}", do="acknowledge", alert=ids)
    second.open(f"/staff/alerts/{ids[0]}")
    assert "Coordinator already acknowledged this at 09:00. Nothing was changed." in second.page
    assert set(_acknowledged(app_context).values()) == {seeded.staff["coordinator"].id}


def test_pressing_twice_is_harmless(desk: StaffBrowser, app_context: AppContext, seeded: Study) -> None:
    ids = report_bleeding(app_context, seeded.chinese.checkin)
    desk.open(f"/staff/alerts/{ids[0]}")
    for _ in range(2):
        assert desk.post(f"/staff/alerts/{ids[0]}", do="acknowledge", alert=ids).status_code == 303
    desk.open(f"/staff/alerts/{ids[0]}")
    assert "You already acknowledged this" in desk.page


@pytest.mark.parametrize("data", [{}, {"do": "acknowledge"}, {"do": "acknowledge", "alert": "x"}, {"do": "resolve"}])
def test_a_post_that_no_page_sends_is_refused(
    data: dict[str, str], desk: StaffBrowser, app_context: AppContext, seeded: Study
) -> None:
    ids = report_bleeding(app_context, seeded.chinese.checkin)
    assert desk.post(f"/staff/alerts/{ids[0]}", **data).status_code == 400
    assert set(_acknowledged(app_context).values()) == {None}


def test_alerts_of_another_form_cannot_be_taken_from_this_page(
    desk: StaffBrowser, app_context: AppContext, seeded: Study
) -> None:
    mine, other = (
        report_bleeding(app_context, seeded.chinese.checkin),
        report_bleeding(app_context, seeded.english.checkin),
    )
    assert desk.post(f"/staff/alerts/{mine[0]}", do="acknowledge", alert=other).status_code == 400
    assert set(_acknowledged(app_context).values()) == {None}


@pytest.mark.parametrize("path", ["/staff/alerts/999", "/staff/participants/999"])
def test_what_is_not_there_gets_a_page(path: str, desk: StaffBrowser) -> None:
    assert desk.open(path).status_code == 404


def test_a_note_is_kept_with_name_and_time_and_never_as_markup(
    desk: StaffBrowser, app_context: AppContext, seeded: Study
) -> None:
    ids = report_bleeding(app_context, seeded.chinese.checkin)
    desk.open(f"/staff/alerts/{ids[0]}")
    assert desk.post(f"/staff/alerts/{ids[0]}", do="note", text=" <b>电话</b>\n已接通 ").status_code == 303
    page = desk.open(f"/staff/alerts/{ids[0]}").text
    assert "&lt;b&gt;电话&lt;/b&gt;\n已接通" in page
    assert "Coordinator" in page
    with transaction(app_context.engine) as session:
        assert session.scalars(select(AlertNote.text)).one() == "<b>电话</b>\n已接通"


@pytest.mark.parametrize(("text", "sentence"), [("  ", "The note is empty"), ("长" * 4001, "The note is too long")])
def test_a_note_that_cannot_be_kept_stays_in_the_field(
    text: str, sentence: str, desk: StaffBrowser, app_context: AppContext, seeded: Study
) -> None:
    ids = report_bleeding(app_context, seeded.chinese.checkin)
    desk.open(f"/staff/alerts/{ids[0]}")
    assert desk.post(f"/staff/alerts/{ids[0]}", do="note", text=text).status_code == 400
    assert sentence in desk.page
    assert text.strip() in desk.page
    assert 'href="#text"' in desk.page


def test_a_note_typed_into_an_ended_session_comes_back_after_sign_in(
    desk: StaffBrowser, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    ids = report_bleeding(app_context, seeded.chinese.checkin)
    path = f"/staff/alerts/{ids[0]}"
    desk.open(path)
    clock.move(minutes=31)
    answer = desk.post(path, do="note", text="Phoned, no answer <yet>")
    assert answer.status_code == 307, "the browser posts the note on to the sign-in page"
    coordinator = seeded.staff["coordinator"]
    assert desk.post(f"{answer.location}&lang=en", do="note", text="Phoned, no answer <yet>").status_code == 401
    assert "Your text is not saved yet" in desk.page
    back = desk.press(email=coordinator.email, password=factories.PASSWORD)
    assert back.status_code == 200
    assert "Phoned, no answer &lt;yet&gt;</textarea>" in back.text
    assert desk.post(path, do="note", text="Phoned, no answer <yet>").status_code == 303


def test_an_alert_page_says_why_in_words_and_what_is_missing(
    desk: StaffBrowser, app_context: AppContext, seeded: Study
) -> None:
    ids = report_bleeding(app_context, seeded.chinese.checkin, breath=None)
    desk.open(f"/staff/alerts/{ids[0]}")
    assert "Heavy or ongoing bleeding" in desk.page
    assert "Rule E01 · basis: literature, expert opinion" in desk.page
    assert app_context.catalogue.plans[factories.PLAN].version in desk.page
    assert "Ask about these skipped questions on the phone" in desk.page
    assert app_context.catalogue.words["npc_checkin", "en"].items["breath"].plain in desk.page
    assert "Own wording, not yet cognitively debriefed with patients" in desk.page
    assert "the clinician assigns it" in desk.page


# --- the board -------------------------------------------------------------------------------------------------------


def test_an_empty_board_is_good_news(desk: StaffBrowser) -> None:
    desk.open("/staff/")
    assert "No unacknowledged alerts." in desk.page


def test_counts_are_filters_and_equal_the_lists(desk: StaffBrowser, app_context: AppContext, seeded: Study) -> None:
    taken = report_bleeding(app_context, seeded.chinese.checkin)
    desk.open(f"/staff/alerts/{taken[0]}")
    desk.post(f"/staff/alerts/{taken[0]}", do="acknowledge", alert=taken)
    report_bleeding(app_context, seeded.english.checkin)
    with transaction(app_context.engine) as session:
        message = session.scalars(select(Message).limit(1)).one()
        message.failed_at, message.failure = app_context.clock(), "mailbox full"
    desk.open("/staff/")
    counts = dict(re.findall(r'href="/staff/(?:\?show=(\w+))?"[^>]*>[^<]+<b>(\d+)</b>', desk.page))
    assert (counts["alerts"], counts["messages"]) == ("2", "1")
    assert int(counts[""]) == sum(int(number) for show, number in counts.items() if show)
    # The title counts what is to be done now: a new emergency, and one whose participant was not called yet.
    assert "<title>(2) " in desk.page
    for show, number in counts.items():
        desk.open(f"/staff/?show={show}" if show else "/staff/")
        lists = re.findall(r'<ul class="list.*?</ul>', desk.page, flags=re.DOTALL)
        assert sum(rows.count("<li ") for rows in lists) == int(number), show


def test_the_most_urgent_comes_first_with_a_clock_and_a_time_limit(
    desk: StaffBrowser, app_context: AppContext, seeded: Study, clock: Clock
) -> None:
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        factories.save_answers(work, factories.open_form_session(work, seeded.english.checkin), swallow=3)
    clock.move(minutes=20)
    report_bleeding(app_context, seeded.chinese.checkin)
    clock.move(minutes=4)
    desk.open("/staff/")
    assert desk.page.index("NPC-001") < desk.page.index("NPC-002")
    assert '<b>4 min</b> <span class="s">waiting</span>' in desk.page
    assert "Acknowledge by 09:50" in desk.page
    clock.move(minutes=27)
    desk.open("/staff/")
    assert "Acknowledgement overdue since 09:50" in desk.page
    desk.open(re.findall(r'href="(/staff/alerts/\d+)"', desk.page)[0])
    assert "09:50, overdue" in desk.page
    hidden = re.findall(r'name="alert" value="(\d+)"', desk.page)
    path = re.findall(r'action="(/staff/alerts/\d+)"', desk.page)[0]
    desk.post(path, do="acknowledge", alert=hidden)
    desk.open(path)
    assert "Acknowledge by" not in desk.page
    assert "overdue" not in desk.page


def test_who_is_on_duty_and_what_to_do_without_anybody(
    desk: StaffBrowser, clock: Clock, app: Flask, seeded: Study
) -> None:
    desk.open("/staff/")
    assert re.search(r"On call now</span> <b>Nurse</b>", desk.page)
    assert "Nobody is on call now" not in desk.page
    clock.move(days=61)
    late = signed_in_browser(app, seeded.staff["coordinator"])
    late.open("/staff/")
    assert "Nobody is on call now" in late.page


# --- participants ----------------------------------------------------------------------------------------------------


def test_a_missing_score_is_said_and_never_zero(desk: StaffBrowser, app_context: AppContext, seeded: Study) -> None:
    with transaction(app_context.engine) as session:
        work = app_context.unit_of_work(session)
        here = factories.open_form_session(work, seeded.english.qlq)
        answers: dict[str, Any] = {f"Q{number}": 2 for number in range(1, 31)}
        factories.save_answers(work, here, **{**answers, "Q11": None})
        answer_service.submit_form(work, here, "en")
    desk.open(f"/staff/participants/{seeded.english.id}/forms?form={seeded.english.qlq.assessment_id}")
    rows = dict(re.findall(r'<span class="s">(\w+)</span></th><td class="r">(.*?)</td>', desk.page))
    assert rows["PF"] == "66.7"
    assert rows["SL"] == rows["C30SUMMARY"] == '<span class="miss">missing</span>'
    assert "0 of 1 items" in desk.page
    assert "Demonstration wording" in desk.page


def test_enrolling_leads_to_the_new_participant(desk: StaffBrowser, app_context: AppContext) -> None:
    desk.open("/staff/participants/new")
    answer = desk.post("/staff/participants/new", **{**ENROL, "phone": "１３８１２３４５６７８", "pin": "２５８０"})
    with transaction(app_context.engine) as session:
        person = session.scalars(select(Participant).where(Participant.participant_number == "NPC-077")).one()
        assert app_context.vault.open(person.phone_sealed or "") == "+8613812345678"
    assert answer.location == f"/staff/participants/{person.id}/forms"
    desk.open(answer.location)
    assert "You can send the first questionnaire below." in desk.page


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("participant_number", "NPC-001", "A participant with this number is already enrolled"),
        ("participant_number", "患者一", "This does not look like a participant number of this study"),
        ("participant_number", "", "Enter the participant number."),
        ("phone", "1381", "The phone number is incomplete"),
        ("phone", "9" * 60, "The phone number is incomplete"),
        ("language", "", "Choose the language."),
        ("language", "fr", "Choose one of the options shown."),
        ("pin", "12", "The PIN must have 4 to 6 digits"),
        ("consented_on", "2026-03-09", "The date of consent is in the future"),
        ("consented_on", "tomorrow", "year, month and day"),
        ("consented_on", "", "year, month and day"),
        ("consent_version", "", "Enter the version printed on the signed form, at most 64 characters"),
        ("health_data", "", "Separate consent for health data is required to take part"),
    ],
)
def test_an_enrolment_error_stands_by_its_field_and_loses_nothing(
    field: str, typed: str, sentence: str, desk: StaffBrowser, app_context: AppContext, seeded: Study
) -> None:
    desk.open("/staff/participants/new")
    assert desk.post("/staff/participants/new", **{**ENROL, field: typed}).status_code == 400
    anchor = f"{field}-0" if field == "language" else field
    assert f'<a href="#{anchor}">' in desk.page
    assert f'id="{anchor}"' in desk.page
    assert desk.page.count(sentence) == 2, "in the summary and beside the field"
    for name in ("participant_number", "phone", "consented_on"):
        value = {**ENROL, field: typed}[name]
        assert f'value="{value}"' in desk.page or not value
    if field != "language":
        assert 'value="zh_Hans" checked' in desk.page
    assert "2580" not in desk.page
    with transaction(app_context.engine) as session:
        assert session.scalar(select(func.count()).select_from(Participant)) == 2


def test_everything_wrong_is_said_at_once(desk: StaffBrowser, seeded: Study) -> None:
    desk.open("/staff/participants/new")
    wrong = {
        "plan": factories.PLAN,
        "participant_number": "NPC-001",
        "phone": "1",
        "pin": "x",
        "consented_on": "2026-12-31",
    }
    desk.post("/staff/participants/new", **wrong)
    assert "Check 7 fields" in desk.page


def test_an_sms_is_queued_and_shown_among_the_messages(
    desk: StaffBrowser, app_context: AppContext, seeded: Study
) -> None:
    path = f"/staff/participants/{seeded.english.id}"
    desk.open(path)
    assert desk.post(f"{path}/send", instrument="qlq_c30", by="link").location == f"{path}/forms"
    desk.open(f"{path}/messages")
    assert "The text message is being sent" in desk.page
    assert "Form message with link" in desk.page
    with transaction(app_context.engine) as session:
        count = select(func.count()).select_from(Assessment).where(Assessment.participant_id == seeded.english.id)
        assert session.scalar(count) == 2, "the open form was sent again"


def test_link_and_code_for_somebody_standing_here_work_and_are_shown_once(
    desk: StaffBrowser, app: Flask, seeded: Study
) -> None:
    path = f"/staff/participants/{seeded.english.id}"
    desk.open(path)
    assert desk.post(f"{path}/send", instrument="npc_checkin", by="here").status_code == 200
    link = re.search(r'href="http://[^"]+(/a/[^"]+)"', desk.page)
    code = re.search(r'class="big code">([^<]+)<', desk.page)
    assert link is not None
    assert code is not None
    assert app.test_client().get(link[1]).status_code == 200
    desk.open(path)
    assert link[1] not in desk.page
    assert code[1] not in desk.page


@pytest.mark.parametrize(
    ("change", "status", "sentence"),
    [
        ({"by": ""}, 400, "Choose a method."),
        ({"instrument": ""}, 400, "Choose a questionnaire."),
        ({"instrument": "unknown"}, 400, "Choose one of the options shown."),
    ],
)
def test_a_form_that_cannot_be_sent_says_why(
    change: dict[str, str], status: int, sentence: str, desk: StaffBrowser, seeded: Study
) -> None:
    path = f"/staff/participants/{seeded.english.id}"
    desk.open(path)
    assert desk.post(f"{path}/send", **{"instrument": "npc_checkin", "by": "link", **change}).status_code == status
    assert desk.page.count(sentence) == 2


def test_without_a_phone_no_sms_can_go_out(desk: StaffBrowser, app_context: AppContext) -> None:
    desk.open("/staff/participants/new")
    path = desk.post("/staff/participants/new", **{**ENROL, "phone": ""}).location.removesuffix("/forms")
    desk.open(path)
    assert desk.post(f"{path}/send", instrument="npc_checkin", by="code").status_code == 409
    assert "No phone number is recorded for this participant" in desk.page
    with transaction(app_context.engine) as session:
        assert session.scalar(select(func.count()).select_from(Message)) == 0


# --- words -----------------------------------------------------------------------------------------------------------


def test_every_key_that_the_services_can_give_has_a_word(app_context: AppContext) -> None:
    assert set(web_labels.ROLES) == set(ROLES)
    assert set(web_labels.ACT_WITHIN) == {Level.EMERGENCY, Level.URGENT}
    statuses = {words.status for words in app_context.catalogue.words.values()}
    assert statuses <= set(web_labels.WORDING)
    bases = {letter for plan in app_context.catalogue.plans.values() for rule in plan.rules for letter in rule.basis}
    assert bases <= set(web_labels.BASIS)
    for instrument in app_context.catalogue.instruments.values():
        assert set(instrument.scales) <= set(web_labels.SCALES)
    for table in web_labels.TABLES.values():
        for text in table.values():
            translated = app_context.catalogs.translator("zh_Hans").gettext(text)
            assert translated
            assert translated != text or text.isupper()
