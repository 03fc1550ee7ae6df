"""Staff pages: the most urgent first, in words; each role sees only what it may see."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta

import pytest

from pro.app_context import Actor
from pro.core.rule_language.level import Level
from pro.errors import NotFound
from pro.features.alerts import alert_background, alert_service
from pro.features.alerts import alert_page as alerts_alert_page
from pro.features.forms import form_issuing
from pro.features.participants.pages import participant_header, participant_list, participant_page
from pro.features.participants.pages.participant_header import ParticipantHeader
from pro.features.schedule import schedule_service
from pro.features.schedule.schedule_service import DateChange
from pro.features.to_do_list import to_do_list
from pro.models import Alert, Assessment, Message, Participant, StaffMember
from tests.support import form_browser
from tests.support.alert_clinic import Clinic, broken_rule

PHONE = "+8613800138000"


def board(clinic: Clinic, language: str = "en") -> to_do_list.ToDoList:
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        return to_do_list.read_to_do_list(work, language)


def alert_page(clinic: Clinic, rule: str, role: str = "nurse", language: str = "en") -> alerts_alert_page.AlertPage:
    with form_browser.unit_of_work(clinic.app_context, Actor("staff", clinic.nurse.id, role, "Nurse")) as work:
        return alerts_alert_page.alert_page(work, clinic.alerts()[rule].id, language)


def header(clinic: Clinic, role: str = "nurse", language: str = "en") -> ParticipantHeader:
    with form_browser.unit_of_work(clinic.app_context, Actor("staff", clinic.nurse.id, role, "Nurse")) as work:
        person = participant_page.read_participant(work, clinic.participant_id)
        return participant_header.read_header(work, person, language)


# --- the board -------------------------------------------------------------------------------------------------------


def test_an_empty_ward(any_clinic):
    now = board(any_clinic)
    assert (now.unacknowledged, now.in_progress, now.failed.messages, now.gaps) == ([], [], [], [])
    assert [(held.place, held.name) for held in now.on_duty] == [("on_call", "Nurse")]
    assert [one.name for one in now.investigators] == ["Investigator"]
    assert [(form.instrument, form.status) for form in now.awaited.forms] == [
        ("npc_checkin", "issued"),
        ("qlq_c30", "issued"),
    ]


def test_one_form_is_one_case_with_its_worst_rule_first(any_clinic, clock):
    any_clinic.start().save(bleed=4, bleed_now=0, breath=1)
    (case,) = board(any_clinic).unacknowledged
    assert (case.level, case.participant_number, case.acknowledged_by) == (Level.EMERGENCY, "NPC-001", None)
    assert case.rules == ["E01", "U01", "W02"]
    assert case.alert_id == any_clinic.alerts()["E01"].id
    words = any_clinic.app_context.catalogue.plan_words["npc_reirradiation", "en"]
    assert case.sentence == words.rules["E01"]
    assert case.answered_at == clock.now


def test_a_suspected_ulcer_is_named_beside_what_is_worse(clinic):
    clinic.start().save(breath=3, odor=3)
    words = clinic.app_context.catalogue.plan_words["npc_reirradiation", "zh_Hans"]
    assert board(clinic, "zh_Hans").unacknowledged[0].sentence == f"{words.rules['E03']}；{words.rules['UL2']}"


def test_a_superseded_watch_is_not_listed(clinic):
    phone = clinic.start()
    phone.save(breath=1)
    phone.save(breath=2)
    assert board(clinic).unacknowledged[0].rules == ["U02"]


def test_the_loudest_and_then_the_oldest_come_first(clinic, clock):
    order = []
    for way, said in ((clinic.checkin, {"odor": 3}), (clinic.qlq, {"Q8": 4})):
        phone = clinic.start(way)
        phone.save(**said)
        phone.submit()
        order.append(f"assessment:{way.assessment_id}")
        clock.move(minutes=5)
    louder = clinic.send()
    clinic.start(louder).save(breath=3)
    assert [case.source for case in board(clinic).unacknowledged] == [f"assessment:{louder.assessment_id}", *order]


def test_taken_on_is_in_hand_and_a_new_sign_brings_it_back(any_clinic, clock):
    phone = any_clinic.start()
    phone.save(odor=3)
    clock.move(minutes=2)
    any_clinic.acknowledge()
    now = board(any_clinic)
    (case,) = now.in_progress
    assert (now.unacknowledged, case.acknowledged_by, case.acknowledged_at) == ([], "Nurse", clock.now)
    clock.move(minutes=2)
    phone.save(faint=1)
    now = board(any_clinic)
    assert now.in_progress == []
    (case,) = now.unacknowledged
    assert (case.rules, case.raised_at) == (["U05", "UL2"], clock.now)


def test_a_lowered_case_says_so(clinic):
    clinic.mark("known_stable", 1, "chest", days=14)
    clinic.start().save(chest=1)
    (case,) = board(clinic).unacknowledged
    assert (case.level, case.lowered) == (Level.WATCH, True)


def test_a_judgement_that_broke_is_on_the_board(clinic):
    clinic.with_rules(broken_rule()).start().save(bleed=0)
    (case,) = board(clinic).unacknowledged
    assert (case.level, case.evaluation_failed, case.sentence) == (Level.URGENT, True, "")


def test_what_closed_itself_is_gone_from_the_board(clinic):
    phone = clinic.start()
    phone.save(bleed=0)
    with form_browser.unit_of_work(clinic.app_context) as work:
        alert_service.evaluate_form(
            work, work.session.get_one(Assessment, clinic.checkin.assessment_id), {"bleed": 0}, submitted=False, idle=30
        )
    assert board(clinic).unacknowledged[0].rules == ["M01"]
    phone.save(breath=0, chest=0, palp=0, faint=0, temp=0, swallow=0, neuro=0)
    assert board(clinic).unacknowledged == []


def test_a_gap_in_the_duties_is_shown(clinic, clock):
    clock.move(days=61)
    now = board(clinic)
    assert ([gap.starts <= now.now for gap in now.gaps], now.on_duty) == ([True], [])


def test_forms_that_wait_stand_in_the_order_in_which_they_close(clinic, clock):
    clinic.start(clinic.qlq).save(Q1=1)
    assert [(form.instrument, form.status) for form in board(clinic).awaited.forms] == [
        ("npc_checkin", "issued"),
        ("qlq_c30", "started"),
    ]
    clinic.start().finish()
    assert [form.instrument for form in board(clinic).awaited.forms] == ["qlq_c30"]
    clock.move(days=15)
    assert board(clinic).awaited.forms == []


def test_a_message_that_reached_nobody_names_no_address(any_clinic, clock):
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.coordinator.actor) as work:
        form_issuing.send_form(
            work, participant_page.read_participant(work, any_clinic.participant_id), "npc_checkin", by="link"
        )
    any_clinic.start().save(bleed=4)
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        for message in work.session.query(Message):
            message.failed_at, message.failure = clock.now, "address_refused"
    failed = board(any_clinic).failed.messages
    assert sorted(message.who for message in failed) == ["Investigator", "NPC-001", "Nurse"]
    assert {bool(message.reason) for message in failed} == {True}
    assert "13800138000" not in str([asdict(message) for message in failed])
    assert "@" not in str([asdict(message) for message in failed])


# --- one alert -------------------------------------------------------------------------------------------------------


def test_the_page_of_an_alert(any_clinic, clock):
    any_clinic.start().finish(odor=1)
    clock.move(days=7)
    phone = any_clinic.start(any_clinic.send(), answered_by="helped", language="en")
    phone.save(bleed=None, odor=3)
    page = alert_page(any_clinic, "UL2")
    assert [(row.rule, row.level) for row in page.findings][:1] == [("UL2", Level.URGENT)]
    assert page.findings[0].suspects
    answers = {row.item: row for row in page.answers}
    words = any_clinic.app_context.catalogue.words["npc_checkin", "en"].items["odor"].options
    assert (answers["odor"].now, answers["odor"].previous, answers["odor"].baseline) == (words[3], words[1], words[1])
    assert (answers["bleed"].now, answers["bleed"].skipped) == ("", True)
    assert (page.unfinished, page.submitted_at, page.answered_by, page.language_used) == (True, None, "helped", "en")
    assert page.open_ids == [
        alert.id for alert in any_clinic.alerts().values() if alert.assessment_id == phone.way.assessment_id
    ]
    assert any(rule.startswith("E") for rule, _sentence in page.unresolved)
    assert page.can_acknowledge
    assert page.phone == PHONE


def test_any_alert_of_a_form_leads_to_the_same_page(clinic):
    clinic.start().save(bleed=4)
    assert alert_page(clinic, "U01").case == alert_page(clinic, "E01").case


def test_an_alert_that_is_not_there_is_not_found(clinic):
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work, pytest.raises(NotFound):
        alerts_alert_page.alert_page(work, 999, "en")


def test_the_course_of_things_is_told_newest_first(clinic, clock):
    phone = clinic.start()
    phone.save(bleed=4)
    clock.move(minutes=1)
    phone.advised()
    clock.move(minutes=1)
    clinic.acknowledge()
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        alert_service.add_note(work, f"assessment:{clinic.checkin.assessment_id}", "phoned")
    page = alert_page(clinic, "E01")
    actions = [action for _at, action, _detail in page.events]
    assert actions[0] == "alert.acknowledged"
    assert {"alert.raised", "alert.advised", "message.dropped"} <= set(actions)
    assert [at for at, _action, _detail in page.events] == sorted((at for at, _a, _d in page.events), reverse=True)
    assert [(name, text) for _at, name, text in page.notes] == [("Nurse", "phoned")]
    assert page.advice_at == clock.now - timedelta(minutes=1)
    assert page.open_ids == []


# --- who may see what ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "sees"),
    [
        ("nurse", True),
        ("investigator", True),
        ("coordinator", True),
        ("monitor", False),
        ("statistician", False),
        ("administrator", False),
    ],
)
def test_a_phone_is_shown_to_those_who_must_call_and_that_is_recorded(any_clinic, role, sees):
    any_clinic.start().save(bleed=4)
    shown = (alert_page(any_clinic, "E01", role), header(any_clinic, role))
    assert [shown[0].phone, shown[1].phone] == ([PHONE] * 2 if sees else [None, None])
    assert len(any_clinic.events("participant.phone_seen")) == (2 if sees else 0)
    if not sees:
        assert "13800138000" not in str(asdict_safe(*shown))


def asdict_safe(*pages: object) -> list[str]:
    """What pages hold, without the rows that they carry for links only."""
    return [str({name: getattr(page, name) for name in page.__slots__ if name != "participant"}) for page in pages]  # type: ignore[attr-defined]


def test_who_may_only_read_may_not_take_on_or_send(clinic):
    clinic.start().save(bleed=4)
    assert not alert_page(clinic, "E01", "monitor").can_acknowledge
    assert header(clinic, "monitor").primary == ""
    assert header(clinic, "coordinator").primary == "alert"


# --- participants ----------------------------------------------------------------------------------------------------


def test_the_list_of_participants(any_clinic, clock):
    any_clinic.start().save(bleed=4)
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.nurse.actor) as work:
        (row,) = participant_list.list_participants(work, "en").rows
    assert (row.participant_number, row.status, row.last_answer_at) == ("NPC-001", "active", clock.now)
    assert (row.open_level, row.open_alert_id) == (Level.EMERGENCY, any_clinic.alerts()["E01"].id)
    assert [form.instrument for form in row.due] == ["npc_checkin", "qlq_c30"]


def test_the_page_of_a_participant(any_clinic, clock):
    phone = any_clinic.start(any_clinic.qlq)
    phone.finish(Q1=2, Q30=None)
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.nurse.actor) as work:
        person = participant_page.read_participant(work, any_clinic.participant_id)
        form = participant_page.read_form(work, person, phone.way.assessment_id, "en")
        choices = participant_page.instrument_choices(work, person, "en")
    scores = {score.scale: score for score in form.scores}
    assert next(iter(scores)) == "QL"
    assert list(scores)[-1] == "C30SUMMARY"
    assert (scores["QL"].used, scores["QL"].of) == (1, 2)
    assert scores["PF"].value == 100 * 14 / 15
    assert (form.status, form.submitted_at) == ("submitted", clock.now)
    assert len(form.answers) == 30
    assert [choice.may_issue for choice in choices] == [True, True]


def test_what_may_not_be_issued_says_so(clinic):
    strict = replace(
        clinic, app_context=replace(clinic.app_context, config=replace(clinic.app_context.config, production=True))
    )
    with form_browser.unit_of_work(strict.app_context, strict.nurse.actor) as work:
        person = participant_page.read_participant(work, strict.participant_id)
        found = participant_page.instrument_choices(work, person, "en")
    choices = {choice.id: (choice.may_issue, choice.why_not) for choice in found}
    assert choices == {"npc_checkin": (True, ""), "qlq_c30": (False, "wording_not_licensed")}


def test_a_participant_who_is_not_there_is_not_found(clinic):
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work, pytest.raises(NotFound):
        participant_page.read_participant(work, 999)


def test_somebody_whose_account_is_closed_keeps_their_name(clinic, clock):
    clinic.start().save(bleed=4)
    clinic.acknowledge()
    with form_browser.unit_of_work(clinic.app_context) as work:
        work.session.get_one(StaffMember, clinic.nurse.id).disabled_at = clock.now
    assert board(clinic).in_progress[0].acknowledged_by == "Nurse"


# --- the background of a decision ------------------------------------------------------------------------------------


def test_the_answers_that_fired_a_rule_are_marked_and_stand_first(any_clinic):
    any_clinic.start().save(bleed=3, bleed_now=1, breath=0, chest=0)
    page = alert_page(any_clinic, "E01")
    marked = {row.item: row.fired for row in page.answers if row.fired}
    assert marked["bleed"][0] == "E01"
    assert "E01" in marked["bleed_now"]
    assert not {"breath", "chest"} & marked.keys()
    assert [row.item for row in page.answers][: len(marked)] == list(marked)


def test_a_rule_that_a_louder_one_superseded_marks_nothing(clinic):
    form = clinic.start()
    form.save(bleed=0, breath=1)
    assert "W02" in {rule for row in alert_page(clinic, "W02").answers for rule in row.fired}
    form.save(breath=2)
    assert {rule for row in alert_page(clinic, "U02").answers for rule in row.fired} == {"U02"}


def test_the_mildest_answer_of_an_instrument_is_no_reason_to_mark_it(clinic):
    """Found: a QLQ-C30 answer of 1, its mildest, was marked like one that fired the rule."""
    with form_browser.unit_of_work(clinic.app_context) as work:
        instrument = work.catalogue.shown_instrument("qlq_c30")
        assert (instrument.mildest_code("Q19"), instrument.mildest_code("Q29")) == (1, 7)
        alert = Alert(
            id=1, level=2, rule="Q03", inputs={"instrument": "qlq_c30", "saw": {"Q9": 4, "Q19": 1}}, superseded_at=None
        )
        assert alert_background.deciding_items(work, [alert]) == {"Q9": ("Q03",)}


def test_phase_last_dose_and_fraction_stand_on_the_page(any_clinic, clock):
    any_clinic.start().save(bleed=3, bleed_now=1)
    found = alert_page(any_clinic, "E01").background
    assert found.phase is not None
    assert (found.phase.state, found.doses, found.earlier) == ("before", (), ())
    clock.move(days=4)
    today = clock.now.date()
    changes = [
        DateChange("induction_day1", 0, today - timedelta(days=3)),
        DateChange("pd1_dose", 1, today - timedelta(days=3)),
        DateChange("rt_fraction", 1, today),
        DateChange("maintenance_cycle", 1, today + timedelta(days=60), planned=True),
    ]
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.coordinator.actor) as work:
        person = work.session.get_one(Participant, any_clinic.participant_id)
        schedule_service.set_anchors(work, person, changes)
    found = alert_page(any_clinic, "E01").background
    assert found.phase is not None
    assert (found.phase.name, found.phase.number, found.phase.most) == ("radiotherapy", 1, 28)
    assert [(dose.title, dose.number, dose.days_ago) for dose in found.doses] == [
        ("Anti-PD-1 dose", 1, 3),
        ("Radiotherapy fraction", 1, 0),
    ]


def test_the_first_dose_was_given_on_the_day_induction_began_unless_staff_say_otherwise(clinic, clock):
    """Found: with day 1 recorded and no dose of its own, the page said that no dose was given."""
    clinic.start().save(bleed=3, bleed_now=1)
    clock.move(days=30)
    today = clock.now.date()
    changes = [
        DateChange("induction_day1", 0, today - timedelta(days=25)),
        DateChange("rt_fraction", 1, today + timedelta(days=3), planned=True),
    ]
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        schedule_service.set_anchors(work, work.session.get_one(Participant, clinic.participant_id), changes)
    # The second dose, which the plan expects three weeks later, is not taken for given.
    found = alert_page(clinic, "E01").background.doses
    assert [(dose.title, dose.number, dose.days_ago) for dose in found] == [("Anti-PD-1 dose", 1, 25)]


def test_earlier_alerts_and_who_can_be_asked_stand_on_the_page(any_clinic, clock):
    any_clinic.start().finish(odor=3)
    earlier = any_clinic.alerts()["UL2"]
    clock.move(days=9)
    any_clinic.start(any_clinic.send()).save(bleed=3, bleed_now=1)
    assert any_clinic.alerts()["E01"].source != earlier.source
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        doctor = work.session.get_one(StaffMember, any_clinic.investigator.id)
        doctor.phone_sealed = work.vault.seal(PHONE)
    found = alert_page(any_clinic, "E01").background
    assert [(case.level, case.outcome) for case in found.earlier] == [(Level.URGENT, "")]
    assert [(one.name, one.role, one.is_reader) for one in found.on_call.people] == [("Nurse", "nurse", True)]
    assert [(one.name, one.phone) for one in found.investigators] == [("Investigator", PHONE)]
    monitor = alert_page(any_clinic, "E01", role="monitor").background
    assert [(one.name, one.phone) for one in monitor.investigators] == [("Investigator", "")]
