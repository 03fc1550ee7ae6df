"""What nobody takes on is told again: each rung once, in time, to the right people, until somebody takes it on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from pro.errors import BadData
from pro.features.accounts import staff_accounts
from pro.features.dashboard import dashboard
from pro.features.duty_roster import notifications
from pro.features.operations import worker_health, worker_steps
from pro.messaging import outbox
from pro.messaging.sender_protocol import Letter
from pro.models import Alert, Message, Participant, Staff
from tests.support import factories, form_browser
from tests.support.alert_ward import Ward

NURSE, INVESTIGATOR, BACKUP = "nurse@example.org", "investigator@example.org", "coordinator@example.org"
PHONE = "+8613700137000"
TOLD = ("alert_again", "alert_sms")


def climb(ward: Ward) -> int:
    return worker_steps.escalate(ward.house)


def told(ward: Ward) -> list[tuple[str, str]]:
    """Template and address of what was told again, oldest first."""
    rows = [row for row in ward.rows(Message) if row.template in TOLD]
    return [(row.template, ward.house.vault.open(row.address_sealed)) for row in rows]


def with_backup(ward: Ward, phone: str = PHONE) -> Ward:
    """The coordinator is backup, the investigator has a phone."""
    with form_browser.working(ward.house) as work:
        factories.duty(work, ward.coordinator, "backup")
        if phone:
            work.session.get_one(Staff, ward.investigator.id).phone_sealed = ward.house.vault.seal(phone)
    return ward


FIRST = [("alert_again", NURSE), ("alert_again", INVESTIGATOR)]
SECOND = [("alert_again", BACKUP)]
THIRD = [("alert_sms", PHONE)]


# --- an emergency ----------------------------------------------------------------------------------------------------


def test_each_rung_once_and_not_before_its_minute(any_ward, clock):
    with_backup(any_ward).start().save(bleed=4)
    seen: list[tuple[str, str]] = []
    for minutes, new in ((15, FIRST), (15, SECOND), (15, THIRD), (600, [])):
        clock.move(minutes=minutes, seconds=-1)
        assert climb(any_ward) == 0
        clock.move(seconds=1)
        seen += new
        assert climb(any_ward) == len(new)
        assert climb(any_ward) == 0
        assert told(any_ward) == seen


def test_it_says_that_it_still_waits_and_nothing_more(ward, clock):
    with_backup(ward).start().save(bleed=4)
    clock.move(minutes=15)
    climb(ward)
    nurse, investigator = ward.mails("alert_again")
    link = f"http://127.0.0.1:8000/staff/alerts/{ward.alerts()['E01'].id}"
    assert dict(nurse.params) == {"study_number": "NPC-001", "level": "emergency", "link": link}
    assert nurse.subject.endswith("危急：NPC-001 的警报还没有人处理")
    assert investigator.subject.endswith("Emergency: NPC-001 alert still waiting")
    assert link in nurse.body
    assert nurse.row.repeat == "prefer_duplicate"
    clock.move(minutes=30)
    climb(ward)
    (text,) = ward.mails("alert_sms")
    assert (text.to, text.row.channel, text.subject) == (PHONE, "sms", "")
    assert "NPC-001" not in text.body
    address = "http://127.0.0.1:8000/staff/"
    assert dict(text.params) == {"at": "09:45", "level": "emergency", "address": address}


@pytest.mark.parametrize(("phone", "sms"), [("", "file"), (PHONE, "none")])
def test_where_no_text_can_go_a_mail_goes(any_ward, clock, phone, sms):
    with_backup(any_ward, phone).start().save(bleed=4)
    house = replace(any_ward.house, config=replace(any_ward.house.config, sms=sms))
    clock.move(minutes=30)
    climb(any_ward)
    clock.move(minutes=15)
    worker_steps.escalate(house)
    assert told(any_ward)[-1] == ("alert_again", INVESTIGATOR)
    assert climb(any_ward) == 0


def test_without_a_backup_the_step_falls_to_the_investigator(ward, clock):
    ward.start().save(bleed=4)
    clock.move(minutes=15)
    climb(ward)
    clock.move(minutes=15)
    climb(ward)
    assert told(ward) == [*FIRST, ("alert_again", INVESTIGATOR)]


def test_after_an_outage_everybody_is_told_once_the_newest_only(any_ward, clock):
    with_backup(any_ward).start().save(bleed=4)
    clock.move(hours=1)
    assert climb(any_ward) == 3
    assert sorted(told(any_ward)) == sorted([("alert_again", NURSE), *SECOND, *THIRD])
    clock.move(hours=1)
    assert climb(any_ward) == 0


def test_whoever_comes_on_duty_while_it_waits_is_told(ward, clock):
    with_backup(ward).start().save(bleed=4)
    clock.move(hours=1)
    climb(ward)
    before = len(told(ward))
    with form_browser.working(ward.house) as work:
        other = factories.account(work, "nurse", email="night@example.org")
        factories.duty(work, other)
    assert climb(ward) == 1
    assert told(ward)[before:] == [("alert_again", "night@example.org")]


def test_a_second_sign_of_the_same_form_starts_no_second_ladder(any_ward, clock):
    phone = with_backup(any_ward).start()
    phone.save(bleed=4)
    clock.move(minutes=14)
    phone.save(breath=3)
    clock.move(minutes=1)
    assert climb(any_ward) == 2
    clock.move(minutes=14)
    assert climb(any_ward) == 0


# --- taken on --------------------------------------------------------------------------------------------------------


def test_taking_it_on_stops_the_ladder(any_ward, clock):
    with_backup(any_ward).start().save(bleed=4)
    clock.move(minutes=15)
    climb(any_ward)
    any_ward.acknowledge()
    clock.move(hours=1)
    assert climb(any_ward) == 0
    assert told(any_ward) == FIRST


def test_what_was_not_sent_yet_is_dropped_with_a_reason(any_ward, clock):
    with_backup(any_ward).start().save(bleed=4)
    clock.move(minutes=15)
    climb(any_ward)
    any_ward.acknowledge()
    rows = any_ward.rows(Message)
    assert [(row.status, row.failure) for row in rows] == [("dropped", "taken_on")] * 4
    assert len(any_ward.events("message.dropped")) == 4
    sent: list[Letter] = []

    class Kept:
        def send(self, letter: Letter) -> str:
            sent.append(letter)
            return "r"

    assert outbox.deliver(any_ward.house, {"email": Kept()}, "w") == 0
    assert sent == []


def test_what_is_on_its_way_is_shown_as_sent(any_ward):
    """Somebody takes it on while the provider has the mail."""
    any_ward.start().save(bleed=4)

    class Slow:
        def send(self, _letter: Letter) -> str:
            any_ward.acknowledge()
            return "r"

    outbox.deliver(any_ward.house, {"email": Slow()}, "w", 1)
    assert [row.status for row in any_ward.rows(Message)] == ["sent", "dropped"]


def test_taking_on_a_part_leaves_the_rest_of_the_ladder(any_ward, clock):
    with_backup(any_ward).start().save(bleed=4, breath=3)
    any_ward.acknowledge("E01", "U01")
    assert {row.status for row in any_ward.rows(Message)} == {"waiting"}
    clock.move(minutes=15)
    assert climb(any_ward) == 2
    any_ward.acknowledge()
    assert {row.status for row in any_ward.rows(Message)} == {"dropped"}


def test_an_alert_that_is_raised_again_starts_a_new_ladder(any_ward, clock):
    phone = with_backup(any_ward).start()
    phone.save(bleed=4)
    clock.move(minutes=15)
    climb(any_ward)
    any_ward.acknowledge()
    clock.move(hours=2)
    phone.save(bleed=0)
    phone.save(bleed=4)
    assert any_ward.alerts()["E01"].acknowledged_at is None
    assert climb(any_ward) == 0
    clock.move(minutes=15)
    assert climb(any_ward) == 2
    assert told(any_ward) == FIRST * 2


def test_an_alert_that_is_closed_or_quiet_is_not_told_again(ward, clock):
    ward.start().save(bleed=1)
    second = ward.another(factories.PLAN, "NPC-002")
    second.start().save(breath=3)
    with form_browser.working(ward.house) as work:
        for alert in work.session.scalars(select(Alert).where(Alert.level >= 2)):
            alert.resolved_at = work.now
    clock.move(days=3)
    assert climb(ward) == 0


# --- urgent ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("later", "wait"), [(0, 4), (8, 18.5), (9, 18), (15, 12)])
def test_an_urgent_alert_is_told_once_more_to_the_person_on_duty(any_ward, clock, later, wait):
    """The clock starts on a Monday at 09:00 in Nanchang; the study is open from 8:00 to 17:30."""
    clock.move(hours=later)
    any_ward.start().save(bleed=2)
    clock.move(hours=wait, seconds=-1)
    assert climb(any_ward) == 0
    clock.move(seconds=1)
    assert climb(any_ward) == 1
    clock.move(days=7)
    assert climb(any_ward) == 0
    assert told(any_ward) == FIRST[:1]


# --- many at once, and broken ----------------------------------------------------------------------------------------


def test_two_workers_at_once_tell_nobody_twice(any_ward, clock):
    with_backup(any_ward).start().save(bleed=4)
    second = any_ward.another(factories.PLAN, "NPC-002")
    second.start().save(breath=3)
    clock.move(hours=1)
    form_browser.at_once(*(lambda: worker_steps.escalate(any_ward.house) for _ in range(4)))
    climb(any_ward)
    assert len(told(any_ward)) == 6


def test_taking_it_on_at_the_moment_of_a_rung_leaves_nothing_waiting(any_ward, clock):
    with_backup(any_ward).start().save(bleed=4)
    clock.move(hours=1)
    form_browser.at_once(any_ward.acknowledge, lambda: worker_steps.escalate(any_ward.house))
    assert climb(any_ward) == 0
    assert {row.status for row in any_ward.rows(Message)} == {"dropped"}


def test_a_case_that_breaks_keeps_no_other_from_being_told(any_ward, clock, caplog):
    other = any_ward.with_plan(lambda plan: plan)
    any_ward.start().save(bleed=4)
    plans = dict(other.house.catalogue.plans)
    words = dict(other.house.catalogue.plan_words)
    (plan,) = plans.values()
    words |= {("other", language): found for (_plan, language), found in words.items()}

    def with_other(**what: Any) -> Ward:
        catalogue = replace(
            other.house.catalogue, plans={**plans, "other": replace(plan, id="other", **what)}, plan_words=words
        )
        return replace(other, house=replace(other.house, catalogue=catalogue))

    second = with_other().another("other", "OTH-001")
    second.start(second.checkin).save(bleed=4)
    clock.move(minutes=15)
    with pytest.raises(RuntimeError, match="1 cases"):
        climb(with_other(ladder=None))
    assert told(any_ward) == FIRST
    assert "could not be told again: " in caplog.text


def test_an_alert_that_had_nobody_to_go_to_is_told_when_there_is_somebody(ward, clock):
    with form_browser.working(ward.house) as work:
        for person in work.session.scalars(select(Staff)):
            person.disabled_at = work.now
    ward.start().save(bleed=4)
    clock.move(minutes=20)
    assert climb(ward) == 0
    with form_browser.working(ward.house) as work:
        assert "untold" in worker_health.troubles(work)
        work.session.get_one(Staff, ward.nurse.id).disabled_at = None
    assert climb(ward) == 1
    with form_browser.working(ward.house) as work:
        assert "untold" not in worker_health.troubles(work)


# --- what staff see --------------------------------------------------------------------------------------------------


def test_the_board_says_when_it_goes_on_and_to_whom(any_ward, clock):
    raised = clock.now
    with_backup(any_ward).start().save(bleed=4)
    steps = [(15, ("Nurse", "Investigator")), (30, ("Coordinator",)), (45, ("Investigator",))]
    for minutes, names in steps:
        with form_browser.working(any_ward.house, any_ward.nurse.actor) as work:
            (case,) = dashboard.board(work).unacknowledged
        assert case.next_step == notifications.NextStep(raised + timedelta(minutes=minutes), names)
        clock.move(minutes=15)
    with form_browser.working(any_ward.house, any_ward.nurse.actor) as work:
        (case,) = dashboard.board(work).unacknowledged
    assert case.next_step is None
    any_ward.acknowledge()
    with form_browser.working(any_ward.house, any_ward.nurse.actor) as work:
        (case,) = dashboard.board(work).in_hand
    assert case.next_step is None


# --- the phone -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "kept"), [("137 0013 7000", PHONE), ("+44 20 7946 0958", "+442079460958"), ("", None)]
)
def test_a_member_of_staff_has_a_phone_sealed(ward, typed, kept):
    with form_browser.working(ward.house) as work:
        added = staff_accounts.add_staff(work, "new@example.org", "N", "nurse", "en", factories.PASSWORD, typed)
        sealed = added.phone_sealed
    assert (ward.house.vault.open(sealed) if sealed else None) == kept
    assert sealed is None or "137" not in sealed


def test_a_phone_that_cannot_be_one_is_refused(ward):
    with form_browser.working(ward.house) as work, pytest.raises(BadData) as refused:
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
def test_working_hours_are_those_of_the_calendar(ward, clock, days, hours, why):
    clock.move(days=days)
    with form_browser.working(ward.house) as work:
        factories.duty(work, ward.nurse)
        form = factories.form(work, work.session.get_one(Participant, ward.participant_id), "qlq_c30")
    ward.start(form).finish(**{f"Q{number}": 1 for number in range(1, 29)} | {"Q8": 4, "Q29": 7, "Q30": 7})
    clock.move(hours=hours, minutes=-1)
    assert climb(ward) == 0, why
    clock.move(minutes=1)
    assert climb(ward) == 1, why
