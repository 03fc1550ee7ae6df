"""Test a check-in that starts by text: the first question replaces the link or code."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pro.features.text_messages import reminders
from pro.models import Answer, Assessment, Message, Participant
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import Clock
from tests.support.texting_phone import TextingPhone, with_two_way_texts


def by_text(clinic: Clinic) -> Clinic:
    def change(plan):
        visit_schedule = plan.visit_schedule
        return replace(
            plan,
            visit_schedule=replace(visit_schedule, reminder_rules=replace(visit_schedule.reminder_rules, by="sms")),
        )

    return clinic.with_plan(change)


@pytest.mark.parametrize(("on", "template"), [(True, "question"), (False, "form_message_code")])
def test_the_first_question_goes_out_where_people_may_answer_by_text(clinic: Clinic, on: bool, template: str) -> None:
    texting = with_two_way_texts(by_text(clinic), on)
    with form_browser.unit_of_work(texting.app_context, clinic.coordinator.actor) as work:
        person = factories.participant(work, "NPC-020", phone="+8613700137000", asked=True)
        number = person.id
    reminders.run_due_participants(texting.app_context)
    texts = [row for row in clinic.rows(Message) if row.participant_id == number]
    forms = {row.id: row for row in clinic.rows(Assessment) if row.participant_id == number}
    checkins = [row for row in texts if forms[row.assessment_id or 0].instrument == "npc_checkin"]
    assert {row.template for row in checkins} <= {template}
    assert all(forms[row.assessment_id or 0].page_set == ("short" if on else None) for row in checkins)
    licensed = [row for row in texts if forms[row.assessment_id or 0].instrument == "qlq_c30"]
    assert {row.template for row in licensed} <= {"form_message_code"}, "licensed words stay on the web"
    assert texts, "somebody was asked"
    unread = [row for row in licensed if "没人看" in texting.app_context.vault.open(row.body_sealed)]
    assert unread == ([] if on else licensed), "whether replies are read is said truly"
    assert clinic.rows(Participant)


@pytest.mark.parametrize("answered", [1, 3])
def test_a_reminder_of_an_old_half_done_form_asks_what_is_asked_again(
    clinic: Clinic, clock: Clock, answered: int
) -> None:
    texting = with_two_way_texts(by_text(clinic))
    texter = TextingPhone(texting.app_context, number="+8613700137000")
    with form_browser.unit_of_work(texting.app_context, clinic.coordinator.actor) as work:
        factories.participant(work, "NPC-020", phone=texter.number, asked=True)

    def reminded(times: int) -> None:
        """Move on by half hours until this many messages asked for the check-in."""
        for _half_hour in range(200):
            reminders.run_due_participants(texting.app_context)
            texter.wait()
            if texter.kinds.count("question") == times:
                return
            clock.move(minutes=30)
        raise AssertionError("nobody was reminded")

    reminded(1)
    first = texter.got[-1]
    for _question in range(answered):
        texter.write("0")
    clock.move(hours=30)
    reminded(texter.kinds.count("question") + 1)
    assert texter.got[-1] == first
    row = texter.write("0")
    assert (row.kind, row.reason) == ("answer", "")
    newest = {answer.item: answer for answer in clinic.rows(Answer)}
    assert (newest.pop("bleed").at, len(newest)) == (clock.now, answered - 1)
    assert {answer.state for answer in newest.values()} <= {"withdrawn"}
    assert texter.got[-1] != first
