"""The to-do list in three groups: now, today, when there is time; what is mine; and each row one link."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask

from pro.app_context import AppContext
from pro.features.schedule import missed_forms
from pro.features.to_do_list import to_do_entries, to_do_list
from pro.features.to_do_list.to_do_entries import LATER, NOW, TODAY, ToDoEntry
from pro.models import Participant, Shift
from pro.web import labels
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.factories import Account, Clock, Study
from tests.support.staff_browser import signed_in_browser


@pytest.fixture
def clinic(app_context: AppContext, seeded: Study) -> Clinic:
    """Return the Chinese participant and the staff of the study."""
    staff, person = seeded.staff, seeded.chinese
    return Clinic(
        app_context, staff["nurse"], staff["investigator"], staff["coordinator"], person.id, person.checkin, person.qlq
    )


def entries(clinic: Clinic, who: Account | None = None) -> list[ToDoEntry]:
    with form_browser.unit_of_work(clinic.app_context, (who or clinic.nurse).actor) as work:
        return to_do_entries.list_entries(work, to_do_list.read_to_do_list(work, "en"), labels.act_by)


def groups(clinic: Clinic) -> list[tuple[str, str]]:
    return [(entry.kind, entry.group) for entry in entries(clinic) if entry.kind in ("alerts", "calls", "texts")]


def called(clinic: Clinic, outcome: str) -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        missed_forms.log_call(work, at=work.now, outcome=outcome, text="", participant_id=clinic.participant_id)


def test_an_urgent_alert_is_for_now_until_it_is_owned_and_the_participant_was_called_in_time(
    clinic: Clinic, clock: Clock
) -> None:
    clinic.start().save(odor=3)
    assert groups(clinic) == [("alerts", NOW)]
    clinic.acknowledge()
    assert groups(clinic) == [("alerts", TODAY)]
    clock.move(days=1, minutes=1)
    assert groups(clinic) == [("alerts", NOW)]
    called(clinic, "no_answer")
    assert groups(clinic) == [("alerts", NOW)]
    called(clinic, "reached")
    assert groups(clinic) == [("alerts", TODAY)]


def test_an_acknowledged_emergency_stays_for_now_until_the_participant_was_called(clinic: Clinic) -> None:
    clinic.start().save(bleed=4)
    clinic.acknowledge()
    assert groups(clinic) == [("alerts", NOW)]
    called(clinic, "reached")
    assert groups(clinic) == [("alerts", TODAY)]


def test_a_call_in_the_minute_of_the_alert_counts(clinic: Clinic, clock: Clock) -> None:
    """Found: the time of a call has no seconds, so a call in the same minute seemed to be before the alert."""
    clock.move(seconds=40)
    clinic.start().save(bleed=4)
    clinic.acknowledge()
    clock.move(seconds=10)
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        at = work.now.replace(second=0)
        missed_forms.log_call(work, at=at, outcome="reached", text="", participant_id=clinic.participant_id)
    assert groups(clinic) == [("alerts", TODAY)]


def test_a_watch_alert_is_read_when_there_is_time(clinic: Clinic) -> None:
    clinic.start().save(bleed=0, breath=1)
    assert groups(clinic) == [("alerts", LATER)]


def test_an_urgent_alert_stands_above_an_overdue_call(clinic: Clinic, clock: Clock) -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        other = work.session.get_one(Participant, factories.participant(work, "NPC-007", phone="").id)
        assert missed_forms.make_call_task(work, other, "call", "call:1")
    clock.move(days=2)
    clinic.start().save(odor=3)
    assert groups(clinic) == [("alerts", NOW), ("calls", NOW)]


def test_open_forms_are_no_tasks_before_the_day_on_which_they_close(clinic: Clinic, clock: Clock, app: Flask) -> None:
    assert entries(clinic) == []
    desk = signed_in_browser(app, clinic.nurse)
    desk.open("/staff/?lang=en")
    assert "4 more forms are open and need nothing today." in desk.page
    assert "Nothing to do here" in desk.page
    desk.open("/staff/?show=forms")
    assert desk.page.count('<li class="n">') == 4
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        closes = to_do_list.read_to_do_list(work, "en").awaited.forms[0].closes_at
    clock.move(minutes=int((closes - clock.now) / timedelta(minutes=1)) - 5)
    assert {(entry.kind, entry.group) for entry in entries(clinic) if entry.kind == "today"} == {("today", TODAY)}


def mine(clinic: Clinic, who: Account) -> list[bool]:
    return [entry.mine for entry in entries(clinic, who) if entry.kind == "alerts"]


def test_an_alert_without_an_owner_belongs_to_who_is_on_call_and_in_a_gap_to_everyone_who_may_act(
    clinic: Clinic, clock: Clock
) -> None:
    clinic.start().save(odor=3)
    assert (mine(clinic, clinic.nurse), mine(clinic, clinic.coordinator)) == ([True], [False])
    with form_browser.unit_of_work(clinic.app_context) as work:
        for shift in work.session.query(Shift):
            shift.cancelled_at = work.now
    assert (mine(clinic, clinic.nurse), mine(clinic, clinic.coordinator)) == ([True], [True])
    clinic.acknowledge()
    assert (mine(clinic, clinic.nurse), mine(clinic, clinic.coordinator)) == ([True], [False])


def test_a_list_of_ones_own_says_how_many_unacknowledged_alerts_it_hides(app: Flask, clinic: Clinic) -> None:
    clinic.start().save(bleed=4)
    desk = signed_in_browser(app, clinic.coordinator)
    desk.open("/staff/?mine=1&lang=en")
    assert "1 unacknowledged alert is hidden by the filter." in desk.page
    assert "<title>(1) To do</title>" in desk.page
    assert 'data-loud="1"' in desk.page
    desk.open("/staff/")
    assert "hidden by the filter" not in desk.page
    assert "NPC-001" in desk.page


@pytest.mark.parametrize("role", ["nurse", "investigator", "coordinator"])
def test_a_row_is_one_link_and_a_filter_stands_only_where_there_is_something(
    app: Flask, clinic: Clinic, role: str
) -> None:
    clinic.start().save(odor=3)
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        other = factories.participant(work, "NPC-007", phone="")
        assert missed_forms.make_call_task(work, work.session.get_one(Participant, other.id), "call", "call:1")
    desk = signed_in_browser(app, getattr(clinic, role))
    desk.open("/staff/?lang=en")
    rows = re.findall(r'<li class="[eunw]">.*?</li>', desk.page, re.DOTALL)
    assert [row.count("<a ") for row in rows] == [1, 1]
    assert all(re.search(r"<u>NPC-00[17]</u> \S", row) for row in rows)
    chips = re.findall(r'show=(\w+)"[^>]*>[^<]+<b>(\d+)</b>', desk.page)
    assert chips == [("alerts", "1"), ("calls", "1")]
    desk.open("/staff/?show=calls")
    assert "NPC-001" not in desk.page
    assert "NPC-007" in desk.page
