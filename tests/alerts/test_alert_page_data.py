"""What staff pages ask: the worst first, in words, and nobody sees what is not theirs to see."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta

import pytest

from pro.app_context import Actor
from pro.core.rule_language.level import Level
from pro.errors import NotFound
from pro.features.alerts import alert_page as alerts_alert_page
from pro.features.alerts import alert_service
from pro.features.dashboard import dashboard
from pro.features.forms import form_issuing
from pro.features.participants.pages import participant_list, participant_page
from pro.models import Assessment, Message, Staff
from tests.support import form_browser
from tests.support.alert_ward import Ward, broken_rule

PHONE = "+8613800138000"


def board(ward: Ward, language: str = "en") -> dashboard.Board:
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        return dashboard.board(work, language)


def alert_page(ward: Ward, rule: str, role: str = "nurse", language: str = "en") -> alerts_alert_page.AlertPage:
    with form_browser.working(ward.house, Actor("staff", ward.nurse.id, role, "Nurse")) as work:
        return alerts_alert_page.alert_page(work, ward.alerts()[rule].id, language)


def person_page(ward: Ward, role: str = "nurse", language: str = "en") -> participant_page.ParticipantPage:
    with form_browser.working(ward.house, Actor("staff", ward.nurse.id, role, "Nurse")) as work:
        return participant_page.participant_page(work, ward.participant_id, language)


# --- the board -------------------------------------------------------------------------------------------------------


def test_an_empty_ward(any_ward):
    now = board(any_ward)
    assert (now.unacknowledged, now.in_hand, now.failed.messages, now.gaps) == ([], [], [], [])
    assert [(held.place, held.name) for held in now.on_duty] == [("on_call", "Nurse")]
    assert now.investigators == ["Investigator"]
    assert [(form.instrument, form.status) for form in now.awaited.forms] == [
        ("npc_checkin", "issued"),
        ("qlq_c30", "issued"),
    ]


def test_one_form_is_one_case_with_its_worst_rule_first(any_ward, clock):
    any_ward.start().save(bleed=4, bleed_now=0, breath=1)
    (case,) = board(any_ward).unacknowledged
    assert (case.level, case.study_number, case.acknowledged_by) == (Level.EMERGENCY, "NPC-001", None)
    assert case.rules == ["E01", "U01", "W02"]
    assert case.alert_id == any_ward.alerts()["E01"].id
    words = any_ward.house.catalogue.plan_words["npc_reirradiation", "en"]
    assert case.sentence == words.rules["E01"]
    assert case.answered_at == clock.now


def test_a_suspected_ulcer_is_named_beside_what_is_worse(ward):
    ward.start().save(breath=3, odor=3)
    words = ward.house.catalogue.plan_words["npc_reirradiation", "zh_Hans"]
    assert board(ward, "zh_Hans").unacknowledged[0].sentence == f"{words.rules['E03']}；{words.rules['UL2']}"


def test_a_superseded_watch_is_not_listed(ward):
    phone = ward.start()
    phone.save(breath=1)
    phone.save(breath=2)
    assert board(ward).unacknowledged[0].rules == ["U02"]


def test_the_loudest_and_then_the_oldest_come_first(ward, clock):
    order = []
    for way, said in ((ward.checkin, {"odor": 3}), (ward.qlq, {"Q8": 4})):
        phone = ward.start(way)
        phone.save(**said)
        phone.submit()
        order.append(f"assessment:{way.assessment_id}")
        clock.move(minutes=5)
    louder = ward.send()
    ward.start(louder).save(breath=3)
    assert [case.source for case in board(ward).unacknowledged] == [f"assessment:{louder.assessment_id}", *order]


def test_taken_on_is_in_hand_and_a_new_sign_brings_it_back(any_ward, clock):
    phone = any_ward.start()
    phone.save(odor=3)
    clock.move(minutes=2)
    any_ward.acknowledge()
    now = board(any_ward)
    (case,) = now.in_hand
    assert (now.unacknowledged, case.acknowledged_by, case.acknowledged_at) == ([], "Nurse", clock.now)
    clock.move(minutes=2)
    phone.save(faint=1)
    now = board(any_ward)
    assert now.in_hand == []
    (case,) = now.unacknowledged
    assert (case.rules, case.raised_at) == (["U05", "UL2"], clock.now)


def test_a_lowered_case_says_so(ward):
    ward.mark("known_stable", 1, "chest", days=14)
    ward.start().save(chest=1)
    (case,) = board(ward).unacknowledged
    assert (case.level, case.lowered) == (Level.WATCH, True)


def test_a_judgement_that_broke_is_on_the_board(ward):
    ward.with_rules(broken_rule()).start().save(bleed=0)
    (case,) = board(ward).unacknowledged
    assert (case.level, case.judging_failed, case.sentence) == (Level.URGENT, True, "")


def test_what_closed_itself_is_gone_from_the_board(ward):
    phone = ward.start()
    phone.save(bleed=0)
    with form_browser.working(ward.house) as work:
        alert_service.watch(
            work, work.session.get_one(Assessment, ward.checkin.assessment_id), {"bleed": 0}, submitted=False, idle=30
        )
    assert board(ward).unacknowledged[0].rules == ["M01"]
    phone.save(breath=0, chest=0, palp=0, faint=0, temp=0, swallow=0, neuro=0)
    assert board(ward).unacknowledged == []


def test_a_gap_in_the_duties_is_shown(ward, clock):
    clock.move(days=61)
    now = board(ward)
    assert ([gap.starts <= now.now for gap in now.gaps], now.on_duty) == ([True], [])


def test_forms_that_wait_stand_in_the_order_in_which_they_close(ward, clock):
    ward.start(ward.qlq).save(Q1=1)
    assert [(form.instrument, form.status) for form in board(ward).awaited.forms] == [
        ("npc_checkin", "issued"),
        ("qlq_c30", "started"),
    ]
    ward.start().finish()
    assert [form.instrument for form in board(ward).awaited.forms] == ["qlq_c30"]
    clock.move(days=15)
    assert board(ward).awaited.forms == []


def test_a_message_that_reached_nobody_names_no_address(any_ward, clock):
    with form_browser.working(any_ward.house, any_ward.coordinator.actor) as work:
        form_issuing.send_form(
            work, participant_page.participant(work, any_ward.participant_id), "npc_checkin", by="link"
        )
    any_ward.start().save(bleed=4)
    with form_browser.working(any_ward.house) as work:
        for message in work.session.query(Message):
            message.failed_at, message.failure = clock.now, "address_refused"
    failed = board(any_ward).failed.messages
    assert sorted(message.who for message in failed) == ["Investigator", "NPC-001", "Nurse"]
    assert {bool(message.reason) for message in failed} == {True}
    assert "13800138000" not in str([asdict(message) for message in failed])
    assert "@" not in str([asdict(message) for message in failed])


# --- one alert -------------------------------------------------------------------------------------------------------


def test_the_page_of_an_alert(any_ward, clock):
    any_ward.start().finish(odor=1)
    clock.move(days=7)
    phone = any_ward.start(any_ward.send(), answered_by="helped", language="en")
    phone.save(bleed=None, odor=3)
    page = alert_page(any_ward, "UL2")
    assert [(row.rule, row.level) for row in page.findings][:1] == [("UL2", Level.URGENT)]
    assert page.findings[0].suspects
    answers = {row.item: row for row in page.answers}
    words = any_ward.house.catalogue.words["npc_checkin", "en"].items["odor"].options
    assert (answers["odor"].now, answers["odor"].previous, answers["odor"].baseline) == (words[3], words[1], words[1])
    assert (answers["bleed"].now, answers["bleed"].skipped) == ("", True)
    assert (page.unfinished, page.submitted_at, page.answered_by, page.language_used) == (True, None, "helped", "en")
    assert page.open_ids == [
        alert.id for alert in any_ward.alerts().values() if alert.assessment_id == phone.way.assessment_id
    ]
    assert any(rule.startswith("E") for rule, _sentence in page.unresolved)
    assert page.can_acknowledge
    assert page.phone == PHONE


def test_any_alert_of_a_form_leads_to_the_same_page(ward):
    ward.start().save(bleed=4)
    assert alert_page(ward, "U01").case == alert_page(ward, "E01").case


def test_an_alert_that_is_not_there_is_not_found(ward):
    with form_browser.working(ward.house, ward.nurse.actor) as work, pytest.raises(NotFound):
        alerts_alert_page.alert_page(work, 999, "en")


def test_the_course_of_things_is_told_newest_first(ward, clock):
    phone = ward.start()
    phone.save(bleed=4)
    clock.move(minutes=1)
    phone.advised()
    clock.move(minutes=1)
    ward.acknowledge()
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        alert_service.note(work, f"assessment:{ward.checkin.assessment_id}", "phoned")
    page = alert_page(ward, "E01")
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
def test_a_phone_is_shown_to_those_who_must_call_and_that_is_recorded(any_ward, role, sees):
    any_ward.start().save(bleed=4)
    shown = (alert_page(any_ward, "E01", role), person_page(any_ward, role))
    assert [shown[0].phone, shown[1].phone] == ([PHONE] * 2 if sees else [None, None])
    assert len(any_ward.events("participant.phone_seen")) == (2 if sees else 0)
    assert len(any_ward.events("participant.seen")) == 1
    if not sees:
        assert "13800138000" not in str(asdict_safe(*shown))


def asdict_safe(*pages: object) -> list[str]:
    """What pages hold, without the rows that they carry for links only."""
    return [str({name: getattr(page, name) for name in page.__slots__ if name != "participant"}) for page in pages]  # type: ignore[attr-defined]


def test_who_may_only_read_may_not_take_on_or_send(ward):
    ward.start().save(bleed=4)
    assert not alert_page(ward, "E01", "monitor").can_acknowledge
    assert not person_page(ward, "monitor").can_send
    assert person_page(ward, "coordinator").can_send


# --- participants ----------------------------------------------------------------------------------------------------


def test_the_list_of_participants(any_ward, clock):
    any_ward.start().save(bleed=4)
    with form_browser.working(any_ward.house, any_ward.nurse.actor) as work:
        (row,) = participant_list.listing(work, "en").rows
    assert (row.study_number, row.status, row.last_answer_at) == ("NPC-001", "active", clock.now)
    assert (row.open_level, row.open_alert_id) == (Level.EMERGENCY, any_ward.alerts()["E01"].id)
    assert [form.instrument for form in row.due] == ["npc_checkin", "qlq_c30"]


def test_the_page_of_a_participant(any_ward, clock):
    phone = any_ward.start(any_ward.qlq)
    phone.finish(Q1=2, Q30=None)
    page = person_page(any_ward)
    form = next(form for form in page.forms if form.instrument == "qlq_c30")
    scores = {score.scale: score for score in form.scores}
    assert next(iter(scores)) == "QL"
    assert list(scores)[-1] == "C30SUMMARY"
    assert (scores["QL"].used, scores["QL"].of) == (1, 2)
    assert scores["PF"].value == 100 * 14 / 15
    assert (form.status, form.submitted_at) == ("submitted", clock.now)
    assert len(form.answers) == 30
    assert [choice.may_issue for choice in page.instruments] == [True, True]


def test_what_may_not_be_issued_says_so(ward):
    strict = replace(ward, house=replace(ward.house, config=replace(ward.house.config, production=True)))
    choices = {choice.id: (choice.may_issue, choice.why_not) for choice in person_page(strict).instruments}
    assert choices == {"npc_checkin": (True, ""), "qlq_c30": (False, "wording_not_licensed")}


def test_a_participant_who_is_not_there_is_not_found(ward):
    with form_browser.working(ward.house, ward.nurse.actor) as work, pytest.raises(NotFound):
        participant_page.participant_page(work, 999, "en")


def test_somebody_whose_account_is_closed_keeps_their_name(ward, clock):
    ward.start().save(bleed=4)
    ward.acknowledge()
    with form_browser.working(ward.house) as work:
        work.session.get_one(Staff, ward.nurse.id).disabled_at = clock.now
    assert board(ward).in_hand[0].acknowledged_by == "Nurse"
