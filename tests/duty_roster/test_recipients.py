"""Test the recipients of alerts: who is on call now, and never an empty list."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pro.core.rule_language.level import Level
from pro.features.duty_roster import recipients
from pro.models import Shift, StaffMember
from tests.support import factories, form_browser

PLAN = factories.PLAN


def recipient_names(app_context, level: Level = Level.EMERGENCY, minutes: int = 0) -> list[str]:
    with form_browser.unit_of_work(app_context) as work:
        return [
            person.name
            for person in recipients.recipients_at_step(work, work.catalogue.plans[PLAN], level, minutes=minutes)
        ]


def people(app_context, *roles: str, **places: str) -> dict[str, factories.Account]:
    """Create an account of each role; ``places``: role -> its place on the duty roster."""
    with form_browser.unit_of_work(app_context) as work:
        accounts = {role: factories.account(work, role) for role in roles}
        for role, place in places.items():
            factories.duty(work, accounts[role], place, days=1)
        return accounts


def test_the_person_on_duty_and_the_investigator(any_app_context):
    people(any_app_context, "nurse", "investigator", "coordinator", nurse="on_call")
    assert recipient_names(any_app_context) == ["Nurse", "Investigator"]
    assert recipient_names(any_app_context, Level.URGENT) == ["Nurse", "Investigator"]
    assert recipient_names(any_app_context, Level.WATCH) == ["Coordinator"]


def test_a_duty_begins_and_ends_on_the_minute(app_context, clock):
    accounts = people(app_context, "nurse", "coordinator")
    with form_browser.unit_of_work(app_context) as work:
        start, end = work.now + timedelta(hours=1), work.now + timedelta(hours=2)
        work.session.add(
            Shift(plan=PLAN, staff_id=accounts["coordinator"].id, kind="on_call", starts_at=start, ends_at=end)
        )
    clock.move(minutes=59, seconds=59)
    assert recipient_names(app_context) == ["Nurse"]
    clock.move(seconds=1)
    assert recipient_names(app_context) == ["Coordinator"]
    clock.move(hours=1, seconds=-1)
    assert recipient_names(app_context) == ["Coordinator"]
    clock.move(seconds=1)
    assert recipient_names(app_context) == ["Nurse"]


def test_all_staff_on_call_are_notified_each_once(app_context):
    accounts = people(app_context, "nurse", "coordinator", "investigator", nurse="on_call", coordinator="on_call")
    with form_browser.unit_of_work(app_context) as work:
        factories.duty(work, accounts["nurse"], "on_call", days=9)
        factories.duty(work, accounts["investigator"], "on_call", days=9)
    assert recipient_names(app_context) == ["Nurse", "Coordinator", "Investigator"]


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        (("nurse", "investigator", "coordinator"), ["Investigator"]),
        (("monitor", "nurse", "coordinator", "administrator"), ["Nurse"]),
        (("coordinator", "administrator"), ["Coordinator"]),
        (("administrator", "statistician"), ["Administrator"]),
        (("monitor", "statistician"), []),
        ((), []),
    ],
)
def test_with_an_empty_roster_other_staff_are_notified(app_context, roles, expected):
    people(app_context, *roles)
    assert recipient_names(app_context) == expected


def test_a_monitor_is_never_told(app_context):
    people(app_context, "monitor")
    assert recipient_names(app_context) == []


def test_a_deactivated_account_is_no_recipient(any_app_context, clock):
    accounts = people(any_app_context, "nurse", "investigator", "coordinator", nurse="on_call")
    with form_browser.unit_of_work(any_app_context) as work:
        for role in ("nurse", "investigator"):
            work.session.get_one(StaffMember, accounts[role].id).disabled_at = clock.now
    assert recipient_names(any_app_context) == ["Coordinator"]


def test_the_duty_of_another_study_is_not_ours(app_context):
    accounts = people(app_context, "nurse", "coordinator")
    with form_browser.unit_of_work(app_context) as work:
        factories.duty(work, accounts["coordinator"], "on_call", plan="other")
    assert recipient_names(app_context) == ["Nurse"]


def test_the_next_escalation_steps(app_context):
    people(app_context, "nurse", "coordinator", "investigator", nurse="on_call", coordinator="backup")
    assert recipient_names(app_context, minutes=15) == ["Nurse", "Investigator"]
    assert recipient_names(app_context, minutes=30) == ["Coordinator"]
