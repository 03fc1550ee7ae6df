"""Test texts of unknown numbers: who is notified, and how staff resolve them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pro.core.rule_language.level import Level
from pro.errors import BadData, NotAllowed, NotFound
from pro.features.alerts import alert_list, alert_page
from pro.features.operations import worker_steps
from pro.features.text_messages import conversations, unknown_senders
from pro.messaging import outbox
from pro.models import Alert, Answer, CallTask, IncomingMessage, Participant
from tests.support import factories, form_browser
from tests.support.alert_clinic import Clinic, QueuedEmail
from tests.support.factories import Clock
from tests.support.scripted_sender import ScriptedSender
from tests.support.stored_texts import BLEEDS, STRANGER, store_emergency_text, store_text

TEMPLATE = "unknown_sender"


def notify(clinic: Clinic) -> int:
    with form_browser.unit_of_work(clinic.app_context) as work:
        return unknown_senders.notify_urgent_quarantine(work)


def assign(clinic: Clinic, number: int, participant_id: int | None = None, reason: str = "asked on the phone") -> None:
    with form_browser.unit_of_work(clinic.app_context, clinic.coordinator.actor) as work:
        unknown_senders.assign_text(work, number, participant_id or clinic.participant_id, reason)


def mails(clinic: Clinic) -> list[QueuedEmail]:
    return clinic.mails(TEMPLATE)


def test_an_emergency_is_mailed_once_to_the_recipients_of_emergencies(any_clinic: Clinic) -> None:
    number = store_emergency_text(any_clinic)
    assert notify(any_clinic) == 2
    assert notify(any_clinic) == 0
    assert {mail.to for mail in mails(any_clinic)} == {any_clinic.nurse.email, any_clinic.investigator.email}
    for mail in mails(any_clinic):
        assert mail.params["link"].endswith(f"/staff/inbox/unmatched/{number}")
        assert mail.row.repeat == "prefer_duplicate"
        assert "大出血" not in mail.subject + mail.body
        assert STRANGER not in mail.subject + mail.body


def test_two_workers_tell_once(any_clinic: Clinic) -> None:
    store_emergency_text(any_clinic)
    form_browser.run_concurrently(*(lambda: notify(any_clinic) for _ in range(4)))
    assert len(mails(any_clinic)) == 2


def test_the_worker_tells_it(clinic: Clinic) -> None:
    store_emergency_text(clinic)
    worker_steps.run_jobs(clinic.app_context, {}, "worker")
    assert len(mails(clinic)) == 2


@pytest.mark.parametrize(("level", "notified"), [(Level.NONE, 0), (Level.WATCH, 0), (Level.URGENT, 1)])
def test_only_urgent_and_emergency_texts_are_mailed(clinic: Clinic, level: Level, notified: int) -> None:
    store_text(clinic, known=False, level=level)
    notify(clinic)
    assert bool(mails(clinic)) == bool(notified)
    with form_browser.unit_of_work(clinic.app_context) as work:
        assert len(unknown_senders.urgent_quarantine(work)) == notified


def test_a_known_number_is_no_quarantine(clinic: Clinic) -> None:
    store_emergency_text(clinic, known=True)
    assert notify(clinic) == 0


def test_more_recipients_are_notified_while_the_text_is_unread(clinic: Clinic, clock: Clock) -> None:
    with form_browser.unit_of_work(clinic.app_context) as work:
        backup = factories.account(work, "nurse", email="backup@example.org")
        factories.duty(work, backup, "backup")
    store_emergency_text(clinic)
    assert notify(clinic) == 2
    outbox.deliver(clinic.app_context, {"email": ScriptedSender()}, "w")
    clock.move(minutes=15)
    assert [notify(clinic), notify(clinic)] == [2, 0]
    outbox.deliver(clinic.app_context, {"email": ScriptedSender()}, "w")
    clock.move(minutes=14, seconds=59)
    assert notify(clinic) == 0
    clock.move(seconds=1)
    assert notify(clinic) == 1
    assert mails(clinic)[-1].to == backup.email
    outbox.deliver(clinic.app_context, {"email": ScriptedSender()}, "w")
    clock.move(hours=5)
    # One repeat, not all that were missed, to everyone of all steps.
    assert notify(clinic) == 3


def test_reading_it_drops_the_unsent_messages(clinic: Clinic) -> None:
    number = store_emergency_text(clinic)
    notify(clinic)
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        unknown_senders.dismiss_text(work, number, "advertising")
    assert {mail.row.status for mail in mails(clinic)} == {"dropped"}
    assert notify(clinic) == 0


def test_filing_makes_it_the_participants_alert_and_never_an_answer(any_clinic: Clinic) -> None:
    number = store_emergency_text(any_clinic)
    assign(any_clinic, number)
    (row,) = any_clinic.rows(IncomingMessage)
    assert (row.participant_id, row.kind, row.read_by) == (
        any_clinic.participant_id,
        "unmatched",
        any_clinic.coordinator.id,
    )
    (alert,) = any_clinic.rows(Alert)
    assert (alert.source, alert.rule, alert.level) == (f"inbound:{number}", "TEXT", Level.EMERGENCY)
    assert alert.assessment_id is None
    assert any_clinic.rows(Answer) == []
    assert {mail.to for mail in any_clinic.mails("alert")} == {any_clinic.nurse.email, any_clinic.investigator.email}
    (event,) = any_clinic.events("incoming_message.assigned")
    assert (event.reason, event.participant_id) == ("asked on the phone", any_clinic.participant_id)
    with form_browser.unit_of_work(any_clinic.app_context, any_clinic.nurse.actor) as work:
        page = alert_page.alert_page(work, alert.id, "en")
        assert [text.text for text in page.texts] == ["我大出血了"]
        assert page.case.is_text_message
        assert [flag.class_id for flag in page.flags] == ["bleed"]
        (case,) = alert_list.open_cases(work, "en")
        assert case.sentence == "The text suggests an emergency: please read it now"
        (entry,) = conversations.read_conversation(work, any_clinic.participant_id, "en").entries
        assert entry.kind == "in"


@pytest.mark.parametrize(
    ("level", "alerts", "notified"), [(Level.NONE, 0, 0), (Level.WATCH, 1, 0), (Level.URGENT, 1, 1)]
)
def test_a_quiet_text_raises_as_little_as_it_would_have(
    clinic: Clinic, level: Level, alerts: int, notified: int
) -> None:
    assign(clinic, store_text(clinic, known=False, level=level, hits=BLEEDS if level else ()))
    assert len(clinic.rows(Alert)) == alerts
    assert bool(clinic.mails("alert")) == bool(notified)


def test_it_is_filed_once(any_clinic: Clinic) -> None:
    number = store_emergency_text(any_clinic)
    refused = []

    def try_it() -> None:
        try:
            assign(any_clinic, number)
        except NotAllowed as refusal:
            refused.append(refusal.why)

    form_browser.run_concurrently(try_it, try_it)
    assert refused == ["assigned"]
    assert len(any_clinic.rows(Alert)) == 1


def test_what_was_set_aside_by_mistake_can_be_filed(clinic: Clinic) -> None:
    number = store_emergency_text(clinic)
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        unknown_senders.dismiss_text(work, number, "wrong number")
        assert unknown_senders.quarantined_texts(work) == []
    assign(clinic, number)
    (row,) = clinic.rows(IncomingMessage)
    assert row.read_by == clinic.nurse.id
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        page = unknown_senders.unknown_text_page(work, number)
    assert [(done.action, done.name, done.reason) for done in page.done] == [
        (unknown_senders.SET_ASIDE, "Nurse", "wrong number"),
        (unknown_senders.ASSIGNED, "Coordinator", "asked on the phone"),
    ]
    assert page.owner == (clinic.participant_id, "NPC-001")


@pytest.mark.parametrize(
    ("participant_id", "reason", "fields"),
    [
        (None, "why", {"participant": "who_wrote"}),
        (99, "why", {"participant": "who_wrote"}),
        (1, "  ", {"reason": "assign_reason"}),
        (1, "x" * 501, {"reason": "too_long"}),
        (None, "", {"participant": "who_wrote", "reason": "assign_reason"}),
    ],
)
def test_what_is_refused(clinic: Clinic, participant_id: int | None, reason: str, fields: dict[str, str]) -> None:
    number = store_emergency_text(clinic)
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work, pytest.raises(BadData) as refusal:
        unknown_senders.assign_text(work, number, participant_id, reason)
    assert refusal.value.details["fields"] == fields
    assert clinic.rows(IncomingMessage)[0].participant_id is None


def test_setting_aside_needs_a_reason(clinic: Clinic) -> None:
    number = store_emergency_text(clinic)
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work, pytest.raises(BadData):
        unknown_senders.dismiss_text(work, number, " ")
    assert clinic.rows(IncomingMessage)[0].read_at is None


def test_the_page(clinic: Clinic, clock: Clock) -> None:
    first = store_text(clinic, "在吗", known=False)
    clock.move(days=3)
    number = store_emergency_text(clinic)
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        work.session.get_one(Participant, clinic.participant_id).phone_fingerprint = work.vault.fingerprint(
            f"phone:{STRANGER}"
        )
        page = unknown_senders.unknown_text_page(work, number)
        assert (page.phone, page.others, page.likely) == (STRANGER, [first], ["NPC-001"])
        assert [one.overdue for one in unknown_senders.quarantined_texts(work)] == [False, True], "loud before old"
    with form_browser.unit_of_work(clinic.app_context, replace(clinic.nurse.actor, role="monitor")) as work:
        assert unknown_senders.unknown_text_page(work, number).phone is None
    assert len(clinic.events("incoming_message.seen")) == 2


def test_a_text_of_a_known_number_has_no_such_page(clinic: Clinic) -> None:
    number = store_text(clinic)
    with form_browser.unit_of_work(clinic.app_context, clinic.nurse.actor) as work:
        for wrong in (number, 99):
            with pytest.raises(NotFound):
                unknown_senders.unknown_text_page(work, wrong)
        with pytest.raises(NotAllowed):
            unknown_senders.dismiss_text(work, number, "why")


@pytest.mark.parametrize(("status", "made"), [("affirmed", 1), ("negated", 0), ("historical", 0), ("other", 0)])
def test_an_assigned_text_calls_the_family_only_if_it_says_that_the_participant_died(
    clinic: Clinic, status: str, made: int
) -> None:
    """Found: any mention of a death made the task."""
    hits = ({"class": "death", "status": status},)
    assign(clinic, store_text(clinic, known=False, level=Level.WATCH, hits=hits))
    assert [task.kind for task in clinic.rows(CallTask)] == ["death_reported"] * made
