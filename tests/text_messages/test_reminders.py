"""Test the schedule job: forms are issued once, and participants are reminded in time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from pro.features.forms import form_access
from pro.features.schedule import participation_end
from pro.features.text_messages import reminders
from tests.core.example_schedule import local
from tests.support import form_browser
from tests.support.alert_clinic import Clinic
from tests.support.calendar_participant import CHECKIN, QLQ, CalendarParticipant, change, enrol


@pytest.fixture
def person(any_clinic: Clinic) -> CalendarParticipant:
    """Return a participant with consent on Monday 2026-03-02, at 09:00: the baseline is open."""
    return enrol(any_clinic)


@pytest.fixture
def here(clinic: Clinic) -> CalendarParticipant:
    """Return the same participant, on SQLite only."""
    return enrol(clinic)


def induced(person: CalendarParticipant) -> CalendarParticipant:
    """Answer the baseline and record induction day 1 on 2026-03-05.

    The next form opens on Tuesday 2026-03-10.
    """
    person.look()
    person.answer()
    person.answer(QLQ)
    person.at("2026-03-05 10:00").set(change("induction_day1", "2026-03-05"))
    return person


# --- opening ---------------------------------------------------------------------------------------------------------


def test_a_window_that_opens_issues_one_form_an_instrument_and_tells_the_person(person):
    assert person.look() == 1
    assert [(form.instrument, form.visit) for form in person.forms()] == [(CHECKIN, "baseline"), (QLQ, "baseline")]
    # Both open at the same time: one text, and the last page of the check-in leads on to the other form.
    assert person.text_states() == [("baseline:npc_checkin:0", "waiting")]
    assert person.dropped_reminders() == [(0, "together")]
    assert person.look() == 0
    assert len(person.forms()) == 2
    form = person.form()
    line = person.line("baseline")
    assert (form.opens_at, form.due_at, form.closes_at) == (line.opens_at, line.due_at, line.closes_at)
    assert line.assessment_id == form.id


@pytest.mark.parametrize(("language", "word"), [("zh_Hans", "您"), ("en", "Your form is ready")])
def test_the_text_is_in_the_language_of_the_person(clinic, language, word):
    person = enrol(clinic, language=language)
    person.look()
    mine = [mail for mail in clinic.mails("form_message_code") if mail.row.participant_id == person.id]
    assert [mail.row.language for mail in mine] == [language]
    assert word in mine[0].body


def test_the_code_of_the_text_leads_to_the_form(here):
    here.look()
    mail = next(mail for mail in here.clinic.mails("form_message_code") if mail.row.participant_id == here.id)
    with form_browser.unit_of_work(here.clinic.app_context) as work:
        found = form_access.enter_code(work, mail.params["code"], "1.2.3.4", "phone", "zh_Hans")
        assert found.assessment is not None
        assert found.assessment.id == mail.row.assessment_id


def test_reminders_are_at_opening_and_after_24_and_48_hours(person):
    induced(person)
    person.live("2026-03-13 07:00")
    assert person.times("induction_week.1") == ["03-10 08:00", "03-11 08:00", "03-12 08:00"]
    templates = [row.template for row in person.messages() if "induction_week.1" in row.dedupe_key]
    assert templates == ["form_message_code", "reminder_code", "reminder_code"]
    assert {row.not_after - row.next_try_at for row in person.messages()[-3:]} == {timedelta(hours=12)}


def test_no_text_at_night(any_clinic, clock):
    clock.now = local("2026-03-02 22:30")
    person = enrol(any_clinic)
    person.look()
    assert person.text_states() == []
    assert person.next_due_at() == local("2026-03-03 08:00")
    person.at("2026-03-03 07:59").look()
    assert person.text_states() == []
    person.at("2026-03-03 08:00").look()
    assert person.text_states() == [("baseline:npc_checkin:0", "waiting")]
    assert [row.not_after for row in person.messages()] == [local("2026-03-03 20:00")]


def test_a_text_that_was_queued_in_the_evening_does_not_go_out_at_night(clinic, clock):
    clock.now = local("2026-03-02 20:50")
    person = enrol(clinic)
    person.look()
    assert [row.not_after for row in person.messages()] == [local("2026-03-02 21:00") - timedelta(seconds=1)]


def test_links_instead_of_codes(clinic):
    person = enrol(clinic.with_message_rules(by="link"))
    person.live("2026-03-03 12:00")
    assert [row.template for row in person.messages()] == ["form_message", "reminder"]
    mail = next(mail for mail in clinic.mails("reminder") if mail.row.participant_id == person.id)
    with form_browser.unit_of_work(clinic.app_context) as work:
        found, _who = form_access.open_link(work, mail.params["link"].rpartition("/")[2])
    assert found.id == mail.row.assessment_id


def test_of_two_visits_of_an_instrument_one_is_told_of_a_day(here):
    induced(here)
    here.set(change("rt_fraction", "2026-03-13", 1, planned=True))
    here.live("2026-03-10 12:00")
    # induction_week.1 (10th to 14th) and before_rt (10th to 13th) are one form and one text.
    assert here.line("induction_week.1").assessment_id == here.line("before_rt").assessment_id
    assert [key for key, _ in here.text_states() if key.endswith(f"{CHECKIN}:0")] == [
        "baseline:npc_checkin:0",
        "before_rt:npc_checkin:0",
    ]
    assert (0, "another_form") in here.dropped_reminders()
    assert here.form().closes_at == local("2026-03-14 23:59")
    here.answer()
    statuses = here.statuses()
    assert sorted([statuses["induction_week.1", CHECKIN], statuses["before_rt", CHECKIN]]) == [
        "received",
        "served_elsewhere",
    ]
    before = len(here.text_states())
    here.live("2026-03-14 12:00")
    assert [key for key, _ in here.text_states()[before:] if CHECKIN in key] == []


# --- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("back", ["2026-03-12 08:30", "2026-03-12 07:00", "2026-03-12 15:00", "2026-03-12 23:00"])
def test_after_two_days_of_outage_there_is_one_text_a_form_at_most(person, back):
    induced(person)
    before = len(person.dropped_reminders())
    person.live("2026-03-10 07:00")
    person.at(back).look()
    later = [key for key, _ in person.text_states() if "induction_week" in key]
    assert len(later) <= 1
    stale = [why for _, why in person.dropped_reminders()[before:]]
    assert stale
    assert set(stale) == {"stale"}
    person.live("2026-03-12 23:59")
    keys = [key for key, _ in person.text_states() if "induction_week.1" in key]
    assert len(keys) + len(person.dropped_reminders()[before:]) == 3
    assert len(keys) <= 1


def test_a_clock_that_jumps_back_an_hour_sends_nothing_twice(person):
    induced(person)
    person.live("2026-03-10 08:10")
    before = person.text_states()
    person.at("2026-03-10 07:10")
    person.look()
    assert person.text_states() == before
    person.live("2026-03-10 12:00")
    assert person.text_states() == before
    person.live("2026-03-14 23:59")
    person.at("2026-03-15 00:30").look()
    missed = person.line("induction_week.1").missed_at
    person.at("2026-03-14 23:30").look()
    assert person.line("induction_week.1").missed_at == missed is not None
    keys = [key for key, _ in person.text_states()]
    assert len(keys) == len(set(keys))


def leave(person: CalendarParticipant, how: str) -> None:
    with form_browser.unit_of_work(person.clinic.app_context, person.clinic.nurse.actor) as work:
        row = person.row(work)
        if how == "opted out":
            participation_end.opt_out(work, row, "asked for it")
        elif how == "no phone":
            row.phone_sealed = None
        else:
            participation_end.end_participation(work, row, died=how == "dead", reason="told by phone")


@pytest.mark.parametrize("how", ["withdrawn", "dead", "opted out", "no phone"])
def test_who_must_be_left_alone_gets_nothing_more(person, how):
    induced(person)
    leave(person, how)
    before = person.text_states()
    person.live("2026-03-16 12:00")
    assert person.text_states() == before
    line = person.line("induction_week.1")
    assert (line.assessment_id is None) == (how in ("withdrawn", "dead"))
    assert line.missed_at is not None


def test_opting_out_takes_back_what_was_queued_and_the_right_to_answer_stays(person):
    person.look()
    leave(person, "opted out")
    assert [(row.status, row.failure) for row in person.messages()] == [("dropped", "not_wanted")]
    person.answer()
    assert person.statuses()["baseline", CHECKIN] == "received"
    with form_browser.unit_of_work(person.clinic.app_context) as work:
        participation_end.opt_in(work, person.row(work))
    person.live("2026-03-03 12:00")
    assert person.text_states()[1:] == [("baseline:qlq_c30:1", "waiting")]


def test_who_has_answered_is_not_reminded_and_what_was_queued_is_dropped(person):
    person.look()
    person.answer()
    assert [(row.status, row.failure) for row in person.messages()] == [("dropped", "answered")]
    person.live("2026-03-06 12:00")
    # From now on the other form is asked for by its own texts.
    assert person.text_states() == [
        ("baseline:npc_checkin:0", "dropped"),
        ("baseline:qlq_c30:1", "waiting"),
        ("baseline:qlq_c30:2", "waiting"),
    ]


def test_a_form_that_was_begun_is_reminded_of_and_counts_as_partial_at_the_end(person):
    induced(person)
    person.live("2026-03-10 12:00")
    person.begin()
    person.live("2026-03-15 00:30")
    assert person.times("induction_week.1") == ["03-10 08:00", "03-11 08:00", "03-12 08:00"]
    line = person.line("induction_week.1")
    assert (person.statuses()["induction_week.1", CHECKIN], line.missed_at) == ("partial", None)
    person.live("2026-03-17 12:00")
    assert person.line("induction_week.2").assessment_id != line.assessment_id


def test_a_form_that_was_begun_does_not_end_a_visit_that_is_still_open(person):
    """Check a partially completed form in two windows, of which one has closed."""
    induced(person)
    person.set(change("rt_fraction", "2026-03-13", 1, planned=True))
    person.live("2026-03-13 12:00")
    here = person.begin()
    person.live("2026-03-14 09:00")
    assert person.statuses()["before_rt", CHECKIN] == "partial"
    assert person.statuses()["induction_week.1", CHECKIN] in ("due", "late")
    here.finish()
    statuses = person.statuses()
    assert statuses["induction_week.1", CHECKIN] == "received"
    assert person.line("before_rt").partial is False


def test_an_unanswered_form_passes_to_the_next_visit(person):
    induced(person)
    person.live("2026-03-10 12:00")
    first, old = person.form(), person.ways()
    person.live("2026-03-17 12:00")
    again = person.form()
    assert (again.id, again.visit) == (first.id, "induction_week.2")
    assert {way.id for way in old} <= {way.id for way in person.ways() if way.revoked_at is None}
    assert person.statuses()["induction_week.1", CHECKIN] == "missed"
    mail = next(
        mail for mail in person.clinic.mails("form_message_code") if ":induction_week.1:" in mail.row.dedupe_key
    )
    with form_browser.unit_of_work(person.clinic.app_context) as work:
        found = form_access.enter_code(work, mail.params["code"], "1.2.3.4", "phone", "zh_Hans").assessment
    assert found is not None
    assert found.id == again.id
    person.answer()
    statuses = person.statuses()
    assert (statuses["induction_week.1", CHECKIN], statuses["induction_week.2", CHECKIN]) == ("missed", "received")


def test_a_form_that_is_answered_late_counts_flagged(person):
    induced(person)
    person.live("2026-03-15 12:00")
    assert person.statuses()["induction_week.1", CHECKIN] == "missed"
    person.answer()
    line = person.line("induction_week.1")
    assert (person.statuses()["induction_week.1", CHECKIN], line.out_of_window) == ("received", True)


def test_one_qlq_serves_two_visits_and_others_are_kept_apart_a_week(person):
    induced(person)
    person.set(change("pd1_dose", "2026-03-26", 2, planned=True), change("rt_fraction", "2026-04-06", 1, planned=True))
    person.live("2026-03-26 10:00")
    assert person.line("before_rt", QLQ).opens_at == local("2026-03-30 08:00")
    person.answer(QLQ)
    assert person.line("before_rt", QLQ).opens_at == local("2026-04-02 10:00")
    person.live("2026-04-01 12:00")
    assert person.line("before_rt", QLQ).assessment_id is None
    # Brought forward, so that the answer is less than a week old on the day: it serves both visits.
    person.set(change("rt_fraction", "2026-04-02", 1, planned=True))
    assert person.statuses()["before_rt", QLQ] == "served_elsewhere"
    before = len(person.text_states())
    person.live("2026-04-03 12:00")
    assert [key for key, _ in person.text_states()[before:] if QLQ in key] == []


def test_what_need_not_be_answered_expires(here):
    induced(here)
    here.at("2026-03-09 10:00").set(change("rt_fraction", "2026-03-09", 1))
    here.live("2026-04-03 12:00")
    assert here.statuses()["rt_midweek.18", CHECKIN] == "expired"
    assert [key for key, _ in here.text_states() if "midweek" in key] == []


def test_a_calendar_that_breaks_keeps_no_other_from_being_looked_at(any_clinic):
    one, two = enrol(any_clinic, "NPC-101"), enrol(any_clinic, "NPC-102")
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        work.session.execute(text("UPDATE participant SET phone_sealed = 'no seal' WHERE id = :id"), {"id": one.id})
    with pytest.raises(RuntimeError):
        reminders.run_due_participants(any_clinic.app_context)
    assert (one.forms(), one.text_states()) == ([], [])
    assert two.text_states() == [("baseline:npc_checkin:0", "waiting")]
    assert two.next_due_at() == local("2026-03-03 09:00")
    with pytest.raises(RuntimeError):
        reminders.run_due_participants(any_clinic.app_context)
    assert two.text_states() == [("baseline:npc_checkin:0", "waiting")]


def test_a_form_without_a_licence_is_issued_once_there_is_one(clinic):
    bare = replace(
        clinic, app_context=replace(clinic.app_context, config=replace(clinic.app_context.config, production=True))
    )
    person = enrol(bare)
    person.look()
    assert [form.instrument for form in person.forms()] == [CHECKIN]
    assert person.next_due_at() == clinic.app_context.clock() + timedelta(hours=1)


def test_a_visit_that_is_put_off_for_weeks_is_asked_for_again_at_its_time(person):
    induced(person)
    person.set(change("rt_fraction", "2026-04-06", 1, planned=True))
    person.live("2026-04-04 12:00")
    assert person.times("before_rt")[-1] == "04-04 08:00"
    person.set(change("rt_fraction", "2026-05-11", 1, planned=True))
    assert person.line("before_rt", QLQ).steps == 0
    before = len(person.text_states())
    person.live("2026-05-04 12:00")
    assert "before_rt:qlq_c30:0" in [key for key, _ in person.text_states()[before:]]
    assert len([key for key, _ in person.text_states()[before:] if "before_rt" in key]) == 1
