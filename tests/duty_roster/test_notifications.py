"""Test escalation: each step of an unacknowledged alert runs once, in time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from pro.errors import BadData
from pro.features.accounts import staff_accounts
from pro.features.duty_roster import notifications
from pro.features.operations import worker_health, worker_steps
from pro.features.to_do_list import to_do_list
from pro.messaging import outbox
from pro.messaging.sender_protocol import Letter
from pro.models import Alert, Message, Participant, StaffMember
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic
from tests.support.scripted_sender import ScriptedSender

NURSE, INVESTIGATOR, BACKUP = "nurse@example.org", "investigator@example.org", "coordinator@example.org"
PHONE = "+8613700137000"
REPEATED = ("alert_escalation", "alert_sms")


def deliver(clinic: Clinic, sender: ScriptedSender | None = None) -> ScriptedSender:
    """Send what waits."""
    sender = sender or ScriptedSender()
    outbox.deliver(clinic.app_context, {"email": sender, "sms": sender}, "w")
    return sender


def climb(clinic: Clinic, sender: ScriptedSender | None = None) -> int:
    """Send what waits, and run the escalation; return how many messages it queued."""
    deliver(clinic, sender)
    return worker_steps.escalate_alerts(clinic.app_context)


def repeated_notifications(clinic: Clinic) -> list[tuple[str, str]]:
    """Return template and address of the repeated notifications, oldest first."""
    rows = [row for row in clinic.rows(Message) if row.template in REPEATED]
    return [(row.template, clinic.app_context.vault.open(row.address_sealed)) for row in rows]


def with_backup(clinic: Clinic, phone: str = PHONE) -> Clinic:
    """Make the coordinator the backup and give the investigator a phone."""
    with form_browser.unit_of_work(clinic.app_context) as work:
        factories.duty(work, clinic.coordinator, "backup")
        if phone:
            work.session.get_one(StaffMember, clinic.investigator.id).phone_sealed = clinic.app_context.vault.seal(
                phone
            )
    return clinic


FIRST = [("alert_escalation", NURSE), ("alert_escalation", INVESTIGATOR)]
SECOND = [("alert_escalation", BACKUP)]
THIRD = [("alert_sms", PHONE)]
# After the last step everyone, by every channel that is set up.
REPEAT = [
    ("alert_escalation", NURSE),
    ("alert_escalation", INVESTIGATOR),
    ("alert_sms", PHONE),
    ("alert_escalation", BACKUP),
]


# --- an emergency ----------------------------------------------------------------------------------------------------


def test_each_step_once_and_not_before_its_minute(any_clinic, clock):
    with_backup(any_clinic).start().save(bleed=4)
    seen: list[tuple[str, str]] = []
    for minutes, new in ((15, FIRST), (15, SECOND), (15, THIRD), (15, REPEAT), (15, REPEAT)):
        clock.move(minutes=minutes, seconds=-1)
        assert climb(any_clinic) == 0
        clock.move(seconds=1)
        seen += new
        assert climb(any_clinic) == len(new)
        assert climb(any_clinic) == 0
        assert repeated_notifications(any_clinic) == seen


def test_it_says_that_it_still_waits_and_nothing_more(clinic, clock):
    with_backup(clinic).start().save(bleed=4)
    clock.move(minutes=15)
    climb(clinic)
    nurse, investigator = clinic.mails("alert_escalation")
    link = f"http://127.0.0.1:8000/staff/alerts/{clinic.alerts()['E01'].id}"
    assert dict(nurse.params) == {"participant_number": "NPC-001", "level": "emergency", "link": link}
    assert nurse.subject.endswith("危急：NPC-001的警报仍未确认")
    assert investigator.subject.endswith("Emergency: alert for NPC-001 still not acknowledged")
    assert link in nurse.body
    assert nurse.row.repeat == "prefer_duplicate"
    clock.move(minutes=30)
    climb(clinic)
    (text,) = clinic.mails("alert_sms")
    assert (text.to, text.row.channel, text.subject) == (PHONE, "sms", "")
    assert "NPC-001" not in text.body
    address = "http://127.0.0.1:8000/staff/"
    assert dict(text.params) == {"at": "09:45", "level": "emergency", "address": address}


@pytest.mark.parametrize(("phone", "sms"), [("", "file"), (PHONE, "none")])
def test_where_no_text_can_go_a_mail_goes(any_clinic, clock, phone, sms):
    with_backup(any_clinic, phone).start().save(bleed=4)
    app_context = replace(any_clinic.app_context, config=replace(any_clinic.app_context.config, sms=sms))
    clock.move(minutes=30)
    climb(any_clinic)
    clock.move(minutes=15)
    worker_steps.escalate_alerts(app_context)
    assert repeated_notifications(any_clinic)[-1] == ("alert_escalation", INVESTIGATOR)
    assert climb(any_clinic) == 0


def test_without_a_backup_the_step_falls_to_the_investigator(clinic, clock):
    clinic.start().save(bleed=4)
    clock.move(minutes=15)
    climb(clinic)
    clock.move(minutes=15)
    climb(clinic)
    assert repeated_notifications(clinic) == [*FIRST, ("alert_escalation", INVESTIGATOR)]


def test_after_an_outage_only_the_newest_step_is_sent_once(any_clinic, clock):
    with_backup(any_clinic).start().save(bleed=4)
    deliver(any_clinic)
    clock.move(minutes=59)
    assert climb(any_clinic) == 3
    assert sorted(repeated_notifications(any_clinic)) == sorted([("alert_escalation", NURSE), *SECOND, *THIRD])
    clock.move(hours=1)
    assert climb(any_clinic) == len(REPEAT)


def test_a_new_person_on_call_is_notified_of_an_open_alert(clinic, clock):
    with_backup(clinic).start().save(bleed=4)
    deliver(clinic)
    clock.move(minutes=59)
    climb(clinic)
    before = len(repeated_notifications(clinic))
    with form_browser.unit_of_work(clinic.app_context) as work:
        other = factories.account(work, "nurse", email="night@example.org")
        factories.duty(work, other)
    assert climb(clinic) == 1
    assert repeated_notifications(clinic)[before:] == [("alert_escalation", "night@example.org")]


def test_a_second_finding_of_the_same_form_starts_no_second_escalation(any_clinic, clock):
    phone = with_backup(any_clinic).start()
    phone.save(bleed=4)
    clock.move(minutes=14)
    deliver(any_clinic)
    phone.save(breath=3)
    clock.move(minutes=1)
    assert climb(any_clinic) == 2
    clock.move(minutes=14)
    assert climb(any_clinic) == 0
    # The second emergency was told by itself, at once.
    assert [mail.to for mail in any_clinic.mails()] == [NURSE, INVESTIGATOR] * 2


# --- acknowledged ----------------------------------------------------------------------------------------------------


def test_acknowledging_stops_the_escalation(any_clinic, clock):
    with_backup(any_clinic).start().save(bleed=4)
    clock.move(minutes=15)
    climb(any_clinic)
    any_clinic.acknowledge()
    clock.move(hours=1)
    assert climb(any_clinic) == 0
    assert repeated_notifications(any_clinic) == FIRST


def test_what_was_not_sent_yet_is_dropped_with_a_reason(any_clinic, clock):
    with_backup(any_clinic).start().save(bleed=4)
    clock.move(minutes=15)
    climb(any_clinic)
    any_clinic.acknowledge()
    rows = any_clinic.rows(Message)
    assert [(row.status, row.failure) for row in rows] == [("sent", "")] * 2 + [("dropped", "taken_on")] * 2
    assert len(any_clinic.events("message.dropped")) == 2
    sent: list[Letter] = []

    class Kept:
        def send(self, letter: Letter) -> str:
            sent.append(letter)
            return "r"

    assert outbox.deliver(any_clinic.app_context, {"email": Kept()}, "w") == 0
    assert sent == []


def test_what_is_on_its_way_is_shown_as_sent(any_clinic):
    """Check an alert that is acknowledged while the provider has the email."""
    any_clinic.start().save(bleed=4)

    class Slow:
        def send(self, _letter: Letter) -> str:
            any_clinic.acknowledge()
            return "r"

    outbox.deliver(any_clinic.app_context, {"email": Slow()}, "w", 1)
    assert [row.status for row in any_clinic.rows(Message)] == ["sent", "dropped"]


def test_acknowledging_a_part_leaves_the_escalation_of_the_rest(any_clinic, clock):
    with_backup(any_clinic).start().save(bleed=4, breath=3)
    any_clinic.acknowledge("E01", "U01")
    assert {row.status for row in any_clinic.rows(Message)} == {"waiting"}
    clock.move(minutes=15)
    assert climb(any_clinic) == 2
    any_clinic.acknowledge()
    assert {row.status for row in any_clinic.rows(Message)} == {"sent", "dropped"}


def test_an_alert_that_is_raised_again_starts_a_new_escalation(any_clinic, clock):
    phone = with_backup(any_clinic).start()
    phone.save(bleed=4)
    clock.move(minutes=15)
    climb(any_clinic)
    any_clinic.acknowledge()
    clock.move(hours=2)
    phone.save(bleed=0)
    phone.save(bleed=4)
    assert any_clinic.alerts()["E01"].acknowledged_at is None
    assert climb(any_clinic) == 0
    clock.move(minutes=15)
    assert climb(any_clinic) == 2
    assert repeated_notifications(any_clinic) == FIRST * 2


def test_an_alert_that_is_closed_or_quiet_is_not_told_again(clinic, clock):
    clinic.start().save(bleed=1)
    second = clinic.another(factories.PLAN, "NPC-002")
    second.start().save(breath=3)
    with form_browser.unit_of_work(clinic.app_context) as work:
        for alert in work.session.scalars(select(Alert).where(Alert.level >= 2)):
            alert.closed_at = work.now
    clock.move(days=3)
    assert climb(clinic) == 0


# --- urgent ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("later", "wait"), [(0, 4), (8, 18.5), (9, 18), (15, 12)])
def test_an_urgent_alert_is_told_once_more_to_the_person_on_duty(any_clinic, clock, later, wait):
    """Check the step after working hours: Monday 09:00, office hours 8:00 to 17:30."""
    clock.move(hours=later)
    any_clinic.start().save(bleed=2)
    clock.move(hours=wait, seconds=-1)
    assert climb(any_clinic) == 0
    clock.move(seconds=1)
    assert climb(any_clinic) == 1
    assert repeated_notifications(any_clinic) == FIRST[:1]
    clock.move(minutes=239)
    assert climb(any_clinic) == 0
    clock.move(minutes=1)
    assert climb(any_clinic) == 2
    assert repeated_notifications(any_clinic)[1:] == FIRST


# --- many at once, and broken ----------------------------------------------------------------------------------------


def test_two_workers_at_once_notify_each_recipient_once(any_clinic, clock):
    with_backup(any_clinic).start().save(bleed=4)
    second = any_clinic.another(factories.PLAN, "NPC-002")
    second.start().save(breath=3)
    deliver(any_clinic)
    clock.move(minutes=59)
    form_browser.run_concurrently(*(lambda: worker_steps.escalate_alerts(any_clinic.app_context) for _ in range(4)))
    climb(any_clinic)
    assert len(repeated_notifications(any_clinic)) == 6


def test_acknowledging_at_the_moment_of_a_step_leaves_no_message_queued(any_clinic, clock):
    with_backup(any_clinic).start().save(bleed=4)
    clock.move(minutes=59)
    form_browser.run_concurrently(any_clinic.acknowledge, lambda: worker_steps.escalate_alerts(any_clinic.app_context))
    assert climb(any_clinic) == 0
    assert {row.status for row in any_clinic.rows(Message)} == {"dropped"}


def test_a_case_that_breaks_keeps_no_other_from_being_told(any_clinic, clock, caplog):
    other = any_clinic.with_plan(lambda plan: plan)
    any_clinic.start().save(bleed=4)
    plans = dict(other.app_context.catalogue.plans)
    words = dict(other.app_context.catalogue.plan_words)
    (plan,) = plans.values()
    words |= {("other", language): found for (_plan, language), found in words.items()}

    def with_other(**what: Any) -> Clinic:
        catalogue = replace(
            other.app_context.catalogue, plans={**plans, "other": replace(plan, id="other", **what)}, plan_words=words
        )
        return replace(other, app_context=replace(other.app_context, catalogue=catalogue))

    second = with_other().another("other", "OTH-001")
    second.start(second.checkin).save(bleed=4)
    clock.move(minutes=15)
    with pytest.raises(RuntimeError, match="1 alert cases"):
        climb(with_other(escalation_steps=None))
    assert repeated_notifications(any_clinic) == FIRST
    assert "alert escalation failed source=" in caplog.text


def test_an_alert_without_recipients_is_sent_once_there_is_one(clinic, clock):
    with form_browser.unit_of_work(clinic.app_context) as work:
        for person in work.session.scalars(select(StaffMember)):
            person.disabled_at = work.now
    clinic.start().save(bleed=4)
    clock.move(minutes=5)
    assert climb(clinic) == 0
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert "not_notified" in worker_health.find_troubles(work)
        work.session.get_one(StaffMember, clinic.nurse.id).disabled_at = None
    assert climb(clinic) == 1
    deliver(clinic)
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert "not_notified" not in worker_health.find_troubles(work)


# --- what staff see --------------------------------------------------------------------------------------------------


def test_the_to_do_list_shows_the_next_step_and_its_recipients(any_clinic, clock):
    raised = clock.now
    with_backup(any_clinic).start().save(bleed=4)
    everyone = ("Nurse", "Investigator", "Coordinator")
    steps = [(15, everyone[:2]), (30, everyone[2:]), (45, everyone[1:2]), (60, everyone), (75, everyone)]
    for minutes, names in steps:
        with form_browser.unit_of_work(any_clinic.app_context, any_clinic.nurse.actor) as work:
            (case,) = to_do_list.read_to_do_list(work).unacknowledged
        assert case.next_step == notifications.NextEscalation(raised + timedelta(minutes=minutes), names)
        clock.move(minutes=15)
    any_clinic.acknowledge()
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.nurse.actor) as work:
        (case,) = to_do_list.read_to_do_list(work).in_progress
    assert case.next_step is None


# --- the phone -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "kept"), [("137 0013 7000", PHONE), ("+44 7911 123456", "+447911123456"), ("", None)]
)
def test_a_member_of_staff_has_a_phone_sealed(clinic, typed, kept):
    with form_browser.unit_of_work(clinic.app_context) as work:
        added = staff_accounts.add_staff(work, "new@example.org", "N", "nurse", "en", factories.PASSWORD, typed)
        sealed = added.phone_sealed
    assert (clinic.app_context.vault.open(sealed) if sealed else None) == kept
    assert sealed is None or "137" not in sealed


def test_a_phone_that_cannot_be_one_is_refused(clinic):
    with form_browser.unit_of_work(clinic.app_context) as work, pytest.raises(BadData) as refused:
        staff_accounts.add_staff(work, "new@example.org", "N", "nurse", "en", factories.PASSWORD, "12345")
    assert refused.value.details["fields"] == {"phone": "phone_invalid"}


@pytest.mark.parametrize(
    ("days", "hours", "why"),
    [
        (0, 4, "a Monday"),
        (68, 4, "a Saturday that is worked to make up for the May holidays"),
        (60, 27, "the first of May, a Friday: by noon of the next day"),
    ],
)
def test_working_hours_are_those_of_the_calendar(clinic, clock, days, hours, why):
    clock.move(days=days)
    with form_browser.unit_of_work(clinic.app_context) as work:
        factories.duty(work, clinic.nurse)
        form = factories.form(work, work.session.get_one(Participant, clinic.participant_id), "qlq_c30")
    clinic.start(form).finish(**{f"Q{number}": 1 for number in range(1, 29)} | {"Q8": 4, "Q29": 7, "Q30": 7})
    clock.move(hours=hours, minutes=-1)
    assert climb(clinic) == 0, why
    clock.move(minutes=1)
    assert climb(clinic) == 1, why


def test_a_landline_is_refused_for_texts_to_staff(clinic):
    with form_browser.unit_of_work(clinic.app_context) as work:
        found = staff_accounts.account_problems(work, "new@example.org", "N", "nurse", "en", "+44 20 7946 0958")
    assert found == {"phone": "phone_not_mobile"}
