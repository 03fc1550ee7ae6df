"""Test issuing forms: once, with one message, and not where they must not be issued."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from pro.errors import NotAllowed, NotFound
from pro.features.forms import form_issuing
from pro.features.schedule import missed_forms
from pro.models import Assessment, CallTask, FormAccess, Message, Participant
from tests.support import form_browser
from tests.support.alert_clinic import Clinic


def send(clinic: Clinic, instrument: str = "npc_checkin", by: str = "link") -> form_issuing.IssuedForm:
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        return form_issuing.send_form(work, person, instrument, by=by)


def change(clinic: Clinic, **columns: object) -> None:
    with form_browser.unit_of_work(clinic.app_context) as work:
        for name, value in columns.items():
            setattr(work.session.get_one(Participant, clinic.participant_id), name, value)


def test_the_open_form_is_sent_again_instead_of_a_second_one(any_clinic, clock):
    clock.move(days=3)
    again = send(any_clinic)
    assert again.assessment.id == any_clinic.checkin.assessment_id
    any_clinic.start().finish()
    fresh = send(any_clinic)
    assert fresh.assessment.id != any_clinic.checkin.assessment_id
    assert len(any_clinic.events("assessment.issued")) == 3


def test_a_form_that_was_cancelled_is_not_sent_again(clinic, clock):
    clock.move(hours=1)
    with form_browser.unit_of_work(clinic.app_context) as work:
        work.session.get_one(Assessment, clinic.checkin.assessment_id).cancelled_at = work.now
    assert send(clinic).assessment.id != clinic.checkin.assessment_id


def test_a_form_that_was_begun_and_is_over_is_not_sent_again(clinic, clock):
    clinic.start().save(bleed=0)
    clock.move(days=15)
    assert send(clinic).assessment.id != clinic.checkin.assessment_id


def test_an_unanswered_form_is_reused_and_old_links_lead_to_it(clinic, clock):
    first = send(clinic)
    clock.move(days=15)
    again = send(clinic)
    assert again.assessment.id == first.assessment.id
    assert again.assessment.visit is None
    assert again.assessment.closes_at == clock.now + timedelta(days=clinic.app_context.config.link_days)


def test_two_people_who_press_at_once_issue_one_form(any_clinic, clock):
    any_clinic.start().finish()
    form_browser.run_concurrently(*[lambda: send(any_clinic)] * 4)
    open_ones = [row for row in any_clinic.rows(Assessment) if row.instrument == "npc_checkin" and not row.submitted_at]
    assert len(open_ones) == 1
    assert len(any_clinic.rows(Message)) == 1


@pytest.mark.parametrize("by", ["link", "code"])
def test_no_text_about_a_form_goes_out_between_a_report_of_a_death_and_the_call(any_clinic, by, clock):
    clinic = any_clinic
    with form_browser.unit_of_work(clinic.app_context) as work:
        person = work.session.get_one(Participant, clinic.participant_id)
        missed_forms.report_death(work, person, "1")
    before = len(clinic.rows(Message)), len(clinic.rows(FormAccess)), len(clinic.rows(Assessment))
    with pytest.raises(NotAllowed) as refused:
        send(clinic, by=by)
    assert refused.value.why == "death_reported"
    assert (len(clinic.rows(Message)), len(clinic.rows(FormAccess)), len(clinic.rows(Assessment))) == before
    # Who stands before the staff member is alive, and gets no text.
    assert send(clinic, by="here").code
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        (task,) = work.session.scalars(select(CallTask)).all()
        missed_forms.log_call(work, at=clock.now, outcome="reached", call_task_id=task.id)
    send(clinic, by=by)
    assert len(clinic.rows(Message)) == before[0] + 1


def test_a_form_is_issued_with_what_it_will_be_read_by_later(clinic, clock):
    form = next(row for row in clinic.rows(Assessment) if row.instrument == "qlq_c30")
    words = clinic.app_context.catalogue.words
    assert form.wordings == {language: words["qlq_c30", language].checksum for language in ("zh_Hans", "en")}
    assert form.instrument_version == clinic.app_context.catalogue.instruments["qlq_c30"].version
    assert (form.issued_by, form.issued_at, form.opened_at) == (clinic.coordinator.id, clock.now, None)
    assert str(clinic.participant_id) != form.ref
    assert len(form.ref) == 12


@pytest.mark.parametrize(("by", "link", "code"), [("link", True, False), ("code", False, True), ("here", True, True)])
def test_the_ways_in_that_were_asked_for(clinic, by, link, code):
    issued = send(clinic, by=by)
    assert (issued.link is not None, issued.code is not None) == (link, code)


def test_a_text_message_carries_the_link_or_the_code_and_is_sealed(any_clinic, clock):
    linked = send(any_clinic)
    coded = send(any_clinic, "qlq_c30", "code")
    first, second = any_clinic.rows(Message)
    assert linked.link is not None
    assert coded.code is not None
    seen = any_clinic.app_context.vault.open
    assert linked.link in seen(first.body_sealed)
    assert coded.code in seen(second.body_sealed)
    assert any_clinic.app_context.config.base_url in seen(second.body_sealed)
    assert (first.template, second.template, first.language) == ("form_message", "form_message_code", "zh_Hans")
    assert (first.channel, first.repeat, first.subject) == ("sms", "prefer_silence", "")
    assert first.not_after - clock.now == timedelta(hours=12, seconds=-1)
    assert seen(first.address_sealed) == "+8613800138000"
    with any_clinic.app_context.engine.connect() as connection:
        rows = str(connection.exec_driver_sql("SELECT * FROM message").all())
    for secret in (linked.link, linked.link.rpartition("/")[2], coded.code, "13800138000"):
        assert secret not in rows


def test_a_form_that_is_given_by_hand_sends_nothing(clinic):
    assert send(clinic, by="here").link
    assert clinic.rows(Message) == []


def test_a_double_press_sends_one_message_even_across_the_turn_of_a_minute(any_clinic, clock):
    clock.move(seconds=59)
    send(any_clinic)
    clock.move(seconds=2)
    send(any_clinic)
    assert len(any_clinic.rows(Message)) == 1
    clock.move(seconds=60)
    send(any_clinic)
    assert len(any_clinic.rows(Message)) == 2


def test_a_link_and_a_code_are_two_wishes(clinic):
    send(clinic)
    send(clinic, by="code")
    assert [row.template for row in clinic.rows(Message)] == ["form_message", "form_message_code"]


# --- what is refused -------------------------------------------------------------------------------------------------


def refused(clinic: Clinic, instrument: str = "npc_checkin", by: str = "link") -> str:
    before = len(clinic.rows(Assessment)), len(clinic.rows(FormAccess))
    with pytest.raises(NotAllowed) as error:
        send(clinic, instrument, by)
    assert (len(clinic.rows(Assessment)), len(clinic.rows(FormAccess))) == before
    assert clinic.rows(Message) == []
    return error.value.why


@pytest.mark.parametrize("by", ["link", "code", "here"])
@pytest.mark.parametrize("column", ["withdrawn_at", "died_at"])
def test_no_form_is_issued_after_withdrawal_or_death(clinic, clock, by, column):
    change(clinic, **{column: clock.now})
    assert refused(clinic, by=by) == "withdrawn"


def test_no_phone_no_message(clinic):
    change(clinic, phone_sealed=None)
    assert [refused(clinic, by=by) for by in ("link", "code")] == ["no_phone", "no_phone"]
    assert send(clinic, by="here").code


def test_who_opted_out_gets_no_message_but_may_still_answer(clinic, clock):
    change(clinic, opted_out_at=clock.now)
    assert refused(clinic) == "opted_out"
    assert send(clinic, by="here").link
    assert clinic.start().save(bleed=0)


def test_without_a_gateway_no_message_is_written(clinic):
    silent = replace(
        clinic, app_context=replace(clinic.app_context, config=replace(clinic.app_context.config, sms="none"))
    )
    assert refused(silent) == "no_sms"


def test_unlicensed_words_are_never_issued_in_production(any_clinic):
    any_clinic.start(any_clinic.qlq).finish()
    config = replace(any_clinic.app_context.config, production=True)
    production = replace(any_clinic, app_context=replace(any_clinic.app_context, config=config))
    assert [refused(production, "qlq_c30", by) for by in ("link", "code", "here")] == ["wording_not_licensed"] * 3
    assert send(production, "npc_checkin").link


def test_an_instrument_that_the_plan_has_not_is_not_found(clinic):
    with pytest.raises(NotFound):
        send(clinic, "nonsense")


@pytest.mark.parametrize(
    ("hour", "until"),
    [(9, timedelta(hours=12, seconds=-1)), (20, timedelta(hours=1, seconds=-1)), (23, timedelta(hours=1))],
)
def test_a_text_that_could_not_leave_does_not_arrive_in_the_night(clinic, clock, hour, until):
    """Check a form sent by hand an hour before the quiet hours that could not be delivered."""
    clock.move(hours=hour - 9)
    send(clinic)
    (text,) = clinic.rows(Message)
    assert text.not_after is not None
    assert text.not_after - clock.now == until


@pytest.mark.parametrize(("column", "why"), [("withdrawn_at", "withdrawn"), ("opted_out_at", "opted_out")])
def test_a_participant_who_withdraws_while_a_form_is_sent_gets_none(postgresql_clinic, clock, column, why):
    clinic = postgresql_clinic
    read, wrote = threading.Barrier(2), threading.Barrier(2)

    def leave() -> None:
        with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
            person = work.session.get_one(Participant, clinic.participant_id)
            read.wait(10)
            setattr(person, column, work.now)
            work.session.flush()
            wrote.wait(10)

    def press() -> None:
        with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
            person = work.session.get_one(Participant, clinic.participant_id)
            read.wait(10)
            wrote.wait(10)
            with pytest.raises(NotAllowed, match=why):
                form_issuing.send_form(work, person, "npc_checkin", by="link")

    form_browser.run_concurrently(leave, press)
    assert clinic.rows(Message) == []
