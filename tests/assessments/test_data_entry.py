"""Test the data entry of phone interviews and paper forms, and the verification of paper."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pro.core.rule_language.level import Level
from pro.errors import AlreadySubmitted, BadData, NotAllowed, NotFound
from pro.features.alerts import alert_list, alert_page
from pro.features.assessments import paper_forms
from pro.features.participants.pages import participant_page
from pro.features.schedule import enrolment
from pro.models import Answer, ExpectedForm, Participant, Score
from tests.support import form_browser
from tests.support.data_entry_staff import (
    QLQ,
    QUIET,
    count_rows,
    enter_form,
    newest_answers,
    read_form,
    set_participant_columns,
)

# --- entering --------------------------------------------------------------------------------------------------------


def test_an_interview_is_a_form_with_all_that_belongs_to_it(any_clinic, clock):
    clock.move(days=1)
    form = enter_form(any_clinic, given=QUIET | {"bleed": 1, "bleed_now": 0, "chest": None}, answered_by="helped")
    kept = read_form(any_clinic, form)
    assert form == any_clinic.checkin.assessment_id  # the open form, not a second one
    assert (kept.completion_mode, kept.answered_by, kept.identified_by) == ("phone", "helped", "staff")
    assert (kept.entered_by, kept.answered_at) == (any_clinic.nurse.id, clock.now - timedelta(hours=1))
    assert kept.opened_at == kept.first_answer_at == kept.submitted_at == clock.now
    assert kept.evaluate_next_at is None
    rows = newest_answers(any_clinic, form)
    assert {(found.channel, found.answered_by, found.at) for found in rows.values()} == {("phone", "helped", clock.now)}
    assert (rows["bleed"].value, rows["chest"].state) == (1, "skipped")
    # An item that was not entered has no row, and the rules do not take it for a zero.
    assert "odor" not in rows
    assert "E04" in kept.unresolved
    (event,) = any_clinic.events("assessment.entered")
    assert event.new["completion_mode"] == "phone"


def test_it_is_judged_at_once_and_mailed(any_clinic, clock):
    clock.move(days=1)
    enter_form(any_clinic, given=QUIET | {"bleed": 4, "bleed_now": 1})
    assert any_clinic.alerts()["E01"].level == Level.EMERGENCY
    assert {mail.to for mail in any_clinic.mails()} == {any_clinic.nurse.email, any_clinic.investigator.email}


def test_the_same_answers_come_to_the_same_verdict_as_from_a_phone(clinic, clock):
    clock.move(days=1)
    given: dict[str, Any] = QUIET | {
        "bleed": 2,
        "bleed_now": 0,
        "odor": 2,
        "headache": 2,
        "headache_int": 1,
        "other7": ("pain",),
        "pain": 3,
    }
    typed = read_form(clinic, enter_form(clinic, given=given))
    by_phone = {rule: alert.level for rule, alert in clinic.alerts().items() if alert.assessment_id == typed.id}
    # A second participant, so that neither has an earlier form to compare with.
    other = clinic.another("npc_reirradiation", "NPC-002")
    clock.move(hours=1)
    phone = other.start()
    for item, value in given.items():
        phone.save(**{item: value})
    phone.submit()
    sent = read_form(clinic, other.checkin.assessment_id)
    assert {rule: a.level for rule, a in clinic.alerts().items() if a.assessment_id == sent.id} == by_phone
    assert typed.unresolved == sent.unresolved
    assert {n: (a.state, a.value, a.source) for n, a in newest_answers(clinic, typed.id).items()} == {
        n: (a.state, a.value, a.source) for n, a in newest_answers(clinic, sent.id).items()
    }


def test_what_a_list_settles_gets_rows_of_its_own(clinic, clock):
    clock.move(days=1)
    form = enter_form(clinic, given={"other7": ("hearing",), "hearing": 2})
    rows = newest_answers(clinic, form)
    assert (rows["hearing"].value, rows["hearing"].source) == (2, "asked")
    assert (rows["pain"].value, rows["pain"].source) == (0, "other7")


def test_without_an_open_form_a_new_one_is_made(clinic, clock):
    clock.move(days=1)
    first = enter_form(clinic)
    clock.move(hours=2)
    second = enter_form(clinic)
    assert first != second
    assert read_form(clinic, second).issued_by == clinic.nurse.id
    assert read_form(clinic, second).context["baseline"]["bleed"] == 0


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        ({"hours": -1}, {"answered_at": "answered_in_future"}),
        ({"hours": 24 * 61}, {"answered_at": "answered_too_long_ago"}),
        ({"hours": 24 * 12}, {"answered_at": "answered_before_consent"}),
        ({"mode": "web"}, {"mode": "unknown"}),
        ({"answered_by": "staff"}, {"answered_by": "unknown"}),
        ({"language": "fr"}, {"language": "unknown"}),
        ({"given": {}}, {"given": "nothing_answered"}),
        ({"given": {"bleed": None}}, {"given": "nothing_answered"}),
        ({"given": {"bleed": 7, "breath": 1}}, {"bleed": "not_accepted"}),
        ({"given": {"weight": "heavy", "breath": 1}}, {"weight": "not_accepted"}),
        ({"given": {"shoe_size": 44, "breath": 1}}, {"shoe_size": "no_such_question"}),
        ({"given": {"bleed": 0, "bleed_now": 1}}, {"bleed_now": "not_asked"}),
        ({"given": {"bleed_now": 1, "breath": 1}}, {"bleed_now": "not_asked"}),
        ({"given": {"other7": (), "pain": 3, "pain_int": 1}}, {"pain": "not_asked", "pain_int": "not_asked"}),
        ({"given": {"selfharm": 1, "breath": 1}}, {"selfharm": "not_asked"}),
        ({"hours": -1, "mode": "", "given": {"bleed": 9}}, {"answered_at": 0, "mode": 0, "bleed": 0}),
    ],
)
def test_what_cannot_be_is_refused_by_name_and_leaves_nothing(clinic, clock, more, fields):
    clock.move(days=10)
    before = count_rows(clinic)
    with pytest.raises(BadData) as refused:
        enter_form(clinic, **more)
    found: Any = refused.value.details["fields"]
    assert found == fields or (set(found) == set(fields) and not any(fields.values()))
    assert count_rows(clinic) == before


def test_the_day_of_consent_itself_will_do(clinic, clock):
    # Enrolled at 09:00 in Shanghai; 00:30 of the same day is allowed, half an hour earlier is the day before.
    clock.now = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
    with pytest.raises(BadData):
        enter_form(clinic, answered_at=datetime(2026, 3, 1, 15, 30, tzinfo=UTC))
    assert enter_form(clinic, answered_at=datetime(2026, 3, 1, 16, 30, tzinfo=UTC))


def test_what_the_participant_began_meanwhile_is_not_typed_over_unseen(any_clinic, clock):
    clock.move(days=1)
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.nurse.actor) as work:
        person = work.session.get_one(Participant, any_clinic.participant_id)
        seen = paper_forms.entry_layout(work, person, "npc_checkin", "en").state
    any_clinic.start().save(bleed=2, bleed_now=0)
    before = count_rows(any_clinic)
    for known in (None, seen):
        with pytest.raises(NotAllowed) as refused:
            enter_form(any_clinic, seen=known)
        assert refused.value.why == "begun"
    assert count_rows(any_clinic) == before
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.nurse.actor) as work:
        person = work.session.get_one(Participant, any_clinic.participant_id)
        shown = paper_forms.entry_layout(work, person, "npc_checkin", "en")
        said = {question.id: question.said for question in shown.questions if question.said}
    assert (shown.there, set(said)) == (2, {"bleed", "bleed_now"})
    # The draft was opened and continued: entered items count, the others stay, and every row stays.
    form = enter_form(any_clinic, given={"bleed": 1, "breath": 0}, seen=shown.state)
    rows = newest_answers(any_clinic, form)
    assert {name: (found.value, found.channel) for name, found in rows.items()} == {
        "bleed": (1, "phone"),
        "bleed_now": (0, "web"),
        "breath": (0, "phone"),
    }
    assert len(any_clinic.rows(Answer)) == 4


def test_old_answers_of_a_begun_form_are_not_mixed_with_those_of_today(clinic, clock):
    clinic.start().save(bleed=3, bleed_now=0)
    clock.move(days=3)
    form = enter_form(clinic, given={"bleed": 0, "breath": 0})
    rows = newest_answers(clinic, form)
    assert (rows["bleed"].value, rows["bleed_now"].state) == (0, "withdrawn")
    assert read_form(clinic, form).answered_by == "self"


def test_the_second_press_of_one_button_enters_nothing_twice(any_clinic, clock):
    clock.move(days=1)
    outcomes: list[int | str] = []

    def press():
        try:
            outcomes.append(enter_form(any_clinic, seen="0.0"))
        except NotAllowed as refused:
            outcomes.append(refused.why)

    form_browser.run_concurrently(press, press, press)
    assert sorted(map(str, outcomes)) == sorted([str(any_clinic.checkin.assessment_id), "begun", "begun"])
    assert len(any_clinic.events("assessment.submitted")) == 1


def test_the_participants_open_page_learns_that_the_form_is_closed(clinic, clock):
    phone = clinic.start()
    clock.move(hours=2)
    enter_form(clinic)
    with pytest.raises(AlreadySubmitted):
        phone.save(bleed=4)


def test_entry_is_refused_after_death_and_for_an_instrument_that_is_not_asked(clinic, clock):
    clock.move(days=1)
    with pytest.raises(NotFound):
        enter_form(clinic, instrument="shoe_sizes")
    set_participant_columns(clinic, died_at=clock.now)
    with pytest.raises(NotAllowed) as refused:
        enter_form(clinic)
    assert refused.value.why == "died"


def test_after_the_withdrawal_only_its_own_form_may_be_entered(clinic, clock):
    clock.move(days=1)
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        enrolment.withdraw_participant(work, work.session.get_one(Participant, clinic.participant_id), "moved away")
    lines = {line.kind: line for line in clinic.rows(ExpectedForm) if line.instrument == "qlq_c30"}
    assert set(lines) == {"withdrawal"}
    with pytest.raises(NotFound):
        enter_form(clinic, expected_form_id=lines["withdrawal"].id)
    form = enter_form(clinic, instrument="qlq_c30", given=QLQ)
    assert read_form(clinic, form).visit == "withdrawal"
    assert {line.kind: line.assessment_id for line in clinic.rows(ExpectedForm) if line.received_at} == {
        "withdrawal": form
    }
    with pytest.raises(NotAllowed):
        enter_form(clinic, instrument="qlq_c30", given=QLQ)
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        person = participant_page.read_participant(work, clinic.participant_id)
        assert paper_forms.enterable_instruments(work, person) == ("npc_checkin",)


# --- the date of the answers -----------------------------------------------------------------------------------------


def test_old_paper_is_judged_and_the_alert_says_when_it_was_answered(clinic, clock):
    clock.move(days=10)
    form = enter_form(clinic, mode="paper", hours=96, given=QUIET | {"bleed": 4})
    alert = clinic.alerts()["E01"]
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        page = alert_page.alert_page(work, alert.id, "en")
        (case,) = alert_list.open_cases(work, "en")
    assert page.case.answered_at == case.answered_at == clock.now - timedelta(hours=96)
    assert (page.mode, page.entered_by, page.submitted_at) == ("paper", clinic.nurse.name, clock.now)
    assert read_form(clinic, form).answered_at == case.answered_at


def test_late_paper_is_compared_with_what_came_before_it_not_after(clinic, clock):
    clinic.start().finish(odor=1)
    clock.move(days=10)
    clinic.start(clinic.send()).finish(odor=3)
    clock.move(days=1)
    form = read_form(clinic, enter_form(clinic, mode="paper", hours=5 * 24, given=QUIET | {"odor": 2}))
    assert form.context["baseline"]["odor"] == form.context["previous"]["odor"] == 1
    # An answer of today is compared with the newest by the date of the answers, not of their entry.
    phone = clinic.start(clinic.send())
    phone.save(bleed=0)
    assert read_form(clinic, phone.way.assessment_id).context["previous"]["odor"] == 3


def test_an_old_check_in_typed_today_does_not_silence_a_qlq_rule(clinic, clock):
    clock.move(days=10)
    enter_form(clinic, mode="paper", hours=5 * 24, given=QUIET | {"breath": 1})
    enter_form(clinic, instrument="qlq_c30", given=QLQ | {"Q8": 4})
    assert "Q01" in clinic.alerts()


def test_a_check_in_of_the_same_hours_silences_it(clinic, clock):
    clock.move(days=10)
    enter_form(clinic, mode="paper", hours=5 * 24, given=QUIET | {"breath": 1})
    enter_form(clinic, mode="paper", hours=4 * 24, instrument="qlq_c30", given=QLQ | {"Q8": 4})
    assert "Q01" not in clinic.alerts()


# --- who answered ----------------------------------------------------------------------------------------------------


def test_a_proxys_qlq_is_kept_and_judged_by_its_items_but_not_scored(clinic, clock):
    clock.move(days=1)
    form = enter_form(clinic, instrument="qlq_c30", answered_by="proxy", given=QLQ | {"Q8": 4})
    assert clinic.rows(Score) == []
    assert "Q01" in clinic.alerts()
    assert {found.answered_by for found in newest_answers(clinic, form).values()} == {"proxy"}
    assert len(clinic.events("assessment.not_scored")) == 1
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        person = participant_page.read_participant(work, clinic.participant_id)
        shown = participant_page.read_form(work, person, form, "en")
    assert (shown.not_scored, shown.scores) == (True, [])


def test_a_plan_may_want_proxies_scored(clinic, clock):
    clinic = clinic.with_plan(lambda plan: replace(plan, score_proxy=True))
    clock.move(days=1)
    enter_form(clinic, instrument="qlq_c30", answered_by="proxy", given=QLQ)
    assert len(clinic.rows(Score)) == 16


def test_a_proxy_who_answers_on_the_web_is_recorded_as_such(any_clinic, clock):
    phone = any_clinic.start(any_clinic.qlq, answered_by="proxy")
    phone.save(Q1=1)
    again = any_clinic.start(any_clinic.qlq, answered_by="self")
    again.save(Q2=1)
    again.finish(Q1=1, Q2=1)
    form = read_form(any_clinic, any_clinic.qlq.assessment_id)
    assert form.answered_by == "proxy"
    by = {name: found.answered_by for name, found in newest_answers(any_clinic, form.id).items()}
    assert (by["Q1"], by["Q2"]) == ("proxy", "self")
    assert any_clinic.rows(Score) == []
