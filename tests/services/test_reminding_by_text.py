"""A plan may begin the check-in by text: the first question goes out instead of a link or a code."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pro.models import Assessment, Message, Participant
from pro.services import reminding
from tests import browser, make
from tests.services.phone import two_way
from tests.services.ward import Ward


def by_text(ward: Ward) -> Ward:
    def change(plan):
        calendar = plan.calendar
        return replace(plan, calendar=replace(calendar, reminding=replace(calendar.reminding, by="sms")))

    return ward.with_plan(change)


@pytest.mark.parametrize(("on", "template"), [(True, "question"), (False, "invitation_code")])
def test_the_first_question_goes_out_where_people_may_answer_by_text(ward: Ward, on: bool, template: str) -> None:
    texting = two_way(by_text(ward), on)
    with browser.working(texting.house, ward.coordinator.actor) as work:
        person = make.participant(work, "NPC-020", phone="+8613700137000", asked=True)
        number = person.id
    reminding.look(texting.house)
    texts = [row for row in ward.rows(Message) if row.participant_id == number]
    forms = {row.id: row for row in ward.rows(Assessment) if row.participant_id == number}
    checkins = [row for row in texts if forms[row.assessment_id or 0].instrument == "npc_checkin"]
    assert {row.template for row in checkins} <= {template}
    assert all(forms[row.assessment_id or 0].page_set == ("short" if on else None) for row in checkins)
    licensed = [row for row in texts if forms[row.assessment_id or 0].instrument == "qlq_c30"]
    assert {row.template for row in licensed} <= {"invitation_code"}, "licensed words stay on the web"
    assert texts, "somebody was asked"
    unread = [row for row in licensed if "没人看" in texting.house.vault.open(row.body_sealed)]
    assert unread == ([] if on else licensed), "whether replies are read is said truly"
    assert ward.rows(Participant)
