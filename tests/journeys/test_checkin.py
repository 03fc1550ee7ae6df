"""Test a symptom from answer to alert, email, acknowledgement, and all paths of the form."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from pro.db import transaction
from pro.features.forms.form_state import answer_rows
from pro.models import Alert, Answer, Assessment, Participant
from tests.journeys.people import DOUBLE_TAP, JourneyParticipant, JourneyStaff, link_in
from tests.support.factories import Study
from tests.support.live_system import Site

pytestmark = pytest.mark.journey
NewPatient = Callable[..., JourneyParticipant]
NewNurse = Callable[..., JourneyStaff]


def number_on(new_participant: JourneyParticipant) -> str:
    """Return the participant number that the start page shows."""
    text = new_participant.page.locator("main").inner_text()
    found = re.search(r"J[A-Z0-9]+(?:-[A-Z0-9]+)*", text)
    assert found, text
    return found[0]


def stored(site: Site, number: str) -> tuple[Assessment, dict[str, Answer], list[Alert]]:
    """Return the newest form of a participant, its newest answers, its alerts."""
    with transaction(site.app_context.engine) as session:
        work = site.app_context.unit_of_work(session)
        person = session.scalars(select(Participant).where(Participant.participant_number == number)).one()
        query = select(Assessment).where(Assessment.participant_id == person.id).order_by(Assessment.id.desc())
        form = session.scalars(query).first()
        assert form is not None
        alerts = list(session.scalars(select(Alert).where(Alert.assessment_id == form.id)))
        return form, answer_rows(work, form.id), alerts


def test_an_ulcer_sign_reaches_the_nurse_who_takes_it_on(
    live_site: Site, study: Study, new_participant: NewPatient, nurse: NewNurse
) -> None:
    me = new_participant().opens_the_link()
    number = number_on(me)
    me.starts().answers_the_rest({"odor": 2, "headache": 2})

    letter = live_site.mailbox.wait(
        lambda mail: number in str(mail["Subject"]) and study.staff["nurse"].email in str(mail["To"])
    )
    text = letter.get_content()
    assert "紧急" in str(letter["Subject"])
    assert "头痛" not in text
    assert "臭" not in text
    expect(me.page.locator("h1")).to_have_text("看一看，没错就提交")
    me.sends()
    expect(me.page.locator("h1")).to_contain_text("我们会联系您")

    at_desk = nurse().opens(link_in(text))
    expect(at_desk.page.locator("h1")).to_contain_text(number)
    expect(at_desk.page.locator("main")).to_contain_text("UL3")
    at_desk.acknowledges()
    expect(at_desk.page.locator("button[value=acknowledge]")).to_have_count(0)
    at_desk.notes("已电话联系，今天来院做内镜。")
    expect(at_desk.page.locator("#notes")).to_contain_text("今天来院做内镜")

    _form, _answers, alerts = stored(live_site, number)
    assert {alert.rule for alert in alerts} >= {"UL3"}
    assert all(alert.acknowledged_by == study.staff["nurse"].id for alert in alerts)


def test_a_bleeding_that_does_not_stop_shows_what_to_do_at_once(
    live_site: Site, study: Study, new_participant: NewPatient
) -> None:
    me = new_participant().opens_the_link()
    number = number_on(me)
    me.starts().chooses(3).chooses(1)
    expect(me.page.locator(".sos h1")).to_contain_text("马上打120")
    expect(me.page.locator(".sos a.btn")).to_have_attribute("href", "tel:120")
    expect(me.page.locator(".steps li").first).to_contain_text("坐直")
    live_site.mailbox.wait(
        lambda mail: (
            number in str(mail["Subject"])
            and "Emergency" in str(mail["Subject"])
            and study.staff["investigator"].email in str(mail["To"])
        )
    )
    me.page.reload()
    expect(me.page.locator(".sos h1")).to_be_visible()
    me.understands()
    expect(me.page.locator("button.opt")).to_have_count(4)
    me.answers_the_rest().sends()
    expect(me.page.locator(".sos")).to_be_visible()


def test_a_wrong_tap_is_taken_back_but_the_alert_stays(
    live_site: Site, study: Study, new_participant: NewPatient
) -> None:
    me = new_participant().opens_the_link()
    number = number_on(me)
    me.starts().chooses(4)
    me.tap(me.page.locator("button[value=wrong]"))
    expect(me.page.locator("button.opt.on")).to_contain_text("很多")
    me.chooses(0)
    _form, answers, alerts = stored(live_site, number)
    assert answers["bleed"].value == 0
    assert [alert.rule for alert in alerts if alert.level == 3] == ["E01"]
    assert all(alert.closed_at is None for alert in alerts if alert.level == 3)


def test_a_participant_without_symptoms_is_done_in_18_taps(study: Study, new_participant: NewPatient) -> None:
    me = new_participant().opens_the_link().starts().answers_the_rest().sends()
    expect(me.page.locator("h1")).to_contain_text("已收到，谢谢您")
    assert me.taps <= 18


def test_the_language_changes_in_the_middle_and_nothing_is_lost(
    live_site: Site, study: Study, new_participant: NewPatient
) -> None:
    me = new_participant().opens_the_link()
    number = number_on(me)
    me.starts().chooses(1).chooses(0)
    before = me.page.url
    me.switches_language()
    assert me.page.url.split("?")[0] == before
    expect(me.page.locator("html")).to_have_attribute("lang", "en")
    assert me.question == "How is your breathing?"
    me.chooses(0)
    assert me.question == "How bad was any chest pain, pressure or tightness?"
    _form, answers, _alerts = stored(live_site, number)
    assert [(answers[item].value, answers[item].language) for item in ("bleed", "bleed_now", "breath")] == [
        (1, "zh_Hans"),
        (0, "zh_Hans"),
        (0, "en"),
    ]


def test_what_was_typed_survives_a_change_of_language(study: Study, new_participant: NewPatient) -> None:
    me = new_participant().opens_the_link().starts()
    while not me.page.locator("input[name=weight]").count():
        me.has_none_of_these() if me.page.locator("button.btn[value=none]").count() else me.chooses(0)
    me.page.fill("input[name=weight]", "61")
    me.page.fill("textarea[name=free_text]", "半夜醒来口干")
    me.switches_language()
    expect(me.page.locator("input[name=weight]")).to_have_value("61")
    expect(me.page.locator("textarea[name=free_text]")).to_have_value("半夜醒来口干")


def test_a_form_goes_on_where_it_stopped_on_another_device(
    study: Study, new_participant: NewPatient, phone: Callable[..., Page]
) -> None:
    me = new_participant().opens_the_link().starts().chooses(0).chooses(1).skips()
    question = me.question
    elsewhere = JourneyParticipant(phone("zh_Hans"), me.link).opens_the_link().starts("helped")
    assert elsewhere.question == question
    elsewhere.chooses(0)
    me.page.goto(me.link)
    me.starts()
    assert me.question == "有没有晕倒？"


def test_it_all_works_without_script(live_site: Site, study: Study, new_participant: NewPatient) -> None:
    me = new_participant(java_script_enabled=False).opens_the_link()
    number = number_on(me)
    me.starts()
    for _ in range(60):
        if me.page.locator("button[value=send]").count():
            break
        if me.page.locator("button.btn[value=none]").count():
            me.page.locator("label.tick", has_text="恶心").click()
            me.tap(me.page.locator("button.btn[value=some]"))
        elif me.page.locator("button.opt").count():
            me.tap(me.page.locator("button.opt").first)
        else:
            me.goes_on()
    me.page.locator("button[value=send]").click()
    expect(me.page.locator("h1")).to_contain_text("已收到，谢谢您")
    form, answers, _alerts = stored(live_site, number)
    assert form.submitted_at is not None
    assert answers["other7"].value == ["nausea"]
    assert (answers["nausea"].value, answers["nausea"].source) == (0, "asked")
    assert (answers["vomit"].value, answers["vomit"].source) == (0, "other7")


def test_back_change_and_the_phones_own_back_button_lose_nothing(
    live_site: Site, study: Study, new_participant: NewPatient
) -> None:
    me = new_participant().opens_the_link()
    number = number_on(me)
    me.starts().chooses(0).chooses(1).chooses(0)
    me.goes_back().goes_back()
    assert me.question == "您的呼吸怎么样？"
    me.goes_on()
    me.page.go_back()
    expect(me.page.locator("h1")).to_contain_text("呼吸")
    me.chooses(2)
    _form, answers, _alerts = stored(live_site, number)
    assert [answers[item].value for item in ("bleed", "breath", "chest")] == [0, 2, 0]


def test_a_double_tap_and_a_second_sending_are_harmless(
    live_site: Site, study: Study, new_participant: NewPatient
) -> None:
    me = new_participant().opens_the_link()
    number = number_on(me)
    me.starts()
    me.page.locator("button.opt[value='1']").dblclick()
    expect(me.page.locator("h1")).not_to_contain_text("有没有出血")
    me.answers_the_rest()
    review = me.page.url
    me.sends()
    me.page.goto(review)
    expect(me.page.locator("h1")).to_contain_text("已收到")
    _form, _answers, _alerts = stored(live_site, number)
    with transaction(live_site.app_context.engine) as session:
        rows = list(session.scalars(select(Answer.item).where(Answer.assessment_id == _form.id)))
    assert rows.count("bleed") == 1


def test_a_code_opens_the_form_whatever_its_dress(live_site: Site, study: Study, phone: Callable[..., Page]) -> None:
    way = study.chinese.checkin
    page = phone("zh_Hans")
    page.goto(live_site.url)
    page.fill("input[name=code]", way.code[:6])
    page.locator("main button.btn").click()
    expect(page.locator(".err")).to_be_visible()
    expect(page.locator("input[name=code]")).to_have_value(way.code[:6])
    page.wait_for_timeout(DOUBLE_TAP)
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in way.code.lower() if letter != "-")
    page.fill("input[name=code]", f" {wide} ")
    page.locator("main button.btn").click()
    expect(page.locator("button[name=by][value=self]")).to_be_visible()
    page.wait_for_timeout(DOUBLE_TAP)
    page.locator("button[name=by][value=self]").click()
    expect(page.locator("h1")).to_contain_text("有没有出血")
