"""Test the filters of the to-do list: matching entries, and counts that equal the lists."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from pro.core.rule_language.level import Level
from pro.features.schedule import outstanding_forms
from pro.features.text_messages import incoming_messages
from pro.features.text_messages.failed_messages import FailedMessageList
from pro.features.to_do_list import to_do_filter, to_do_list
from pro.features.to_do_list.to_do_filter import ToDoFilter
from pro.models import Assessment, Message
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic


def filtered_list(clinic: Clinic, narrow: ToDoFilter, who: factories.Account | None = None) -> to_do_list.ToDoList:
    with form_browser.unit_of_work(clinic.app_context, (who or clinic.nurse).actor) as work:
        return to_do_filter.filter_to_do_list(work, to_do_list.read_to_do_list(work, "en"), narrow, "en")


def numbers(found: to_do_list.ToDoList) -> tuple[list[str], list[str]]:
    return [case.participant_number for case in found.unacknowledged], [
        case.participant_number for case in found.in_progress
    ]


@pytest.fixture
def busy(any_clinic: Clinic) -> Clinic:
    """Return a clinic with an acknowledged emergency, an urgent alert and a new emergency."""
    any_clinic.start().save(bleed=4)
    any_clinic.acknowledge()
    for number, answers in (("NPC-002", {"bleed": 2}), ("NPC-003", {"bleed": 4})):
        with form_browser.unit_of_work(any_clinic.app_context, any_clinic.coordinator.actor) as work:
            way = factories.form(work, factories.participant(work, number, phone=""))
        any_clinic.start(way).save(**answers)
    return any_clinic


@pytest.mark.parametrize(
    ("narrow", "unacknowledged", "in_hand"),
    [
        (ToDoFilter(), ["NPC-003", "NPC-002"], ["NPC-001"]),
        (ToDoFilter(level=Level.EMERGENCY), ["NPC-003"], ["NPC-001"]),
        (ToDoFilter(level=Level.URGENT), ["NPC-002"], []),
        (ToDoFilter(level=Level.WATCH), [], []),
        (ToDoFilter(owner="me"), [], ["NPC-001"]),
        (ToDoFilter(owner="nobody"), ["NPC-003", "NPC-002"], []),
        (ToDoFilter(owner="others"), [], []),
        (ToDoFilter(level=Level.EMERGENCY, owner="nobody"), ["NPC-003"], []),
        (ToDoFilter(study="npc_reirradiation"), ["NPC-003", "NPC-002"], ["NPC-001"]),
        (ToDoFilter(study="another"), [], []),
    ],
)
def test_alerts_by_study_level_and_owner(busy, narrow, unacknowledged, in_hand):
    assert numbers(filtered_list(busy, narrow)) == (unacknowledged, in_hand)


def test_an_alert_of_another_owner_is_mine_for_that_owner_only(busy):
    assert numbers(filtered_list(busy, ToDoFilter(owner="others"), busy.coordinator))[1] == ["NPC-001"]
    assert numbers(filtered_list(busy, ToDoFilter(owner="me"), busy.coordinator))[1] == []


def test_rows_without_a_level_or_an_owner(busy):
    everything = filtered_list(busy, ToDoFilter()).awaited.forms
    assert everything
    assert filtered_list(busy, ToDoFilter(owner="nobody")).awaited.forms == everything
    assert filtered_list(busy, ToDoFilter(owner="me")).awaited.forms == []
    assert filtered_list(busy, ToDoFilter(level=Level.URGENT)).awaited.forms == []
    assert filtered_list(busy, ToDoFilter(study="another")).awaited.forms == []


def test_a_mail_to_staff_that_failed_belongs_to_every_study(busy):
    with form_browser.unit_of_work(busy.app_context) as work:
        first, *others = work.session.query(Message).order_by(Message.id)
        first.failed_at = busy.app_context.clock()
        first.alert_id = first.participant_id = None
        others[0].failed_at = busy.app_context.clock()
    assert filtered_list(busy, ToDoFilter()).failed.number == 2
    assert [row.id for row in filtered_list(busy, ToDoFilter(study="another")).failed.messages] == [first.id]
    assert filtered_list(busy, ToDoFilter(study="another")).failed.number == 1
    assert filtered_list(busy, ToDoFilter(study="npc_reirradiation")).failed.number == 2
    assert filtered_list(busy, ToDoFilter(level=Level.URGENT)).failed == FailedMessageList([], 0)


@pytest.mark.parametrize(("hours", "today"), [(1, True), (15, True), (16, False), (39, False)])
def test_what_closes_today_closes_where_the_participant_lives(clinic, clock, hours, today):
    """Check at 09:00 in Shanghai: midnight, the end of the day, is fifteen hours away."""
    with form_browser.unit_of_work(clinic.app_context) as work:
        for form in work.session.scalars(select(Assessment)):
            form.closes_at = clock.now + timedelta(hours=hours)
        assert {form.today for form in outstanding_forms.list_outstanding_forms(work, "en")} == {today}


@pytest.mark.parametrize(
    "narrow", [ToDoFilter(level=Level.WATCH), ToDoFilter(level=Level.URGENT), ToDoFilter(owner="me")]
)
def test_an_urgent_text_of_an_unknown_number_is_never_left_out(any_clinic, narrow):
    with form_browser.unit_of_work(any_clinic.app_context) as work:
        incoming_messages.receive_message(work, provider_id="SM1", address="+8613900139000", text="鼻子大出血，止不住")
    (urgent_text,) = filtered_list(any_clinic, narrow).texts.unmatched
    assert urgent_text.text.level == Level.EMERGENCY
