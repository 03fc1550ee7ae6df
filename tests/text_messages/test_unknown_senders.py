"""Texts of numbers that nobody knows: who is told, and how a person settles them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pro.core.rule_language.level import Level
from pro.errors import BadData, NotAllowed, NotFound
from pro.features.alerts import alert_list, alert_page
from pro.features.operations import worker_steps
from pro.features.text_messages import threads, unknown_senders
from pro.models import Alert, Answer, Inbound, Participant
from tests.support import factories, form_browser
from tests.support.alert_ward import Mail, Ward
from tests.support.factories import Clock
from tests.support.stored_texts import BLEEDS, STRANGER, emergency, texted

TOLD = "inbound_unknown"


def tell(ward: Ward) -> int:
    with form_browser.working(ward.house) as work:
        return unknown_senders.tell(work)


def assign(ward: Ward, number: int, participant_id: int | None = None, reason: str = "asked on the phone") -> None:
    with form_browser.working(ward.house, ward.coordinator.actor) as work:
        unknown_senders.assign(work, number, participant_id or ward.participant_id, reason)


def mails(ward: Ward) -> list[Mail]:
    return ward.mails(TOLD)


def test_an_emergency_is_mailed_once_to_whoever_is_told_of_emergencies(any_ward: Ward) -> None:
    number = emergency(any_ward)
    assert tell(any_ward) == 2
    assert tell(any_ward) == 0
    assert {mail.to for mail in mails(any_ward)} == {any_ward.nurse.email, any_ward.investigator.email}
    for mail in mails(any_ward):
        assert mail.params["link"].endswith(f"/staff/inbox/unmatched/{number}")
        assert mail.row.repeat == "prefer_duplicate"
        assert "大出血" not in mail.subject + mail.body
        assert STRANGER not in mail.subject + mail.body


def test_two_workers_tell_once(any_ward: Ward) -> None:
    emergency(any_ward)
    form_browser.at_once(*(lambda: tell(any_ward) for _ in range(4)))
    assert len(mails(any_ward)) == 2


def test_the_worker_tells_it(ward: Ward) -> None:
    emergency(ward)
    worker_steps.tick(ward.house, {}, "worker")
    assert len(mails(ward)) == 2


@pytest.mark.parametrize(("level", "told"), [(Level.NONE, 0), (Level.WATCH, 0), (Level.URGENT, 1)])
def test_only_what_is_loud_is_mailed(ward: Ward, level: Level, told: int) -> None:
    texted(ward, known=False, level=level)
    tell(ward)
    assert bool(mails(ward)) == bool(told)
    with form_browser.working(ward.house) as work:
        assert len(unknown_senders.loud_quarantine(work)) == told


def test_a_known_number_is_no_quarantine(ward: Ward) -> None:
    emergency(ward, known=True)
    assert tell(ward) == 0


def test_the_circle_widens_while_nobody_looks(ward: Ward, clock: Clock) -> None:
    with form_browser.working(ward.house) as work:
        backup = factories.account(work, "nurse", email="backup@example.org")
        factories.duty(work, backup, "backup")
    emergency(ward)
    assert tell(ward) == 2
    clock.move(minutes=29)
    assert tell(ward) == 0
    clock.move(minutes=1)
    assert tell(ward) == 1
    assert mails(ward)[-1].to == backup.email
    clock.move(hours=5)
    assert tell(ward) == 0


def test_whoever_reads_it_stops_what_was_not_sent(ward: Ward) -> None:
    number = emergency(ward)
    tell(ward)
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        unknown_senders.set_aside(work, number, "advertising")
    assert {mail.row.status for mail in mails(ward)} == {"dropped"}
    assert tell(ward) == 0


def test_filing_makes_it_the_participants_alert_and_never_an_answer(any_ward: Ward) -> None:
    number = emergency(any_ward)
    assign(any_ward, number)
    (row,) = any_ward.rows(Inbound)
    assert (row.participant_id, row.what, row.read_by) == (
        any_ward.participant_id,
        "unmatched",
        any_ward.coordinator.id,
    )
    (alert,) = any_ward.rows(Alert)
    assert (alert.source, alert.rule, alert.level) == (f"inbound:{number}", "TEXT", Level.EMERGENCY)
    assert alert.assessment_id is None
    assert any_ward.rows(Answer) == []
    assert {mail.to for mail in any_ward.mails("alert")} == {any_ward.nurse.email, any_ward.investigator.email}
    (event,) = any_ward.events("inbound.assigned")
    assert (event.reason, event.participant_id) == ("asked on the phone", any_ward.participant_id)
    with form_browser.working(any_ward.house, any_ward.nurse.actor) as work:
        page = alert_page.alert_page(work, alert.id, "en")
        assert [text.text for text in page.texts] == ["我大出血了"]
        assert page.case.written
        assert [flag.class_id for flag in page.flags] == ["bleed_major"]
        (case,) = alert_list.open_cases(work, "en")
        assert case.sentence == "Wrote something that sounds like an emergency: please read it now"
        (entry,) = threads.thread(work, any_ward.participant_id, "en").entries
        assert entry.kind == "in"


@pytest.mark.parametrize(("level", "alerts", "told"), [(Level.NONE, 0, 0), (Level.WATCH, 1, 0), (Level.URGENT, 1, 1)])
def test_a_quiet_text_raises_as_little_as_it_would_have(ward: Ward, level: Level, alerts: int, told: int) -> None:
    assign(ward, texted(ward, known=False, level=level, hits=BLEEDS if level else ()))
    assert len(ward.rows(Alert)) == alerts
    assert bool(ward.mails("alert")) == bool(told)


def test_it_is_filed_once(any_ward: Ward) -> None:
    number = emergency(any_ward)
    refused = []

    def try_it() -> None:
        try:
            assign(any_ward, number)
        except NotAllowed as refusal:
            refused.append(refusal.why)

    form_browser.at_once(try_it, try_it)
    assert refused == ["assigned"]
    assert len(any_ward.rows(Alert)) == 1


def test_what_was_set_aside_by_mistake_can_be_filed(ward: Ward) -> None:
    number = emergency(ward)
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        unknown_senders.set_aside(work, number, "wrong number")
        assert unknown_senders.waiting(work) == []
    assign(ward, number)
    (row,) = ward.rows(Inbound)
    assert row.read_by == ward.nurse.id
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        page = unknown_senders.unknown_text_page(work, number)
    assert [(done.action, done.name, done.reason) for done in page.done] == [
        (unknown_senders.SET_ASIDE, "Nurse", "wrong number"),
        (unknown_senders.ASSIGNED, "Coordinator", "asked on the phone"),
    ]
    assert page.owner == (ward.participant_id, "NPC-001")


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
def test_what_is_refused(ward: Ward, participant_id: int | None, reason: str, fields: dict[str, str]) -> None:
    number = emergency(ward)
    with form_browser.working(ward.house, ward.nurse.actor) as work, pytest.raises(BadData) as refusal:
        unknown_senders.assign(work, number, participant_id, reason)
    assert refusal.value.details["fields"] == fields
    assert ward.rows(Inbound)[0].participant_id is None


def test_setting_aside_needs_a_reason(ward: Ward) -> None:
    number = emergency(ward)
    with form_browser.working(ward.house, ward.nurse.actor) as work, pytest.raises(BadData):
        unknown_senders.set_aside(work, number, " ")
    assert ward.rows(Inbound)[0].read_at is None


def test_the_page(ward: Ward, clock: Clock) -> None:
    first = texted(ward, "在吗", known=False)
    clock.move(days=3)
    number = emergency(ward)
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        work.session.get_one(Participant, ward.participant_id).phone_fingerprint = work.vault.fingerprint(
            f"phone:{STRANGER}"
        )
        page = unknown_senders.unknown_text_page(work, number)
        assert (page.phone, page.others, page.likely) == (STRANGER, [first], ["NPC-001"])
        assert [one.overdue for one in unknown_senders.waiting(work)] == [False, True], "loud before old"
    with form_browser.working(ward.house, replace(ward.nurse.actor, role="monitor")) as work:
        assert unknown_senders.unknown_text_page(work, number).phone is None
    assert len(ward.events("inbound.seen")) == 2


def test_a_text_of_a_known_number_has_no_such_page(ward: Ward) -> None:
    number = texted(ward)
    with form_browser.working(ward.house, ward.nurse.actor) as work:
        for wrong in (number, 99):
            with pytest.raises(NotFound):
                unknown_senders.unknown_text_page(work, wrong)
        with pytest.raises(NotAllowed):
            unknown_senders.set_aside(work, number, "why")
